"""LeNet-5 on parameter servers: between-graph, asynchronous

Source: S0 2329-2640
TF1: every worker builds the same graph; replica_device_setter puts its variables on the ps, its ops on the
    worker; the workers' steps interleave freely, and all of them count one global_step.
Now: the same step as a tf.function. One worker alone is deterministic, and there the two are equal; what
    several asynchronous workers reach differs from run to run in both worlds.
Errata: S0 runs global_variables_initializer in its monitored session, which wipes what other workers learned or
    a checkpoint held. It starts weights at deviation 1 and puts relu6 on the logits, where LeNet stays at 9.8 %
    (here .1, and none). Its rate of .99 diverges from there on (here .02). Its placeholders are open but its
    reshape is bound to the batch size. It never ends its ps processes. Its batches are drawn with numpy's global
    random state, alike in all workers once seeded; here each worker draws from its own.
"""

import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console, distributed
from tf1ref.catalog.figures import at_least
from tf1ref.data import mnist
from tf1ref.modules import checkpoints, optimizers, schedules

SEED = 1
STEPS = 1000
BATCH_SIZE = 500
CONV1_DEEP = 32
CONV2_DEEP = 64
CONV_SIZE = 5
FC_SIZE = 512
NODES = 3136
WEIGHT_DEVIATION = 0.1
L2_RATE = 0.00005
LEARNING_RATE = 0.02
LEARNING_RATE_DECAY = 0.9
DECAY_STEPS = 5000
SAVE_EVERY = 200

EXPECTED = {"final/test_accuracy": at_least(0.97)}  # S0 prints no figure; a single-process LeNet of S0 passes .97


def add_layer_variables(shape, number):
    """Adds a layer's weights and biases, and its L2 loss to the collection `losses`."""
    start = v1.random_normal_initializer(stddev=WEIGHT_DEVIATION, seed=number)
    weights = v1.get_variable(f"layer{number}/weights", shape, initializer=start)
    start = v1.random_normal_initializer(stddev=WEIGHT_DEVIATION, seed=number + 10)
    biases = v1.get_variable(f"layer{number}/biases", shape[-1:], initializer=start)
    v1.add_to_collection("losses", L2_RATE * v1.reduce_sum(v1.square(weights)))
    return weights, biases


