"""Resuming: what the state file of a folder knows

Source: S2 240-250, S3 1693-1716
TF1: save() names its file in `checkpoint`, beside those it still keeps; get_checkpoint_state reads that file,
    latest_checkpoint its first line. A program restores if there is something, and starts anew if not.
Now: a CheckpointManager writes the same file and restore_or_initialize() decides.
Errata: S2's loop numbers its checkpoints from 0 in every run, so a second run replaces those of the first, and the
    number says nothing about x. Here the step is a variable that is saved, too, and the second run continues counting.
    S2 adds 1.0 a step and saves all 100 steps: the five checkpoints that are kept are the last.
See: https://www.tensorflow.org/guide/checkpoint
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import os
import re
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import exactly

STEPS = 100
START = 1.0
GROWTH = 1.0
MAX_TO_KEEP = 5
NAME = "model.ckpt"

EXPECTED = {
    "final/first_run": exactly(101.0),
    "final/second_run": exactly(201.0),
    "final/latest": exactly(200),
    "final/kept": exactly([196, 197, 198, 199, 200]),
}


def number_of(path):
    """Returns the step at the end of a checkpoint's name."""
    return int(re.search(r"-(\d+)$", path)[1])


def build_graph():
    """Adds x, the step and the op that adds to both to the default graph."""
    x = v1.Variable(START, name="x")
    global_step = v1.train.get_or_create_global_step()
    with v1.control_dependencies([v1.assign_add(global_step, 1)]):
        return {"x": x, "global_step": global_step, "sum_add": v1.assign(x, v1.add(x, GROWTH))}


def train_graph(steps, folder):
    """Runs the program once. Returns x at its start, after each step, and the state of the folder."""
    values = []
    with v1.Graph().as_default(), v1.Session() as sess:
        nodes = build_graph()
        saver = v1.train.Saver(max_to_keep=MAX_TO_KEEP)
        sess.run(v1.global_variables_initializer())
        state = v1.train.get_checkpoint_state(folder)
        if state and state.model_checkpoint_path:
            saver.restore(sess, state.model_checkpoint_path)
            # Otherwise the Saver forgets to remove them.
            saver.recover_last_checkpoints(state.all_model_checkpoint_paths)
        start = sess.run(nodes["x"])
        bar = console.steps(steps)
        for _ in bar:
            values.append(sess.run(nodes["sum_add"]))
            saver.save(sess, os.path.join(folder, NAME), global_step=nodes["global_step"], write_meta_graph=False)
            bar.show(x=values[-1])
    state = v1.train.get_checkpoint_state(folder)
    kept = [number_of(path) for path in state.all_model_checkpoint_paths]
    return start, values, kept, number_of(v1.train.latest_checkpoint(folder))


def run_graph(steps=STEPS, out=None):
    """Runs the program twice in `out`: the second run starts where the first one ended."""
    with tempfile.TemporaryDirectory() as scratch:
        first, second = (train_graph(steps, os.fspath(out or scratch)) for _ in range(2))
    return trace_of(first, second)


def trace_of(first, second):
    """Returns the trace of one half, from its two runs."""
    trace = {"initial/x": first[0], "initial/second_run": second[0]}
    trace |= {"steps/first_run": first[1], "steps/second_run": second[1]}
    trace |= {"final/first_run": first[1][-1], "final/second_run": second[1][-1]}
    trace |= {"final/kept": second[2], "final/latest": second[3]}
    return {key: np.array(value) for key, value in trace.items()}


class Training(tf.Module):
    """x and the step."""

    def __init__(self):
        super().__init__()
        self.x = tf.Variable(START, name="x")
        self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="global_step")

    @tf.function
    def sum_add(self):
        """Makes one step. Returns x after it."""
        self.global_step.assign_add(1)
        return self.x.assign(tf.add(self.x, GROWTH)).read_value()


def train_function(steps, folder):
    """Runs the program once. The manager finds earlier checkpoints, and numbers new ones by the step."""
    training, values = Training(), []
    checkpoint = tf.train.Checkpoint(x=training.x, global_step=training.global_step)
    manager = tf.train.CheckpointManager(checkpoint, folder, max_to_keep=MAX_TO_KEEP, checkpoint_name=NAME)
    manager.restore_or_initialize()
    start = training.x.numpy()
    bar = console.steps(steps)
    for _ in bar:
        values.append(training.sum_add().numpy())
        manager.save(checkpoint_number=training.global_step)
        bar.show(x=values[-1])
    kept = [number_of(path) for path in tf.train.get_checkpoint_state(folder).all_model_checkpoint_paths]
    return start, values, kept, number_of(tf.train.latest_checkpoint(folder))


def run_function(steps=STEPS, out=None):
    """Two runs use two objects. Only the files pass between them."""
    with tempfile.TemporaryDirectory() as scratch:
        first, second = (train_function(steps, os.fspath(out or scratch)) for _ in range(2))
    return trace_of(first, second)
