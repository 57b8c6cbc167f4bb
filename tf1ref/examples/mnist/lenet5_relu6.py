"""LeNet-5 with relu6: a start and a last layer that keep it from learning

Source: S0 1237-1520
TF1: add_cnn_layer and add_layer take the activation as an argument and leave their penalties in a collection.
Now: a layer is an object; called, it returns its output and its penalty.
Errata: as S0 writes it, the network learns nothing. Weights and biases of deviation 1 drive the layers out of the range
    between 0 and 6, where relu6 has a slope, and relu6 on the logits lets no gradient past. Within ten steps all logits
    are 0 or 6, and the first 6 makes one digit the answer to all pictures: 0, which is right for 9.8 %. Even without
    both, the rate of .99 ends all learning within 20 steps. S0's form is WEIGHT_DEVIATION=1, RELU6_ON_LOGITS=True,
    LEARNING_RATE_BASE=.99. (x_train - 255) / 255 wraps uint8 to (x + 1) % 256 / 255 (see _pixels.py). This program does
    the same. A comment says that the rate starts at .9 and falls by .96 every 100 steps; the code says .99, .9 and
    5000. S0 binds the graph to batches of 500, evaluates nothing, merges a summary that it never writes, and takes a
    second run for the loss.
See: LeCun et al., Gradient-Based Learning Applied to Document Recognition, doi:10.1109/5.726791
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_least
from tf1ref.data import mnist
from tf1ref.examples.mnist._pixels import less_255
from tf1ref.legacy.contrib.layers import l2_regularizer
from tf1ref.modules import optimizers, schedules

SEED = 1
STEPS = 1000
BATCH_SIZE = 500
SIDE = 28
CONV_SIZE = 5
CONV1_DEEP = 32
CONV2_DEEP = 64
FC_SIZE = 512
NUM_LABELS = 10
WEIGHT_DEVIATION = 0.05  # standard deviation of weights and biases; S0: 1
RELU6_ON_LOGITS = False  # S0: True
L2 = 0.00005  # times sum(w^2), as Keras counts: twice l2_loss
LEARNING_RATE_BASE = 0.1  # S0: .99
LEARNING_RATE_DECAY = 0.9
DECAY_STEPS = 5000

NODES = (SIDE // 4) ** 2 * CONV2_DEEP

EXPECTED = {"final/test_accuracy": at_least(0.97)}  # S0 prints nothing


def batches(data, count):
    """Yields `count` batches. Each is drawn from the whole set without repeats; the next one may repeat pictures."""
    random = np.random.default_rng(SEED)
    for _ in range(count):
        picked = random.choice(data.num_examples, BATCH_SIZE, replace=False)
        yield less_255(data.images[picked]), data.labels[picked]


def parts(data):
    """Returns all of a data set in file order, a batch at a time: 10,000 pictures at once would take gigabytes."""
    slices = (slice(i, i + BATCH_SIZE) for i in range(0, data.num_examples, BATCH_SIZE))
    return ((less_255(data.images[part]), data.labels[part]) for part in slices)


def add_variables(shape, bias_shape, seed):
    """Adds a layer's weights and biases, and the penalty of the weights to the collection."""
    weights = v1.Variable(v1.random_normal(shape, stddev=WEIGHT_DEVIATION, seed=seed), name="weights")
    v1.add_to_collection("losses", l2_regularizer(2 * L2)(weights))
    start = v1.random_normal(bias_shape, stddev=WEIGHT_DEVIATION, seed=seed + 1)
    return weights, v1.Variable(start, name="biases")


def add_layer(inputs, in_size, out_size, active_function, seed):
    """Adds active_function(inputs * weights + biases): (n, in_size) to (n, out_size)."""
    weights, biases = add_variables([in_size, out_size], [1, out_size], seed)
    return active_function(v1.matmul(inputs, weights) + biases)


def add_cnn_layer(inputs, filter_shape, active_function, seed):
    """Adds active_function(convolution of stride 1 + biases), which keeps height and width."""
    weights, biases = add_variables(filter_shape, filter_shape[3:], seed)
    conv = v1.nn.conv2d(inputs, weights, strides=[1, 1, 1, 1], padding="SAME")
    return active_function(v1.nn.bias_add(conv, biases))


