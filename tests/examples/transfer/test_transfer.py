"""The chapter transfer: what the heads learn, and files that others can use."""

import subprocess

import numpy as np
import pytest
import tensorflow.compat.v1 as v1
from PIL import Image

from tf1ref import catalog
from tf1ref.data import folders
from tf1ref.errors import InputError
from tf1ref.examples.transfer import _function, _inputs, _session

pytestmark = pytest.mark.usefixtures("small_network")

SIDE = 8


def save_picture(path, seed, colour=(0, 0, 0)):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.RandomState(seed).randint(0, 60, (20, 24, 3))
    Image.fromarray(np.uint8(np.clip(noise + colour, 0, 255))).save(path)


@pytest.fixture
def flowers(tmp_path):
    """A folder of two classes, 30 pictures each, red and blue."""
    for i in range(30):
        save_picture(tmp_path / "pictures" / "red" / f"r{i}.png", i, (160, 0, 0))
        save_picture(tmp_path / "pictures" / "blue" / f"b{i}.jpg", i, (0, 0, 160))
    return tmp_path / "pictures"


def write_graph(path, scale=1.0):
    """A frozen graph from pictures (1, 8, 8, 3) to 12 features: the means of their quarters."""
    with v1.Graph().as_default() as graph:
        images = v1.placeholder(v1.float32, [1, SIDE, SIDE, 3], name="net/input")
        pooled = v1.nn.avg_pool(images * scale, [1, 4, 4, 1], [1, 4, 4, 1], "VALID")
        v1.identity(pooled, name="net/pooled")
        v1.reduce_mean(pooled, name="net/scalar")
        v1.constant([[1.0, 2.0]], name="net/fixed")
        anything = v1.placeholder(v1.float32, [None, None, None, 3], name="net/any")
        v1.reduce_mean(anything, [1, 2], name="net/any_pooled")
        v1.identity(v1.io.read_file(v1.constant("/etc/hostname")), name="net/file")
        v1.reshape(images + v1.strings.to_number(v1.io.read_file("/etc/hostname")), [1, -1], name="net/outside")
        path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


@pytest.fixture
def changes(tmp_path, flowers):
    """The constants of bottleneck for that graph and those pictures."""
    return {
        "MODEL_FILE": str(write_graph(tmp_path / "net.pb")),
        "JPEG_DATA_TENSOR_NAME": "net/input:0",
        "BOTTLENECK_TENSOR_NAME": "net/pooled:0",
        "INPUT_DATA": str(flowers),
        "CACHE_DIR": str(tmp_path / "cache"),
    }


@pytest.mark.slow
def test_second_run_starts_training_at_once(changes, monkeypatch, tmp_path):
    program = catalog.load("transfer.bottleneck", changes)
    first = program.run_graph(steps=3), program.run_function(steps=3)
    counts = {"graph": 0, "function": 0}

    def counting(module, half):
        made = module.extractor

        def extractor(*arguments):
            extract = made(*arguments)

            def counted(path, data):
                counts[half] += 1
                return extract(path, data)

            return counted

        monkeypatch.setattr(module, "extractor", extractor)

    counting(_session, "graph"), counting(_function, "function")
    second = program.run_graph(steps=3), program.run_function(steps=3)
    answers = len(first[0]["forward/from_file"])  # the file is asked anew, the features are not computed
    assert counts == {"graph": answers, "function": answers}
    for one, other in zip(first, second):
        assert all(np.array_equal(one[key], other[key]) for key in one)
    save_picture(tmp_path / "pictures" / "red" / "r0.png", 99)
    program.run_graph(steps=1)
    assert counts["graph"] == 2 * answers + 1
    write_graph(tmp_path / "net.pb", scale=2.0)
    program.run_graph(steps=1)
    assert counts["graph"] == 3 * answers + 1 + 60


def test_features_and_first_gradient_by_numpy(changes):
    program = catalog.load("transfer.bottleneck", changes)
    trace = program.run_graph(steps=1)
    found = _inputs.pictures(changes["INPUT_DATA"], None)
    chosen = _inputs.lists(found, 10, 10)
    red = next(i for i, path in enumerate(found.paths) if path.name == "r3.png")  # PNG: no decoder differs
    exact = np.asarray(Image.open(found.paths[red]).resize((8, 8), Image.Resampling.BOX), float)
    quarters = ((exact - 127.5) / 127.5).reshape(2, 4, 2, 4, 3).mean((1, 3)).ravel()
    np.testing.assert_allclose(trace["forward/features"][red], quarters, atol=0.01)  # Pillow rounds to whole levels

    labels = np.array(found.labels)
    batch = _inputs.batch(np.random.RandomState(program.SEED), labels, chosen["training"], program.BATCH)
    assert set(batch) <= set(chosen["training"])
    x, truth = trace["forward/features"][batch].astype(float), np.eye(2)[labels[batch]]
    logits = x @ trace["initial/final_training_ops/weights"] + trace["initial/final_training_ops/biases"]
    wrong = np.exp(logits) / np.exp(logits).sum(1, keepdims=True) - truth
    gradient = x.T @ wrong / len(batch)
    np.testing.assert_allclose(trace["gradient/final_training_ops/weights"], gradient, atol=1e-6)
    step = trace["initial/final_training_ops/weights"] - program.LEARNING_RATE * gradient
    np.testing.assert_allclose(trace["final/final_training_ops/weights"], step, atol=1e-7)


