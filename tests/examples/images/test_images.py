"""The chapter images against numpy, Pillow and colorsys; that both halves agree is test_parity's."""

import colorsys
import functools
import io

import numpy as np
import pytest
from PIL import Image

from tf1ref import catalog
from tf1ref.data import folders
from tf1ref.errors import InputError
from tf1ref.examples.images import _pictures

NAMES = ("jpeg_and_png", "resize_and_crop", "flips", "colors", "boxes", "preprocess")


@functools.cache
def trace(name):
    """The function half's trace; test_parity has the graph's equal it."""
    return catalog.load(f"images.{name}").run_function()


def forward(name, key):
    return trace(name)[f"forward/{key}"]


@functools.cache
def picture():
    """The picture as Pillow decodes the PNG, uint8, and as floats from 0 to 1."""
    pixels = np.array(Image.open(io.BytesIO(_pictures.png())))
    return pixels, decoded() / np.float32(255)


def decoded():
    return forward("jpeg_and_png", "decoded").astype(np.float32)


@pytest.mark.slow
def test_codecs_give_pillows_pixels():
    pixels = picture()[0]
    assert np.array_equal(forward("jpeg_and_png", "png"), pixels)
    assert np.array_equal(forward("jpeg_and_png", "imread"), pixels)
    theirs = np.array(Image.open(io.BytesIO(_pictures.jpeg()))).astype(int)
    # The other libraries' cosine transform is the accurate one, TensorFlow's default is not.
    assert np.abs(forward("jpeg_and_png", "accurate") - theirs).mean() < 0.1
    assert 0.1 < np.abs(forward("jpeg_and_png", "decoded") - theirs).mean() < 2
    assert np.array_equal(forward("jpeg_and_png", "image"), forward("jpeg_and_png", "decoded"))
    saved = np.array(Image.open(io.BytesIO(forward("jpeg_and_png", "encoded").item()))).astype(int)
    assert np.abs(trace("jpeg_and_png")["final/saved"] - saved).mean() < 2
    encoded_png = np.array(Image.open(io.BytesIO(forward("jpeg_and_png", "encoded_png").item())))
    assert np.array_equal(encoded_png, forward("jpeg_and_png", "decoded"))


