"""784-128-10 under Adam, five epochs: what compile and fit do

Source: S4 2530-2695
TF1: the epochs, the batches, the running means of loss and accuracy and the validation are a loop of one's own.
Now: the same loop around a tf.function. S4 leaves it to Keras' compile and fit, twice: Sequential and a subclass.
Errata: S4's arithmetic is right. It asks for from_logits=False. Its Keras finds the softmax op and takes the cross
    entropy from the logits before it all the same, as is done here. Its validation set is the test set. The accuracy
    that it prints for training (.9854) is a mean over the epoch, while the weights move. Its fit shuffles with a seed
    of its own; here SEED decides.
See: Kingma and Ba, Adam: A Method for Stochastic Optimization, arXiv:1412.6980
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import about, at_least, exactly
from tf1ref.data import mnist
from tf1ref.modules import optimizers

SEED = 1
BATCH_SIZE = 32
# An epoch has 60,000 pictures: none is kept back for validation.
EPOCH_STEPS = 1875
STEPS = 9375  # five epochs
SIDE = 28
DENSE = 128
CLASSES = 10
LEARNING_RATE = 0.001
EPSILON = 1e-7  # Keras' own; v1.train.AdamOptimizer's is 1e-8

# S4 prints these after five epochs, for the Sequential model and for the class: loss .0478 and .0439, accuracy .9854
# and .9866, test loss .0730 and .0752, test accuracy .9776 and .9766. The widths include the generated digits: .0610,
# .9805, .0746, .9781. MNIST gives .0456, .9860, .0703, .9786.
EXPECTED = {
    "parameters": exactly(101770),
    "final/loss": about(0.0459, within=0.02),
    "final/accuracy": about(0.986, within=0.008),
    "final/test_loss": about(0.0741, within=0.02),
    "final/test_accuracy": at_least(0.975),
}


def figures(trace, measured, tests):
    """Adds the curves, the mean over each epoch (the last may be a part of one), and the last values as final."""
    measured = np.array(measured)
    trace["steps/loss"], trace["steps/accuracy"] = measured.T
    epochs = [measured[i : i + EPOCH_STEPS].mean(axis=0) for i in range(0, len(measured), EPOCH_STEPS)]
    trace["epochs"] = np.array(epochs)  # one row (loss, accuracy) for each epoch
    trace["epochs_test"] = np.array(tests)  # the same for the test set, after each epoch
    trace["final/loss"], trace["final/accuracy"] = epochs[-1]
    trace["final/test_loss"], trace["final/test_accuracy"] = tests[-1]
    trace["parameters"] = sum(v.size for k, v in trace.items() if k.startswith("initial/"))
    return trace


def add_dense(inputs, units, seed, name):
    """Adds inputs * kernel + bias, with Glorot's uniform kernel, Dense's default: (n, m) to (n, units)."""
    with v1.variable_scope(name):
        start = v1.glorot_uniform_initializer(seed=seed)
        kernel = v1.get_variable("kernel", [inputs.shape[1], units], initializer=start)
        bias = v1.get_variable("bias", [units], initializer=v1.zeros_initializer())
        return v1.matmul(inputs, kernel) + bias


def build_graph():
    """Adds the network, its loss and accuracy, and Adam's training op to the default graph."""
    x = v1.placeholder(v1.float32, [None, SIDE, SIDE, 1], name="x")
    labels = v1.placeholder(v1.int64, [None], name="labels")
    flat = v1.reshape(x, [-1, SIDE * SIDE], name="flatten")  # (n, 28, 28) -> (n, 784)
    logits = add_dense(v1.nn.relu(add_dense(flat, DENSE, 1, "dense")), CLASSES, 2, "dense_1")
    loss = v1.reduce_mean(v1.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    correct = v1.equal(v1.argmax(logits, axis=1), labels)
    optimizer = v1.train.AdamOptimizer(LEARNING_RATE, epsilon=EPSILON)
    gradients = optimizer.compute_gradients(loss)
    return {
        "x": x,
        "labels": labels,
        "y": v1.nn.softmax(logits, name="y"),
        "measured": (loss, v1.reduce_mean(v1.cast(correct, v1.float32))),
        "gradients": {variable.op.name: gradient for gradient, variable in gradients},
        "train": optimizer.apply_gradients(gradients),
        "slots": {s.op.name: s for _, v in gradients for s in (optimizer.get_slot(v, "m"), optimizer.get_slot(v, "v"))},
    }


def run_graph(steps=STEPS):
    """A run trains on one batch and measures the weights before it. A test is a run without training."""
    data = mnist.read_data_sets(reshape=False, validation_size=0, seed=SEED)
    measured, tests = [], []
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        x, labels = graph["x"], graph["labels"]
        variables = {v.op.name: v for v in v1.trainable_variables()}
        trace = {f"initial/{k}": v for k, v in sess.run(variables).items()}
        bar = console.steps(steps)
        for step in bar:
            xs, ys = data.train.next_batch(BATCH_SIZE)
            if step == 0:
                first = sess.run(graph["gradients"], {x: xs, labels: ys})
                trace.update({f"gradient/{k}": v for k, v in first.items()})
            measured.append(sess.run([graph["train"], graph["measured"]], {x: xs, labels: ys})[1])
            bar.show(loss=measured[-1][0], accuracy=measured[-1][1])
            if (step + 1) % EPOCH_STEPS == 0 or step + 1 == steps:
                tests.append(sess.run(graph["measured"], {x: data.test.images, labels: data.test.labels}))
        trace.update({f"slots/{k}": v for k, v in sess.run(graph["slots"]).items()})
        trace.update({f"final/{k}": v for k, v in sess.run(variables).items()})
    return figures(trace, measured, tests)


class Dense(tf.Module):
    """inputs * kernel + bias."""

    def __init__(self, inputs, units, seed, name):
        super().__init__(name=name)
        limit = np.sqrt(6 / (inputs + units))  # Glorot and Bengio: uniform, with variance 2 / (inputs + outputs)
        self.kernel = tf.Variable(tf.random.uniform([inputs, units], -limit, limit, seed=seed), name=f"{name}/kernel")
        self.bias = tf.Variable(tf.zeros([units]), name=f"{name}/bias")

    def __call__(self, inputs):
        return tf.matmul(inputs, self.kernel) + self.bias


class MnistModel(tf.Module):
    """Flatten, two layers, and Adam."""

    def __init__(self):
        super().__init__()
        self.d1 = Dense(SIDE * SIDE, DENSE, 1, "dense")
        self.d2 = Dense(DENSE, CLASSES, 2, "dense_1")
        self.all = [self.d1.kernel, self.d1.bias, self.d2.kernel, self.d2.bias]
        self.optimizer = optimizers.Adam(LEARNING_RATE, epsilon=EPSILON)
        self.optimizer.create(self.all)

    @tf.function
    def gradients(self, x, labels):
        """Returns loss, accuracy and gradients for the present weights."""
        with tf.GradientTape() as tape:
            logits = self.d2(tf.nn.relu(self.d1(tf.reshape(x, [-1, SIDE * SIDE]))))  # (n, 28, 28) -> (n, 10)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        correct = tf.equal(tf.argmax(logits, axis=1), labels)
        return loss, tf.reduce_mean(tf.cast(correct, tf.float32)), tape.gradient(loss, self.all)

    @tf.function
    def train(self, x, labels):
        """Makes one step. Returns the loss and the accuracy before it."""
        loss, accuracy, gradients = self.gradients(x, labels)
        self.optimizer.apply(zip(gradients, self.all))
        return loss, accuracy

    @tf.function
    def measure(self, x, labels):
        """Returns loss and accuracy. The gradients are pruned from the function, because nobody asks for them."""
        return self.gradients(x, labels)[:2]


def run_function(steps=STEPS):
    """The labels are bytes in the files. int64 is stated here; in the graph a placeholder stated it."""
    tf.random.set_seed(SEED)
    data = mnist.read_data_sets(reshape=False, validation_size=0, seed=SEED)
    model = MnistModel()
    variables = {v.name.partition(":")[0]: v for v in model.all}
    trace = {f"initial/{k}": v.numpy() for k, v in variables.items()}
    test = tf.constant(data.test.images), tf.constant(data.test.labels, tf.int64)
    measured, tests = [], []
    bar = console.steps(steps)
    for step in bar:
        xs, ys = data.train.next_batch(BATCH_SIZE)
        xs, ys = tf.constant(xs), tf.constant(ys, tf.int64)
        if step == 0:
            trace.update({f"gradient/{k}": g.numpy() for k, g in zip(variables, model.gradients(xs, ys)[2])})
        measured.append([m.numpy() for m in model.train(xs, ys)])
        bar.show(loss=measured[-1][0], accuracy=measured[-1][1])
        if (step + 1) % EPOCH_STEPS == 0 or step + 1 == steps:
            tests.append([m.numpy() for m in model.measure(*test)])
    trace.update({f"slots/{k}": v.numpy() for k, v in model.optimizer.slots.items()})
    trace.update({f"final/{k}": v.numpy() for k, v in variables.items()})
    return figures(trace, measured, tests)


def plot(trace):
    """Returns a figure of loss and accuracy: means over the training epochs, and the test set after each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.5), layout="constrained")
    epochs = np.arange(1, len(trace["epochs"]) + 1)
    for number, (name, axes) in enumerate(zip(("loss", "accuracy"), figure.subplots(1, 2))):
        axes.plot(epochs, trace["epochs"][:, number], marker="o", label="training, mean over the epoch")
        axes.plot(epochs, trace["epochs_test"][:, number], marker="o", label="test, after the epoch")
        axes.set(xlabel="epoch", ylabel=name, xticks=epochs)
        axes.legend()
    return figure
