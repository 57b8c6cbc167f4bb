"""Pictures in, digits out: the loaders of picture files, and the programs of chapter mnist that use pictures."""

import os
import struct
import zlib

import numpy as np
import pytest
import tensorflow.compat.v1 as v1
from PIL import Image, ImageOps

from tf1ref import catalog
from tf1ref.data import labelled_images, pictures
from tf1ref.errors import InputError
from tf1ref.examples.mnist import augmentation, predict_digit

HALVES = ("graph", "function")


def sheet(digit=5):
    """A digit in black on white, 200 x 200."""
    return predict_digit.drawn(digit)


def transparent(ink):
    """A digit of grey `ink` on nothing."""
    picture = Image.new("LA", sheet().size, (ink, 0))
    picture.putalpha(ImageOps.invert(sheet()))
    return picture


def sixteen_bits(picture):
    """The picture with its values from 0 to 65535."""
    return Image.fromarray((np.asarray(picture).astype(np.uint16)) * 257)


def turned_by_exif(picture):
    """The picture lying on its side, with the EXIF entry that sets it up (6: turn by 90 degrees clockwise)."""
    exif = Image.Exif()
    exif[274] = 6
    return picture.transpose(Image.Transpose.ROTATE_90), {"exif": exif}


SAME = {
    "grey.png": lambda: sheet(),
    "light_on_dark.png": lambda: ImageOps.invert(sheet()),
    "colour.bmp": lambda: sheet().convert("RGB"),
    "one_bit.png": lambda: sheet().convert("1"),
    "palette.gif": lambda: sheet().convert("P"),
    "cmyk.jpg": lambda: sheet().convert("CMYK"),
    "cmyk.tif": lambda: sheet().convert("CMYK"),
    "sixteen.png": lambda: sixteen_bits(sheet()),
    "float.tif": lambda: Image.fromarray(np.asarray(sheet(), np.float32) / 255),
    "opaque.png": lambda: sheet().convert("RGBA"),
    "black_on_nothing.png": lambda: transparent(0),
    "white_on_nothing.png": lambda: transparent(255),
    "white_on_nothing.webp": lambda: transparent(255).convert("RGBA"),
    "turned.jpg": lambda: turned_by_exif(sheet()),
    "pencil.png": lambda: Image.eval(sheet(), lambda v: 120 + v * 100 // 255),
    "wide.png": lambda: ImageOps.pad(sheet(), (10_000, 200), color=255),
    "large.png": lambda: sheet().resize((5_000, 5_000)),
    "large.jpg": lambda: sheet().resize((5_000, 5_000)),
    "large_transparent.png": lambda: transparent(255).resize((3_000, 3_000)),
}


@pytest.mark.parametrize("name", SAME)
def test_a_digit_is_the_same_in_every_kind_of_file(name, tmp_path):
    made = SAME[name]()
    picture, options = made if isinstance(made, tuple) else (made, {})
    picture.save(tmp_path / name, **options)
    expected = pictures.centred(np.asarray(sheet())).astype(int)
    digit = pictures.digit(tmp_path / name)
    assert digit.dtype == np.uint8 and digit.shape == (28, 28)
    assert np.abs(digit - expected).mean() < 2


def test_a_digit_lies_in_its_box_as_mnists_do():
    tall, flat = np.full((90, 300), 255, np.uint8), np.full((300, 90), 255, np.uint8)
    tall[10:80, 200:210] = flat[200:210, 10:80] = 30
    for drawn, axis in ((tall, 1), (flat, 0)):
        digit = pictures.centred(drawn)
        inked = np.argwhere(digit)
        assert (np.ptp(inked, axis=0) + 1).max() == 20
        masses = np.average(inked, axis=0, weights=digit[digit > 0])
        np.testing.assert_allclose(masses, 14, atol=0.51)
        assert digit.max() == 255 and (np.ptp(inked, axis=0) + 1)[axis] <= 4


def png(width, height):
    """A PNG file that says it is so large; its pixels are missing."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data = b"IDAT" + zlib.compress(b"")
    return head + struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))


def animated(path):
    """Writes a GIF of two pictures."""
    sheet(1).save(path, save_all=True, append_images=[sheet(2)])


def damaged(path):
    """Writes the first half of a PNG."""
    sheet().save(path, "PNG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BAD = {
    "text.png": (lambda path: path.write_text("no picture"), "not a picture of a known kind"),
    "empty.png": (lambda path: path.write_bytes(b""), "not a picture of a known kind"),
    "script.eps": (lambda path: path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n"), "not a picture of a known kind"),
    "missing.png": (lambda path: None, "No such file"),
    "folder.png": (lambda path: path.mkdir(), "not a file"),
    "pipe.png": (lambda path: os.mkfifo(path), "not a file"),
    "half.png": (damaged, "damaged"),
    "pixels_missing.png": (lambda path: path.write_bytes(png(100, 100)), "damaged"),
    "large.png": (lambda path: path.write_bytes(png(10_000, 10_000)), "more than the 50,000,000 pixels"),
    "bomb.png": (lambda path: path.write_bytes(png(60_000, 60_000)), "more than the 50,000,000 pixels"),
    "animated.gif": (animated, "animated, 2 pictures"),
    "blank.png": (lambda path: Image.new("L", (90, 90), 255).save(path), "nothing to be seen"),
    "black.png": (lambda path: Image.new("L", (90, 90), 0).save(path), "nothing to be seen"),
    "clear.png": (lambda path: Image.new("RGBA", (90, 90), (0, 0, 0, 0)).save(path), "nothing to be seen"),
    "dot.png": (lambda path: Image.new("L", (1, 1), 0).save(path), "nothing to be seen"),
    "paper.jpg": (
        lambda path: Image.fromarray(np.random.RandomState(1).normal(230, 4, (300, 300)).astype(np.uint8)).save(path),
        "nothing to be seen",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_one_line(name, tmp_path, recwarn):
    make, says = BAD[name]
    make(tmp_path / name)
    with pytest.raises(InputError, match=says) as raised:
        pictures.digit(tmp_path / name)
    assert str(tmp_path / name) in str(raised.value) and "\n" not in str(raised.value)
    assert not recwarn.list


def test_predict_digit_says_at_once_that_it_sees_nothing(refused, tmp_path):
    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")
    assert "nothing to be seen" in refused("run", "mnist.predict_digit", "--set", "PICTURE=blank.png")


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_predict_digit_takes_a_file(half, tmp_path):
    transparent(255).save(tmp_path / "seven.png")
    module = catalog.load("mnist.predict_digit", {"PICTURE": str(tmp_path / "seven.png")})
    trace = getattr(module, f"run_{half}")(steps=2, out=tmp_path)
    expected = pictures.digit(tmp_path / "seven.png")[None]
    np.testing.assert_allclose(trace["forward/centred/seen"], expected / 255, atol=1e-7)
    hidden = np.maximum(expected.reshape(1, 784) / 255 @ trace["final/dense/kernel"] + trace["final/dense/bias"], 0)
    powers = np.exp(hidden @ trace["final/dense_1/kernel"] + trace["final/dense_1/bias"])
    np.testing.assert_allclose(trace["forward/centred/probabilities"], powers / powers.sum(), atol=1e-5)
    assert trace["final/answer"] == powers.argmax() and trace["final/answer"].shape == (1,)


def labelled(folder, lines, names=("a.png", "b.png", "sub/c.png"), side=28):
    """Writes pictures of one grey each, and their text."""
    for number, name in enumerate(names):
        (folder / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (side, side), 10 * number).save(folder / "pictures" / name)
    (folder / "labels.txt").write_bytes(lines.encode() if isinstance(lines, str) else lines)
    return folder / "pictures", folder / "labels.txt"


def test_labelled_pictures_come_in_the_order_of_the_text(tmp_path):
    x, y = labelled_images.read(*labelled(tmp_path, "\ufeffsub/c.png 7\r\n\r\na.png 0\r\nb.png 9\r\n"))
    assert (x.dtype, x.shape, y.dtype, y.tolist()) == (np.uint8, (3, 28, 28), np.int64, [7, 0, 9])
    assert x[:, 5, 5].tolist() == [20, 0, 10]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("a.png 0\nb.png\nsub/c.png 2", "labels.txt: line 2: 'b.png' is not `name label`"),
        ("a.png 0\nb.png 1 2\nsub/c.png 2", "line 2: 'b.png 1 2' is not `name label`"),
        ("a.png 0\n\nb.png ten\nsub/c.png 2", "line 3: the label 'ten' is not a number from 0 to 9"),
        ("a.png 10\nb.png 1\nsub/c.png 2", "line 1: the label '10'"),
        ("a.png -1\nb.png 1\nsub/c.png 2", "line 1: the label '-1'"),
        ("a.png 0\nb.png 1\nd.png 2", "line 3: there is no picture d.png"),
        ("a.png 0\nb.png 1\n../labels.txt 2", "line 3: there is no picture ../labels.txt"),
        ("a.png 0\nb.png 1\na.png 2", "line 3: a.png has a label already, in line 1"),
        ("a.png 0\nsub/c.png 1", "b.png: has no line in"),
        ("a.png 0", "b.png: has no line in .*and 1 more"),
        (b"\xff\xfea\x00", "not a UTF-8 text"),
    ],
)
def test_a_bad_label_names_its_line(lines, says, tmp_path):
    with pytest.raises(InputError, match=says):
        labelled_images.read(*labelled(tmp_path, lines))


def test_a_bad_picture_names_its_line(tmp_path):
    folder, text = labelled(tmp_path, "a.png 1\nb.png 2\nsub/c.png 3")
    damaged(folder / "b.png")
    with pytest.raises(InputError, match="line 2: .*b.png: damaged"):
        labelled_images.read(folder, text)
    Image.new("L", (30, 28)).save(folder / "b.png")
    with pytest.raises(InputError, match="line 2: .*b.png is 30 x 28 pixels, expected 28 x 28"):
        labelled_images.read(folder, text)


def test_nothing_to_read_is_bad_input(tmp_path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(InputError, match="labels no picture"):
        labelled_images.read(*labelled(tmp_path, "\n", names=()))
    with pytest.raises(InputError, match="no such folder"):
        labelled_images.read(tmp_path / "nowhere", tmp_path / "labels.txt")
    for function in (labelled_images.read, lambda *paths: labelled_images.load(*paths, tmp_path / "kept")):
        with pytest.raises(InputError, match="nothing.txt"):
            function(tmp_path / "pictures", tmp_path / "nothing.txt")


def test_npy_files_are_read_until_a_picture_changes(tmp_path, monkeypatch):
    folder, text = labelled(tmp_path, "a.png 1\nb.png 2\nsub/c.png 3")
    first = labelled_images.load(folder, text, tmp_path / "kept")
    np.testing.assert_array_equal(np.load(tmp_path / "kept_x.npy"), first[0])
    with monkeypatch.context() as patch:
        patch.setattr(labelled_images, "read", lambda *a: pytest.fail("read anew"))
        again = labelled_images.load(folder, text, tmp_path / "kept")
    np.testing.assert_array_equal(again[0], first[0])
    Image.new("L", (28, 28), 200).save(folder / "b.png")
    os.utime(folder / "b.png", ns=(1, 1))  # older than the .npy files: it is the change that counts
    assert labelled_images.load(folder, text, tmp_path / "kept")[0][1, 0, 0] == 200
    (tmp_path / "kept_x.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match="kept_x.npy"):
        labelled_images.load(folder, text, tmp_path / "kept")


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_own_images_trains_on_ones_own(half, tmp_path):
    folder, text = labelled(tmp_path, "a.png 1\nb.png 2\nsub/c.png 3")
    given = {"TRAIN_PATH": str(folder), "TRAIN_TXT": str(text), "TEST_PATH": str(folder), "TEST_TXT": str(text)}
    trace = getattr(catalog.load("mnist.own_images", given), f"run_{half}")(steps=2, out=tmp_path)
    assert (trace["forward/train_pictures"], trace["forward/test_pictures"]) == (3, 3)
    assert trace["forward/labels"].tolist() == [1, 2, 3]
    with pytest.raises(InputError, match="set all four"):
        catalog.load("mnist.own_images", {"TRAIN_PATH": "x"}).run_graph(steps=1)


def drawn_numbers(n):
    """The angles (radians), shifts (pixels) and zooms that the seeds of `augment` give."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(augmentation.SEED)
        ranges = [(-45, 45, 3), (-0.15, 0.15, 4), (-0.15, 0.15, 5), (0.5, 1.5, 6), (0.5, 1.5, 7)]
        ops = [v1.random_uniform([n], float(low), float(high), seed=seed) for low, high, seed in ranges]
        angle, down, right, high, wide = (value.astype(np.float64) for value in sess.run(ops))
    return np.deg2rad(angle), 28 * down, 28 * right, high, wide


def keras_transform(picture, angle, down, right, high, wide):
    """ImageDataGenerator's affine map in (row, column) about the middle, bilinear, nearest beyond the edge."""
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    shift = np.array([[1, 0, down], [0, 1, right], [0, 0, 1]])
    matrix = turn @ shift @ np.diag([high, wide, 1])
    to, back = np.eye(3), np.eye(3)
    to[:2, 2], back[:2, 2] = 13.5, -13.5
    rows, columns = np.mgrid[:28, :28]
    at = (to @ matrix @ back) @ np.stack([rows.ravel(), columns.ravel(), np.ones(784)])
    out = np.zeros(784)
    corner = np.floor(at[:2]).astype(int)
    for i in (0, 1):
        for j in (0, 1):
            place = corner + [[i], [j]]
            weight = np.prod(1 - np.abs(at[:2] - place), axis=0)
            row, column = np.clip(place, 0, 27)
            out += weight * picture[row, column]
    return out.reshape(28, 28)


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_augmentation_is_kerass_affine_map(half):
    trace = getattr(augmentation, f"run_{half}")(steps=1)
    before = trace["forward/pictures"][..., 0]
    numbers = drawn_numbers(len(before))
    expected = [keras_transform(picture, *each) for picture, *each in zip(before, *numbers)]
    np.testing.assert_allclose(trace["forward/augmented"][..., 0], expected, atol=1e-4)
    mirrored = trace["forward/mirrored"][..., 0]
    kept = [np.allclose(a, b, atol=1e-5) for a, b in zip(mirrored, before)]
    turned = [np.allclose(a, b[:, ::-1], atol=1e-5) for a, b in zip(mirrored, before)]
    assert all(np.array(kept) ^ np.array(turned)) and any(kept) and any(turned)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["predict_digit", "own_images", "augmentation"])
def test_plots_are_made(name, tmp_path):
    module = catalog.load(f"mnist.{name}")
    figure = module.plot(module.run_function(steps=2))
    figure.savefig(tmp_path / "figure.png")
    assert np.asarray(Image.open(tmp_path / "figure.png").convert("L")).std() > 20
