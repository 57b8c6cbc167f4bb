"""S4's networks and Inception v3: against numpy, and layer by layer against S4's tables."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tests.examples.convnets.numpy_layers import correlated
from tf1ref import catalog, parity
from tf1ref.data import cifar10
from tf1ref.examples.convnets import _fit

pytestmark = pytest.mark.slow  # the first test builds networks and trains them

HALVES = ("graph", "function")
CONV_VGG = (1792, 36928, 73856, 147584, 295168, 590080, 590080, 1180160, 2359808, 2359808, 2359808, 2359808, 2359808)
DEPTHS_VGG = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
# Scope -> parameters, as the summaries in S4 print them; batch norm has four numbers a channel.
PRINTED = {
    "cbapd": {"c1": 456, "b1": 24, "f1": 196736, "f2": 1290},
    "lenet5_cifar": {"c1": 456, "c2": 2416, "f1": 48120, "f2": 10164, "f3": 850},
    "alexnet8": {
        "c1": 2688, "b1": 384, "c2": 221440, "b2": 1024, "c3": 885120, "c4": 1327488, "c5": 884992, "f1": 2099200,
        "f2": 4196352, "f3": 20490,
    },
    "vgg16": {
        **{f"c{i}": count for i, count in enumerate(CONV_VGG, 1)},
        **{f"b{i}": 4 * depth for i, depth in enumerate(DEPTHS_VGG, 1)},
        "f1": 262656, "f2": 262656, "f3": 5130,
    },
    "inception10": {"c1": 512, "block": 119616, "f1": 1290},
    "resnet18": {"c1": 1728, "b1": 256, "block": 11176448, "f1": 5130},
}  # fmt: skip


def cross_entropies(logits, labels):
    z = logits - logits.max(1, keepdims=True)
    return np.log(np.exp(z).sum(1)) - z[np.arange(len(labels)), labels]


@pytest.fixture(scope="module")
def one_step(tmp_path_factory):
    """cbapd by half after one step without dropout: its trace and the folder with its checkpoint."""
    done = {}
    for half in HALVES:
        module, folder = catalog.load("convnets.cbapd", {"DROPOUT": 0.0}), tmp_path_factory.mktemp(half)
        done[half] = SimpleNamespace(trace=getattr(module, f"run_{half}")(steps=1, out=folder), folder=folder)
    return done


@pytest.fixture(scope="module")
def pictures():
    """(first training batch, first test batch) of cbapd's short runs."""
    batches, test = _fit.data(catalog.load("convnets.cbapd").PLAN, 1)
    return next(batches), test[0]


def pooled(x):
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


def baseline(trace, when, x, moments):
    """cbapd's logits in numpy, by variables of a trace; `moments(h)` gives batch norm's mean and variance."""
    p = {key.partition("/")[2]: value.astype(np.float64) for key, value in trace.items() if key.startswith(when)}
    h = correlated(x, p["c1/kernel"]) + p["c1/bias"]
    mean, variance = moments(h)
    h = (h - mean) / np.sqrt(variance + 1e-3) * p["b1/gamma"] + p["b1/beta"]
    h = pooled(np.maximum(h, 0)).reshape(len(x), -1)
    return np.maximum(h @ p["f1/kernel"] + p["f1/bias"], 0) @ p["f2/kernel"] + p["f2/bias"]


@pytest.mark.parametrize("half", HALVES)
def test_training_normalises_by_the_batch(one_step, pictures, half):
    (x, labels), trace = pictures[0], one_step[half].trace
    logits = baseline(trace, "initial", x, lambda h: (h.mean((0, 1, 2)), h.var((0, 1, 2))))
    np.testing.assert_allclose(trace["steps/loss"][0], cross_entropies(logits, labels).mean(), rtol=1e-5)
    assert trace["steps/accuracy"][0] == np.float32(np.mean(logits.argmax(1) == labels))


@pytest.mark.parametrize("half", HALVES)
def test_the_averages_move_by_a_hundredth(one_step, pictures, half):
    trace = one_step[half].trace
    h = correlated(pictures[0][0], trace["initial/c1/kernel"]).reshape(-1, 6)
    np.testing.assert_allclose(trace["final/b1/moving_mean"], 0.01 * h.mean(0), rtol=1e-4, atol=1e-7)
    # The fused kernel's variance is of a sample.
    np.testing.assert_allclose(trace["final/b1/moving_variance"], 0.99 + 0.01 * h.var(0, ddof=1), rtol=1e-6)


@pytest.mark.parametrize("half", HALVES)
def test_inference_normalises_by_the_averages(one_step, pictures, half):
    (x, labels), trace = pictures[1], one_step[half].trace
    moments = trace["final/b1/moving_mean"], trace["final/b1/moving_variance"]
    logits = baseline(trace, "final", x, lambda h: moments)
    np.testing.assert_allclose(trace["validation/loss"], [cross_entropies(logits, labels).mean()], rtol=1e-5)
    assert trace["final/validation_accuracy"] == np.mean(logits.argmax(1) == labels)


