"""legacy/layers and legacy/rnn_cell against tf_keras' old classes: names, collections, 20 training steps to the bit.

tf_keras brings TF1's classes back only where TF_USE_LEGACY_KERAS=1 is set before TensorFlow is imported: this file is
also the program that does so, in a process of its own, and saves what it saw.
"""

import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

# The other process trains every case too, on a machine that may be busy.
pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]

STEPS = 20
RANDOM = np.random.RandomState(7)
VECTORS = RANDOM.randn(6, 5).astype("float32")
SERIES = RANDOM.randn(4, 6, 3).astype("float32")
PICTURES = RANDOM.randn(4, 9, 8, 3).astype("float32")
VOLUMES = RANDOM.randn(2, 5, 6, 5, 2).astype("float32")
LENGTHS = [6, 3, 0, 5]


def half_squares(weights):
    return 0.05 * v1.nn.l2_loss(weights)


def absolutes(values):
    return 0.01 * v1.reduce_sum(v1.abs(values))


def positive(weights):
    return v1.maximum(weights, -0.1)


LAYERS = {
    "dense": lambda t: t.layers.dense(VECTORS, 4, v1.nn.relu),
    "dense_by_name_of_activation": lambda t: t.layers.dense(VECTORS, 4, "tanh", False),
    "dense_rank_3": lambda t: t.layers.dense(SERIES, 4, name="fc"),
    "dense_float64": lambda t: t.layers.dense(VECTORS.astype("float64"), 4),
    "dense_penalties": lambda t: t.layers.dense(
        VECTORS, 4, kernel_regularizer=half_squares, bias_regularizer=absolutes, activity_regularizer=half_squares
    ),
    "dense_constraints": lambda t: t.layers.dense(VECTORS, 4, kernel_constraint=positive, bias_constraint=positive),
    "dense_twice": lambda t: t.layers.dense(t.layers.dense(VECTORS, 5), 4, bias_initializer=v1.ones_initializer()),
    "dense_frozen": lambda t: t.layers.dense(t.layers.dense(VECTORS, 4), 4, trainable=False),
    "dense_reuse": lambda t: [
        t.layers.dense(VECTORS, 5, name="fc", kernel_regularizer=half_squares),
        t.layers.dense(VECTORS * 2, 5, name="fc", kernel_regularizer=half_squares, reuse=True),
    ],
    "dense_object": lambda t: (lambda fc: [fc(VECTORS), fc(VECTORS * 2)])(t.layers.Dense(4)),
    "conv1d": lambda t: t.layers.conv1d(SERIES, 4, 3, 2, "same", activation=v1.nn.elu),
    "conv2d": lambda t: t.layers.conv2d(PICTURES, 4, [3, 2], kernel_regularizer=half_squares),
    "conv2d_same": lambda t: t.layers.conv2d(PICTURES, 4, 5, (2, 1), "SAME", use_bias=False),
    "conv2d_dilated": lambda t: t.layers.conv2d(PICTURES, 4, 3, dilation_rate=2),
    "conv3d": lambda t: t.layers.conv3d(VOLUMES, 3, 2, padding="same"),
    "separable_conv1d": lambda t: t.layers.separable_conv1d(SERIES, 4, 3, padding="same", depth_multiplier=2),
    "separable_conv2d": lambda t: t.layers.separable_conv2d(
        PICTURES, 4, 3, depth_multiplier=2, depthwise_regularizer=half_squares, pointwise_regularizer=absolutes
    ),
    "conv2d_transpose": lambda t: t.layers.conv2d_transpose(PICTURES, 4, 3, 2, "same", activation=v1.nn.relu),
    "conv2d_transpose_valid": lambda t: t.layers.conv2d_transpose(PICTURES, 4, [3, 1], (2, 3)),
    "conv3d_transpose": lambda t: t.layers.conv3d_transpose(VOLUMES, 3, 2, 2),
    "average_pooling1d": lambda t: t.layers.average_pooling1d(trained(SERIES), 3, 2),
    "average_pooling2d": lambda t: t.layers.average_pooling2d(trained(PICTURES), 3, 2, "same"),
    "average_pooling3d": lambda t: t.layers.average_pooling3d(trained(VOLUMES), 2, 1),
    "max_pooling1d": lambda t: t.layers.max_pooling1d(trained(SERIES), 2, 2, "same"),
    "max_pooling2d": lambda t: t.layers.max_pooling2d(trained(PICTURES), [2, 3], (2, 1)),
    "max_pooling3d": lambda t: t.layers.max_pooling3d(trained(VOLUMES), 2, 2, "same"),
    "max_pooling3d_channels_first": lambda t: t.layers.max_pooling3d(
        trained(VOLUMES), 2, 2, data_format="channels_first"
    ),
    "flatten": lambda t: t.layers.flatten(trained(PICTURES)),
    "flatten_channels_first": lambda t: t.layers.flatten(trained(PICTURES), data_format="channels_first"),
    "dropout": lambda t: t.layers.dropout(trained(VECTORS), 0.4, seed=3, training=True),
    "dropout_noise_shape": lambda t: t.layers.dropout(trained(SERIES), 0.4, [None, 1, 3], 3, fed(True)),
    "dropout_off": lambda t: t.layers.dropout(trained(VECTORS), 0.4),
    "batch_normalization": lambda t: t.layers.batch_normalization(trained(PICTURES), training=True),
    "batch_normalization_fed": lambda t: t.layers.batch_normalization(trained(PICTURES), training=fed(True)),
    "batch_normalization_fed_not": lambda t: t.layers.batch_normalization(trained(PICTURES), training=fed(False)),
    "batch_normalization_off": lambda t: t.layers.batch_normalization(trained(PICTURES)),
    "batch_normalization_rank_2": lambda t: t.layers.batch_normalization(
        trained(VECTORS), momentum=0.9, training=True, gamma_regularizer=half_squares
    ),
    "batch_normalization_rank_2_fed": lambda t: t.layers.batch_normalization(trained(VECTORS), training=fed(True)),
    "batch_normalization_axis": lambda t: t.layers.batch_normalization(trained(SERIES), 1, training=True),
    "batch_normalization_axes": lambda t: t.layers.batch_normalization(trained(PICTURES), [1, 3], training=True),
    "batch_normalization_unfused": lambda t: t.layers.batch_normalization(trained(PICTURES), training=1, fused=False),
    "batch_normalization_channels_first": lambda t: t.layers.batch_normalization(trained(PICTURES), 1, training=True),
    "batch_normalization_plain": lambda t: t.layers.batch_normalization(
        trained(PICTURES), center=False, scale=False, training=True
    ),
    "batch_normalization_frozen": lambda t: t.layers.batch_normalization(
        trained(PICTURES), training=True, trainable=False
    ),
}


