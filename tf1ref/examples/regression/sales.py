"""Sales: predicting too few costs ten times as much as too many

Source: S3 1289-1351
TF1: the loss is a v1.where of two weighted differences under a placeholder; Adam's slots hide in
    the graph.
Now: the same loss under a GradientTape; Adam is TF1's kernel, whose slots are variables of an object.
Errata: S3's formula has a = 10 on the side of too many, which contradicts its own text and code. Its one-line version
    misspells greater. It makes the loss of too few negative, without a lower bound. The right f(y, y_) is (y - y_) * 1
    above and (y_ - y) * 10 below. S3 imports RandomState alone and then calls np.random. It draws batches without a
    seed; here they have one. It fetches the weights in another run than the step; here one run fetches both.
See: Koenker and Bassett, Regression Quantiles, doi:10.2307/1913643
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import about
from tf1ref.modules import optimizers

# S3 sets no graph seed. TensorFlow then takes this one beside the op's own, so the start is S3's.
SEED = 87654321
DATA_SEED = 1
BATCH_SEED = 2
STEPS = 5000
BATCH_SIZE = 8
EXAMPLES = 128
LEARNING_RATE = 0.001
LOSS_LESS = 10.0
LOSS_MORE = 1.0

# S3 prints [[1.0193471], [1.0428091]] for batches that nobody can draw again.
EXPECTED = {"final/w1": about([[1.019], [1.043]], within=0.02)}


def sales():
    """Returns x float32 (128, 2) and y_ (128, 1), the sum of both columns plus or minus .05."""
    random = np.random.RandomState(DATA_SEED)
    x = random.rand(EXAMPLES, 2)
    y_ = [[m + n + random.rand() / 10.0 - 0.05] for m, n in x]
    return x.astype(np.float32), np.array(y_, np.float32)


def batches(steps):
    """Returns the rows of every step's batch, (steps, 8): eight different ones of 128."""
    random = np.random.RandomState(BATCH_SEED)
    return [random.permutation(EXAMPLES)[:BATCH_SIZE] for _ in range(steps)]


def build_graph():
    """Adds y = x * w1, the lopsided loss and the training op to the default graph."""
    x = v1.placeholder(v1.float32, [None, 2], name="Input-X")
    y_ = v1.placeholder(v1.float32, [None, 1], name="Input-y")
    w1 = v1.get_variable("w1", [2, 1], initializer=v1.random_normal_initializer(stddev=1, seed=1))
    y = v1.matmul(x, w1, name="y")
    loss = v1.reduce_mean(v1.where(v1.greater(y, y_), (y - y_) * LOSS_MORE, (y_ - y) * LOSS_LESS), name="loss")
    optimizer = v1.train.AdamOptimizer(LEARNING_RATE)
    ((gradient, _),) = pairs = optimizer.compute_gradients(loss, [w1])
    with v1.control_dependencies([optimizer.apply_gradients(pairs)]):
        train = v1.identity(w1.read_value(), name="train")  # the weights after the step
    slots = {"w1/Adam": optimizer.get_slot(w1, "m"), "w1/Adam_1": optimizer.get_slot(w1, "v")}
    return {"x": x, "y_": y_, "y": y, "w1": w1, "loss": loss, "gradient": gradient, "train": train, "slots": slots}


def run_graph(steps=STEPS):
    """A batch is fed. The step's run returns the loss before it and the weights after it."""
    x, y_ = sales()
    losses, weights = [], []
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        trace = {"initial/w1": sess.run(graph["w1"])}
        bar = console.steps(steps)
        for step, rows in zip(bar, batches(steps)):
            feed = {graph["x"]: x[rows], graph["y_"]: y_[rows]}
            if step == 0:
                trace["gradient/w1"] = sess.run(graph["gradient"], feed)
            w1, loss = sess.run([graph["train"], graph["loss"]], feed)
            weights.append(w1)
            losses.append(loss)
            bar.show(loss=loss)
        trace["final/w1"] = sess.run(graph["w1"])
        trace.update({f"slots/{name}": slot for name, slot in sess.run(graph["slots"]).items()})
    return {**trace, "steps/loss": np.array(losses), "steps/w1": np.array(weights)}


class Model(tf.Module):
    """The weights (2, 1) and Adam's state."""

    def __init__(self):
        super().__init__()
        self.w1 = tf.Variable(tf.random.normal([2, 1], stddev=1, seed=1), name="w1")
        self.optimizer = optimizers.Adam(LEARNING_RATE)
        self.optimizer.create([self.w1])

    @tf.function
    def loss_and_gradient(self, x, y_):
        """Returns the lopsided loss before a step, and its gradient (2, 1)."""
        with tf.GradientTape() as tape:
            y = tf.matmul(x, self.w1)
            loss = tf.reduce_mean(tf.where(tf.greater(y, y_), (y - y_) * LOSS_MORE, (y_ - y) * LOSS_LESS))
        return loss, tape.gradient(loss, self.w1)

    @tf.function
    def train(self, x, y_):
        """Makes one step. Returns w1 after it and the loss before it."""
        loss, gradient = self.loss_and_gradient(x, y_)
        self.optimizer.apply([(gradient, self.w1)])
        return self.w1.read_value(), loss


def run_function(steps=STEPS):
    """The batches are slices of numpy arrays, as they are for a feed."""
    tf.random.set_seed(SEED)
    x, y_ = sales()
    losses, weights = [], []
    model = Model()
    trace = {"initial/w1": model.w1.numpy()}
    bar = console.steps(steps)
    for step, rows in zip(bar, batches(steps)):
        batch = tf.constant(x[rows]), tf.constant(y_[rows])
        if step == 0:
            trace["gradient/w1"] = model.loss_and_gradient(*batch)[1].numpy()
        w1, loss = model.train(*batch)
        weights.append(w1.numpy())
        losses.append(loss.numpy())
        bar.show(loss=losses[-1])
    trace["final/w1"] = model.w1.numpy()
    trace.update({f"slots/{name}": slot.numpy() for name, slot in model.optimizer.slots.items()})
    return {**trace, "steps/loss": np.array(losses), "steps/w1": np.array(weights)}


def plot(trace):
    """Returns a figure of both weights during training, as S3 shows them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    for number, axes in enumerate(figure.subplots(2, 1, sharex=True)):
        axes.plot(trace["steps/w1"][:, number, 0])
        axes.axhline(1.0, color="gray", linewidth=0.8)
        axes.set(title=f"w1[{number}]")
    axes.set(xlabel="step")
    return figure
