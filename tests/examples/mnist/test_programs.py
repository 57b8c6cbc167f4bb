"""The mnist programs against numpy: what they feed, count, save and restore. Their figures are test_expected's."""

import os

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from tf1ref import catalog, parity
from tf1ref.data import mnist
from tf1ref.errors import InputError
from tf1ref.examples.mnist._pixels import less_255

pytestmark = pytest.mark.slow  # the first test builds networks and trains them

HALVES = ("graph", "function")
each_half = pytest.mark.parametrize("half", HALVES)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of MNIST files with 600 training and 100 test pictures: specks, and a bar whose height is the label."""
    folder, random = tmp_path_factory.mktemp("data") / "mnist", np.random.RandomState(1)
    folder.mkdir()
    for name, count in (("train", 600), ("t10k", 100)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        specks = random.randint(0, 256, (count, 28, 28)) * (random.random_sample((count, 28, 28)) < 0.1)
        specks[np.arange(count), 4 + 2 * labels, 8:20] = 120
        mnist.write_idx(folder / f"{name}-images-idx3-ubyte.gz", specks.astype(np.uint8))
        mnist.write_idx(folder / f"{name}-labels-idx1-ubyte.gz", labels)
    return folder


def data_sets(pictures, **options):
    """500 pictures to train on, 100 to validate, 100 to test; the same batches every time."""
    return mnist.read_data_sets(validation_size=100, seed=1, where=pictures, **options)


def values(prefix):
    """{name: value} of a checkpoint."""
    reader = tf.train.load_checkpoint(prefix)
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def softmax(logits):
    """Probabilities (n, 10), in float64."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


# mlp_l2


def test_uint8_wraps_in_the_sources_scaling():
    pixels = np.arange(256, dtype=np.uint8)
    expected = np.float32([(n + 1) % 256 for n in range(256)]) / np.float32(255)
    assert np.array_equal(less_255(pixels), expected)
    assert np.array_equal(less_255(pixels), ((pixels - 255) / 255).astype(np.float32))  # S0's own expression


def test_a_batch_repeats_nothing_and_batches_differ(pictures):
    mlp_l2 = catalog.load("mnist.mlp_l2", {"BATCH_SIZE": 500})
    data = data_sets(pictures, one_hot=True, dtype=np.uint8).train
    batches = list(mlp_l2.batches(data, 2))
    assert all(len(np.unique(xs, axis=0)) == 500 for xs, _ in batches)
    assert not np.array_equal(batches[0][0], batches[1][0])
    assert batches[0][1].dtype == np.float32 and (batches[0][1].sum(1) == 1).all()


@each_half
@pytest.mark.parametrize("relu6", [False, True])
def test_the_l2_collection_holds_both_penalties(pictures, half, relu6):
    mlp_l2 = catalog.load("mnist.mlp_l2", {"OUTPUT_RELU6": relu6})
    data = data_sets(pictures, one_hot=True, dtype=np.uint8).test
    x, y_ = mlp_l2.whole(data)
    if half == "graph":
        with v1.Graph().as_default(), v1.Session() as sess:
            v1.set_random_seed(mlp_l2.SEED)
            graph = mlp_l2.build_graph()
            sess.run(v1.global_variables_initializer())
            loss, w = sess.run([graph["loss"], graph["variables"]], {graph["x"]: x, graph["y_"]: y_})
    else:
        tf.random.set_seed(mlp_l2.SEED)
        network = mlp_l2.Network()
        loss = network.loss_and_accuracy(tf.constant(x), tf.constant(y_))[0].numpy()
        w = {v.name.partition(":")[0]: v.numpy() for v in network.all}
    w = {name: value.astype(np.float64) for name, value in w.items()}
    layer1 = np.clip(x @ w["layer1/weights"] + w["layer1/biases"], 0, 6)
    logits = layer1 @ w["layer2/weights"] + w["layer2/biases"]
    logits = np.clip(logits, 0, 6) if relu6 else logits
    logits -= logits.max(1, keepdims=True)
    cross_entropy = (np.log(np.exp(logits).sum(1)) - (logits * y_).sum(1)).mean()
    assert (cross_entropy < 10) == relu6  # six is the most that two clipped logits are apart
    penalty = 0.00005 * sum((w[f"layer{n}/weights"] ** 2).sum() for n in (1, 2))
    assert penalty > 19 and loss == pytest.approx(cross_entropy + penalty, rel=1e-5)


def test_the_functions_loss_is_no_add_n():
    """Its kernel begins with whichever buffer it may take first, and the optimizer makes an add_n of a + b + c."""
    network = catalog.load("mnist.mlp_l2", {"LAYER1_NODE": 3}).Network()
    loss_and_accuracy = network.loss_and_accuracy.get_concrete_function(tf.ones([2, 784]), tf.ones([2, 10]))
    scalars = [op.type for op in loss_and_accuracy.graph.get_operations() if op.outputs and op.outputs[0].shape == []]
    assert "Mean" in scalars and not {"AddN", "AddV2", "Add"} & {*scalars}