def dropped(cell, **kwargs):
    return lambda t: t.cells.DropoutWrapper(cell(t), seed=11, **kwargs)


def dropped_by_tensor(t):
    return t.cells.DropoutWrapper(t.cells.GRUCell(4), seed=11, output_keep_prob=fed(0.6))


CELLS = {
    "rnn": lambda t: t.cells.BasicRNNCell(4),
    "rnn_relu": lambda t: t.cells.BasicRNNCell(4, activation=v1.nn.relu),
    "basic_lstm": lambda t: t.cells.BasicLSTMCell(4),
    "basic_lstm_one_state": lambda t: t.cells.BasicLSTMCell(4, 0.0, state_is_tuple=False, activation="sigmoid"),
    "lstm": lambda t: t.cells.LSTMCell(4),
    "lstm_everything": lambda t: t.cells.LSTMCell(
        5, use_peepholes=True, cell_clip=0.3, num_proj=3, proj_clip=0.2, forget_bias=0.5
    ),
    "lstm_projected_one_state": lambda t: t.cells.LSTMCell(5, num_proj=3, state_is_tuple=False),
    "gru": lambda t: t.cells.GRUCell(4),
    "gru_initializers": lambda t: t.cells.GRUCell(
        4, kernel_initializer=v1.orthogonal_initializer(seed=1), bias_initializer=v1.constant_initializer(0.2)
    ),
    "multi": lambda t: t.cells.MultiRNNCell([t.cells.BasicLSTMCell(4), t.cells.GRUCell(3)]),
    "multi_one_state": lambda t: t.cells.MultiRNNCell(
        [t.cells.GRUCell(4), t.cells.GRUCell(3)], state_is_tuple=False
    ),
    "dropout": dropped(lambda t: t.cells.BasicLSTMCell(4), input_keep_prob=0.6, output_keep_prob=0.7),
    "dropout_state": dropped(lambda t: t.cells.BasicLSTMCell(4), state_keep_prob=0.6),
    "dropout_fed": dropped_by_tensor,
    "dropout_variational": dropped(
        lambda t: t.cells.MultiRNNCell([t.cells.BasicLSTMCell(4), t.cells.GRUCell(4)]),
        input_keep_prob=0.6, output_keep_prob=0.7, state_keep_prob=0.8, variational_recurrent=True, input_size=3,
        dtype="float32",
    ),
    "residual": lambda t: t.cells.ResidualWrapper(t.cells.GRUCell(3)),
    "residual_fn": lambda t: t.cells.ResidualWrapper(t.cells.GRUCell(4), lambda i, o: o + v1.reduce_sum(i)),
    "device": lambda t: t.cells.DeviceWrapper(t.cells.BasicRNNCell(4), "/cpu:0"),
}  # fmt: skip

