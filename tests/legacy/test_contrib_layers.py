"""contrib.layers and slim: TF 1.15's variable names, arg_scope's rules, and arithmetic held against numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import framework as contrib_framework
from tf1ref.legacy.contrib import layers as contrib_layers
from tf1ref.legacy.contrib import slim
from tf1ref.legacy.contrib.layers._utils import convert_collection_to_dict

RANDOM = np.random.RandomState(3)


@pytest.fixture(autouse=True)
def graph():
    with v1.Graph().as_default() as graph:
        v1.set_random_seed(1)
        yield graph


def names():
    return [v.op.name for v in v1.global_variables()]


def run(fetches, feed=None):
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        return sess.run(fetches, feed)


def test_names_of_a_network_as_tf_1_15_gives_them():
    x = v1.zeros([2, 8, 8, 3])
    with slim.arg_scope([slim.conv2d, slim.fully_connected], normalizer_fn=slim.batch_norm):
        net = slim.repeat(x, 2, slim.conv2d, 4, [3, 3], scope="conv1")
        net = slim.conv2d(slim.max_pool2d(net, 2, scope="pool1"), 4, 1, activation_fn=None)
        net = slim.stack(slim.flatten(net), slim.fully_connected, [5, 6], scope="fc")
    slim.fully_connected(net, 2, activation_fn=None)
    slim.separable_conv2d(x, 4, 3, depth_multiplier=2)
    slim.conv2d_transpose(x, 4, 3, stride=2, scope="up")
    slim.layer_norm(net)
    slim.embed_sequence(v1.constant([[1, 2]]), 10, 3)
    own = [n for n in names() if "/BatchNorm/" not in n]
    assert own == [
        "conv1/conv1_1/weights", "conv1/conv1_2/weights", "Conv/weights", "fc/fc_1/weights", "fc/fc_2/weights",
        "fully_connected/weights", "fully_connected/biases", "SeparableConv2d/depthwise_weights",
        "SeparableConv2d/pointwise_weights", "SeparableConv2d/biases", "up/weights", "up/biases", "LayerNorm/beta",
        "LayerNorm/gamma", "EmbedSequence/embeddings",
    ]  # fmt: skip
    norms = {n.rpartition("/")[2] for n in names() if n.startswith("conv1/conv1_1/BatchNorm/")}
    assert norms == {"beta", "moving_mean", "moving_variance"}
    assert set(v1.get_collection(v1.GraphKeys.MODEL_VARIABLES)) == set(v1.global_variables())


def test_arg_scopes_of_variables_reach_those_of_layers():
    """Both kinds in one scope, as programs for several GPUs had it: the layers' are made by one through the other."""
    with slim.arg_scope([slim.model_variable, slim.variable], device="/cpu:1"):
        slim.fully_connected(slim.conv2d(v1.zeros([2, 8, 8, 3]), 4, 3), 5, normalizer_fn=slim.batch_norm)
        slim.variable("own", [3], device="/cpu:2")
    devices = {v.op.name: v.device[-1] for v in v1.global_variables()}
    assert devices.pop("own") == "2" and set(devices.values()) == {"1"} and len(devices) == 6


def test_arg_scopes_nest_and_a_call_wins():
    x = v1.zeros([1, 4, 4, 1])
    with slim.arg_scope([slim.conv2d], padding="VALID", kernel_size=3) as outer:
        assert slim.conv2d(x, 2).shape[1] == 2
        assert slim.conv2d(x, 2, padding="SAME").shape[1] == 4
        with slim.arg_scope([slim.conv2d], kernel_size=2):
            assert slim.conv2d(x, 2).shape[1] == 3
    with slim.arg_scope(outer):
        assert slim.conv2d(x, 2).shape[1] == 2
    with pytest.raises(TypeError):
        slim.conv2d(x, 2)
    with pytest.raises(ValueError, match="not decorated"), slim.arg_scope([np.sum], axis=1):
        pass
    with pytest.raises(TypeError, match="list_ops_or_scope"), slim.arg_scope(slim.conv2d, padding="SAME"):
        pass


def test_fully_connected_and_its_penalty():
    x = RANDOM.rand(5, 3).astype(np.float32)
    y = contrib_layers.fully_connected(x, 4, weights_regularizer=slim.l2_regularizer(0.1), scope="fc")
    weights, biases = contrib_framework.get_variables("fc")
    (penalty,) = v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES)
    y, w, b, penalty = run([y, weights, biases, penalty])
    assert y == pytest.approx(np.maximum(x @ w + b, 0), abs=1e-6)
    assert penalty == pytest.approx(0.05 * (w**2).sum(), rel=1e-5)
    assert np.abs(w).max() <= np.sqrt(6 / 7)  # xavier: sqrt(6 / (fan_in + fan_out))