PLAIN = """
import sys
import numpy, tensorflow.compat.v1 as v1
graph_def = v1.GraphDef.FromString(open(sys.argv[1], "rb").read())
with v1.Graph().as_default(), v1.Session() as sess:
    jpeg, final = v1.import_graph_def(graph_def, return_elements=["JpegContents:0", "final_result:0"])
    rows = [sess.run(final, {jpeg: open(path, "rb").read()}) for path in sys.argv[3:]]
numpy.save(sys.argv[2], numpy.concatenate(rows))
assert not [name for name in sys.modules if name.split(".")[0] in ("tf1ref", "cluster")]
"""


@pytest.mark.slow
@pytest.mark.parametrize("half", ["graph", "function"])
def test_the_file_says_the_same_in_plain_tensorflow(half, changes, tmp_path, started_python):
    program = catalog.load("transfer.bottleneck", changes)
    out = tmp_path / "out"
    out.mkdir()
    trace = getattr(program, f"run_{half}")(steps=300, out=out)
    assert sorted(path.name for path in out.iterdir()) == ["labelled.png", "output_graph.pb", "output_labels.txt"]
    assert (out / "output_labels.txt").read_text() == "blue\nred\n"
    found = _inputs.pictures(changes["INPUT_DATA"], None)
    testing = [found.paths[i] for i in _inputs.lists(found, 10, 10)["testing"]]
    answers = tmp_path / "answers.npy"
    command = [started_python, "-c", PLAIN, out / "output_graph.pb", answers, *testing]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(answers), trace["forward/from_file"][:-1])
    assert trace["final/file_differs"] == 0 and trace["final/test_accuracy"] == 1  # red and blue
    assert [path.parent.name for path in testing] == [("blue", "red")[i] for i in np.load(answers).argmax(1)]


def test_label_is_drawn_below(flowers, tmp_path):
    path = flowers / "red" / "r1.png"
    (tmp_path / "drawn.png").write_bytes(_inputs.labelled(path, "daisy 98%"))
    drawn, plain = (np.asarray(Image.open(p).convert("RGB").resize((224, 186))) for p in (tmp_path / "drawn.png", path))
    changed = (np.abs(drawn.astype(int) - plain) > 20).any(axis=(1, 2))
    assert not changed[:150].any() and changed[-15:].all()
    assert (drawn[-25:] > 200).any() and (drawn[-25:] < 40).any()  # letters on a bar


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"BOTTLENECK_TENSOR_NAME": "net/poled:0"}, "holds no 'net/poled:0'; nearest: net/pooled"),
        ({"JPEG_DATA_TENSOR_NAME": "net/imput:0"}, "holds no 'net/imput:0'; nearest: net/input"),
        ({"BOTTLENECK_TENSOR_NAME": "net/pooled:1"}, "has 1 outputs, no net/pooled:1"),
        ({"BOTTLENECK_TENSOR_NAME": "net/scalar:0"}, "not a known number of features"),
        ({"BOTTLENECK_TENSOR_NAME": "net/fixed:0"}, "net/fixed:0 does not depend on net/input:0"),
        ({"BOTTLENECK_TENSOR_NAME": "net/outside:0"}, "ReadFile may touch files"),
        ({"JPEG_DATA_TENSOR_NAME": "net/any:0", "BOTTLENECK_TENSOR_NAME": "net/any_pooled:0"}, "of a known size"),
        ({"MODEL_FILE": "missing.pb"}, "missing.pb: cannot be read"),
        ({"VALIDATION_PERCENTAGE": 100}, "no picture of it is left to train on"),
        ({"TEST_PERCENTAGE": 1}, "none of them for testing"),
        ({"PICTURE": "nowhere.jpg"}, "nowhere.jpg: not a picture"),
    ],
)
def test_bad_constants(change, says, changes, tmp_path):
    with pytest.raises(InputError, match=says):
        catalog.load("transfer.bottleneck", changes | change).run_graph(steps=1, out=tmp_path)
    assert not list(tmp_path.glob("output*")) and not list(tmp_path.glob(".*"))


def bad_picture(folder):
    (folder / "red" / "r4.png").write_bytes(b"no picture at all")
    return "r4.png: not a picture"


def no_picture(folder):
    for path in folder.glob("red/*"):
        path.rename(path.with_suffix(".txt"))
    return "red: no picture in it"


def one_class(folder):
    (folder / "red").rename(folder.parent / "red")
    return "only one class, blue"


