"""Batch norms in training mode, moving averages, folding: against numpy's inference formula."""

import os

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts import CheckFailed
from tf1ref.artifacts.freeze import folding as freeze_folding
from tf1ref.artifacts.freeze import freeze
from tf1ref.errors import InputError

RNG = np.random.default_rng(7)
X = RNG.normal(size=(2, 4, 4, 3)).astype(np.float32)
GAMMA, BETA, MEAN = (RNG.normal(size=3).astype(np.float32) for _ in range(3))
VARIANCE = RNG.uniform(0.5, 2, 3).astype(np.float32)
EPSILON = 0.001


def inference(x):
    return GAMMA * (x - MEAN) / np.sqrt(VARIANCE + EPSILON) + BETA


def variables(scope="norm", names=("gamma", "beta", "moving_mean", "moving_variance")):
    values = (GAMMA, BETA, MEAN, VARIANCE)
    return [v1.get_variable(f"{scope}/{n}", initializer=v) for n, v in zip(names, values)]


def move(variable, to, decay=0.9):
    return v1.assign_sub(variable, (variable - to) * (1 - decay))


def fused(names=("gamma", "beta", "moving_mean", "moving_variance"), update=True):
    x = v1.placeholder(tf.float32, [None, 4, 4, 3], name="x")
    gamma, beta, mean, variance = variables(names=names)
    y, batch_mean, batch_variance = v1.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON, is_training=True)
    if update:
        v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, move(mean, batch_mean))
        v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, move(variance, batch_variance))
    tf.identity(y, name="y")


def odd_names():
    """Only the update says which variable is which."""
    fused(("a", "b", "c", "d"))


def names_only():
    """The updates were not exported."""
    fused(update=False)


def unfused():
    x = v1.placeholder(tf.float32, [None, 4, 4, 3], name="x")
    gamma, beta, mean, variance = variables()
    batch_mean, batch_variance = v1.nn.moments(x, [0, 1, 2], name="norm/moments")
    move(mean, batch_mean), move(variance, batch_variance)
    tf.identity(v1.nn.batch_normalization(x, batch_mean, batch_variance, beta, gamma, EPSILON), name="y")


WAYS = [fused, odd_names, names_only, unfused]


@pytest.mark.parametrize("resource", [True, False], ids=["resource", "ref"])
@pytest.mark.parametrize("way", WAYS)
def test_a_batch_norm_that_trains_is_refused_and_stripped(saved, answer, tmp_path, way, resource):
    prefix = saved(way, resource=resource)
    with pytest.raises(InputError, match="batch norms in training mode .*say --strip-training"):
        freeze(prefix, ["y"], tmp_path / "y.pb")
    assert not (tmp_path / "y.pb").exists()
    report = freeze(prefix, ["y"], tmp_path / "y.pb", strip_training=True)
    assert report.compared and "now use their moving averages" in report.notes[0]
    np.testing.assert_allclose(answer(tmp_path / "y.pb", "y:0", {"x:0": X}), inference(X), atol=1e-5)
    again = freeze(prefix, ["y"], tmp_path / "again.pb", strip_training=True)
    assert (tmp_path / "again.pb").read_bytes() == (tmp_path / "y.pb").read_bytes() and again.nodes == report.nodes


def flagged(default=None):
    x = v1.placeholder(tf.float32, [None, 4, 4, 3], name="x")
    kind = v1.placeholder(tf.bool, [], name="is_training")
    flag = kind if default is None else v1.placeholder_with_default(default, [], name="phase")
    gamma, beta, mean, variance = variables()

    def train():
        y, batch_mean, batch_variance = v1.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON, is_training=True)
        with v1.control_dependencies([move(mean, batch_mean), move(variance, batch_variance)]):
            return tf.identity(y)

    def infer():
        options = {"epsilon": EPSILON, "is_training": False}
        return v1.nn.fused_batch_norm(x, gamma, beta, mean, variance, **options)[0]

    tf.identity(v1.cond(flag, train, infer), name="y")


