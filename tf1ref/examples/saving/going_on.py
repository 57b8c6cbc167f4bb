"""Going on in an imported graph: the same training, then a new head

Source: S2 240-250
TF1: import_meta_graph brings back a training op, too, in a collection: training goes on without the program that built
    it. New layers may stand on any tensor; stop_gradient between, and only they are trained.
Now: a loaded function trains on, and its body stands under a new head; stop_gradient is the same.
Errata: S2's sketch has a VGG that does not come with it; here the body is one hidden layer. S2 reads fc7_shape[3] of a
    layer that is flat: its size is [1]. S2 ends before a loss. Here the head learns the opposite answers.
See: https://www.tensorflow.org/guide/saved_model
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import exactly
from tf1ref.modules import optimizers

SEED = 1
# The body takes this many steps, half of them before it is saved. The head takes as many.
STEPS = 40
INPUTS = 3
HIDDEN = 8
CLASSES = 2
PICTURES = 16
LEARNING_RATE = 0.2
STDDEV = 0.05  # S2's deviation of the head's weights
HEAD_BIAS = 0.05

EXPECTED = {"final/differing": exactly(0), "final/body_moved": exactly(0)}


def batches(count):
    """Returns `count` batches of points and of whether they lie in a ball: float32 (n, INPUTS), int64 (n)."""
    random = np.random.default_rng(SEED)
    for _ in range(count):
        x = random.normal(size=(PICTURES, INPUTS)).astype(np.float32)
        yield x, (np.sum(x * x, axis=1) < INPUTS).astype(np.int64)


def build_graph():
    """Adds a network of one hidden layer and its training to the default graph."""
    x = v1.placeholder(v1.float32, [None, INPUTS], name="x")
    labels = v1.placeholder(v1.int64, [None], name="labels")
    w = v1.get_variable("body/w", initializer=v1.truncated_normal([INPUTS, HIDDEN], seed=1))
    hidden = v1.tanh(v1.matmul(x, w), name="body/hidden")
    out = v1.get_variable("out/w", initializer=v1.truncated_normal([HIDDEN, CLASSES], seed=2))
    cross_entropy = v1.nn.sparse_softmax_cross_entropy_with_logits(logits=v1.matmul(hidden, out), labels=labels)
    loss = v1.reduce_mean(cross_entropy, name="the_loss")
    # This puts itself into a collection, too.
    train = v1.train.GradientDescentOptimizer(LEARNING_RATE).minimize(loss)
    gradients = dict(zip(("body/w", "out/w"), v1.gradients(loss, [w, out])))
    return {"x": x, "labels": labels, "hidden": hidden, "loss": loss, "train": train, "gradients": gradients}


def train_graph(sess, data):
    """Trains the graph that is there, by the names and the collection that came with it. Returns the losses."""
    (train,) = v1.get_collection(v1.GraphKeys.TRAIN_OP)
    return [sess.run(["the_loss:0", train], {"x:0": x, "labels:0": labels})[0] for x, labels in data]


def head_graph(sess, graph, data, trace):
    """Trains a new head on the imported body. Only the head's own two variables change."""
    hidden = v1.stop_gradient(graph.get_tensor_by_name("body/hidden:0"))
    body = graph.get_tensor_by_name("body/w/Read/ReadVariableOp:0")
    weights = v1.Variable(v1.truncated_normal([hidden.shape[1], CLASSES], stddev=STDDEV, seed=3), name="head/w")
    biases = v1.Variable(v1.constant(HEAD_BIAS, shape=[CLASSES]), name="head/b")
    logits, labels = v1.matmul(hidden, weights) + biases, graph.get_tensor_by_name("labels:0")
    loss = v1.reduce_mean(v1.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=1 - labels))
    optimizer = v1.train.GradientDescentOptimizer(LEARNING_RATE)
    pairs = optimizer.compute_gradients(loss, [weights, biases])
    train = optimizer.apply_gradients(pairs)
    sess.run(v1.variables_initializer([weights, biases]))
    before = sess.run(body)
    trace["initial/head"] = sess.run(weights)
    first = sess.run({v.op.name: gradient for gradient, v in pairs}, {"x:0": data[0][0], "labels:0": data[0][1]})
    trace |= {f"gradient/{name}": value for name, value in first.items()}
    found = [sess.run([loss, train], {"x:0": x, "labels:0": y})[0] for x, y in data]
    trace["steps/head_loss"], trace["final/head"] = found, sess.run(weights)
    trace["final/body_moved"] = np.sum(before != sess.run(body))