@pytest.mark.parametrize("spoil", [bad_picture, no_picture, one_class])
def test_bad_pictures_are_one_line(spoil, changes, refused, tmp_path, flowers):
    says = spoil(flowers)
    sets = [word for name, value in changes.items() for word in ("--set", f"{name}={value}")]
    out = tmp_path / "out"
    line = refused("run", "transfer.bottleneck", "--steps", "2", "--out", out, *sets)
    assert says in line
    assert not [path for path in out.rglob("*") if path.is_file()]


def test_no_graph(changes, tmp_path):
    for content in (b"", b"hello", b"\x08\x01"):
        (tmp_path / "net.pb").write_bytes(content)
        with pytest.raises(InputError, match="net.pb: .*GraphDef"):
            catalog.load("transfer.bottleneck", changes).run_function(steps=1)
    (tmp_path / "net.pb").write_bytes(b"")


@pytest.mark.slow
@pytest.mark.parametrize("half", ["graph", "function"])
def test_damaged_and_other_pictures(half, changes, flowers, tmp_path):
    run = getattr(catalog.load("transfer.bottleneck", changes), f"run_{half}")
    whole = (flowers / "red" / "r4.png").read_bytes()
    (flowers / "red" / "r4.png").write_bytes(whole[:200])
    with pytest.raises(InputError, match="r4.png: not a picture that the graph can decode"):
        run(steps=1, out=tmp_path)
    assert not list(tmp_path.glob("output*"))
    (flowers / "red" / "r4.png").write_bytes(whole)
    save_picture(flowers / "red" / "r5.bmp", 5)
    with pytest.raises(InputError, match="r5.bmp: BMP, which DecodeJpeg does not read"):
        run(steps=1)


@pytest.mark.slow
@pytest.mark.skipif(not folders.folder("flower_photos") or not folders.folder("graphs"), reason="needs the real files")
def test_mobilenet_tells_flowers_apart(tmp_path):
    graph = folders.folder("graphs") / "mobilenet" / "frozen_graph.pb"
    changes = {
        "MODEL_FILE": str(graph),
        "JPEG_DATA_TENSOR_NAME": "input:0",
        "BOTTLENECK_TENSOR_NAME": "MobilenetV1/Logits/AvgPool_1a/AvgPool:0",
    }
    trace = catalog.load("transfer.bottleneck", changes).run_graph(out=tmp_path)
    assert trace["final/held_back_accuracy"] >= 0.78
    assert trace["final/file_differs"] == 0


@pytest.mark.slow
def test_inception_features_by_numpy(changes):
    graph = changes.pop("MODEL_FILE")
    changes |= {"INCEPTION_V3_PB_FILE": graph, "IMG_FILE": changes.pop("INPUT_DATA")}
    program = catalog.load("transfer.inception_features", changes)
    trace = program.run_graph(steps=1)
    found = _inputs.pictures(changes["IMG_FILE"], None)
    training = _inputs.lists(found, 10, 10)["training"]
    vectors = trace["forward/features"].astype(float)
    assert len(vectors) == 61 and (vectors[:-1] == vectors[-1]).all(1).sum() == 1  # the labelled one comes last
    lowest, highest = vectors[training].min(), vectors[training].max()
    x = (vectors - lowest) / (highest - lowest)

    def network(when, rows):
        for layer in (1, 2):
            rows = rows @ trace[f"{when}/layer{layer}/weights"] + trace[f"{when}/layer{layer}/biases"]
            rows = np.where(rows > 0, rows, 0.2 * rows)
        return rows

    batch = np.random.RandomState(program.SEED).choice(training, len(training), replace=False)
    logits = network("initial", x[batch])
    logits -= logits.max(1, keepdims=True)
    right = logits[np.arange(len(batch)), np.array(found.labels)[batch]]
    penalty = sum((trace[f"initial/layer{n}/weights"].astype(float) ** 2).sum() for n in (1, 2))
    loss = (np.log(np.exp(logits).sum(1)) - right).mean() + 0.000005 * penalty
    np.testing.assert_allclose(trace["steps/loss"][0], loss, rtol=1e-4)
    np.testing.assert_allclose(trace["final/result"], network("final", x[-1:]), rtol=1e-3)
    assert trace["final/answer"] == network("final", x[-1:]).argmax()


@pytest.mark.slow
def test_fine_tune_moves_what_it_should(flowers):
    trace = catalog.load("transfer.fine_tune", {"INPUT_DATA": str(flowers)}).run_graph(steps=20)
    assert trace["final/body_moved_by_head"] == 0 and trace["final/body_gradients_with_stop"] == 0
    assert trace["final/body_moved_by_tuning"] > 5000  # of 27,744; many get none through relu
    assert not any(key.startswith("gradient/head/conv") for key in trace)
    assert np.abs(trace["gradient/tune/conv1/weights"]).max() > 0
    assert not np.array_equal(trace["between/new_head/weights"], trace["initial/new_head/weights"])
    assert trace["steps/tune_loss"].mean() < trace["steps/head_loss"].mean() < np.log(2)
    assert trace["final/tuned_accuracy"] == 1
