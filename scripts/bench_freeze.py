"""Freezing and inspecting 25 million parameters: time and memory beside TensorFlow's own; then many variables."""

import contextlib
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

HERE = Path(__file__).resolve().parent
PARAMETERS = 25_000_000
COUNTS = (200, 400, 800, 1600)  # variables
LAYERS = 10  # of 2.5 million weights each
SUBJECT = f"""\
A checkpoint of {PARAMETERS:,} float32 parameters in {LAYERS} layers, {PARAMETERS * 4 / 1e6:.0f} MB, frozen to one .pb.
TensorFlow: convert_variables_to_constants, SerializeToString, write and fsync; its session is restored before the clock
starts. freeze: from the checkpoint's files to a .pb that is on the disk (fsync, too), without and with the check."""
MB = 1e6
WEIGHTS = PARAMETERS * 4 / MB


def contests():
    """Yields the Contests: speed, peak memory over what TensorFlow itself takes, inspect of the .pb."""
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
        ways = {"the weights": lambda: WEIGHTS}
        ways.update((way, lambda way=way: alone(way, prefix, folder)["peak"]) for way in WAYS)
        yield Contest("peak memory", "MB", "the weights", ways)
        freeze(prefix, folder)
        ways = {"TensorFlow's start": lambda: command("-c", "from tf1ref import console; console.import_tensorflow()")}
        ways["inspect"] = lambda: command("-m", "tf1ref", "inspect", f"{folder}/frozen.pb")
        yield Contest("the whole command", "s", "TensorFlow's start", ways)
        prefixes = {count: save(os.path.join(folder, str(count)), lambda count=count: many(count)) for count in COUNTS}
        ways = {str(count): lambda count=count: converted(prefixes[count], folder) for count in COUNTS}
        yield Contest("variables to a SavedModel", "s", str(COUNTS[0]), ways, growth)


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


def many(count):
    """`count` variables of eight weights, each in a step of its own: x [?, 8] -> y [?, 8]."""
    h = v1.placeholder(v1.float32, [None, 8], name="x")
    for number in range(count):
        h = v1.tanh(h * v1.get_variable(f"w{number}", [8], initializer=v1.ones_initializer()))
    v1.identity(h, name="y")


def converted(prefix, folder):
    """Seconds that convert takes from a checkpoint to a SavedModel, which is loaded and compared."""
    from tf1ref.artifacts.convert import convert

    began = time.perf_counter()
    convert(prefix, f"{folder}/many", "saved_model", outputs=["y"], force=True)
    return time.perf_counter() - began


def growth(rows):
    """How the time grows with the count: by step, and as an exponent over all (1: in proportion)."""
    times = [row["rate"] for row in rows]
    steps = ", ".join(f"{after / before:.2f}" for before, after in zip(times, times[1:]))
    exponent = math.log(times[-1] / times[0]) / math.log(COUNTS[-1] / COUNTS[0])
    return f"a step, twice the variables, takes {steps} times as long; exponent {exponent:.2f}"


def save(folder, model=build):
    """Trains nothing; returns the prefix of a checkpoint of `model` with its meta graph."""
    with v1.Graph().as_default(), v1.Session() as sess:
        model()
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


def freeze(prefix, folder, verify=False):
    """tf1ref's way, from the files."""
    from tf1ref.artifacts.freeze import freeze

    freeze(prefix, ["y"], f"{folder}/frozen.pb", force=True, verify=verify)


def rate(work):
    """MB of weights a second."""
    began = time.perf_counter()
    work()
    return WEIGHTS / (time.perf_counter() - began)


def from_session(prefix, folder):
    """TensorFlow's own way, with the restored session that it needs."""
    with restored(prefix) as session:
        tensorflow(session, folder)


WAYS = {
    "TensorFlow": from_session,
    "freeze": freeze,
    "freeze, verified": lambda prefix, folder: freeze(prefix, folder, verify=True),
}


def alone(way, prefix, folder):
    """Runs one of WAYS in a process of its own; returns what it says: {"peak": MB over a warm TensorFlow}."""
    command_ = [sys.executable, __file__, way, prefix, folder]
    done = subprocess.run(command_, capture_output=True, text=True, check=True, timeout=300)
    return json.loads(done.stdout)


def command(*words):
    """Runs Python with `words`; returns the seconds it took."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], capture_output=True, check=True, timeout=300)
    return time.perf_counter() - began


def peak(way, prefix, folder):
    """Prints by how many MB the peak of resident memory rises, once TensorFlow has run a graph and read a file."""
    from tf1ref.artifacts.freeze import freeze as load  # noqa: F401

    with v1.Graph().as_default(), v1.Session() as sess, tempfile.TemporaryDirectory() as small:
        w = v1.get_variable("w", initializer=np.ones(4, np.float32))
        v1.identity(w, name="y")
        sess.run(w.initializer)
        load(v1.train.Saver().save(sess, f"{small}/m"), ["y"], f"{small}/y.pb")
    before = most_resident()
    WAYS[way](prefix, folder)
    print(json.dumps({"peak": most_resident() - before}))


def most_resident():
    """The peak of resident memory in MB. ru_maxrss of a child starts at what its parent had when it was forked."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / MB


if __name__ == "__main__":
    tf.get_logger().setLevel("ERROR")
    peak(*sys.argv[1:])
