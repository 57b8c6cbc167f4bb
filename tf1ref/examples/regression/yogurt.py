"""Yogurt: the mean square error, and a loss that knows what a mistake costs

Source: S4 1479-1640
TF1: v1.where picks one of two computed branches; three weights are trained in one session, each by its own op.
Now: tf.where does the same; each loss is a method, each weight an object of one class.
Errata: S4's custom losses are sums over 32 days, with a rate that fits a mean. Even at the end a step moves a weight by
    as much as .5, so the printed weights depend on the last step. This is kept: with S4's seed, rate and number of
    steps the weights are the same. S4 prints "after n steps" when n + 1 are done.
See: Koenker and Bassett, Regression Quantiles, doi:10.2307/1913643
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import exactly
from tf1ref.modules import optimizers

# S4 sets no global seed. TensorFlow then takes this one beside an op's own, which gives S4's numbers.
SEED = 87654321
DATA_SEED = 23455
STEPS = 15000  # steps with the mean square error
PRICE_STEPS = 10000  # steps with the custom loss
PRINT_EVERY = 500
LEARNING_RATE = 0.002
DEAR = 99.0
CHEAP = 1.0
DAYS = 32
NAMES = ("mse", "profit99", "cost99")

EXPECTED = {
    "printed/mse": exactly([[0.9993659, 0.999166], [1.0002553, 0.99838644]]),
    "final/mse/w1": exactly([[1.0009792], [0.9977485]]),
    "printed/profit99": exactly([[1.1707956, 1.0338644], [1.1611756, 1.0651482]]),
    "final/profit99/w1": exactly([[1.1626335], [1.1191947]]),
    "printed/cost99": exactly([[0.8042901, 0.7632218], [0.8998995, 0.82509875]]),
    "final/cost99/w1": exactly([[0.9205433], [0.9186459]]),
}


def sales():
    """Returns x (32, 2), float32, and y_ (32, 1), the sum of both columns plus or minus .05."""
    random = np.random.RandomState(DATA_SEED)
    x = random.rand(DAYS, 2)
    y_ = [[x1 + x2 + (random.rand() / 10.0 - 0.05)] for x1, x2 in x]
    return x.astype(np.float32), np.array(y_, np.float32)


def results(history, losses):
    """Turns the weights after every step into trace keys. Two of them are the last two lines that S4 prints."""
    trace = {}
    for name in NAMES:
        w = np.array(history[name])[:, :, 0]
        trace[f"printed/{name}"] = w[::PRINT_EVERY][-2:]
        trace[f"steps/w_{name}"] = w
        trace[f"steps/loss_{name}"] = np.array(losses[name])
    return trace


def price_loss(y, y_, profit, cost):
    """Adds the money lost, summed: `cost` for each unit too many, `profit` for each too few."""
    return v1.reduce_sum(v1.where(v1.greater(y, y_), (y - y_) * cost, (y_ - y) * profit))


def build_graph():
    """Adds three weights of one start, (2, 1) each, with a loss and a training op each, to the default graph."""
    x = v1.placeholder(v1.float32, [None, 2], name="x")
    y_ = v1.placeholder(v1.float32, [None, 1], name="y_")
    start = v1.random_normal([2, 1], stddev=1, seed=1)
    losses = {
        "mse": lambda y: v1.reduce_mean(v1.square(y_ - y)),
        "profit99": lambda y: price_loss(y, y_, profit=DEAR, cost=CHEAP),
        "cost99": lambda y: price_loss(y, y_, profit=CHEAP, cost=DEAR),
    }
    graph = {"x": x, "y_": y_, "w": {}, "y": {}, "loss": {}, "gradient": {}, "train": {}}
    for name, loss_of in losses.items():
        w1 = v1.get_variable(f"{name}/w1", initializer=start)
        y = v1.matmul(x, w1)
        loss = loss_of(y)
        optimizer = v1.train.GradientDescentOptimizer(LEARNING_RATE)
        ((gradient, _),) = pairs = optimizer.compute_gradients(loss, [w1])
        with v1.control_dependencies([optimizer.apply_gradients(pairs)]):
            graph["train"][name] = w1.read_value()  # after the step
        graph["w"][name], graph["y"][name], graph["loss"][name], graph["gradient"][name] = w1, y, loss, gradient
    return graph


def run_graph(steps=STEPS):
    """One run changes all three weights. After PRICE_STEPS steps only the mean square error continues."""
    x, y_ = sales()
    history, losses = {name: [] for name in NAMES}, {name: [] for name in NAMES}
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        feed = {graph["x"]: x, graph["y_"]: y_}
        trace = {f"initial/{name}/w1": w for name, w in sess.run(graph["w"]).items()}
        trace.update({f"gradient/{name}/w1": g for name, g in sess.run(graph["gradient"], feed).items()})
        every = {name: (graph["train"][name], graph["loss"][name]) for name in NAMES}
        bar = console.steps(steps)
        for step in bar:
            reached = sess.run(every if step < PRICE_STEPS else {"mse": every["mse"]}, feed)
            for name, (w, loss) in reached.items():
                history[name].append(w)
                losses[name].append(loss)
            bar.show(loss=losses["mse"][-1])
        trace.update({f"final/{name}/w1": w for name, w in sess.run(graph["w"]).items()})
    return {**trace, **results(history, losses)}


class Model(tf.Module):
    """One weight (2, 1) and its optimizer. A subclass defines the loss."""

    def __init__(self, start, name):
        super().__init__()
        self.w1 = tf.Variable(start, name=f"{name}/w1")
        self.optimizer = optimizers.GradientDescent(LEARNING_RATE)
        self.optimizer.create([self.w1])

    def loss(self, y, y_):
        """Returns the mean square error of the prediction y, a scalar."""
        return tf.reduce_mean(tf.square(y_ - y))

    @tf.function
    def loss_and_gradient(self, x, y_):
        """Returns the loss before a step, and its gradient (2, 1)."""
        with tf.GradientTape() as tape:
            loss = self.loss(tf.matmul(x, self.w1), y_)
        return loss, tape.gradient(loss, self.w1)

    @tf.function
    def train(self, x, y_):
        """Makes one step. Returns w1 after it and the loss before it."""
        loss, gradient = self.loss_and_gradient(x, y_)
        self.optimizer.apply([(gradient, self.w1)])
        return self.w1.read_value(), loss


class PriceModel(Model):
    """The same, paying `cost` for each unit too many and `profit` for each too few."""

    def __init__(self, start, name, profit, cost):
        super().__init__(start, name)
        self.profit, self.cost = profit, cost

    def loss(self, y, y_):
        """Returns the money lost, a scalar."""
        return tf.reduce_sum(tf.where(tf.greater(y, y_), (y - y_) * self.cost, (y_ - y) * self.profit))


def run_function(steps=STEPS):
    """The start is drawn once, because a second call of the same eager op would continue its sequence."""
    tf.random.set_seed(SEED)
    x, y_ = (tf.constant(array) for array in sales())
    start = tf.random.normal([2, 1], stddev=1, seed=1)
    models = {
        "mse": Model(start, "mse"),
        "profit99": PriceModel(start, "profit99", profit=DEAR, cost=CHEAP),
        "cost99": PriceModel(start, "cost99", profit=CHEAP, cost=DEAR),
    }
    history, losses = {name: [] for name in NAMES}, {name: [] for name in NAMES}
    trace = {f"initial/{name}/w1": model.w1.numpy() for name, model in models.items()}
    trace.update({f"gradient/{k}/w1": model.loss_and_gradient(x, y_)[1].numpy() for k, model in models.items()})
    bar = console.steps(steps)
    for step in bar:
        for name, model in models.items():
            if step < PRICE_STEPS or name == "mse":
                w, loss = model.train(x, y_)
                history[name].append(w.numpy())
                losses[name].append(loss.numpy())
        bar.show(loss=losses["mse"][-1])
    trace.update({f"final/{name}/w1": model.w1.numpy() for name, model in models.items()})
    return {**trace, **results(history, losses)}


def plot(trace):
    """Returns a figure of the first weight under the three losses, and of each pair's last hundred steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in NAMES:
        w = trace[f"steps/w_{name}"]
        left.plot(w[:, 0], linewidth=0.6, label=name)
        right.plot(w[-100:, 0], w[-100:, 1], ".", markersize=3, label=name)
    left.set(xlabel="step", ylabel="w1[0]", title="From one start to three answers", ylim=(-1, 2))
    left.locator_params(axis="x", nbins=5)
    right.set(xlabel="w1[0]", ylabel="w1[1]", title="The last hundred steps")
    right.axvline(1.0, color="gray", linewidth=0.8)
    right.axhline(1.0, color="gray", linewidth=0.8)
    left.legend()
    return figure
