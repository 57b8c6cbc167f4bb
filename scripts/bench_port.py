"""Training steps a second of a port and of the session that it was ported from; ports of inception_v3 a minute."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tensorflow as tf
import tensorflow.compat.v1 as v1
from bench import Contest

SUBJECT = """\
A script's own step (feeds arrays, fetches the loss), and the step of its port by tf1ref port: same weights, same batch,
as arrays and as tensors that were made before, as a loop over tf.data has them.
Seconds to port inception_v3, frozen: reading, writing, and the proof in a process of its own."""
HEAD = """
import numpy as np
import tensorflow as tf

rng = np.random.RandomState(0)
pictures = rng.rand(100, 784).astype(np.float32)
labels = np.eye(10, dtype=np.float32)[rng.randint(0, 10, 100)]
x, y = tf.placeholder(tf.float32, [None, 784], name="x"), tf.placeholder(tf.float32, [None, 10], name="y")
"""
SOFTMAX = "logits = tf.layers.dense(x, 10)\n"
CONVOLUTIONS = """
hidden = tf.reshape(x, [-1, 28, 28, 1])
for size in (32, 64):
    hidden = tf.layers.max_pooling2d(tf.layers.conv2d(hidden, size, 5, activation=tf.nn.relu), 2, 2)
logits = tf.layers.dense(tf.layers.dense(tf.layers.flatten(hidden), 256, tf.nn.relu), 10)
"""
RECURRENT = """
rows = tf.reshape(x, [-1, 28, 28])
outputs, _ = tf.nn.dynamic_rnn(tf.contrib.rnn.BasicLSTMCell(64), rows, dtype=tf.float32)
logits = tf.layers.dense(outputs[:, -1], 10)
"""
TRAIN = """
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=logits))
optimizer = tf.train.AdamOptimizer(0.001)
variables = tf.trainable_variables()
gradients, _ = tf.clip_by_global_norm(tf.gradients(loss, variables), 5.0)
train = optimizer.apply_gradients(zip(gradients, variables))
"""
TAIL = """
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for _ in range(5):
        sess.run([train, loss], {x: pictures, y: labels})
"""
PROGRAMS = {"softmax": (SOFTMAX, 1000), "convolutions": (CONVOLUTIONS, 15), "LSTM of 28 steps": (RECURRENT, 60)}


def contests():
    """Yields a Contest for each program, and one for inception_v3."""
    for name, (model, steps) in PROGRAMS.items():
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "script.py"
            script.write_text(HEAD + model + TRAIN + TAIL)
            ways = {"session": session_way(script, steps), **port_ways(script, steps)}
        yield Contest(name, "steps/s", "session", ways)
    with tempfile.TemporaryDirectory() as folder:
        path = inception(Path(folder))
        yield Contest("inception_v3", "ports/min", "port", {"port": lambda: ports(path)}, remark=seconds)


def rate(step, steps):
    """Calls step() `steps` times; returns calls a second."""
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return steps / (time.perf_counter() - began)


def session_way(script, steps):
    """The way of the script itself: its graph, as a recording has it, in a session."""
    from tf1ref.port.program import programs

    recording = programs.record(str(script), str(script.parent / "script.rec"), (), 5, 1)
    run = recording.steps[0]
    with v1.Graph().as_default() as graph:
        v1.train.import_meta_graph(v1.MetaGraphDef.FromString(recording.graphs[run.graph]))
        sess = v1.Session(graph=graph)
        sess.run("init")
    fetches = [graph.get_operation_by_name(run.targets[0]), *run.fetches]
    return lambda: rate(lambda: sess.run(fetches, run.feeds), steps)


def port_ways(script, steps):
    """The ways of the port of `script`: given arrays, and given tensors."""
    from tf1ref.port.program import programs

    folder = script.parent / "port"
    programs.port_program(str(script), folder, steps=5)
    for name in ("model", "train"):
        sys.modules.pop(name, None)
    sys.path.insert(0, str(folder))
    try:
        import train

        trainer, (_, batch) = train.Trainer(), next(train.recorded())
    finally:
        sys.path.remove(str(folder))
    tensors = {word: tf.constant(value) for word, value in batch.items()}
    return {
        "port": lambda: rate(lambda: trainer.step(**batch)["loss"].numpy(), steps),
        "port, tensors": lambda: rate(lambda: trainer.step(**tensors)["loss"].numpy(), steps),
    }


def inception(folder):
    """Writes a frozen inception_v3 with random weights; returns its path."""
    from tf1ref import catalog

    with v1.Graph().as_default() as graph, v1.Session() as sess:
        v1.set_random_seed(1)
        end = catalog.load("convnets.inception_v3").build_graph()["y"].op.name
        sess.run(v1.global_variables_initializer())
        graph_def = v1.graph_util.convert_variables_to_constants(sess, graph.as_graph_def(), [end])
    path = folder / "inception_v3.pb"
    path.write_bytes(graph_def.SerializeToString())
    return path


def ports(path):
    """Ports `path` once, by the command; returns ports a minute."""
    began = time.perf_counter()
    folder = path.parent / "port"
    command = [sys.executable, "-m", "tf1ref", "port", str(path), "-o", str(folder), "--force"]
    subprocess.run(command, check=True, capture_output=True)
    return 60 / (time.perf_counter() - began)


def seconds(rows):
    """The line below the table."""
    return f"{60 / rows[0]['rate']:.0f} s for each port, with the start of Python and TensorFlow"