@pytest.mark.parametrize("half", HALVES)
def test_adam_is_that_of_the_source(one_step, half):
    trace = one_step[half].trace
    # Batch norm takes the bias's gradient away but for rounding: there epsilon decides (1e-7, TF1 has 1e-8).
    assert np.abs(trace["gradient/c1/bias"]).max() < 1e-5
    for name in ("c1/bias", "c1/kernel", "f2/kernel"):
        g = trace[f"gradient/{name}"].astype(np.float64)
        step = 0.001 * g / (np.abs(g) + 1e-7 / np.sqrt(0.001))
        np.testing.assert_allclose(trace[f"final/{name}"], trace[f"initial/{name}"] - step, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize(("first", "second"), [HALVES, HALVES[::-1]])
def test_a_run_goes_on_from_the_other_halfs_checkpoint(one_step, tmp_path, first, second):
    for path in one_step[first].folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    module = catalog.load("convnets.cbapd", {"DROPOUT": 0.0})
    trace = getattr(module, f"run_{second}")(steps=1, out=tmp_path)
    for name in ("c1/kernel", "b1/moving_variance", "f2/bias"):
        np.testing.assert_array_equal(trace[f"initial/{name}"], one_step[first].trace[f"final/{name}"])


@pytest.mark.parametrize("half", HALVES)
def test_the_best_weights_are_kept(tmp_path, monkeypatch, half):
    # All it learns is label 0, all it is tested on is label 1: the loss rises from the first test on.
    images = np.random.RandomState(1).randint(0, 256, (8, 32, 32, 3)).astype(np.uint8)
    monkeypatch.setattr(cifar10, "load", lambda: (images, np.zeros(8, int), images, np.ones(8, int)))
    module = catalog.load("convnets.cbapd", {"STEPS": 40, "EPOCHS": 20})  # an epoch is two steps
    run = getattr(module, f"run_{half}")
    trace = run(steps=5, out=tmp_path)
    assert trace["validation/step"].tolist() == [2, 4, 5] and (np.diff(trace["validation/loss"]) > 0).all()
    kept = v1.train.load_checkpoint(str(tmp_path / "Baseline.ckpt"))
    then = run(steps=2)
    weights = {key[6:]: value for key, value in then.items() if key.startswith("final/") and key.count("/") > 1}
    assert set(kept.get_variable_to_shape_map()) == set(weights) and len(weights) == 10
    for name, value in weights.items():
        np.testing.assert_array_equal(kept.get_tensor(name), value)


@pytest.mark.parametrize("name", PRINTED)
def test_parameters_of_each_layer(name):
    module = catalog.load(f"convnets.{name}")
    with v1.Graph().as_default():
        graph = module.build_graph()
        variables, trained = v1.global_variables(), v1.trainable_variables()
    assert graph["y"].shape.as_list() == [None, 10]
    found = {}
    for variable in variables:
        scope = variable.op.name.split("/")[0]
        scope = "block" if scope.startswith("block") else scope
        found[scope] = found.get(scope, 0) + variable.shape.num_elements()
    assert found == PRINTED[name]
    total, trainable = (sum(v.shape.num_elements() for v in each) for each in (variables, trained))
    promised = [module.EXPECTED[f"parameters/{what}"] for what in ("total", "trainable", "not_trainable")]
    assert all(figure.met(n) for figure, n in zip(promised, (total, trainable, total - trainable)))


@pytest.mark.parametrize("half", HALVES)
def test_any_number_of_pictures_is_answered(half):
    module = catalog.load("convnets.inception10")
    for count in (1, 3):
        x = np.random.RandomState(count).rand(count, 32, 32, 3).astype(np.float32)
        if half == "function":
            assert module.Inception10().logits(x, False).shape == (count, 10)
            continue
        with v1.Graph().as_default(), v1.Session() as sess:
            graph = module.build_graph()
            sess.run(v1.global_variables_initializer())
            assert sess.run(graph["y"], {graph["x"]: x}).shape == (count, 10)
            with pytest.raises(ValueError, match="Cannot feed value of shape"):
                sess.run(graph["y"], {graph["x"]: x[:, :28, :28]})


def test_inception10_normalises_by_the_batch_when_told_to():
    traces, blocks = {}, {"BLOCKS": ((4, 1), (4, 1)), "INITIAL_CHANNELS": 4}
    for flag in (False, True):
        module = catalog.load("convnets.inception10", {**blocks, "NORMALIZE_BY_BATCH": flag})
        traces[flag] = parity.trace_of(module.run_graph, 1, "inception10")
        moved = [not np.array_equal(traces[flag][f"initial/{name}"], value) for name, value in averages(traces[flag])]
        assert all(moved) if flag else not any(moved)
    function = parity.trace_of(module.run_function, 1, "inception10")
    report = parity.compare(traces[True], function)
    assert report.equal, report.first


def averages(trace):
    return [(key[6:], value) for key, value in trace.items() if key.startswith("final/") and "moving" in key]


@pytest.mark.parametrize("half", HALVES)
def test_resnet18_counts_l2_of_the_last_kernel(half):
    small = {"GROUPS": ((8, 1, 1), (8, 1, 2))}
    with_l2, without = (
        getattr(catalog.load("convnets.resnet18", {**small, "L2": l2}), f"run_{half}")(steps=1) for l2 in (0.01, 0.0)
    )
    penalty = 0.01 * np.square(with_l2["initial/f1/kernel"].astype(np.float64)).sum()
    np.testing.assert_allclose(with_l2["steps/loss"] - without["steps/loss"], [penalty], atol=1e-5)
    final = 0.01 * np.square(with_l2["final/f1/kernel"].astype(np.float64)).sum()
    assert final > 1e-2 and with_l2["validation/loss"] > final


def test_an_epoch_takes_each_picture_once(monkeypatch):
    images = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 32, 32, 3), np.uint8)
    monkeypatch.setattr(cifar10, "load", lambda: (images, np.arange(10), images, np.arange(10)))
    batches, test = _fit.data(_fit.Plan(batch_size=4, short=2, epoch=3, name="x", seed=1), 3)
    epochs = [[next(batches) for _ in range(3)] for _ in range(2)]
    for epoch in epochs:
        assert [len(labels) for _, labels in epoch] == [4, 4, 2]
        assert sorted(np.concatenate([labels for _, labels in epoch])) == list(range(10))
        for x, labels in epoch:
            np.testing.assert_allclose(x[:, 0, 0, 0] * 255, labels, rtol=1e-6)
    first, second = (np.concatenate([labels for _, labels in epoch]).tolist() for epoch in epochs)
    assert first != second and first != list(range(10))
    assert sum(len(labels) for _, labels in test) == 10
    batches, test = _fit.data(_fit.Plan(batch_size=4, short=2, epoch=3, name="x", seed=1), 2)
    assert len(next(batches)[1]) == 2 and [len(labels) for _, labels in test] == [8]


