"""What the three estimators of the sine share: a hook that records a training, and the batches."""

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console

PREDICTION_BATCH_SIZE = 128  # numpy_input_fn's own


class Recorder(v1.train.SessionRunHook):
    """Keeps the losses of a training, and of its first step the variables before it and the gradients."""

    def __init__(self, steps):
        self.losses, self.first, self.initial = [], {}, {}
        self._bar = console.steps(steps)

    def begin(self):
        """Adds ops to the graph, which is built and not yet final."""
        self._variables = {v.op.name: v for v in v1.trainable_variables()}
        # The canned head puts the losses of the examples there, too.
        self._loss = next(loss for loss in v1.get_collection(v1.GraphKeys.LOSSES) if loss.shape.rank == 0)
        gradients = v1.gradients(self._loss, list(self._variables.values()))
        self._gradients = {f"gradient/{name}": g for name, g in zip(self._variables, gradients)}

    def after_create_session(self, session, coord):
        """Keeps the initial values of the variables."""
        self.initial = {f"initial/{name}": v for name, v in session.run(self._variables).items()}
        self._bar.__enter__()

    def before_run(self, run_context):
        """Asks for the values that are fetched along with the training op."""
        wanted = {"loss": self._loss, "gradients": {} if self.losses else self._gradients}
        return v1.train.SessionRunArgs(wanted)

    def after_run(self, run_context, run_values):
        """Keeps the fetched values."""
        self.losses.append(run_values.results["loss"])
        self.first.update(run_values.results["gradients"])
        self._bar.reached(len(self.losses), loss=self.losses[-1])

    def end(self, session):
        """Keeps the final values, after the last step."""
        self._bar.__exit__()

    def trace(self):
        """Returns what was kept, by trace key."""
        return {**self.initial, **self.first, "steps/loss": np.array(self.losses)}


def batches(x, y, batch_size, num_epochs, seed):
    """Yields (x, y) tensors in the order of numpy_input_fn(shuffle=True) with that seed."""
    rows = tf.data.Dataset.range(len(x)).shuffle(1000, seed=seed).repeat(num_epochs).batch(batch_size)
    for indices in rows:
        yield tf.constant(x[indices.numpy()]), tf.constant(y[indices.numpy()])


def predictions(predict, x):
    """Returns predict(x) as (n,), computed in the batches of numpy_input_fn.

    The whole of x at once would be another in the last bits: which kernel computes a row of a matmul depends on the
    number of rows, and on the CPU (docs/explanation/last_bits.md).
    """
    starts = range(0, len(x), PREDICTION_BATCH_SIZE)
    return np.concatenate([predict(tf.constant(x[at : at + PREDICTION_BATCH_SIZE]))[:, 0].numpy() for at in starts])