def run_graph(steps=STEPS, out=None):
    """Trains all the way, and also to half of the steps and from there in an imported graph. Then trains a head."""
    trace, data = {}, list(batches(steps))
    half = steps // 2
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(os.fspath(out or scratch), "body")
        with v1.Graph().as_default(), v1.Session() as sess:
            v1.set_random_seed(SEED)
            ends = build_graph()
            sess.run(v1.global_variables_initializer())
            first = sess.run(ends["gradients"], {ends["x"]: data[0][0], ends["labels"]: data[0][1]})
            trace |= {f"gradient/{name}": value for name, value in first.items()}
            trace["initial/w"] = sess.run("body/w/Read/ReadVariableOp:0")
            losses = train_graph(sess, data[:half])
            v1.train.Saver().save(sess, path)
            straight = losses + train_graph(sess, data[half:])
        with v1.Graph().as_default() as graph, v1.Session() as sess:
            v1.set_random_seed(SEED)
            v1.train.import_meta_graph(f"{path}.meta").restore(sess, path)
            losses = losses + train_graph(sess, data[half:])
            bar = console.steps(steps)
            head_graph(sess, graph, [data[i] for i in bar], trace)
    trace |= {"steps/loss": losses, "final/differing": np.sum(np.float32(losses) != np.float32(straight))}
    return {key: np.array(value) for key, value in trace.items()}


class Body(tf.Module):
    """A network of one hidden layer and its training. Each function has a signature, or it would not be saved."""

    BATCH = [tf.TensorSpec([None, INPUTS]), tf.TensorSpec([None], tf.int64)]

    def __init__(self):
        super().__init__()
        self.w = tf.Variable(tf.random.truncated_normal([INPUTS, HIDDEN], seed=1), name="body/w")
        self.out = tf.Variable(tf.random.truncated_normal([HIDDEN, CLASSES], seed=2), name="out/w")
        self.optimizer = optimizers.GradientDescent(LEARNING_RATE)

    @tf.function(input_signature=BATCH[:1])
    def hidden(self, x):
        """Turns (n, INPUTS) into (n, HIDDEN)."""
        return tf.tanh(tf.matmul(x, self.w))

    @tf.function(input_signature=BATCH)
    def train(self, x, labels):
        """Makes one step. Returns the loss before it, and the gradients."""
        with tf.GradientTape() as tape:
            logits = tf.matmul(self.hidden(x), self.out)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=labels))
        return loss, self.optimizer.minimize(tape, loss, [self.w, self.out])


class Head(tf.Module):
    """Two new variables on a loaded body."""

    def __init__(self, body):
        super().__init__()
        self.body = body
        size = body.hidden(tf.zeros([1, INPUTS])).shape[1]
        self.w = tf.Variable(tf.random.truncated_normal([size, CLASSES], stddev=STDDEV, seed=3), name="head/w")
        self.b = tf.Variable(tf.constant(HEAD_BIAS, shape=[CLASSES]), name="head/b")
        self.optimizer = optimizers.GradientDescent(LEARNING_RATE)

    @tf.function
    def train(self, x, labels):
        """Makes one step. Returns the loss before it, and the gradients."""
        with tf.GradientTape() as tape:
            logits = tf.matmul(tf.stop_gradient(self.body.hidden(x)), self.w) + self.b
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=1 - labels))
        return loss, self.optimizer.minimize(tape, loss, [self.w, self.b])


def run_function(steps=STEPS, out=None):
    """The same trainings. A SavedModel lies between the two halves of the first one."""
    tf.random.set_seed(SEED)
    trace, data = {}, [(tf.constant(x), tf.constant(y)) for x, y in batches(steps)]
    half = steps // 2
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(os.fspath(out or scratch), "body")
        body = Body()
        trace["initial/w"] = body.w.numpy()
        rows = [body.train(*batch) for batch in data[:half]]
        tf.saved_model.save(body, path)
        straight = rows + [body.train(*batch) for batch in data[half:]]
        loaded = tf.saved_model.load(path)
        rows = rows + [loaded.train(*batch) for batch in data[half:]]
        head, before = Head(loaded), loaded.w.numpy()
        trace["initial/head"] = head.w.numpy()
        head_rows = [head.train(*data[i]) for i in console.steps(steps)]
        trace["final/head"], trace["final/body_moved"] = head.w.numpy(), np.sum(before != loaded.w.numpy())
    first = zip(("body/w", "out/w", "head/w", "head/b"), [*straight[0][1], *head_rows[0][1]])
    trace |= {f"gradient/{name}": value.numpy() for name, value in first}
    losses, straight, head_losses = ([loss.numpy() for loss, _ in each] for each in (rows, straight, head_rows))
    trace |= {"steps/loss": losses, "steps/head_loss": head_losses}
    trace["final/differing"] = np.sum(np.float32(losses) != np.float32(straight))
    return {key: np.array(value) for key, value in trace.items()}
