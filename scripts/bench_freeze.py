"""Freezing and inspecting 25 million parameters: the time beside TensorFlow's own."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time

import tensorflow.compat.v1 as v1

PARAMETERS = 25_000_000
LAYERS = 10  # of 2.5 million weights each
SUBJECT = f"""\
A checkpoint of {PARAMETERS:,} float32 parameters in {LAYERS} layers, {PARAMETERS * 4 / 1e6:.0f} MB, frozen to one .pb.
TensorFlow: convert_variables_to_constants, SerializeToString, write and fsync; its session is restored before the clock
starts. freeze: from the checkpoint's files to a .pb that is on the disk (fsync, too), without the check."""
MB = 1e6
WEIGHTS = PARAMETERS * 4 / MB


def contests():
    """Yields the Contests: speed, and inspect of the .pb."""
    from bench import Contest

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        prefix = save(folder)
        session = stack.enter_context(restored(prefix))
        ways = {
            "TensorFlow": lambda: rate(lambda: tensorflow(session, folder)),
            "TensorFlow, not synced": lambda: rate(lambda: tensorflow(session, folder, sync=False)),
            "freeze": lambda: rate(lambda: freeze(prefix, folder)),
        }
        yield Contest("time", "MB/s", "TensorFlow", ways)
        freeze(prefix, folder)
        ways = {"TensorFlow's start": lambda: command("-c", "from tf1ref import console; console.import_tensorflow()")}
        ways["inspect"] = lambda: command("-m", "tf1ref", "inspect", f"{folder}/frozen.pb")
        yield Contest("the whole command", "s", "TensorFlow's start", ways)


def build():
    """A multilayer perceptron: x [?, n] -> y [?, n]."""
    width = int((PARAMETERS / LAYERS) ** 0.5)
    y = v1.placeholder(v1.float32, [None, width], name="x")
    for number in range(LAYERS):
        left = PARAMETERS // LAYERS - width * width
        weights = v1.get_variable(f"layer{number}/w", [width, width], initializer=v1.random_normal_initializer(seed=1))
        bias = v1.get_variable(f"layer{number}/b", [left], initializer=v1.zeros_initializer())
        y = v1.nn.relu(v1.matmul(y, weights) + v1.reduce_sum(bias))
    v1.identity(y, name="y")


def save(folder):
    """Trains nothing; returns the prefix of a checkpoint of the model with its meta graph."""
    with v1.Graph().as_default(), v1.Session() as sess:
        build()
        sess.run(v1.global_variables_initializer())
        return v1.train.Saver().save(sess, os.path.join(folder, "model"))


@contextlib.contextmanager
def restored(prefix):
    """A session with the graph and the values of a checkpoint."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.train.import_meta_graph(f"{prefix}.meta").restore(sess, prefix)
        yield sess


def tensorflow(session, folder, sync=True):
    """TensorFlow's own way, from a restored session; `sync`: until the file is on the disk, as freeze does."""
    graph_def = session.graph.as_graph_def()
    frozen = v1.graph_util.convert_variables_to_constants(session, graph_def, ["y"])
    with open(f"{folder}/tensorflow.pb", "wb") as f:
        f.write(frozen.SerializeToString())
        if sync:
            os.fsync(f.fileno())


def freeze(prefix, folder):
    """tf1ref's way, from the files."""
    from tf1ref.artifacts.freeze import freeze

    freeze(prefix, ["y"], f"{folder}/frozen.pb", force=True, verify=False)


def rate(work):
    """MB of weights a second."""
    began = time.perf_counter()
    work()
    return WEIGHTS / (time.perf_counter() - began)


def command(*words):
    """Runs Python with `words`; returns the seconds it took."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], capture_output=True, check=True, timeout=300)
    return time.perf_counter() - began