# One iteration at a time: else which step gets which dropout mask is a race.
ORDERED = {"dtype": v1.float32, "parallel_iterations": 1}
NETWORKS = {
    "dynamic": lambda cell: v1.nn.dynamic_rnn(cell, SERIES, LENGTHS, **ORDERED),
    "static": lambda cell: v1.nn.static_rnn(cell, v1.unstack(v1.constant(SERIES), axis=1), dtype=v1.float32),
}


def cell_case(name, network):
    return lambda t: NETWORKS[network](CELLS[name](t))


def both_ways(t):
    cells = t.cells.BasicLSTMCell(4), t.cells.GRUCell(3)
    return v1.nn.bidirectional_dynamic_rnn(*cells, SERIES, LENGTHS, **ORDERED)


CASES = {
    **LAYERS,
    **{f"{cell}-{network}": cell_case(cell, network) for cell in CELLS for network in NETWORKS},
    "dynamic_without_lengths": lambda t: v1.nn.dynamic_rnn(t.cells.BasicLSTMCell(4), SERIES, **ORDERED, scope="net"),
    "bidirectional": both_ways,
    "static_bidirectional": lambda t: v1.nn.static_bidirectional_rnn(
        t.cells.LSTMCell(4), t.cells.LSTMCell(4), v1.unstack(v1.constant(SERIES), axis=1), dtype=v1.float32
    ),
}


def trained(data):
    """Data plus something that gradients reach, so that layers without variables have some to train."""
    return data + v1.get_variable("shift", data.shape[-1:], initializer=v1.zeros_initializer())


def fed(value):
    return v1.placeholder_with_default(value, [])


def trace_of(build, types_):
    """Returns what a network shows: names, collections, values and gradients before, after each step and at the end."""
    with v1.Graph().as_default(), v1.Session() as sess:
        with v1.variable_scope("", initializer=v1.glorot_uniform_initializer(seed=5)):
            outputs = v1.nest.flatten(build(types_))
        penalties = v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES)
        updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
        loss = v1.add_n([v1.reduce_mean(v1.square(v1.cast(each, v1.float32))) for each in outputs + penalties])
        with v1.control_dependencies(updates):
            step = v1.train.GradientDescentOptimizer(0.1).minimize(loss)
        sess.run(v1.global_variables_initializer())
        values = {v.name: v.read_value() for v in v1.global_variables()}
        found = {f"initial/{name}": value for name, value in sess.run(values).items()}
        found["trainable"] = np.array([v.name for v in v1.trainable_variables()])
        found["collected"] = np.array([len(penalties), len(updates)])
        found["static"] = np.array([str(each.get_shape()) for each in outputs])
        results = [sess.run([loss, step, *outputs, *penalties]) for _ in range(STEPS)]
        found["losses"] = np.array([result[0] for result in results])
        for number, value in enumerate(results[0][2:] + results[-1][2:]):
            found[f"output/{number}"] = value
        return {**found, **{f"final/{name}": value for name, value in sess.run(values).items()}}


@pytest.fixture(scope="module")
def oracle(tmp_path_factory, keras_python, request):
    """Each asked case's trace, of tf_keras' classes."""
    asked = [item.callspec.params["case"] for item in request.session.items if item.path == Path(__file__)]
    out = tmp_path_factory.mktemp("oracle") / "traces.npz"
    done = subprocess.run([keras_python, __file__, out, *asked], capture_output=True, text=True, timeout=550)
    assert done.returncode == 0, done.stderr[-3000:]
    saved = np.load(out)
    return {case: {k.split("|")[1]: saved[k] for k in saved.files if k.startswith(f"{case}|")} for case in asked}


# A static network takes each cell's steps as a dynamic one does, and three times as long to build.
STATIC = ("basic_lstm-static", "gru-static", "multi-static", "dropout-static")


def cost(case):
    return pytest.mark.long if case.endswith("-static") and case not in STATIC else ()


@pytest.mark.parametrize("case", [pytest.param(case, marks=cost(case)) for case in CASES])
def test_as_in_tf_keras(case, oracle, assert_same):
    from tf1ref.legacy import layers
    from tf1ref.legacy.nn import rnn_cell

    trace = trace_of(CASES[case], types.SimpleNamespace(layers=layers, cells=rnn_cell))
    assert any(
        value.tobytes() != trace[f"final/{k[8:]}"].tobytes() for k, value in trace.items() if k[:8] == "initial/"
    )
    assert_same(trace, oracle[case])


def main(out, *asked):
    from tf_keras.api._v1.keras.__internal__ import legacy

    both = types.SimpleNamespace(layers=legacy.layers, cells=legacy.rnn_cell)
    traces = {name: trace_of(build, both) for name, build in CASES.items() if name in asked}
    np.savez(out, **{f"{name}|{key}": value for name, trace in traces.items() for key, value in trace.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
