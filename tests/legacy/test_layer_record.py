"""What a tf.layers layer tells of itself, and that tf.train.Checkpoint saves it."""

import copy

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy import layers
from tf1ref.legacy.nn import rnn_cell

SHAPES = {
    "Conv1D": (layers.Conv1D(4, 3, 2, "same"), (2, 9, 3)),
    "Conv2D": (layers.Conv2D(4, (3, 2), dilation_rate=2), (2, 9, 8, 3)),
    "Conv2D, channels first": (layers.Conv2D(4, 3, data_format="channels_first"), (2, 3, 9, 8)),
    "Conv3D": (layers.Conv3D(2, 2), (1, 4, 5, 6, 3)),
    "Conv2DTranspose": (layers.Conv2DTranspose(4, 3, 2), (2, 5, 6, 3)),
    "SeparableConv2D": (layers.SeparableConv2D(4, 3, padding="same"), (2, 9, 8, 3)),
    "MaxPooling2D": (layers.MaxPooling2D(3, 2), (2, 9, 8, 3)),
    "AveragePooling1D": (layers.AveragePooling1D(2, 2, "same"), (2, 9, 3)),
    "Dense": (layers.Dense(7), (2, 3, 5)),
    "Flatten": (layers.Flatten(), (2, 3, 5)),
    "Dropout": (layers.Dropout(), (2, 3)),
    "BatchNormalization": (layers.BatchNormalization(), (2, 3)),
}


@pytest.fixture
def graph():
    with v1.Graph().as_default() as graph:
        yield graph


@pytest.mark.parametrize("name", SHAPES)
def test_the_shape_said_is_the_shape_made(name, graph):
    layer, shape = copy.deepcopy(SHAPES[name][0]), SHAPES[name][1]
    assert layer.compute_output_shape(shape).as_list() == layer(v1.zeros(shape)).shape.as_list()
    assert layer.input_shape == shape and layer.output_shape == tuple(layer.output.shape)


def test_losses_and_updates_by_what_they_depend_on(graph):
    layer = layers.Dense(2, kernel_regularizer=tf.nn.l2_loss, activity_regularizer=tf.reduce_sum)
    a, b = v1.ones([3, 4]), v1.zeros([3, 4])
    layer(a), layer(b)
    by_a, by_b, free = (layer.get_losses_for(each) for each in ([a], [b], None))
    assert len(layer.losses) == 3 and len(by_a) == len(by_b) == len(free) == 1 and by_a != by_b
    assert "kernel/Regularizer" in free[0].name
    norm = layers.BatchNormalization()
    norm(a, training=True)
    assert norm.get_updates_for([a]) == norm.updates and norm.get_updates_for(None) == []
    assert layer.get_input_at(1) is b
    with pytest.raises(AttributeError, match="ill-defined"):
        _ = layer.input
    with pytest.raises(ValueError, match="no call 2"):
        layer.get_output_at(2)
    with pytest.raises(RuntimeError, match="never been called"):
        layers.Dense(2).get_input_at(0)


def test_weights_in_and_out_and_a_copy(graph):
    layer = layers.Dense(2)
    layer.build((None, 3))
    x = v1.ones([1, 3])
    y = layer(x)
    twin = copy.deepcopy(layer)
    assert twin.kernel is layer.kernel and twin.weights == layer.weights
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        layer.set_weights([np.full((3, 2), 2.0), np.array([1.0, -1.0])])
        assert session.run(y).tolist() == [[7.0, 5.0]]
        assert [w.shape for w in layer.get_weights()] == [(3, 2), (2,)]
        with pytest.raises(ValueError, match="2 weights, 1 were given"):
            layer.set_weights([np.zeros((3, 2))])
    with pytest.raises(ValueError, match="session"):
        layer.get_weights()
    config = layers.Conv2D(3, 2, activation=tf.nn.relu, name="c").get_config()
    again = layers.Conv2D.from_config(config)
    assert (again.filters, again.kernel_size, again.activation) == (3, (2, 2), tf.nn.relu)