@pytest.mark.parametrize("control_flow", ["v1", "v2"])
@pytest.mark.parametrize("default", [None, True], ids=["placeholder", "default"])
def test_a_flag_is_turned_off(saved, answer, tmp_path, control_flow, default):
    (v1.enable_control_flow_v2 if control_flow == "v2" else v1.disable_control_flow_v2)()
    try:
        prefix = saved(lambda: flagged(default))
    finally:
        v1.enable_control_flow_v2()
    report = freeze(prefix, ["y"], tmp_path / "y.pb", strip_training=True)
    flag = "is_training" if default is None else "phase"
    assert f"{flag} is False" in report.notes and list(report.inputs) == ["x:0"] and report.compared
    np.testing.assert_allclose(answer(tmp_path / "y.pb", "y:0", {"x:0": X}), inference(X), atol=1e-5)
    ops = [n.op for n in v1.GraphDef.FromString((tmp_path / "y.pb").read_bytes()).node]
    assert not {"Switch", "Merge", "If", "StatelessIf"} & set(ops)


def test_a_flag_that_may_be_fed_is_no_reason_to_refuse(saved, tmp_path):
    def inferring():
        x = v1.placeholder(tf.float32, [None, 4, 4, 3], name="x")
        gamma, beta, mean, variance = variables()
        train = lambda: v1.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON)[0]  # noqa: E731
        infer = lambda: v1.nn.fused_batch_norm(x, gamma, beta, mean, variance, is_training=False)[0]  # noqa: E731
        tf.identity(v1.cond(v1.placeholder(tf.bool, [], name="is_training"), train, infer), name="y")

    for switch in (v1.enable_control_flow_v2, v1.disable_control_flow_v2):
        switch()
        try:
            prefix = saved(inferring)
        finally:
            v1.enable_control_flow_v2()
        report = freeze(prefix, ["y"], tmp_path / "y.pb", force=True)
        assert report.compared == 4, "two sizes, two sides of the flag"
        assert report.notes == ["batch norms train where is_training says so: feed it, or --strip-training"]


def test_what_normalises_by_itself_on_purpose(saved, tmp_path, answer):
    def instance_norm():
        x = v1.placeholder(tf.float32, [None, 4, 4, 3], name="x")
        w = v1.get_variable("w", initializer=GAMMA)
        tf.identity(v1.nn.fused_batch_norm(x, w, tf.zeros(3), name="own")[0], name="y")

    prefix = saved(instance_norm)
    report = freeze(prefix, ["y"], tmp_path / "y.pb")
    assert report.notes == ["batch norms without moving averages (own): answers depend on the batch"]
    with pytest.raises(InputError, match="no moving averages are kept for the batch norms own"):
        freeze(prefix, ["y"], tmp_path / "z.pb", strip_training=True)
    freeze(prefix, ["w"], tmp_path / "w.pb")  # not on the way
    freeze(saved(fused), ["y"], tmp_path / "cut.pb", inputs=["FusedBatchNormV3:0"])


def test_moving_averages_of_weights(saved, tmp_path, answer):
    def averaged():
        w, u = v1.get_variable("w", initializer=GAMMA), v1.get_variable("u", initializer=BETA)
        v1.train.ExponentialMovingAverage(0.9).apply([w])
        tf.add(w, u, name="y")

    prefix = saved(averaged)
    reader = tf.train.load_checkpoint(prefix)
    tensors = {n: reader.get_tensor(n) for n in reader.get_variable_to_shape_map()}
    tensors["w/ExponentialMovingAverage"] = MEAN
    names = sorted(tensors)
    tf.raw_ops.SaveV2(
        prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=[tensors[n] for n in names]
    )
    report = freeze(prefix, ["y"], tmp_path / "own.pb")
    assert report.notes == ["moving averages (w) are not used: --ema takes them"]
    np.testing.assert_array_equal(answer(tmp_path / "own.pb", "y:0"), GAMMA + BETA)
    report = freeze(prefix, ["y"], tmp_path / "ema.pb", ema=True)
    assert report.notes == ["moving averages (w) take the place of the values"] and report.compared
    np.testing.assert_array_equal(answer(tmp_path / "ema.pb", "y:0"), MEAN + BETA)
    with pytest.raises(InputError, match="holds no moving averages .* of what is frozen: no --ema"):
        freeze(prefix, ["u"], tmp_path / "u.pb", ema=True)


KERNEL = RNG.normal(size=(3, 3, 3, 3)).astype(np.float32)


