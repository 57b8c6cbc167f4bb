"""Programs that assign: runs without gradients become methods, and what runs fetch of their writes is answered."""

import numpy as np
import pytest

from tf1ref.errors import InputError
from tf1ref.port.program import programs

COUNTER = """
import tensorflow as tf

count = tf.Variable(0, name="count")
value = tf.Variable([1.0, 2.0])
given = tf.placeholder(tf.float32, [2], name="given")
count_up = tf.assign_add(count, 2)
twice = count_up * 2
average = tf.train.ExponentialMovingAverage(0.9, count)
update = average.apply([value])
set_value = tf.assign(value, given)
with tf.control_dependencies([set_value]):
    shown = value * given
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for i in range(5):
        sess.run([count_up, twice])
        sess.run([set_value, shown], {given: [i, 3.0]})
        sess.run(update)
"""
EVALUATED = """
import tensorflow as tf

value = tf.get_variable("value", initializer=[1.0, 2.0])
count = tf.Variable(0, name="count", trainable=False)
total = tf.reduce_sum(value)
count_up = tf.assign_add(count, 2)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for i in range(5):
        sess.run(count_up)
        sess.run(total)
"""
NORMS = """
import numpy as np
import tensorflow as tf

x = tf.placeholder(tf.float32, [None, 3], name="x")
w = tf.get_variable("w", [3, 2], initializer=tf.random_normal_initializer(seed=1))
loss = tf.reduce_mean(tf.square(tf.matmul(x, w)))
optimizer = tf.train.GradientDescentOptimizer(0.1)
pairs = optimizer.compute_gradients(loss)
norm = tf.sqrt(tf.reduce_sum(tf.square(pairs[0][0])))
train = optimizer.apply_gradients(pairs)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for i in range(5):
        sess.run([train, loss, norm, pairs[0][0]], {x: np.full([4, 3], i, np.float32)})
"""


@pytest.fixture
def ported(quick_program, tmp_path):
    """Returns a function that ports a program of 5 or more steps and returns (the folder, the Report)."""

    def port(text, name="program.py", steps=5):
        (tmp_path / name).write_text(text)
        report = programs.port_program(str(tmp_path / name), tmp_path / "out", steps=steps)
        return tmp_path / "out", report

    return port


@pytest.mark.slow
def test_a_program_that_only_assigns_is_one_class(ported, loaded, formatted):
    folder, report = ported(COUNTER, "a_program_with_a_name_that_is_too_long_for_a_line.py", 15)
    assert sorted(p.name for p in folder.iterdir() if p.suffix) == ["model.py", "recording.npz", "test_port.py"]
    formatted(folder)
    model = loaded(folder, "model").Model()
    assert {k: int(v) for k, v in model.count_up().items()} == {"count_up": 2, "twice": 4}
    # The read waits for the write.
    assert model.set_value(np.float32([5, 3]))["shown"].numpy().tolist() == [25, 9]
    model.update()
    assert model.value.name == "Variable:0" and model.value.numpy().tolist() == [5, 3]
    averages = {v.name: v.numpy() for v in model.variables}["Variable/ExponentialMovingAverage:0"]
    decay = np.float32(3 / 12)  # of a count of 2
    np.testing.assert_allclose(averages, decay * np.float32([1, 2]) + (1 - decay) * np.float32([5, 3]), rtol=1e-6)
    assert set(report.outputs.values()) == {"AssignAdd:0", "mul:0", "Assign:0", "mul_1:0"}


@pytest.mark.slow
def test_a_variable_without_a_first_value_is_named(ported):
    text = 'import tensorflow as tf\nv = tf.Variable(0.0, name="v")\nset_v = tf.assign(v, 2.0)\n'
    text += "with tf.Session() as sess:\n    for _ in range(3):\n        sess.run(set_v)\n"
    with pytest.raises(InputError, match="program.py: v has no value before the first step: initialize it"):
        ported(text)