@pytest.mark.slow
def test_codecs_lose_what_they_are_told_to():
    assert forward("jpeg_and_png", "half").shape == (200, 300, 3)
    assert forward("jpeg_and_png", "gray").shape == (400, 600, 1)
    red, green, blue = np.moveaxis(decoded(), 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue  # JFIF's Y
    assert np.abs(forward("jpeg_and_png", "gray")[..., 0] - luma).mean() < 2
    worse = np.abs(forward("jpeg_and_png", "coarse").astype(int) - forward("jpeg_and_png", "decoded")).mean()
    assert worse > 1.5 * trace("jpeg_and_png")["forward/jpeg_again_differs"]


def test_number_types():
    floats = forward("jpeg_and_png", "as_float")
    np.testing.assert_allclose(floats, picture()[1], rtol=1e-6)
    assert floats.max() <= 1 and floats.dtype == np.float32
    assert np.array_equal(
        forward("jpeg_and_png", "as_uint16"), forward("jpeg_and_png", "decoded").astype(np.uint16) * 256
    )
    assert np.array_equal(forward("jpeg_and_png", "brighter"), np.minimum(2 * decoded(), 255).astype(np.uint8))


def interpolated(image, places, axis):
    """`image` between the pixels at `places` along `axis`, linearly, the ends repeated."""
    last = image.shape[axis] - 1
    low = np.floor(places).astype(int)
    share = np.moveaxis((places - low)[:, None, None], 0, axis)
    a, b = (np.take(image, np.clip(low + i, 0, last), axis) for i in (0, 1))
    return a + (b - a) * share


@pytest.mark.slow
def test_bilinear_is_the_formula_of_both_worlds():
    image = picture()[1].astype(np.float64)
    for key, rows, columns in (
        ("bilinear", np.arange(300) * 400 / 300, np.arange(300) * 600 / 300),
        ("half_pixel_centers", (np.arange(300) + 0.5) * 400 / 300 - 0.5, (np.arange(300) + 0.5) * 600 / 300 - 0.5),
    ):
        expected = interpolated(interpolated(image, rows, 0), columns, 1)
        # The kernel's places are float32: near pixel 400 they are 3e-5 off.
        np.testing.assert_allclose(forward("resize_and_crop", key), expected, atol=5e-5)
    assert np.abs(forward("resize_and_crop", "bilinear") - forward("resize_and_crop", "half_pixel_centers")).max() > 0.1


@pytest.mark.slow
def test_nearest_and_area():
    image = picture()[1]
    rows = np.arange(300) * 400 // 300
    np.testing.assert_allclose(forward("resize_and_crop", "nearest"), image[rows][:, ::2], rtol=1e-6)
    # Three rows come from four, each of a third more than one; two columns make one.
    wide = image.reshape(400, 300, 2, 3).mean(2)
    a, b, c, d = (wide[i::4] for i in range(4))
    thirds = np.stack([a + b / 3, b * 2 / 3 + c * 2 / 3, c / 3 + d], 1) * 0.75
    np.testing.assert_allclose(forward("resize_and_crop", "area"), thirds.reshape(300, 300, 3), atol=5e-5)


def test_bicubic_is_keys_with_three_quarters():
    image = picture()[1].astype(np.float64)
    column = image[100, :, 0]  # row 75 * 400 / 300 is 100 exactly; every output column lies on an even pixel
    np.testing.assert_allclose(forward("resize_and_crop", "bicubic")[75, :, 0], column[::2], atol=2e-6)
    at, (p, q, r, s) = 1 / 3, (image[100 + i, 0, 0] for i in range(4))  # row 76 lies at 101 1/3

    def kernel(x, a=-0.75):
        x = abs(x)
        return (a + 2) * x**3 - (a + 3) * x**2 + 1 if x <= 1 else a * (x**3 - 5 * x**2 + 8 * x - 4)

    expected = p * kernel(1 + at) + q * kernel(at) + r * kernel(1 - at) + s * kernel(2 - at)
    assert abs(forward("resize_and_crop", "bicubic")[76, 0, 0] - expected) < 2e-3  # its table has 1024 places


def test_crops_and_pads_are_slices():
    image = picture()[1]

    def equal(key, expected):
        np.testing.assert_allclose(forward("resize_and_crop", key), expected, rtol=1e-6)

    equal("cropped", image[100:300, 200:400])
    equal("padded", np.pad(image, ((300, 300), (200, 200), (0, 0))))
    equal("central", image[100:300, 150:450])
    equal("box_cropped", image[100:200, 150:350])
    equal("box_padded", np.pad(image, ((50, 50), (100, 100), (0, 0))))


def test_crop_and_resize_measures_from_corner_to_corner():
    image = picture()[1].astype(np.float64)
    rows = 0.2 * 399 + np.arange(160) * (0.3 * 399 / 159)
    columns = 0.5 * 599 + np.arange(160) * (0.5 * 599 / 159)
    expected = interpolated(interpolated(image, rows, 0), columns, 1)
    np.testing.assert_allclose(forward("resize_and_crop", "crop_and_resize"), expected, atol=5e-4)


def test_flips_are_numpys():
    image = forward("jpeg_and_png", "decoded")
    assert np.array_equal(forward("flips", "up_down"), image[::-1])
    assert np.array_equal(forward("flips", "left_right"), image[:, ::-1])
    assert np.array_equal(forward("flips", "transposed"), image.transpose(1, 0, 2))
    small = forward("flips", "small")
    for key, flipped in (("left_right", small[:, ::-1]), ("up_down", small[::-1])):
        draws = trace("flips")[f"steps/{key}"]
        kinds = {small.tobytes(), flipped.tobytes()}
        assert {draw.tobytes() for draw in draws} == kinds


@pytest.mark.slow
def test_brightness_contrast_and_standardization_by_their_formulas():
    image = picture()[1].astype(np.float64)
    np.testing.assert_allclose(forward("colors", "brightness"), image - 0.5, atol=1e-6)
    mean = image.mean((0, 1))
    np.testing.assert_allclose(forward("colors", "contrast"), mean - 5 * (image - mean), atol=1e-4)
    np.testing.assert_allclose(forward("colors", "standardized"), (image - image.mean()) / image.std(), atol=1e-4)


def test_hue_and_saturation_by_colorsys():
    image = picture()[1]
    for y, x in ((5, 5), (190, 320), (90, 90), (390, 590), (30, 320)):
        h, s, v = colorsys.rgb_to_hsv(*image[y, x].tolist())
        np.testing.assert_allclose(forward("colors", "hue")[y, x], colorsys.hsv_to_rgb((h + 0.1) % 1, s, v), atol=2e-5)
        np.testing.assert_allclose(forward("colors", "saturation")[y, x], [v, v, v], atol=1e-6)


def test_random_colours_are_one_number_a_draw():
    image = picture()[1][::4, ::4]
    shifts = trace("colors")["steps/brightness"] - image
    assert all(np.ptp(shift) < 1e-6 for shift in shifts)
    numbers = shifts.mean((1, 2, 3))
    assert np.all(np.abs(numbers) <= 0.5) and np.ptp(numbers) > 0.2
    mean = image.mean((0, 1), dtype=np.float64)
    for drawn in trace("colors")["steps/contrast"]:
        factor = np.sum((drawn - mean) * (image - mean)) / np.sum((image - mean) ** 2)
        assert 0 <= factor <= 5
        np.testing.assert_allclose(drawn, mean + factor * (image - mean), atol=1e-4)


@pytest.mark.slow
def test_boxes_are_drawn_where_they_are_said_to_be():
    plain = picture()[1][np.arange(300) * 400 // 300][:, ::2]
    rows, columns = np.nonzero(np.abs(forward("boxes", "drawn") - plain).max(2) > 1e-6)
    edges = [rows.min(), columns.min(), rows.max(), columns.max()]
    assert edges == [int(share * 299) for share in (0.05, 0.05, 0.9, 0.7)]
    begin, size = trace("boxes")["steps/begin"][-1], trace("boxes")["steps/size"][-1]
    (y, x, _), (height, width, _) = begin, size
    np.testing.assert_allclose(trace("boxes")["final/distorted"], plain[y : y + height, x : x + width], rtol=1e-6)
    assert np.all(trace("boxes")["steps/size"][:, 2] == -1)


def test_the_sources_numbers_are_of_three_draws():
    # S3 prints begin [140 161 0], size [140 179 -1] and the box [0.2267 0.3 0.75 0.8133], of 300 pixels.
    assert round(0.22666667 * 300) != 140 and round((0.75 - 0.22666667) * 300) != 140


@pytest.mark.slow
def test_every_preprocessor_resizes_its_own_way_and_draws_anew():
    first, second = np.split(trace("preprocess")["steps/pictures"], 2)
    assert all(not np.array_equal(a, b) for a, b in zip(first, second))
    chosen = forward("preprocess", "choices")
    assert set(chosen[:, 0]) == {0, 1, 2, 3} and set(chosen[:, 1]) == {0, 1}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_sheet_of_each(name):
    figure = catalog.load(f"images.{name}").plot(trace(name))
    shown = [axis for axis in figure.axes if axis.images]
    assert len(shown) >= 3 and all(axis.get_title() for axis in shown)


@pytest.fixture
def flowers(tmp_path, monkeypatch):
    """The folder of flower_photos, with one empty class."""
    monkeypatch.setenv("TF1REF_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "flower_photos" / "roses").mkdir(parents=True)
    return tmp_path / "flower_photos" / "roses"


def test_a_real_flower_is_cut_to_size(flowers):
    Image.new("CMYK", (100, 300), (0, 255, 255, 0)).save(flowers / "a.jpg")
    Image.new("RGB", (10, 10)).save(flowers / "b.jpg")
    pixels = np.array(Image.open(io.BytesIO(_pictures.jpeg())))
    assert pixels.shape == (400, 600, 3)
    red, green, blue = pixels.mean((0, 1))
    assert red > 180 and green < 80 and blue < 80


def test_flowers_that_cannot_be_used_are_one_line(flowers):
    with pytest.raises(InputError, match="flower_photos: no .jpg in class folders"):
        _pictures.jpeg()
    (flowers / "a.jpg").write_bytes(b"\xff\xd8 not a picture")
    with pytest.raises(InputError, match="a.jpg: not a picture that can be read") as error:
        _pictures.jpeg()
    assert "\n" not in str(error.value)


def test_without_flowers_a_still_life_stands_in_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("TF1REF_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folders.stand_in.cache_clear()
    assert _pictures.png() == _pictures.png()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("flower_photos: no files")