def folding(op, bias=False, form="fused"):
    x = v1.placeholder(tf.float32, [None, 4, 4, 3], name="x")
    gamma, beta, mean, variance = variables()
    kernel = v1.get_variable("kernel", initializer=KERNEL if op != "depthwise" else KERNEL[..., :1])
    conv = tf.nn.conv2d if op == "conv" else tf.nn.depthwise_conv2d
    y = conv(x, kernel, [1, 1, 1, 1], "SAME")
    if bias:
        y = tf.nn.bias_add(y, v1.get_variable("bias", initializer=MEAN * 3))
    if form == "fused":
        y = v1.nn.fused_batch_norm(y, gamma, beta, mean, variance, epsilon=EPSILON, is_training=False)[0]
    else:
        y = v1.nn.batch_normalization(y, mean, variance, beta, gamma, EPSILON)
    tf.nn.relu(y, name="y")


@pytest.mark.parametrize(
    ("op", "bias", "form"),
    [("conv", False, "fused"), ("conv", True, "fused"), ("depthwise", False, "fused"), ("conv", False, "unfused")],
)
def test_folding(saved, tmp_path, answer, op, bias, form):
    prefix = saved(lambda: folding(op, bias, form))
    plain = freeze(prefix, ["y"], tmp_path / "plain.pb")
    report = freeze(prefix, ["y"], tmp_path / "folded.pb", fold=True)
    assert (plain.folded, report.folded) == (0, 1) and report.compared and report.nodes < plain.nodes
    nodes = {n.name: n for n in v1.GraphDef.FromString((tmp_path / "folded.pb").read_bytes()).node}
    (product,) = (n.name for n in nodes.values() if n.op in freeze_folding.PRODUCTS)
    (reader,) = (n.op for n in nodes.values() if product in n.input)
    assert reader == ("BiasAdd" if form == "fused" else "Identity")
    expected, reached = (answer(tmp_path / f"{n}.pb", "y:0", {"x:0": X}) for n in ("plain", "folded"))
    np.testing.assert_allclose(reached, expected, atol=1e-5)
    assert np.abs(expected).max() > 0.5


def test_what_cannot_be_folded_stays(saved, tmp_path, answer):
    def two_readers():
        x = v1.placeholder(tf.float32, [None, 4, 4, 3], name="x")
        conv = tf.nn.conv2d(x, v1.get_variable("kernel", initializer=KERNEL), 1, "SAME", name="conv")
        tf.add(conv * v1.get_variable("scale", initializer=GAMMA), conv, name="y")

    prefix = saved(two_readers)
    assert freeze(prefix, ["y"], tmp_path / "y.pb", fold=True).folded == 0
    assert freeze(prefix, ["mul", "conv"], tmp_path / "z.pb", fold=True).folded == 0
    assert freeze(prefix, ["mul"], tmp_path / "m.pb", fold=True).folded == 1, "add, the other reader, is not kept"


def test_a_fold_that_is_wrong_is_found(saved, tmp_path, monkeypatch):
    prefix = saved(lambda: folding("conv"))
    monkeypatch.setattr(freeze_folding, "EPSILON", 1.0)
    honest = freeze_folding._along
    monkeypatch.setattr(freeze_folding, "_along", lambda *a: honest(*a) * 1.001)
    with pytest.raises(CheckFailed, match="y:0: off by .* folding changed more than rounding"):
        freeze(prefix, ["y"], tmp_path / "y.pb", fold=True)
    assert not os.path.exists(tmp_path / "y.pb")


def test_how_near_is_near():
    a = np.array([1.0, -2.0, np.nan, np.inf], np.float32)
    near, far = a * np.float32(1 + 2e-5), a * np.float32(1 + 1e-3)
    assert freeze_folding.difference({"y": a}, {"y": near}) == ""
    assert "off by 0.00" in freeze_folding.difference({"y": a}, {"y": far})
    assert freeze_folding.difference({"y": a}, {"y": np.zeros(4, np.float32)})
    assert freeze_folding.difference({"n": np.array([1, 2])}, {"n": np.array([1, 3])})
    assert freeze_folding.difference({"n": np.array([1, 2])}, {"n": np.array([1, 2])}) == ""
