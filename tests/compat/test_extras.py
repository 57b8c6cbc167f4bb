"""What a program says that needs an extra which is not installed: one line, exit code 2, and nothing is written."""

import os
import sys

import pytest

from tf1ref.compat import __main__ as executing
from tf1ref.compat.texts import python2

WITHOUT_KERAS = "from tf1ref.compat.names import resolver; resolver.has_keras = lambda: False"
KERAS = f"""{WITHOUT_KERAS}
import tensorflow as tf
%s
open("written", "w")
"""
SCIPY = """import sys; sys.modules["scipy"] = None
import tensorflow as tf
w = tf.get_variable("w", initializer=3.0)
%s
open("written", "w")
"""


@pytest.mark.parametrize(
    ("text", "line", "extra"),
    [
        (KERAS, "tf.keras.layers.Dense(2)", "keras"),
        (KERAS, "from tensorflow.keras.models import Sequential", "keras"),
        (KERAS, "import keras", "keras"),
        (KERAS, "tf.losses.MeanSquaredError(), tf.random.set_seed", "keras"),
        (SCIPY, "tf.contrib.opt.ScipyOptimizerInterface(w)", "scipy"),
    ],
)
def test_an_extra_that_a_program_needs(run, tmp_path, text, line, extra):
    done = run(text % line)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1 and f"tf1ref[{extra}]" in done.stderr
    assert done.stderr.startswith("tf1ref: program.py:") and done.stdout == ""
    assert os.listdir(tmp_path) == ["program.py"]


def test_a_program_may_do_without_the_extra(run):
    tried = "try:\n    import keras\nexcept ImportError:\n    print('without')"
    done = run(f"{WITHOUT_KERAS}\nimport tensorflow as tf\n{tried}\n")
    assert (done.returncode, done.stdout) == (0, "without\n"), done.stderr


def test_python_2_without_its_translator(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.py").write_text("open('written', 'w')\nprint 'two'\n")
    monkeypatch.setattr(python2, "can_translate", lambda: False)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.setattr(sys, "argv", ["exec", "--", "old.py"])
    assert executing.main() == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and "old.py:2" in said.err and "tf1ref[python2]" in said.err
    assert os.listdir(tmp_path) == ["old.py"]