# train_and_eval


@pytest.fixture(scope="module")
def evaluated(pictures, tmp_path_factory):
    """Both halves, three steps with a checkpoint and an evaluation each: {half: (folder, rows)}."""
    program = catalog.load("mnist.train_and_eval", {"SAVE_EVERY": 1, "LEARNING_RATE_BASE": 0.2})
    done = {}
    for half in HALVES:
        data, folder, rows = data_sets(pictures, one_hot=True), str(tmp_path_factory.mktemp(half)), []
        train, evaluate = getattr(program, f"train_{half}"), getattr(program, f"evaluate_{half}")
        train(data, 3, folder, lambda f=folder, d=data, e=evaluate, r=rows: r.append(e(d.validation, f)))
        done[half] = folder, rows
    return done


def mlp_accuracy(named, data, suffix=""):
    """Accuracy of the relu network with the variables of a checkpoint, or with their averages."""
    w = {name: named[name + suffix] for name in ("layer1/weights", "layer1/biases", "layer2/weights", "layer2/biases")}
    layer1 = np.maximum(data.images @ w["layer1/weights"] + w["layer1/biases"], 0)
    answers = (layer1 @ w["layer2/weights"] + w["layer2/biases"]).argmax(1)
    return (answers == data.labels.argmax(1)).mean()


@each_half
def test_the_evaluator_restores_the_averages_of_each_step(evaluated, pictures, half):
    folder, rows = evaluated[half]
    data = data_sets(pictures, one_hot=True).validation
    assert [step for step, _ in rows] == [1, 2, 3]
    differ = []
    for step, accuracy in rows:
        named = values(os.path.join(folder, f"mnist_model-{step}"))
        assert named["global_step"] == step
        assert accuracy == pytest.approx(mlp_accuracy(named, data, "/ExponentialMovingAverage"), abs=1e-6)
        differ.append(accuracy != pytest.approx(mlp_accuracy(named, data), abs=1e-6))
    assert any(differ), "weights and averages answer alike: the test could not tell them apart"


@each_half
def test_averages_follow_their_formula(evaluated, half):
    folder, _ = evaluated[half]
    before, after = (values(os.path.join(folder, f"mnist_model-{step}")) for step in (2, 3))
    decay = min(0.99, (1 + 3) / (10 + 3))  # num_updates is the step counter, after the step
    for name in ("layer1/weights", "layer2/biases"):
        average = f"{name}/ExponentialMovingAverage"
        expected = decay * before[average] + (1 - decay) * after[name]
        np.testing.assert_allclose(after[average], expected, rtol=1e-5, atol=1e-7)


def test_the_evaluators_read_each_others_checkpoints(evaluated, pictures):
    program = catalog.load("mnist.train_and_eval")
    data = data_sets(pictures, one_hot=True).validation
    (of_graph, rows), (of_function, function_rows) = evaluated["graph"], evaluated["function"]
    assert rows == function_rows
    assert program.evaluate_graph(data, of_function) == program.evaluate_function(data, of_graph) == rows[-1]


@each_half
def test_nothing_to_evaluate(pictures, tmp_path, half):
    evaluate = getattr(catalog.load("mnist.train_and_eval"), f"evaluate_{half}")
    with pytest.raises(InputError, match="holds no checkpoint to evaluate: train first"):
        evaluate(data_sets(pictures, one_hot=True).validation, str(tmp_path))


# fully_connected_feed


@pytest.fixture(scope="module")
def fed(pictures, tmp_path_factory):
    """Both halves, five steps with summaries and evaluation: {half: (trace, folder)}."""
    program = catalog.load("mnist.fully_connected_feed", {"EVALUATE_EVERY": 3, "SUMMARY_EVERY": 2})
    folders = {half: str(tmp_path_factory.mktemp(half)) for half in HALVES}
    return {h: (getattr(program, f"train_{h}")(data_sets(pictures), 5, f), f) for h, f in folders.items()}


@each_half
def test_do_eval_counts_every_picture_of_the_three_sets(fed, pictures, half):
    trace, folder = fed[half]
    assert trace["num_examples"].tolist() == [500, 100, 100] and trace["correct"].shape == (2, 3)
    for step, correct in zip((2, 4), trace["correct"]):
        named = values(os.path.join(folder, f"model.ckpt-{step}"))
        assert named["global_step"] == step + 1
        for part, counted in zip(data_sets(pictures), correct):
            x = part.images
            for scope in ("hidden1", "hidden2"):
                x = np.maximum(x @ named[f"{scope}/weights"] + named[f"{scope}/biases"], 0)
            logits = x @ named["softmax_linear/weights"] + named["softmax_linear/biases"]
            assert counted == (logits.argmax(1) == part.labels).sum()


