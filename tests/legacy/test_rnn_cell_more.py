"""UGRNNCell and NASCell of contrib.rnn against numpy, with TF 1.15's names."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import rnn as contrib_rnn

RANDOM = np.random.RandomState(9)
X = RANDOM.randn(2, 4, 3).astype("float32")
UNITS = 5


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def ugrnn(w, steps):
    h, outputs = np.zeros((2, UNITS)), []
    for x in steps:
        gate, new = np.split(np.concatenate([x, h], 1) @ w["kernel"] + w["bias"], 2, 1)
        gate = sigmoid(gate + 1)
        h = gate * h + (1 - gate) * np.maximum(new, 0)
        outputs.append(h)
    return outputs


def nas(w, steps):
    h, c, outputs = np.zeros((2, w["recurrent_kernel"].shape[0])), np.zeros((2, UNITS)), []
    for x in steps:
        i = np.split(x @ w["kernel"], 8, 1)
        m = np.split(h @ w["recurrent_kernel"] + w.get("bias", 0), 8, 1)
        tanh = np.tanh
        first = [sigmoid(i[0] + m[0]), np.maximum(i[1] + m[1], 0), sigmoid(i[2] + m[2]), np.maximum(i[3] * m[3], 0)]
        first += [tanh(i[4] + m[4]), sigmoid(i[5] + m[5]), tanh(i[6] + m[6]), sigmoid(i[7] + m[7])]
        second = [tanh(first[0] * first[1]), tanh(first[2] + first[3])]
        second += [tanh(first[4] * first[5]), sigmoid(first[6] + first[7])]
        c = tanh(second[0] + c) * second[1]
        h = tanh(c * tanh(second[2] + second[3]))
        h = h @ w["projection_weights"] if "projection_weights" in w else h
        outputs.append(h)
    return outputs


CASES = {
    "UGRNNCell": (
        lambda: contrib_rnn.UGRNNCell(UNITS, activation=v1.nn.relu), ugrnn, "ugrnn_cell",
        {"kernel": [8, 10], "bias": [10]},
    ),
    "NASCell": (
        lambda: contrib_rnn.NASCell(UNITS), nas, "nas_cell", {"recurrent_kernel": [5, 40], "kernel": [3, 40]},
    ),
    "NASCell, bias, projection": (
        lambda: contrib_rnn.NASCell(UNITS, num_proj=2, use_bias=True, name="mine"), nas, "mine",
        {"recurrent_kernel": [2, 40], "kernel": [3, 40], "bias": [40], "projection_weights": [5, 2]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_cells(name):
    make, by_hand, scope, shapes = CASES[name]
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(1)
        cell = make()
        outputs, state = v1.nn.dynamic_rnn(cell, X, dtype=v1.float32)
        named = {v.op.name: v for v in v1.global_variables()}
        assert {each: v.get_shape().as_list() for each, v in named.items()} == {
            f"rnn/{scope}/{each}": shape for each, shape in shapes.items()
        }
        assert list(named) == [f"rnn/{scope}/{each}" for each in shapes]
        assert len(cell.trainable_weights) == len(shapes)
        sess.run(v1.global_variables_initializer())
        if f"rnn/{scope}/bias" in named:
            assert not sess.run(named[f"rnn/{scope}/bias"]).any()
        for each, variable in named.items():
            variable.load(RANDOM.randn(*shapes[each.rpartition("/")[2]]), sess)
        w = {each.rpartition("/")[2]: value for each, value in sess.run(named).items()}
        found = sess.run(outputs)
    np.testing.assert_allclose(found, np.stack(by_hand(w, X.transpose(1, 0, 2)), 1), rtol=1e-4, atol=1e-5)


def test_cells_are_made_again_from_their_config():
    gru = contrib_rnn.GRUCell(3, activation="relu", name="mine", dtype=v1.float64)
    assert gru.get_config() == {
        "trainable": True, "name": "mine", "dtype": v1.float64, "num_units": 3, "activation": "relu", "reuse": None,
        "kernel_initializer": None, "bias_initializer": None,
    }  # fmt: skip
    lstm = contrib_rnn.LSTMCell(4, use_peepholes=True, num_proj=2, num_unit_shards=2, forget_bias=0.5)
    for cell in (gru, lstm, contrib_rnn.BasicLSTMCell(2, state_is_tuple=False), contrib_rnn.BasicRNNCell(5)):
        made = type(cell).from_config(cell.get_config())
        assert (made.get_config(), made.state_size) == (cell.get_config(), cell.state_size)
    wrappers = [
        contrib_rnn.DeviceWrapper(gru, "/cpu:0"),
        contrib_rnn.ResidualWrapper(gru, residual_fn=max),
        contrib_rnn.DropoutWrapper(gru, 0.5, 0.25, 0.75, seed=3, dropout_state_filter_visitor=callable),
    ]
    for wrapper in wrappers:
        config = wrapper.get_config()
        assert config["cell"] == {"class_name": "GRUCell", "config": gru.get_config()}
        assert type(wrapper).from_config({**config, "cell": gru}).get_config() == config
        with pytest.raises(ValueError, match="RNNCell object"):
            type(wrapper).from_config(config)
    assert (config["input_keep_prob"], config["state_keep_prob"]) == (0.5, 0.75)


@pytest.mark.slow
@pytest.mark.parametrize("projected", [None, 2])
def test_one_tensor_as_the_state_is_that_of_cells_without_tuples(projected):
    """Before TensorFlow 0.12 state_is_tuple=False was the default."""

    def run(is_tuple):
        def cell():
            if projected:
                return contrib_rnn.LSTMCell(3, num_proj=projected, state_is_tuple=is_tuple)
            return contrib_rnn.BasicLSTMCell(3, state_is_tuple=is_tuple)

        width = 2 * (3 + (projected or 3))
        start = np.linspace(-1, 1, 2 * width, dtype=np.float32).reshape(2, width)
        with v1.Graph().as_default(), v1.Session() as sess:
            v1.set_random_seed(4)
            stacked = contrib_rnn.MultiRNNCell([cell(), cell()], state_is_tuple=is_tuple)
            outputs, state = v1.nn.dynamic_rnn(stacked, X, initial_state=v1.constant(start))
            steps, last = v1.nn.static_rnn(
                cell(), v1.unstack(X, axis=1), initial_state=v1.constant(start[:, : width // 2])
            )
            assert state.shape.as_list() == [2, width] and last.shape.as_list() == [2, width // 2]
            for seed, variable in enumerate(v1.global_variables()):
                variable.load(np.random.RandomState(seed).randn(*variable.shape).astype(np.float32), sess)
            return sess.run([outputs, state, steps[-1], last])

    for mine, known in zip(run(True), run(False)):
        np.testing.assert_array_equal(mine, known)


def test_an_initial_state_fits_the_inputs():
    cell = contrib_rnn.BasicRNNCell(3)
    with v1.Graph().as_default():
        inputs = v1.zeros([2, 4])
        assert cell.get_initial_state(inputs, 2, v1.float32).shape == (2, 3)
        for arguments, message in (
            ((inputs, 5), "batch size"), ((inputs, None, v1.float64), "dtype from input"), ((), "cannot be None")
        ):  # fmt: skip
            with pytest.raises(ValueError, match=message):
                cell.get_initial_state(*arguments)


@pytest.mark.slow
def test_a_model_of_keras_initializes_and_trains_a_cell():
    keras = pytest.importorskip("tf_keras")
    with v1.Graph().as_default(), v1.Session():
        x = keras.Input((4, 3))
        cell = contrib_rnn.GRUCell(2)
        model = keras.models.Model(x, keras.layers.RNN(cell, unroll=True)(x))
        assert [w.op.name for w in model.trainable_weights] == [w.op.name for w in cell.weights] and cell.weights
        model.compile("sgd", "mse")
        model.predict(X)
        before = model.get_weights()
        model.fit(X, np.ones((2, 2), "float32"), verbose=0)
        assert all(np.abs(a - b).max() > 0 for a, b in zip(before, model.get_weights()))