def add_cnn_layer(inputs, depth, number):
    """Adds a 5 x 5 convolution, relu6 and 2 x 2 max pooling: (n, h, w, c) to (n, h / 2, w / 2, depth)."""
    weights, biases = add_layer_variables([CONV_SIZE, CONV_SIZE, inputs.shape[3], depth], number)
    conv = v1.nn.conv2d(inputs, weights, strides=[1, 1, 1, 1], padding="SAME")
    z_out = v1.nn.relu6(v1.nn.bias_add(conv, biases))
    return v1.nn.max_pool(z_out, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")


def inference(x):
    """Adds the network: (n, 28, 28, 1) to logits (n, 10)."""
    pooled = add_cnn_layer(add_cnn_layer(x - 1.0, CONV1_DEEP, 1), CONV2_DEEP, 2)
    weights, biases = add_layer_variables([NODES, FC_SIZE], 3)
    hidden = v1.nn.relu6(v1.matmul(v1.reshape(pooled, [-1, NODES]), weights) + biases)
    weights, biases = add_layer_variables([FC_SIZE, 10], 4)
    return v1.matmul(hidden, weights) + biases


def build_graph():
    """Adds the network, its loss, its training op and its accuracy to the default graph."""
    global_step = v1.train.get_or_create_global_step()
    x = v1.placeholder(v1.float32, [None, 28, 28, 1], name="x")
    y_ = v1.placeholder(v1.float32, [None, 10], name="y_")
    y = v1.identity(inference(x), name="y")
    cross_entropy = v1.nn.softmax_cross_entropy_with_logits_v2(labels=y_, logits=y)
    loss = v1.add_n([v1.reduce_mean(cross_entropy), *v1.get_collection("losses")])
    v1.summary.scalar("loss", loss)
    learning_rate = v1.train.exponential_decay(
        LEARNING_RATE, global_step, DECAY_STEPS, LEARNING_RATE_DECAY, staircase=True
    )
    train_step = v1.train.GradientDescentOptimizer(learning_rate).minimize(loss, global_step=global_step)
    correct = v1.equal(v1.argmax(y, 1), v1.argmax(y_, 1))
    accuracy = v1.reduce_mean(v1.cast(correct, v1.float32), name="accuracy")
    return {"x": x, "y_": y_, "y": y, "loss": loss, "step": global_step, "train": train_step, "accuracy": accuracy}


def train_graph(task, data, steps, folder):
    """One worker's loop: until all workers together have made `steps` steps. Returns its trace."""
    losses = []
    with v1.Graph().as_default(), v1.device(task.device_setter()):
        v1.set_random_seed(SEED)
        graph = build_graph()
        hooks = [v1.train.StopAtStepHook(last_step=steps)]
        session = task.session(checkpoint_dir=folder, hooks=hooks, save_checkpoint_steps=SAVE_EVERY)
        with session as sess, console.steps(steps) as bar:
            while not sess.should_stop():
                xs, ys = data.train.next_batch(BATCH_SIZE)
                fetches = [graph["train"], graph["loss"], graph["step"]]
                _, loss, step = sess.run(fetches, feed_dict={graph["x"]: xs, graph["y_"]: ys})
                losses.append(loss)
                bar.reached(step + 1, loss=loss)
    return {"steps/loss": np.array(losses)}


def evaluate_graph(data, folder):
    """What the checkpoint answers in a graph of this process alone: no device, no cluster."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        v1.train.Saver().restore(sess, v1.train.latest_checkpoint(folder))
        variables = {f"final/{v.op.name}": v for v in v1.global_variables()}
        trace = sess.run(variables)
        parts = [slice(i, i + 1000) for i in range(0, data.num_examples, 1000)]
        feeds = ({graph["x"]: data.images[part], graph["y_"]: data.labels[part]} for part in parts)
        trace["final/test_accuracy"] = np.mean([sess.run(graph["accuracy"], feed) for feed in feeds])
    return trace


def run_graph(steps=STEPS, out=None):
    """As a task of a cluster (TF_CONFIG says which), or alone: then a ps and a worker in this process.

    A ps holds variables until it is ended. The chief writes checkpoints to `out` and evaluates the last one.
    """
    task = distributed.Task.from_environment()
    if task.is_ps:
        task.serve()
    data = mnist.read_data_sets(one_hot=True, reshape=False, seed=SEED + task.index)
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or scratch
        trace = train_graph(task, data, steps, folder)
        if task.is_chief:
            trace.update(evaluate_graph(data.test, folder))
    return trace


class LeNet5(tf.Module):
    """The same eight variables and the same step in one process."""

    def __init__(self):
        super().__init__()

        def layer(shape, number):
            weights = tf.random.normal(shape, stddev=WEIGHT_DEVIATION, seed=number)
            biases = tf.random.normal(shape[-1:], stddev=WEIGHT_DEVIATION, seed=number + 10)
            return tf.Variable(weights, name=f"layer{number}/weights"), tf.Variable(
                biases, name=f"layer{number}/biases"
            )

        self.conv1 = layer([CONV_SIZE, CONV_SIZE, 1, CONV1_DEEP], 1)
        self.conv2 = layer([CONV_SIZE, CONV_SIZE, CONV1_DEEP, CONV2_DEEP], 2)
        self.fc1 = layer([NODES, FC_SIZE], 3)
        self.fc2 = layer([FC_SIZE, 10], 4)
        self.all = [*self.conv1, *self.conv2, *self.fc1, *self.fc2]
        self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="global_step")
        self.optimizer = optimizers.GradientDescent(self.learning_rate)

    def learning_rate(self):
        """The rate at the present step."""
        args = LEARNING_RATE, self.global_step, DECAY_STEPS, LEARNING_RATE_DECAY
        return schedules.exponential_decay(*args, staircase=True)

    def variables_by_name(self):
        """What the graph's Saver would save."""
        return {v.name.partition(":")[0]: v for v in [self.global_step, *self.all]}

    def logits(self, x):
        """(n, 28, 28, 1) to (n, 10)."""
        x = x - 1.0
        for weights, biases in (self.conv1, self.conv2):
            conv = tf.nn.conv2d(x, weights, strides=[1, 1, 1, 1], padding="SAME")
            z_out = tf.nn.relu6(tf.nn.bias_add(conv, biases))
            x = tf.nn.max_pool(z_out, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")
        hidden = tf.nn.relu6(tf.matmul(tf.reshape(x, [-1, NODES]), self.fc1[0]) + self.fc1[1])
        return tf.matmul(hidden, self.fc2[0]) + self.fc2[1]

    @tf.function
    def train(self, x, y_):
        """One step; returns the loss before it."""
        with tf.GradientTape() as tape:
            cross_entropy = tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=self.logits(x))
            layers = (self.conv1, self.conv2, self.fc1, self.fc2)
            penalties = [L2_RATE * tf.reduce_sum(tf.square(weights)) for weights, _ in layers]
            loss = tf.add_n([tf.reduce_mean(cross_entropy), *penalties])
        self.optimizer.minimize(tape, loss, self.all, self.global_step)
        return loss

    @tf.function
    def accuracy(self, x, y_):
        """The share of right answers."""
        correct = tf.equal(tf.argmax(self.logits(x), 1), tf.argmax(y_, 1))
        return tf.reduce_mean(tf.cast(correct, tf.float32))


def run_function(steps=STEPS, out=None):
    """One process, no server: what the cluster computes when a single worker trains."""
    tf.random.set_seed(SEED)
    data = mnist.read_data_sets(one_hot=True, reshape=False, seed=SEED)
    network, losses = LeNet5(), []
    bar = console.steps(steps)
    for _ in bar:
        xs, ys = data.train.next_batch(BATCH_SIZE)
        losses.append(network.train(tf.constant(xs), tf.constant(ys, tf.float32)).numpy())
        bar.show(loss=losses[-1])
    variables = network.variables_by_name()
    if out:
        checkpoints.save(os.fspath(out), "model.ckpt", variables, global_step=steps)
    trace = {f"final/{name}": variable.numpy() for name, variable in variables.items()}
    parts = [slice(i, i + 1000) for i in range(0, data.test.num_examples, 1000)]
    pairs = ((data.test.images[p], tf.constant(data.test.labels[p], tf.float32)) for p in parts)
    trace["final/test_accuracy"] = np.mean([network.accuracy(*pair).numpy() for pair in pairs])
    trace["steps/loss"] = np.array(losses)
    return trace