def test_variables_read_only_at_the_end_of_a_step_are_not_trained(graph):
    class Own(layers.Layer):
        def build(self, shape):
            on_read = v1.VariableSynchronization.ON_READ
            self.seen = self.add_weight("seen", [], initializer=v1.zeros_initializer(), synchronization=on_read)
            with pytest.raises(ValueError, match="ON_READ only for non-trainable"):
                self.add_weight("w", [], trainable=True, synchronization=on_read)
            super().build(shape)

    own = Own()
    own(v1.zeros([2]))
    assert own.trainable_variables == [] and own.non_trainable_variables == [own.seen]


@pytest.mark.slow
def test_a_checkpoint_of_objects_holds_layers_and_cells(tmp_path):
    class Model(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense, self.cells = layers.Dense(2), [rnn_cell.GRUCell(3), rnn_cell.LSTMCell(3)]

        def call(self, x):
            for cell in self.cells:
                x, _ = cell(x, cell.zero_state(2, x.dtype))
            return self.dense(x)

    def saved(restore_first):
        with v1.Graph().as_default(), v1.Session() as session:
            model = Model()
            y = model(v1.ones([2, 4]))
            checkpoint = v1.train.Checkpoint(model=model)
            if restore_first:
                status = checkpoint.restore(path)
                status.assert_consumed()
                status.run_restore_ops(session)
                return session.run(y), None
            session.run(v1.global_variables_initializer())
            return session.run(y), checkpoint.save(str(tmp_path / "c"), session)

    path = None
    before, path = saved(False)
    after, _ = saved(True)
    assert np.array_equal(before, after)
    assert any("dense/kernel" in name for name, _ in tf.train.list_variables(path))


@pytest.mark.slow
def test_a_layer_first_called_in_a_function_has_its_variables():
    layer = layers.Dense(3)
    function = tf.function(lambda x: layer(x))
    function(tf.ones([2, 4]))
    assert [len(layer.trainable_variables), len(layer.non_trainable_variables)] == [2, 0]
    frozen = layers.Dense(3, trainable=False)
    tf.function(lambda x: frozen(x))(tf.ones([2, 4]))
    assert [len(frozen.trainable_variables), len(frozen.non_trainable_variables)] == [0, 2]


def test_shards_cut_the_kernels(graph):
    cell = rnn_cell.LSTMCell(4, num_proj=3, num_unit_shards=2, num_proj_shards=3)
    cell(v1.ones([2, 3]), cell.zero_state(2, v1.float32))
    shapes = {v.op.name: v.shape.as_list() for v in v1.trainable_variables() if "kernel" in v.op.name}
    whole = {f"lstm_cell/kernel/part_{i}": [3, 16] for i in range(2)}
    assert shapes == {**whole, **{f"lstm_cell/projection/kernel/part_{i}": [2 - (i > 0), 3] for i in range(3)}}


@pytest.mark.slow
def test_penalties_follow_the_variables_when_code_runs_eagerly():
    layer = layers.Layer(name="penalized")
    v = layer.add_weight("v", [2], initializer=v1.ones_initializer(), regularizer=tf.reduce_sum)
    assert [loss.numpy() for loss in layer.losses] == [2.0] and layer.get_losses_for(None) == layer.losses
    v.assign([3.0, 4.0])
    assert [loss.numpy() for loss in layer.losses] == [7.0]
    layer.add_loss(lambda: None)
    assert len(layer.losses) == 1

    @tf.function
    def add():
        if len(layer.weights) == 1:
            layer.add_weight("w", [3], initializer=v1.ones_initializer(), regularizer=tf.reduce_sum)

    add()
    assert [loss.numpy() for loss in layer.losses] == [7.0, 3.0]


def test_a_loss_that_is_a_function_is_a_tensor_in_a_graph(graph):
    layer = layers.Layer(name="lossy")
    layer.add_loss([lambda: v1.constant(1.0), lambda: None])
    assert layer.losses == v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES) and len(layer.losses) == 1


@pytest.mark.parametrize("limit", ["ndim", "min_ndim", "max_ndim"])
def test_a_layer_with_a_rank_refuses_tensors_of_unknown_rank(graph, limit):
    layer = layers.Layer(name="ranked")
    layer.input_spec = layers.InputSpec(**{limit: 2})
    with pytest.raises(ValueError, match="its rank is undefined, but the layer requires a defined rank"):
        layer(v1.placeholder(v1.float32))
    layer.input_spec = layers.InputSpec(axes={-1: 3})
    layer(v1.placeholder(v1.float32))
