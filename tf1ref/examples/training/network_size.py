"""The size of a network: parameters, multiplications, connections

Source: S4 1201-1235, S3 2476-2530
TF1: a parameter is an element of a trainable variable, and the graph's collection has them all; the ops of the graph
    say from which shapes each product is computed.
Now: tf.Module.trainable_variables, and the ops of the graph that a function was traced into.
Errata: S4 counts the biases as parameters (26) and not as operations (20). S3 counts a convolution's biases as
    connections (122,304). S3 gives 41,600 connections for the second convolution, 25 + 1 to a node. It forgets that a
    node sees six channels: 25 * 6 + 1 make 241,600. S3's second layer has a step of 2, not 1: it halves 28 to 14.
See: LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998, doi:10.1109/5.726791
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import math

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

DENSE = (3, 4, 2)  # S4's picture: three inputs, four hidden nodes, two outputs
SIDE = 32
KERNEL = 5
FILTERS = (6, 16)
UNITS = (120, 84, 10)

EXPECTED = {
    "dense/parameters": exactly([16, 10]),
    "dense/total_parameters": exactly(26),
    "dense/multiplications": exactly([12, 8]),
    "dense/total_multiplications": exactly(20),
    "lenet/parameters": exactly([156, 2416, 48120, 10164, 850]),
    "lenet/first_connections": exactly(122304),
}


def as_trace(dense, lenet):
    """The trace of two networks, each [(shapes of a layer's variables, shape of its product)], first layer first."""
    trace = {}
    for name, layers in (("dense", dense), ("lenet", lenet)):
        parameters = [sum(math.prod(shape) for shape in shapes) for shapes, _ in layers]
        # A node of the product has as many multiplications as one filter, or one column of the matrix, has weights.
        of_a_node = [math.prod(shapes[0][:-1]) for shapes, _ in layers]
        nodes = [math.prod(product[1:]) for _, product in layers]
        trace[f"{name}/parameters"] = np.array(parameters)
        trace[f"{name}/total_parameters"] = np.array(sum(parameters))
        trace[f"{name}/multiplications"] = np.array([n * m for n, m in zip(nodes, of_a_node)])
        trace[f"{name}/total_multiplications"] = trace[f"{name}/multiplications"].sum()
        trace[f"{name}/connections"] = np.array([n * (m + 1) for n, m in zip(nodes, of_a_node)])  # with the bias
    trace["lenet/first_connections"] = trace["lenet/connections"][0]
    return trace


def products_of(operations):
    """Returns the shapes of what the convolutions and matrix products among `operations` give, in the graph's order."""
    return [op.outputs[0].shape.as_list() for op in operations if op.type in ("Conv2D", "MatMul")]


def variables(name, shape):
    """Adds a layer's weights and biases; only their shapes are of interest here."""
    with v1.variable_scope(name):
        weights = v1.get_variable("weights", shape, initializer=v1.zeros_initializer())
        return weights, v1.get_variable("biases", shape[-1:], initializer=v1.zeros_initializer())


def build_dense():
    """Adds S4's network of two layers to the default graph."""
    x = v1.placeholder(v1.float32, [None, DENSE[0]], name="x")
    for i, (inputs, outputs) in enumerate(zip(DENSE, DENSE[1:])):
        weights, biases = variables(f"layer{i + 1}", [inputs, outputs])
        x = v1.matmul(x, weights) + biases
    return x


def build_graph():
    """Adds the layers of LeNet-5 as S3 counts them: (n, 32, 32, 1) to (n, 10)."""
    images = x = v1.placeholder(v1.float32, [None, SIDE, SIDE, 1], name="x")
    for i, filters in enumerate(FILTERS):
        weights, biases = variables(f"c{i + 1}", [KERNEL, KERNEL, x.shape[3], filters])
        x = v1.nn.bias_add(v1.nn.conv2d(x, weights, strides=[1, 1, 1, 1], padding="VALID"), biases)
        x = v1.nn.max_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID")
    x = v1.reshape(x, [-1, math.prod(x.shape[1:].as_list())])  # (n, 400)
    for i, units in enumerate(UNITS):
        weights, biases = variables(f"f{i + 1}", [x.shape[1], units])
        x = v1.matmul(x, weights) + biases
    return {"x": images, "y": v1.identity(x, name="y")}


def layers_of(build):
    """What a network's graph says of its layers: nothing is run, and no session is needed."""
    with v1.Graph().as_default() as graph:
        build()
        shapes = [variable.shape.as_list() for variable in v1.trainable_variables()]
        return list(zip(zip(shapes[::2], shapes[1::2]), products_of(graph.get_operations())))


def run_graph():
    """Shapes are known while a graph is built: -1 stands for the batch in none of them."""
    return as_trace(layers_of(build_dense), layers_of(build_graph))


class Layer(tf.Module):
    """Weights and biases."""

    def __init__(self, shape):
        super().__init__()
        self.weights, self.biases = tf.Variable(tf.zeros(shape)), tf.Variable(tf.zeros(shape[-1:]))


class Dense(tf.Module):
    """S4's network of two layers."""

    def __init__(self):
        super().__init__()
        self.layers = [Layer(shape) for shape in zip(DENSE, DENSE[1:])]

    @tf.function(input_signature=[tf.TensorSpec([None, DENSE[0]])])
    def __call__(self, x):
        """Turns (n, 3) into (n, 2)."""
        for layer in self.layers:
            x = tf.matmul(x, layer.weights) + layer.biases
        return x


class LeNet5(tf.Module):
    """The layers as S3 counts them; a module has to know its sizes before it sees a picture."""

    def __init__(self):
        super().__init__()
        depths, side = (1, *FILTERS), SIDE
        self.convolutions = [Layer([KERNEL, KERNEL, *pair]) for pair in zip(depths, FILTERS)]
        for _ in FILTERS:
            side = (side - KERNEL + 1) // 2
        self.dense = [Layer(pair) for pair in zip((side * side * FILTERS[-1], *UNITS), UNITS)]

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 1])])
    def __call__(self, x):
        """Turns (n, 32, 32, 1) into (n, 10)."""
        for layer in self.convolutions:
            x = tf.nn.bias_add(tf.nn.conv2d(x, layer.weights, strides=1, padding="VALID"), layer.biases)
            x = tf.nn.max_pool2d(x, ksize=2, strides=2, padding="VALID")
        x = tf.reshape(x, [-1, math.prod(x.shape[1:])])  # (n, 400)
        for layer in self.dense:
            x = tf.matmul(x, layer.weights) + layer.biases
        return x


def layers_in(network, layers):
    """What the layers' variables and the graph of the traced call say."""
    shapes = [[variable.shape.as_list() for variable in (layer.weights, layer.biases)] for layer in layers]
    return list(zip(shapes, products_of(network.__call__.get_concrete_function().graph.get_operations())))


def run_function():
    """trainable_variables sorts by attribute, biases before weights; here each layer is asked."""
    dense, lenet = Dense(), LeNet5()
    return as_trace(layers_in(dense, dense.layers), layers_in(lenet, [*lenet.convolutions, *lenet.dense]))
