"""LinearRegressor learns the sine: a canned estimator

Source: S3 4169-4234
TF1: an Estimator has a folder; train, evaluate and predict each build a graph of their own and restore from it.
Now: one object with its variables; what an estimator hides is a loop, a mean of losses and a matmul.
Errata: S3's loss of .0075 is the sum over a batch of 32. The mean over the examples beside it, .00023, is what the
    other three programs call loss. S3's gap of .01 is 100 / 9999, and its windows leave out the last one.
See: https://www.tensorflow.org/guide/migrate/migrating_estimator
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_most
from tf1ref.examples.sequences import _estimator, _sine
from tf1ref.legacy import estimator
from tf1ref.modules import optimizers_adaptive

SEED = 1
STEPS = 1000
BATCH_SIZE = 32
EVALUATION_EPOCHS = 100
SHUFFLE_SEED = 2
# Canned models cut their variables into at most one part for each ps. A checkpoint has the name of the whole.
WEIGHTS = "linear/linear_model/x/weights/part_0"
BIAS = "linear/linear_model/bias_weights/part_0"

# S3 prints 0.007470699 and 0.00023348766.
EXPECTED = {"final/loss": at_most(0.0075 * 1.5), "final/average_loss": at_most(0.00023348766 * 1.5)}


def make_estimator(folder=None):
    """Returns the canned linear model over one column of ten numbers. It trains by Ftrl."""
    feature_columns = [v1.feature_column.numeric_column("x", shape=[_sine.TIME_STEPS])]
    # An Estimator's own sessions optimize a graph once. A function's graph is optimized twice, which changes last bits.
    config = estimator.RunConfig(tf_random_seed=SEED, session_config=v1.ConfigProto())
    return estimator.LinearRegressor(feature_columns, folder, config=config)


def build_graph():
    """Adds the model to the default graph, as the estimator does to train."""
    v1.train.get_or_create_global_step()
    x = v1.placeholder(v1.float32, [None, _sine.TIME_STEPS], name="x")
    y_ = v1.placeholder(v1.float32, [None], name="y_")
    with tempfile.TemporaryDirectory() as folder:
        made = make_estimator(folder)
        spec = made.model_fn(features={"x": x}, labels=y_, mode=estimator.ModeKeys.TRAIN, config=made.config)
    return {"x": x, "y_": y_, "y": spec.predictions["predictions"], "loss": spec.loss, "train": spec.train_op}


def run_graph(steps=STEPS, out=None):
    """Trains, evaluates and predicts. Only the checkpoints in `out` pass between them."""
    train_x, train_y, test_x, test_y = _sine.data()
    inputs, shuffled = estimator.inputs.numpy_input_fn, {"shuffle": True, "seed": SHUFFLE_SEED}
    train_input_fn = inputs({"x": train_x}, train_y, batch_size=BATCH_SIZE, num_epochs=None, **shuffled)
    eval_input_fn = inputs({"x": test_x}, test_y, batch_size=BATCH_SIZE, num_epochs=EVALUATION_EPOCHS, **shuffled)
    predict_input_fn = inputs({"x": test_x}, num_epochs=1, shuffle=False)
    recorder = _estimator.Recorder(steps)
    with tempfile.TemporaryDirectory() as scratch:
        estimator_linear = make_estimator(out or scratch)
        estimator_linear.train(input_fn=train_input_fn, steps=steps, hooks=[recorder])
        found = estimator_linear.evaluate(eval_input_fn)
        predictions = [each["predictions"][0] for each in estimator_linear.predict(predict_input_fn)]
        values = {name: estimator_linear.get_variable_value(name) for name in estimator_linear.get_variable_names()}
    trace = {**recorder.trace(), "final/prediction": np.array(predictions)}
    trace.update({f"slots/{k}" if "/Ftrl" in k else f"final/{k}": v for k, v in values.items()})
    return {**trace, **{f"final/{k}": found[k] for k in ("loss", "average_loss", "prediction/mean", "label/mean")}}


class Network(tf.Module):
    """Ten weights, a bias, the step counter and the optimizer."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable(tf.zeros([_sine.TIME_STEPS, 1]), name=WEIGHTS)
        self.bias = tf.Variable(tf.zeros([1]), name=BIAS)
        self.all = [self.bias, self.weights]
        self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="global_step")
        self.optimizer = optimizers_adaptive.Ftrl(0.2)  # LinearRegressor's rate for up to 25 columns
        self.optimizer.create(self.all)

    @tf.function
    def predict(self, x):
        """Turns (n, 10) into (n, 1)."""
        return tf.nn.bias_add(tf.matmul(x, self.weights), self.bias)

    @tf.function
    def train(self, x, y_):
        """Makes one step. Returns the summed loss before it and its gradients."""
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.math.squared_difference(self.predict(x), tf.expand_dims(y_, -1)))
        return loss, self.optimizer.minimize(tape, loss, self.all, self.global_step)

    @tf.function
    def add(self, totals, x, y_):
        """Adds a batch to {name: [total, count]}, which tf.metrics.mean keeps in local variables."""
        predictions, labels = self.predict(x), tf.expand_dims(y_, -1)  # labels (n,) -> (n, 1)
        losses = tf.math.squared_difference(predictions, labels)
        sums = {"loss": tf.reduce_sum(losses), "average_loss": tf.reduce_sum(losses)}
        sums.update({"prediction/mean": tf.reduce_sum(predictions), "label/mean": tf.reduce_sum(labels)})
        count = tf.cast(tf.size(losses), tf.float32)
        return {k: [t + sums[k], n + (1.0 if k == "loss" else count)] for k, (t, n) in totals.items()}

    def evaluate(self, pairs):
        """Returns the means over all batches, by name."""
        zero = tf.constant(0.0)
        totals = {name: [zero, zero] for name in ("loss", "average_loss", "prediction/mean", "label/mean")}
        for x, y_ in pairs:
            totals = self.add(totals, x, y_)
        return {name: tf.math.divide_no_nan(total, count) for name, (total, count) in totals.items()}


def run_function(steps=STEPS):
    """There is no folder. The trained object is asked."""
    tf.random.set_seed(SEED)
    train_x, train_y, test_x, test_y = _sine.data()
    network = Network()
    names = (BIAS, WEIGHTS)
    trace = {f"initial/{k}": v.numpy() for k, v in zip(names, network.all)}
    losses, bar = [], console.steps(steps)
    for step, (x, y_) in zip(bar, _estimator.batches(train_x, train_y, BATCH_SIZE, None, SHUFFLE_SEED)):
        loss, gradients = network.train(x, y_)
        if step == 0:
            trace.update({f"gradient/{k}": g.numpy() for k, g in zip(names, gradients)})
        losses.append(loss.numpy())
        bar.show(loss=losses[-1])
    found = network.evaluate(_estimator.batches(test_x, test_y, BATCH_SIZE, EVALUATION_EPOCHS, SHUFFLE_SEED))
    trace.update({f"final/{k}": v.numpy() for k, v in found.items()})
    trace.update({f"final/{k.removesuffix('/part_0')}": v.numpy() for k, v in zip(names, network.all)})
    trace.update({f"slots/{k}": v.numpy() for k, v in network.optimizer.variables_by_name().items()})
    trace.update({"final/prediction": _estimator.predictions(network.predict, test_x)})
    return {**trace, "steps/loss": np.array(losses), "final/global_step": network.global_step.numpy()}


def plot(trace):
    """Returns a figure of the predicted series beside the real one."""
    return _sine.picture(trace["final/prediction"], "LinearRegressor")