@pytest.mark.slow
def test_values_of_bfloat16_are_not_recorded(ported):
    text = "import tensorflow as tf\nx = tf.placeholder(tf.bfloat16, [3])\n"
    text += 'w = tf.get_variable("w", [3], tf.bfloat16, tf.ones_initializer())\n'
    text += "step = tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(w * x))\n"
    text += "with tf.Session() as sess:\n    sess.run(tf.global_variables_initializer())\n"
    text += "    for _ in range(3):\n        sess.run(step, {x: [1, 2, 3]})\n"
    with pytest.raises(InputError, match=r"w has no value before .* \(values of bfloat16 are not recorded\)"):
        ported(text)


@pytest.mark.slow
def test_a_step_needs_nothing_of_a_model_that_is_evaluated(ported, loaded, formatted):
    folder, _ = ported(EVALUATED)
    formatted(folder)
    trainer = loaded(folder, "test_port").train.Trainer()
    assert int(trainer.count_up()["count_up"]) == 2 and float(trainer.model.total()) == 3


@pytest.mark.slow
def test_what_is_computed_of_gradients_is_answered(ported, loaded, formatted):
    folder, _ = ported(NORMS)
    formatted(folder)
    trainer = loaded(folder, "test_port").train.Trainer()
    x, w = np.ones([4, 3], np.float32), trainer.model.w.numpy()
    np.testing.assert_allclose(trainer.step(x)["norm"], np.linalg.norm(2 * x.T @ (x @ w) / (x @ w).size), rtol=1e-5)
    arrays = np.load(folder / "recording.npz")
    assert sum(name.endswith(("outputs/norm", "outputs/gradient_w")) for name in arrays.files) == 10


@pytest.mark.slow
def test_a_variable_of_no_collection_is_one(ported):
    """Its first value is no step, and the steps write to it as to any other."""
    text = (
        "import tensorflow as tf\nv = tf.Variable(2.0, collections=[], name='v')\ndouble = tf.assign(v, 2.0 * v)\n"
        "with tf.Session() as sess:\n    sess.run(v.initializer)\n    for _ in range(5):\n        sess.run(double)\n"
    )
    folder, _ = ported(text, "program.py", 3)
    arrays = np.load(folder / "recording.npz")
    assert int(arrays["steps"]) == 3 and arrays["final/v"] == 16


THREADS = """
import threading

import tensorflow as tf

v = tf.Variable(0.0, name="v")
add = tf.assign_add(v, 1.0)
turn = threading.Barrier(2, timeout=30)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())

    def work():
        try:
            for _ in range(9):
                sess.run(add)
                turn.wait()
        except BaseException:  # the other thread need not wait for this one
            turn.abort()
            raise

    threads = [threading.Thread(target=work) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
"""


@pytest.mark.slow
def test_threads_that_train_at_once_are_named(ported):
    with pytest.raises(InputError, match="program.py: trains in several threads at once"):
        ported(THREADS, "program.py", 5)
    # One after the other they are one order.
    text = THREADS.replace("Barrier(2", "Barrier(1").replace("[thread.start() for thread in threads]\n    ", "")
    ported(text.replace("[thread.join()", "[thread.start() or thread.join()"), "program.py", 12)


TASKS = """
import socket

import tensorflow as tf

ports = [socket.create_server(("localhost", 0)) for _ in range(2)]
hosts = [f"localhost:{port.getsockname()[1]}" for port in ports]
[port.close() for port in ports]
cluster = tf.train.ClusterSpec({"ps": hosts[:1], "worker": hosts[1:]})
ps, worker = [tf.train.Server(cluster, job_name=job, task_index=0) for job in ("ps", "worker")]
with tf.device("/job:ps"):
    v = tf.Variable([1.0, 2.0], name="v")
with tf.device("/job:worker"):
    double = tf.assign(v, v + v)
    with tf.control_dependencies([double]):
        shown = v * 1.0
with tf.Session(worker.target) as sess:
    sess.run(tf.global_variables_initializer())
    for _ in range(5):
        sess.run(shown)
"""


@pytest.mark.slow
def test_a_read_of_another_task_after_a_write_is_named(ported):
    with pytest.raises(InputError, match=r"program.py:16: mul \(Mul\): reads v from another task after a write"):
        ported(TASKS, "program.py", 3)
