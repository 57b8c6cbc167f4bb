"""Training steps of an LSTM along a series: TF1's graph, legacy's cells; the modules; Keras 3's LSTM."""

import statistics
import time

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from bench import Contest

from tf1ref.legacy.contrib.rnn._block import LSTMBlockCell, LSTMBlockFusedCell
from tf1ref.legacy.nn import rnn_cell
from tf1ref.modules import optimizers, rnn, rnn_block
from tf1ref.modules.rnn_unroll import RNN

BATCH, LENGTH, DEPTH, UNITS, RATE = 64, 28, 28, 128, 0.01
SUBJECT = f"One LSTM of {UNITS} units over {LENGTH} steps, batch {BATCH}, mean square of the last output, descent."
STEPS = 20  # short rounds: what slows the machine down then slows all ways of a round
COPIES = 3  # Two copies of one graph differ in speed by up to a tenth, and go on to do so.
SERIES = np.random.RandomState(1).randn(BATCH, LENGTH, DEPTH).astype(np.float32)
MAJOR = np.ascontiguousarray(SERIES.transpose(1, 0, 2))


def contests():
    """Yields the one Contest."""
    ways = {
        "Keras LSTM, unroll=False": copies(keras_way, False),
        "Keras LSTM, unroll=True": copies(keras_way, True),
        "dynamic_rnn, BasicLSTMCell": copies(graph_way, dynamic(rnn_cell.BasicLSTMCell)),
        "BasicLSTMCell, today's control flow": copies(graph_way, dynamic(rnn_cell.BasicLSTMCell), control_flow_v2=True),
        "dynamic_rnn, BasicLSTMCell, time_major": copies(
            graph_way, dynamic(rnn_cell.BasicLSTMCell, time_major=True), MAJOR
        ),
        "dynamic_rnn, LSTMBlockCell": copies(graph_way, dynamic(LSTMBlockCell)),
        "static_rnn, BasicLSTMCell": copies(graph_way, static),
        "LSTMBlockFusedCell": copies(graph_way, fused, MAJOR),
        "module: RNN(BasicLSTMCell)": copies(module_way, lambda: RNN(rnn.BasicLSTMCell(UNITS))),
        "module: RNN(BasicLSTMCell), unroll=True": copies(
            module_way, lambda: RNN(rnn.BasicLSTMCell(UNITS), unroll=True)
        ),
        "module: LSTMBlockFusedCell": copies(module_way, lambda: rnn_block.LSTMBlockFusedCell(UNITS), MAJOR),
    }
    yield Contest("cells", "steps/s", "Keras LSTM, unroll=False", ways)


def copies(make, *arguments, **options):
    """Makes a way COPIES times; returns one that calls them in turn, at the rate of all their steps together."""
    ways = [make(*arguments, **options) for _ in range(COPIES)]
    return lambda: statistics.harmonic_mean([way() for way in ways])


def rate(step):
    """Calls step() STEPS times; returns calls a second."""
    began = time.perf_counter()
    for _ in range(STEPS):
        step()
    return STEPS / (time.perf_counter() - began)


def dynamic(cell, time_major=False):
    """A dynamic_rnn: a function from the series to its state's h."""
    return lambda x: v1.nn.dynamic_rnn(cell(UNITS), x, dtype=v1.float32, time_major=time_major)[1].h


def static(x):
    """The steps written out."""
    return v1.nn.static_rnn(rnn_cell.BasicLSTMCell(UNITS), v1.unstack(x, axis=1), dtype=v1.float32)[1].h


def fused(x):
    """One kernel for all steps, time first."""
    return LSTMBlockFusedCell(UNITS)(x, dtype=v1.float32)[1].h


def graph_way(build, series=SERIES, control_flow_v2=False):
    """A session with a callable; the loop is TF1's, as `tf1ref exec` and disable_v2_behavior have it, or today's."""
    (v1.enable_control_flow_v2 if control_flow_v2 else v1.disable_control_flow_v2)()
    try:
        with v1.Graph().as_default() as graph:
            x = v1.placeholder(v1.float32, series.shape)
            loss = v1.reduce_mean(v1.square(build(x) - 0.3))
            step = v1.train.GradientDescentOptimizer(RATE).minimize(loss)
            sess = v1.Session(graph=graph)
            sess.run(v1.global_variables_initializer())
            call = sess.make_callable([step, loss], feed_list=[x])
    finally:
        v1.enable_control_flow_v2()
    return lambda: rate(lambda: call(series))


def module_way(make, series=SERIES):
    """A tf.function, called once a step."""
    layer = make().create(DEPTH)
    variables = list(layer.variables_by_name().values())
    optimizer = optimizers.GradientDescent(RATE)
    optimizer.create(variables)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(layer(x)[1].h - 0.3))
        optimizer.minimize(tape, loss, variables)
        return loss

    return lambda: rate(lambda: step(tf.constant(series)))


def keras_way(unroll):
    """Keras 3's LSTM in a tf.function of its own: no fit(), which would add its callbacks to every step."""
    import keras

    model = keras.Sequential([keras.Input((LENGTH, DEPTH)), keras.layers.LSTM(UNITS, unroll=unroll)])
    optimizer = keras.optimizers.SGD(RATE)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x, training=True) - 0.3))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    return lambda: rate(lambda: step(tf.constant(SERIES)))
