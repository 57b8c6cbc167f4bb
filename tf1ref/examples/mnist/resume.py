"""Going on from the last checkpoint, and weights as text

Source: S4 2898-3007
TF1: a Saver keeps every global variable, including the optimizer's slots and the step. A program that finds a
    checkpoint restores it instead of starting anew.
Now: a checkpoint holds what it is given by name: weights, slots, powers and the step have to be handed over.
Errata: S4 keeps only the epoch with the lowest validation loss, so training does not continue from the last state.
    After a restart its callback has forgotten that loss and replaces the file in any case. Here the last state is kept,
    and the batches that were seen are passed over. S4's text has eight decimals where numpy writes no exponents. Then
    77 of the trained network's 138 biases read back as other numbers. Here the text has as many digits as one float32
    needs.
See: https://www.tensorflow.org/guide/checkpoint
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import math
import os
import sys
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console, files
from tf1ref.catalog.figures import at_least, exactly
from tf1ref.data import mnist
from tf1ref.errors import InputError
from tf1ref.modules import checkpoints, optimizers

SEED = 1
STEPS = 9375  # 5 epochs of 60,000 pictures
BATCH_SIZE = 32
SAVE_EVERY = 1875  # once in each epoch
INPUT_NODE = 784
HIDDEN_NODE = 128
OUTPUT_NODE = 10
LEARNING_RATE = 0.001
BETA1 = 0.9
BETA2 = 0.999
EPSILON = 1e-7  # Keras' number; TF1's is 1e-8
MODEL_NAME = "mnist.ckpt"
TEXT_NAME = "weights.txt"

WEIGHTS = ("dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias")

EXPECTED = {
    "final/differing": exactly(0),
    "final/text_differing": exactly(0),
    "final/parameters": exactly(101770),  # S4's model.summary()
    "final/test_accuracy": at_least(0.97),
}


def weights_as_text(weights):
    """Returns {name: array} as S4 writes them: name, shape and every value, with enough digits for a float32."""
    whole = {"threshold": sys.maxsize, "floatmode": "unique"}
    return "".join(f"{k}\n{v.shape}\n{np.array2string(v, **whole)}\n" for k, v in weights.items())


def weights_of_text(text):
    """Returns {name: array} from a text that weights_as_text wrote."""
    found, lines = {}, iter(text.splitlines())
    for name in lines:
        shape = [int(n) for n in next(lines).strip("(,)").split(",")]
        words = []
        while len(words) < math.prod(shape):
            words += next(lines).replace("[", " ").replace("]", " ").split()
        found[name] = np.array(words, np.float32).reshape(shape)
    return found


def differing(one, other):
    """Returns how many arrays of {name: array} differ in their bits from those of the same name in `other`."""
    return sum(np.asarray(value).tobytes() != np.asarray(other[name]).tobytes() for name, value in one.items())


def trace_of(straight, before, after, folder):
    """Returns the trace of one half from its three trainings: without a stop, up to a stop, and after it.

    It writes the weights to `folder`/weights.txt and reads them back.
    """
    path = os.path.join(folder, TEXT_NAME)
    weights = {name: after["variables"][name] for name in WEIGHTS}
    files.write(path, weights_as_text(weights).encode())
    with open(path, encoding="ascii") as file:
        text = weights_of_text(file.read())
    resumed = np.concatenate([before["losses"], after["losses"]])
    different = differing(straight["variables"], after["variables"])
    different += differing({"loss": straight["losses"][before["start"] :]}, {"loss": resumed})
    trace = {f"initial/{name}": value for name, value in straight["initial"].items()}
    trace |= {f"gradient/{name}": value for name, value in straight["gradients"].items()}
    trace |= {f"final/{name}": value for name, value in after["variables"].items()}
    trace |= {f"final/{TEXT_NAME}/{name}": value for name, value in text.items()}
    trace |= {"steps/loss": straight["losses"], "steps/resumed_loss": resumed, "resumed_from": after["start"]}
    trace |= {"final/differing": different, "final/text_differing": differing(weights, text)}
    trace["final/parameters"] = sum(value.size for value in weights.values())
    trace["final/test_accuracy"] = after["test_accuracy"]
    return {name: np.asarray(value) for name, value in trace.items()}


def too_far(folder, start, steps):
    """Returns the error for a checkpoint in `folder` that is past the number of steps."""
    return InputError(f"{folder}: its checkpoint is at step {start}, past the {steps} asked for: ask for more steps")


def build_graph():
    """Adds the network, its loss, Adam and the test accuracy to the default graph."""
    x = v1.placeholder(v1.float32, [None, INPUT_NODE], name="x-input")
    y_ = v1.placeholder(v1.int64, [None], name="y-input")
    with v1.variable_scope("dense"):
        kernel = v1.get_variable("kernel", [INPUT_NODE, HIDDEN_NODE], initializer=v1.glorot_uniform_initializer(seed=1))
        bias = v1.get_variable("bias", [HIDDEN_NODE], initializer=v1.zeros_initializer())
        hidden = v1.nn.relu(v1.matmul(x, kernel) + bias)
    with v1.variable_scope("dense_1"):
        kernel = v1.get_variable(
            "kernel", [HIDDEN_NODE, OUTPUT_NODE], initializer=v1.glorot_uniform_initializer(seed=2)
        )
        bias = v1.get_variable("bias", [OUTPUT_NODE], initializer=v1.zeros_initializer())
        y = v1.matmul(hidden, kernel) + bias
    global_step = v1.train.get_or_create_global_step()
    loss = v1.reduce_mean(v1.nn.sparse_softmax_cross_entropy_with_logits(logits=y, labels=y_))
    optimizer = v1.train.AdamOptimizer(LEARNING_RATE, BETA1, BETA2, EPSILON)
    gradients = optimizer.compute_gradients(loss)
    return {
        "x": x,
        "y_": y_,
        "y": v1.nn.softmax(y, name="y"),
        "loss": loss,
        "global_step": global_step,
        "gradients": {variable.op.name: gradient for gradient, variable in gradients},
        "train": optimizer.apply_gradients(gradients, global_step=global_step),
        "accuracy": v1.reduce_mean(v1.cast(v1.equal(v1.argmax(y, 1), y_), v1.float32), name="accuracy"),
    }


def restore_graph(sess, saver, folder):
    """Restores the last checkpoint of `folder`, if it is there. Raises InputError when it is of another network."""
    prefix = v1.train.latest_checkpoint(folder)
    if prefix:
        try:
            shapes = v1.train.NewCheckpointReader(prefix).get_variable_to_shape_map()
            # The Saver would not report this: it gives a resource variable whatever shape the file has.
            if any(shapes.get(v.op.name) != v.shape.as_list() for v in v1.global_variables()):
                raise ValueError("other variables")
            saver.restore(sess, prefix)
        except (v1.errors.OpError, ValueError) as e:
            raise InputError(f"{prefix}: not a checkpoint of this network: choose another folder") from e


def train_graph(steps, folder=None):
    """Trains up to step `steps`. With a `folder`, it starts from the last checkpoint there and writes checkpoints."""
    data, losses, first = mnist.read_data_sets(validation_size=0, seed=SEED), [], {}
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        variables = {v.op.name: v for v in v1.global_variables()}
        saver = v1.train.Saver()
        sess.run(v1.global_variables_initializer())
        initial = sess.run(variables)
        if folder:
            restore_graph(sess, saver, folder)
        start = sess.run(graph["global_step"].read_value())
        for _ in range(min(start, steps)):
            # The checkpoint has the step, but not the place in the data.
            data.train.next_batch(BATCH_SIZE)
        bar = console.steps(max(0, steps - start))
        for step in bar:
            xs, ys = data.train.next_batch(BATCH_SIZE)
            fetches = [graph["train"], graph["loss"], {} if start + step else graph["gradients"]]
            _, loss, gradients = sess.run(fetches, {graph["x"]: xs, graph["y_"]: ys})
            losses.append(loss)
            first.update(gradients)
            bar.show(loss=loss)
            if folder and ((start + step + 1) % SAVE_EVERY == 0 or start + step + 1 == steps):
                saver.save(sess, os.path.join(folder, MODEL_NAME), global_step=graph["global_step"])
        feed = {graph["x"]: data.test.images, graph["y_"]: data.test.labels}
        accuracy, last = sess.run([graph["accuracy"], variables], feed)
    found = {"start": start, "initial": initial, "gradients": first, "variables": last, "test_accuracy": accuracy}
    return {**found, "losses": np.array(losses, np.float32)}


def run_graph(steps=STEPS, out=None):
    """Three sessions run: to half of the steps, from that checkpoint to the end, and all the way."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.fspath(out or scratch)
        before = train_graph(steps // 2, folder)
        if before["start"] > steps:
            raise too_far(folder, before["start"], steps)
        return trace_of(train_graph(steps), before, train_graph(steps, folder), folder)


class Training(tf.Module):
    """The four weights, Adam and its step."""

    def __init__(self):
        super().__init__()

        def kernel(name, inputs, outputs, seed):
            limit = math.sqrt(3.0 * (1.0 / ((inputs + outputs) / 2)))  # glorot_uniform
            return tf.Variable(tf.random.uniform([inputs, outputs], -limit, limit, seed=seed), name=name)

        self.kernel = kernel("dense/kernel", INPUT_NODE, HIDDEN_NODE, seed=1)
        self.bias = tf.Variable(tf.zeros([HIDDEN_NODE]), name="dense/bias")
        self.kernel_1 = kernel("dense_1/kernel", HIDDEN_NODE, OUTPUT_NODE, seed=2)
        self.bias_1 = tf.Variable(tf.zeros([OUTPUT_NODE]), name="dense_1/bias")
        self.weights = [self.kernel, self.bias, self.kernel_1, self.bias_1]
        self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="global_step")
        self.optimizer = optimizers.Adam(LEARNING_RATE, BETA1, BETA2, EPSILON)
        self.optimizer.create(self.weights)

    def variables_by_name(self):
        """Returns {name: variable} of what the graph's Saver would save."""
        own = dict(zip(WEIGHTS, self.weights))
        return {**own, "global_step": self.global_step, **self.optimizer.variables_by_name()}

    def logits(self, x):
        """Turns (n, 784) into (n, 10)."""
        hidden = tf.nn.relu(tf.matmul(x, self.kernel) + self.bias)
        return tf.matmul(hidden, self.kernel_1) + self.bias_1

    @tf.function
    def train(self, x, y_):
        """Makes one step. Returns the loss before it and its gradients."""
        with tf.GradientTape() as tape:
            cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=self.logits(x), labels=y_)
            loss = tf.reduce_mean(cross_entropy)
        return loss, self.optimizer.minimize(tape, loss, self.weights, self.global_step)

    @tf.function
    def accuracy(self, x, y_):
        """Returns the share of right answers."""
        return tf.reduce_mean(tf.cast(tf.equal(tf.argmax(self.logits(x), 1), y_), tf.float32))