def test_the_picture_shows_the_means_between_the_tests():
    trace = {
        "steps/loss": np.array([4.0, 2.0, 1.0]), "steps/accuracy": np.array([0.0, 0.5, 1.0]),
        "validation/step": np.array([2, 3]), "validation/loss": np.array([3.0, 2.0]),
        "validation/accuracy": np.array([0.25, 0.5]), "final/validation_accuracy": 0.5,
    }  # fmt: skip
    accuracy, loss = _fit.plot(trace, "X").axes
    assert [line.get_ydata().tolist() for line in accuracy.lines] == [[0.25, 1.0], [0.25, 0.5]]
    assert [line.get_ydata().tolist() for line in loss.lines] == [[3.0, 1.0], [3.0, 2.0]]


def test_inception_v3_is_the_published_network():
    module = catalog.load("convnets.inception_v3", {"CLASSES": 1000})
    with v1.Graph().as_default() as graph:
        ends = module.build_graph()["ends"]
        sizes = {v.op.name: v.shape.num_elements() for v in v1.global_variables()}
        convolutions = [op for op in graph.get_operations() if op.type == "Conv2D"]
    depths = [ends[name].shape.as_list()[1:] for name in module.MODULES]
    threes, fours = [[35, 35, 256], [35, 35, 288], [35, 35, 288]], [[17, 17, 768]] * 5
    assert depths == threes + fours + [[8, 8, 1280], [8, 8, 2048], [8, 8, 2048]]
    assert len(convolutions) == 96 + 2
    # The count that goes with ImageNet's weights, of a thousand classes and no auxiliary head.
    assert sum(n for name, n in sizes.items() if "/AuxLogits/" not in name) == 23851784
    # Names of the released checkpoint, two that look like slips among them.
    for name in ("Mixed_5c/Branch_1/Conv_1_0c_5x5", "Mixed_6a/Branch_0/Conv2d_1a_1x1", "AuxLogits/Conv2d_2a_5x5"):
        assert {f"InceptionV3/{name}/weights", f"InceptionV3/{name}/BatchNorm/moving_variance"} <= set(sizes)
    assert "InceptionV3/AuxLogits/Conv2d_2b_1x1/biases" in sizes


def test_inception_v3_tells_pictures_apart():
    module = catalog.load("convnets.inception_v3")
    network = module.InceptionV3()
    one, other = network.ends(module.images()), network.ends(-module.images())
    np.testing.assert_allclose(one["Predictions"].numpy().sum(), 1, rtol=1e-5)
    for name in ("Mixed_5b", "Mixed_7c", "AuxLogits", "Logits"):
        assert np.isfinite(one[name]).all() and np.ptp(one[name]) > 1e-2, name
        assert not np.allclose(one[name], other[name], rtol=1e-2), name