def test_the_checkpoints_of_both_halves_are_the_same(fed, assert_same):
    graph, function = (values(os.path.join(folder, "model.ckpt-4")) for _, folder in fed.values())
    assert sorted(graph) == sorted(
        ["global_step"] + [f"{s}/{k}" for s in ("hidden1", "hidden2", "softmax_linear") for k in ("weights", "biases")]
    )
    assert_same(graph, function)


@each_half
def test_tensorboard_reads_the_loss(fed, half):
    trace, folder = fed[half]
    events = EventAccumulator(folder).Reload()
    if half == "graph":
        rows = [(event.step, event.value) for event in events.Scalars("loss")]
    else:
        rows = [(event.step, make_ndarray(event.tensor_proto).item()) for event in events.Tensors("loss")]
    assert [step for step, _ in rows] == [0, 2, 4]
    # The summary is a second run, after the step: on the same batch the loss is a little lower.
    assert all(value < trace["steps/loss"][step] for step, value in rows)


def test_the_placeholders_take_one_batch_size():
    program = catalog.load("mnist.fully_connected_feed")
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = program.build_graph()
        with pytest.raises(ValueError, match="Cannot feed value of shape"):
            sess.run(graph["logits"], {graph["images"]: np.zeros((99, 784), np.float32)})


# dense128


@pytest.fixture
def trace_of_dense128(pictures, monkeypatch):
    """Runs a half of dense128 on the noise."""
    monkeypatch.setenv("TF1REF_DATA", str(pictures.parent))

    def run(half, steps, **changes):
        program = catalog.load("mnist.dense128", changes)
        return parity.trace_of(getattr(program, f"run_{half}"), steps, "mnist.dense128")

    return run


@each_half
def test_dense128_has_the_parameters_that_s4_prints(trace_of_dense128, half):
    trace = trace_of_dense128(half, 1)
    sizes = {key: value.size for key, value in trace.items() if key.startswith("final/dense")}
    assert sizes["final/dense/kernel"] + sizes["final/dense/bias"] == 100_480
    assert sizes["final/dense_1/kernel"] + sizes["final/dense_1/bias"] == 1290
    assert trace["parameters"] == 101_770 == sum(sizes.values())


@each_half
def test_dense128_takes_adams_first_step(trace_of_dense128, half):
    trace = trace_of_dense128(half, 1)
    for name in ("dense/kernel", "dense_1/bias"):
        gradient = trace[f"gradient/{name}"].astype(np.float64)
        m, v = 0.1 * gradient, 0.001 * gradient**2
        rate = 0.001 * np.sqrt(1 - 0.999) / (1 - 0.9)
        moved = trace[f"final/{name}"].astype(np.float64) - trace[f"initial/{name}"]
        np.testing.assert_allclose(moved, -rate * m / (np.sqrt(v) + 1e-7), rtol=1e-4, atol=2e-8)


@each_half
def test_dense128_means_over_epochs_and_tests_after_each(trace_of_dense128, pictures, half):
    trace = trace_of_dense128(half, 5, EPOCH_STEPS=2)
    loss = trace["steps/loss"]
    np.testing.assert_allclose(trace["epochs"][:, 0], [loss[:2].mean(), loss[2:4].mean(), loss[4]], rtol=1e-6)
    assert trace["epochs_test"].shape == (3, 2)
    test = data_sets(pictures).test
    hidden = np.maximum(test.images @ trace["final/dense/kernel"] + trace["final/dense/bias"], 0)
    logits = (hidden @ trace["final/dense_1/kernel"] + trace["final/dense_1/bias"]).astype(np.float64)
    assert trace["final/test_loss"] == pytest.approx(
        -np.log(softmax(logits)[np.arange(100), test.labels]).mean(), rel=1e-5
    )
    assert trace["final/test_accuracy"] == pytest.approx((logits.argmax(1) == test.labels).mean(), abs=1e-6)


# The real files: what EXPECTED promises has to hold for the generated digits too, which are a little harder. The other
# programs take minutes in both halves: test_expected.py runs one half of each, and scripts/full_length.py either.


def test_both_halves_reach_the_same_figure_on_the_real_files():
    if mnist.read_data_sets().train.source != "files":
        pytest.skip("no MNIST in $TF1REF_DATA or the cache")
    name = "fully_connected_feed"
    program = catalog.load(f"mnist.{name}")
    graph, function = (parity.trace_of(run, program.STEPS, name) for run in (program.run_graph, program.run_function))
    assert np.all(graph["final/precision"] >= 0.89), graph["final/precision"]
    assert np.array_equal(graph["final/precision"], function["final/precision"])