def train_function(steps, folder=None):
    """Trains an object up to step `steps`.

    With a `folder`, it starts from the last checkpoint there and writes some.
    """
    tf.random.set_seed(SEED)
    data, losses, training, first = mnist.read_data_sets(validation_size=0, seed=SEED), [], Training(), {}
    variables = training.variables_by_name()
    initial = {k: v.numpy() for k, v in variables.items()}
    prefix = checkpoints.latest(folder) if folder else None
    if prefix:
        checkpoints.restore(prefix, variables)
    start = training.global_step.numpy()
    for _ in range(min(start, steps)):
        data.train.next_batch(BATCH_SIZE)
    bar = console.steps(max(0, steps - start))
    for step in bar:
        xs, ys = data.train.next_batch(BATCH_SIZE)
        loss, gradients = training.train(tf.constant(xs), tf.constant(ys, tf.int64))
        if start + step == 0:
            first = {name: gradient.numpy() for name, gradient in zip(WEIGHTS, gradients)}
        losses.append(loss.numpy())
        bar.show(loss=losses[-1])
        if folder and ((start + step + 1) % SAVE_EVERY == 0 or start + step + 1 == steps):
            checkpoints.save(folder, MODEL_NAME, variables, global_step=training.global_step)
    accuracy = training.accuracy(tf.constant(data.test.images), tf.constant(data.test.labels, tf.int64)).numpy()
    last = {k: v.numpy() for k, v in variables.items()}
    found = {"start": start, "initial": initial, "gradients": first, "variables": last, "test_accuracy": accuracy}
    return {**found, "losses": np.array(losses, np.float32)}


def run_function(steps=STEPS, out=None):
    """Only the checkpoint passes between the first two of three objects. It has the same names as the graph's."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.fspath(out or scratch)
        before = train_function(steps // 2, folder)
        if before["start"] > steps:
            raise too_far(folder, before["start"], steps)
        return trace_of(train_function(steps), before, train_function(steps, folder), folder)