def add_pool_layer(inputs):
    """Adds the pooling that halves height and width."""
    return v1.nn.max_pool(inputs, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")


def inference(x):
    """Adds the network: (n, 28, 28, 1) to logits (n, 10)."""
    with v1.name_scope("layer1-conv1"):
        out_1 = add_cnn_layer(x, [CONV_SIZE, CONV_SIZE, 1, CONV1_DEEP], v1.nn.relu6, seed=1)
    with v1.name_scope("layer2-pool1"):
        out_2 = add_pool_layer(out_1)
    with v1.name_scope("layer3-conv2"):
        out_3 = add_cnn_layer(out_2, [CONV_SIZE, CONV_SIZE, CONV1_DEEP, CONV2_DEEP], v1.nn.relu6, seed=3)
    with v1.name_scope("layer4-pool2"):
        out_4 = v1.reshape(add_pool_layer(out_3), [-1, NODES])  # (n, 7, 7, 64) -> (n, 3136)
    with v1.name_scope("layer5-fc1"):
        out_5 = add_layer(out_4, NODES, FC_SIZE, v1.nn.relu6, seed=5)
    with v1.name_scope("layer6-fc2"):
        return add_layer(out_5, FC_SIZE, NUM_LABELS, v1.nn.relu6 if RELU6_ON_LOGITS else v1.identity, seed=7)


def build_graph():
    """Adds the network, the loss summed from the collection, and the training op to the default graph."""
    x = v1.placeholder(v1.float32, [None, SIDE, SIDE, 1], name="x-input")
    y_ = v1.placeholder(v1.float32, [None, NUM_LABELS], name="y-input")
    y = v1.identity(inference(x), name="y")
    cross_entropy = v1.nn.softmax_cross_entropy_with_logits_v2(logits=y, labels=y_)
    v1.add_to_collection("losses", v1.reduce_mean(cross_entropy))
    loss = v1.add_n(v1.get_collection("losses"))
    global_step = v1.train.get_or_create_global_step()
    learning_rate = v1.train.exponential_decay(
        LEARNING_RATE_BASE, global_step, DECAY_STEPS, LEARNING_RATE_DECAY, staircase=True
    )
    optimizer = v1.train.GradientDescentOptimizer(learning_rate)
    gradients = optimizer.compute_gradients(loss)
    # This is not argmax(y): the graph optimizer removes relu6 from before an argmax as if it kept the order, but
    # relu6 makes values equal.
    correct = v1.equal(v1.argmax(v1.nn.softmax(y), 1), v1.argmax(y_, 1))
    return {
        "x": x,
        "y_": y_,
        "y": y,
        "variables": {v.op.name: v for _, v in gradients},
        "gradients": {f"gradient/{v.op.name}": gradient for gradient, v in gradients},
        "loss": loss,
        "train": optimizer.apply_gradients(gradients, global_step=global_step),
        "accuracy": v1.reduce_mean(v1.cast(correct, v1.float32), name="accuracy"),
    }


def run_graph(steps=STEPS):
    """A run trains and returns the loss before the step. The first run also returns the gradients."""
    data = mnist.read_data_sets(one_hot=True, dtype=np.uint8, reshape=False, seed=SEED)
    losses = []
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        x, y_ = graph["x"], graph["y_"]
        trace = {f"initial/{k}": v for k, v in sess.run(graph["variables"]).items()}
        bar = console.steps(steps)
        for step, (xs, ys) in zip(bar, batches(data.train, steps)):
            fetches = [graph["train"], graph["loss"], graph["gradients"] if step == 0 else {}]
            _, loss, gradients = sess.run(fetches, {x: xs, y_: ys})
            losses.append(loss)
            trace.update(gradients)
            bar.show(loss=loss)
        accuracies = [sess.run(graph["accuracy"], {x: xs, y_: ys}) for xs, ys in parts(data.test)]
        trace.update({f"final/{k}": v for k, v in sess.run(graph["variables"]).items()})
    return {**trace, "steps/loss": np.array(losses), "final/test_accuracy": np.mean(accuracies)}


class Layer(tf.Module):
    """Weights and biases. A call returns the layer's output and its penalty."""

    def __init__(self, scope, shape, bias_shape, active_function, seed):
        super().__init__()
        weights = tf.random.normal(shape, stddev=WEIGHT_DEVIATION, seed=seed)
        biases = tf.random.normal(bias_shape, stddev=WEIGHT_DEVIATION, seed=seed + 1)
        self.weights = tf.Variable(weights, name=f"{scope}/weights")
        self.biases = tf.Variable(biases, name=f"{scope}/biases")
        self.active_function = active_function

    def __call__(self, inputs):
        return self.active_function(self.combine(inputs)), 2 * L2 * tf.nn.l2_loss(self.weights)


class Dense(Layer):
    """A layer from (n, in_size) to (n, out_size)."""

    def combine(self, inputs):
        """Multiplies the rows of `inputs` by the weights and adds the biases."""
        return tf.matmul(inputs, self.weights) + self.biases


class Convolution(Layer):
    """A convolution that keeps height and width, and a pool that halves them."""

    def combine(self, inputs):
        """Convolves `inputs` with the weights at stride 1 and adds the biases."""
        conv = tf.nn.conv2d(inputs, self.weights, strides=[1, 1, 1, 1], padding="SAME")
        return tf.nn.bias_add(conv, self.biases)


class LeNet5(tf.Module):
    """Four layers with variables, the step counter and the optimizer."""

    def __init__(self):
        super().__init__()
        relu6, last = tf.nn.relu6, tf.nn.relu6 if RELU6_ON_LOGITS else tf.identity
        shape1, shape2 = [CONV_SIZE, CONV_SIZE, 1, CONV1_DEEP], [CONV_SIZE, CONV_SIZE, CONV1_DEEP, CONV2_DEEP]
        self.conv1 = Convolution("layer1-conv1", shape1, [CONV1_DEEP], relu6, seed=1)
        self.conv2 = Convolution("layer3-conv2", shape2, [CONV2_DEEP], relu6, seed=3)
        self.fc1 = Dense("layer5-fc1", [NODES, FC_SIZE], [1, FC_SIZE], relu6, seed=5)
        self.fc2 = Dense("layer6-fc2", [FC_SIZE, NUM_LABELS], [1, NUM_LABELS], last, seed=7)
        layers = (self.conv1, self.conv2, self.fc1, self.fc2)
        self.all = [variable for layer in layers for variable in (layer.weights, layer.biases)]
        self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="global_step")
        self.optimizer = optimizers.GradientDescent(self.learning_rate)

    def learning_rate(self):
        """Returns the rate at the present step."""
        args = LEARNING_RATE_BASE, self.global_step, DECAY_STEPS, LEARNING_RATE_DECAY
        return schedules.exponential_decay(*args, staircase=True)

    def inference(self, x):
        """Turns (n, 28, 28, 1) into logits (n, 10), and the four penalties."""
        penalties = []
        for layer in (self.conv1, self.conv2):
            x, penalty = layer(x)
            x = tf.nn.max_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")
            penalties.append(penalty)
        x, penalty1 = self.fc1(tf.reshape(x, [-1, NODES]))  # (n, 7, 7, 64) -> (n, 3136) -> (n, 512)
        x, penalty2 = self.fc2(x)
        return x, [*penalties, penalty1, penalty2]

    @tf.function
    def train(self, x, y_):
        """Makes one step. Returns the loss before it and its gradients."""
        with tf.GradientTape() as tape:
            y, penalties = self.inference(x)
            cross_entropy = tf.nn.softmax_cross_entropy_with_logits(logits=y, labels=y_)
            loss = tf.add_n([*penalties, tf.reduce_mean(cross_entropy)])
        return loss, self.optimizer.minimize(tape, loss, self.all, self.global_step)

    @tf.function
    def accuracy(self, x, y_):
        """Returns the share of right answers. The softmax is there for the graph optimizer, see above."""
        correct = tf.equal(tf.argmax(tf.nn.softmax(self.inference(x)[0]), 1), tf.argmax(y_, 1))
        return tf.reduce_mean(tf.cast(correct, tf.float32))


def run_function(steps=STEPS):
    """Every call returns the gradients. That costs nothing, since the step needs them."""
    tf.random.set_seed(SEED)
    data = mnist.read_data_sets(one_hot=True, dtype=np.uint8, reshape=False, seed=SEED)
    network = LeNet5()
    variables = {v.name.partition(":")[0]: v for v in network.all}
    trace = {f"initial/{k}": v.numpy() for k, v in variables.items()}
    losses = []
    bar = console.steps(steps)
    for step, (xs, ys) in zip(bar, batches(data.train, steps)):
        loss, gradients = network.train(tf.constant(xs), tf.constant(ys, tf.float32))
        losses.append(loss.numpy())
        if step == 0:
            trace.update({f"gradient/{k}": g.numpy() for k, g in zip(variables, gradients)})
        bar.show(loss=losses[-1])
    pairs = ((tf.constant(xs), tf.constant(ys, tf.float32)) for xs, ys in parts(data.test))
    accuracies = [network.accuracy(*pair).numpy() for pair in pairs]
    trace.update({f"final/{k}": v.numpy() for k, v in variables.items()})
    return {**trace, "steps/loss": np.array(losses), "final/test_accuracy": np.mean(accuracies)}