def test_the_variance_of_the_initializers():
    with v1.Session() as sess:
        he = sess.run(slim.variance_scaling_initializer()([400, 500]))
        xavier = sess.run(slim.xavier_initializer(uniform=False)([3, 3, 40, 60]))
    assert he.std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)
    assert xavier.std() == pytest.approx(np.sqrt(2 / (9 * 100)), rel=0.02)


@pytest.mark.parametrize("shape", [(6, 4), (6, 5, 5, 4), (6, 5, 4)])
@pytest.mark.parametrize("updates", ["collected", "forced"])
def test_batch_norm_by_numpy(shape, updates):
    x = RANDOM.rand(*shape).astype(np.float32) * 3 + 1
    collections = {"updates_collections": None} if updates == "forced" else {}
    y = slim.batch_norm(x, decay=0.9, scale=True, epsilon=0.01, scope="bn", **collections)
    moving = {v.op.name.rpartition("/")[2]: v for v in v1.global_variables()}
    axes = tuple(range(len(shape) - 1))
    mean, variance = x.mean(axes), x.var(axes)
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        found = sess.run([y, v1.get_collection(v1.GraphKeys.UPDATE_OPS)])[0]
        after = sess.run(moving)
    assert found == pytest.approx((x - mean) / np.sqrt(variance + 0.01), abs=1e-4)
    assert after["moving_mean"] == pytest.approx(0.1 * mean, rel=1e-4)
    count = x.size // shape[-1]
    # The fused kernel (ranks 2 and 4) keeps a sample's variance, the single ops a population's.
    fused = len(shape) != 3
    expected = 0.9 + 0.1 * variance * (count / (count - 1) if fused else 1)
    assert after["moving_variance"] == pytest.approx(expected, rel=1e-4)
    assert bool(v1.get_collection(v1.GraphKeys.UPDATE_OPS)) == (updates == "collected")


def test_batch_norm_follows_a_tensor_and_forgets_nothing_in_inference():
    x, training = RANDOM.rand(6, 4).astype(np.float32), v1.placeholder(v1.bool)
    y = slim.batch_norm(x, is_training=training, updates_collections=None, scope="bn", decay=0.5)
    mean = contrib_framework.get_unique_variable("bn/moving_mean")
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        still = sess.run(y, {training: False})
        assert sess.run(mean).any() == np.False_
        sess.run(y, {training: True})
        assert sess.run(mean) == pytest.approx(0.5 * x.mean(0), rel=1e-5)
    assert still == pytest.approx(x / np.sqrt(1.001), rel=1e-5)


def test_layer_norm_maxout_unit_norm_softmax_by_numpy():
    x = RANDOM.rand(3, 6).astype(np.float32)
    ends = slim.layer_norm(x), slim.maxout(x, 2), slim.unit_norm(x, 1), slim.softmax(v1.constant(x))
    layer, most, unit, soft = run(ends)
    assert layer == pytest.approx((x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True), abs=1e-4)
    assert most == pytest.approx(x.reshape(3, 2, 3).max(2))
    assert unit == pytest.approx(x / np.linalg.norm(x, axis=1, keepdims=True), abs=1e-5)
    assert soft == pytest.approx(np.exp(x) / np.exp(x).sum(1, keepdims=True), abs=1e-6)


def test_collected_outputs_are_found_by_name():
    x = v1.zeros([2, 4])
    with v1.variable_scope("net"), slim.arg_scope([slim.fully_connected], outputs_collections="ends"):
        slim.fully_connected(slim.fully_connected(x, 3, scope="a"), 2, scope="b")
    assert list(convert_collection_to_dict("ends")) == ["net/a", "net/b"]


def test_train_op_clips_multiplies_and_updates():
    x = np.ones((4, 2), np.float32)
    net = slim.batch_norm(v1.constant(x), scope="bn")
    y = slim.fully_connected(net + x, 1, activation_fn=None, biases_initializer=None, scope="fc")
    loss = v1.reduce_sum(y) * 100
    optimizer = v1.train.GradientDescentOptimizer(1.0)
    weights = contrib_framework.get_unique_variable("fc/weights")
    train = slim.learning.create_train_op(
        loss, optimizer, clip_gradient_norm=0.5, gradient_multipliers={"fc/weights": 2.0}, variables_to_train=[weights]
    )
    mean = contrib_framework.get_unique_variable("bn/moving_mean")
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        before = sess.run(weights)
        sess.run(train)
        moved, step = before - sess.run(weights), sess.run(v1.train.get_global_step())
        assert sess.run(mean) == pytest.approx([0.001, 0.001])
    assert np.linalg.norm(moved) == pytest.approx(0.5, rel=1e-5) and step == 1


