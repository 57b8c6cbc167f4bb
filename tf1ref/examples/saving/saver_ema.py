"""Moving averages restored in the place of their variables

Source: S3 1717-1761
TF1: a shadow variable is saved under the variable's name and /ExponentialMovingAverage; a Saver given {that name:
    variable} reads it into the variable itself. variables_to_restore() makes the dict.
Now: averages and variables are saved by name with the Saver's own kernels (modules/checkpoints); which variable
    takes which name is the reader's choice.
Errata: none. The average is .099999905 and not .1, because 1 - .99 is rounded in float32.
See: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, doi:10.1137/0330046
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly
from tf1ref.modules import checkpoints, moving_average

VALUE = 10.0
DECAY = 0.99
NAME = "ema_test_model"

EXPECTED = {
    "forward/v": exactly(10.0),
    "forward/average": exactly(0.099999905, 9),
    "final/names": exactly(["v", "v/ExponentialMovingAverage"]),
    "final/by_name": exactly(0.099999905, 9),
    "final/variables_to_restore": exactly(["v/ExponentialMovingAverage"]),
    "final/restored": exactly(0.099999905, 9),
}


def build_graph():
    """Adds v, its moving average and the op that moves it to the default graph."""
    v = v1.Variable(0, dtype=v1.float32, name="v")
    ema = v1.train.ExponentialMovingAverage(DECAY)
    return {"v": v, "maintain": ema.apply([v]), "average": ema.average(v), "assign": v1.assign(v, VALUE), "ema": ema}


def save_graph(path, trace):
    """Sets v, moves the average once, saves both."""
    with v1.Graph().as_default(), v1.Session() as sess:
        nodes = build_graph()
        trace["final/names"] = [variable.op.name for variable in v1.global_variables()]
        saver = v1.train.Saver()
        sess.run(v1.global_variables_initializer())
        trace["initial/v"], trace["initial/average"] = sess.run([nodes["v"], nodes["average"]])
        sess.run(nodes["assign"])
        sess.run(nodes["maintain"])
        saver.save(sess, path)
        trace["forward/v"], trace["forward/average"] = sess.run([nodes["v"], nodes["average"]])


def restore_graph(path, name_of):
    """Reads the average into v. `name_of`: a function that returns the Saver's dict for v and a new average."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v = v1.Variable(0, dtype=v1.float32, name="v")
        ema = v1.train.ExponentialMovingAverage(DECAY)
        names = name_of(v, ema)
        v1.train.Saver(names).restore(sess, path)
        return sess.run(v), list(names)


def run_graph(out=None):
    """Saves v and its average to `out`/ema_test_model.

    Restores with a dict by hand, and with the one that TF1 makes.
    """
    trace = {}
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(out or scratch, NAME)
        save_graph(path, trace)
        trace["final/by_name"], _ = restore_graph(path, lambda v, ema: {"v/ExponentialMovingAverage": v})
        restored = restore_graph(path, lambda v, ema: ema.variables_to_restore([v]))
        trace["final/restored"], trace["final/variables_to_restore"] = restored
    return {key: np.array(value) for key, value in trace.items()}


class Model(tf.Module):
    """v and its moving average."""

    def __init__(self):
        super().__init__()
        self.v = tf.Variable(0.0, name="v")
        self.ema = moving_average.ExponentialMovingAverage(DECAY)
        self.ema.create([self.v])

    @tf.function
    def maintain(self):
        """Moves the average."""
        self.ema.apply([self.v])


def run_function(out=None):
    """There is one Checkpoint of names. Each half can read the other's."""
    trace = {}
    with tempfile.TemporaryDirectory() as scratch:
        model = Model()
        saved = {"v": model.v, **model.ema.variables_by_name()}
        trace["final/names"] = list(saved)
        trace["initial/v"], trace["initial/average"] = model.v.numpy(), model.ema.average(model.v).numpy()
        model.v.assign(VALUE)
        model.maintain()
        path = checkpoints.save(os.fspath(out or scratch), NAME, saved)
        trace["forward/v"], trace["forward/average"] = model.v.numpy(), model.ema.average(model.v).numpy()
        by_name, other = tf.Variable(0.0), Model()
        checkpoints.restore(path, {"v/ExponentialMovingAverage": by_name})
        to_restore = {other.ema.average_name(other.v): other.v}
        checkpoints.restore(path, to_restore)
        trace["final/by_name"], trace["final/restored"] = by_name.numpy(), other.v.numpy()
        trace["final/variables_to_restore"] = list(to_restore)
    return {key: np.array(value) for key, value in trace.items()}
