"""A ported trainer and the script that it was ported from read each other's checkpoints, by the script's names."""

import subprocess

import numpy as np
import pytest
import tensorflow as tf

from tf1ref.port.program import programs

PROGRAM = """
import sys
import numpy as np
import tensorflow as tf

x = tf.placeholder(tf.float32, [None, 3], name="x")
w = tf.get_variable("w", [3, 2], initializer=tf.random_normal_initializer(seed=4))
b = tf.get_variable("b", [2], initializer=tf.constant_initializer(0.5))
loss = tf.reduce_mean(tf.square(tf.matmul(x, w) + b - 1.0))
optimizer = tf.train.MomentumOptimizer(0.1, 0.9)
train = optimizer.minimize(loss)
names = {"layer/weights": w, "b": b}
if "all" in sys.argv:
    names["layer/weights/Momentum"] = optimizer.get_slot(w, "momentum")
    names["b/Momentum"] = optimizer.get_slot(b, "momentum")
saver = tf.train.Saver(names)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    if "restore" in sys.argv:
        saver.restore(sess, "./new")
    else:
        for i in range(3):
            sess.run(train, {x: np.arange(6, dtype=np.float32).reshape(2, 3) + i})
        saver.save(sess, "./old", write_meta_graph=False)
    for name, variable in names.items():
        np.save(name.replace("/", "_"), sess.run(variable))
"""


@pytest.mark.slow
@pytest.mark.parametrize("words", [["all"], []])
def test_each_reads_the_other_s(words, quick_program, keras_python, tmp_path, loaded, formatted):
    (tmp_path / "program.py").write_text(PROGRAM)

    def run(*more):
        command = [keras_python, "-m", "tf1ref", "exec", "program.py", *words, *more]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return {name: np.load(tmp_path / f"{name.replace('/', '_')}.npy") for name in names}

    names = ["layer/weights", "b", *(["layer/weights/Momentum", "b/Momentum"] if words else [])]
    programs.port_program(str(tmp_path / "program.py"), tmp_path / "out", words, steps=3)
    formatted(tmp_path / "out")
    trainer = loaded(tmp_path / "out", "test_port").train.Trainer()
    # A tf.function would look for the concrete function in each call.
    assert isinstance(trainer.step, tf.types.experimental.ConcreteFunction)
    assert set(trainer.saved()) == {
        "layer/weights",
        "b",
        "layer/weights/Momentum" if words else "w/Momentum",
        "b/Momentum",
    }

    old = run()
    assert trainer.restore(tmp_path / "old") == ([] if words else ["b/Momentum", "w/Momentum"])
    for name in names:
        assert trainer.saved()[name].numpy().tobytes() == old[name].tobytes()

    trainer.step(np.ones([4, 3], np.float32))
    trainer.save(tmp_path / "new")
    new = run("restore")
    for name in names:
        assert trainer.saved()[name].numpy().tobytes() == new[name].tobytes() != old[name].tobytes()