SLIM = """
import sys, numpy as np, tensorflow as tf
import tensorflow.contrib.slim as slim
x = np.random.RandomState(3).rand(20, 3).astype(np.float32)
target = x.dot(np.float32([[1], [2], [3]]))
y = slim.fully_connected(tf.constant(x), 1, activation_fn=None, scope="fc")
slim.losses.mean_squared_error(y, tf.constant(target))
train = slim.learning.create_train_op(slim.losses.get_total_loss(), tf.train.AdamOptimizer(0.1))
last = slim.learning.train(train, "model", number_of_steps=200, log_every_n_steps=100)
with tf.Graph().as_default():
    y = slim.fully_connected(tf.constant(x), 1, activation_fn=None, scope="fc")
    value, update = slim.metrics.streaming_mean_squared_error(y, tf.constant(target))
    tf.summary.scalar("mse", value)
    found = slim.evaluation.evaluate_once(
        "", tf.train.latest_checkpoint("model"), "eval", num_evals=2, eval_op=update, final_op=value)
print(last, found)
"""


@pytest.mark.slow
def test_slim_learning_trains_saves_and_evaluates(tf1ref, tmp_path):
    # Its Supervisor has threads of its own, for which TensorFlow 1's behaviour must be on.
    (tmp_path / "train.py").write_text(SLIM)
    done = tf1ref("exec", "--seed", "1", "train.py")  # the first weights decide how far 200 steps come
    assert done.returncode == 0, done.stderr
    last, found = map(float, done.stdout.split())
    assert found < last < 0.01
    assert list((tmp_path / "eval").glob("events.*"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"optimizer": "Adm"}, "Optimizer name should be one of"),
        ({"optimizer": 3}, "Unrecognized optimizer"),
        ({"learning_rate": -1.0}, "Learning rate should be"),
        ({"clip_gradients": "a"}, "Unknown type"),
        ({"summaries": ["los"]}, "Summaries should be one of"),
    ],
)
def test_optimize_loss_refuses(arguments, says):
    loss = v1.reduce_sum(v1.square(v1.get_variable("v", [2])))
    given = {"global_step": None, "learning_rate": 0.1, "optimizer": "SGD", **arguments}
    with pytest.raises(ValueError, match=says):
        contrib_layers.optimize_loss(loss, **given)


def test_optimize_loss_is_the_optimizer_after_the_clip():
    v = v1.get_variable("v", initializer=np.float32([3.0, 4.0]))
    loss = v1.reduce_sum(v1.square(v))
    step = v1.train.get_or_create_global_step()
    train = contrib_layers.optimize_loss(loss, step, 0.1, "SGD", clip_gradients=5.0)
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        assert sess.run(train) == 25.0
        # The gradient (6, 8) of length 10 is clipped to 5.
        assert sess.run(v) == pytest.approx([2.7, 3.6])


def test_checkpoints_by_name(tmp_path):
    v1.get_variable("a", initializer=np.float32([1, 2]))
    v1.get_variable("b", initializer=np.float32(3))
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        prefix = v1.train.Saver().save(sess, str(tmp_path / "model"))
    with v1.Graph().as_default(), v1.Session() as sess:
        x, y = v1.get_variable("x", [2, 1]), v1.get_variable("y", [2])
        op, feed = slim.assign_from_checkpoint(prefix, {"a": y})
        sess.run(op, feed)
        assert sess.run(y).tolist() == [1, 2]
        with pytest.raises(ValueError, match="size of new array must be unchanged for a"):
            slim.assign_from_checkpoint(prefix, {"a": x})
        with pytest.raises(ValueError, match="missing variable \\[c\\]"):
            slim.assign_from_checkpoint(prefix, {"c": x})
        restore = slim.assign_from_checkpoint_fn(
            prefix, {"a": x, "c": x}, ignore_missing_vars=True, reshape_variables=True
        )
        sess.run(v1.global_variables_initializer())
        restore(sess)
        assert sess.run(x).tolist() == [[1], [2]]
