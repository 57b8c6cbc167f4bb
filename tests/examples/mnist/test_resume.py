"""mnist.resume: training that stops and goes on is training that never stopped."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref import catalog
from tf1ref.errors import InputError
from tf1ref.examples.mnist import resume

HALVES = ("graph", "function")


def small_resume():
    """The program with a network that is quickly written as text."""
    return catalog.load("mnist.resume", {"HIDDEN_NODE": 8})


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_training_goes_on_where_another_process_left_it(half, tmp_path):
    run = getattr(small_resume(), f"run_{half}")
    run(steps=4, out=tmp_path)
    trace = run(steps=10, out=tmp_path)
    assert trace["steps/resumed_loss"].tolist() == trace["steps/loss"][4:].tolist()
    assert trace["resumed_from"] == 5 and trace["final/differing"] == 0 and trace["final/global_step"] == 10
    with pytest.raises(InputError, match="at step 10, past the 4"):
        run(steps=4, out=tmp_path)


@pytest.mark.slow
def test_each_half_goes_on_from_the_others_checkpoint(tmp_path):
    small = small_resume()
    small.run_graph(steps=4, out=tmp_path)
    assert small.run_function(steps=8, out=tmp_path)["final/differing"] == 0
    assert small.run_graph(steps=12, out=tmp_path)["final/differing"] == 0


@pytest.mark.slow
def test_weights_alone_are_not_enough_to_go_on(tmp_path, monkeypatch):
    # What `final/differing` has to see: Adam begins anew with the restored weights.
    def weights_only(sess, saver, folder):
        prefix = v1.train.latest_checkpoint(folder)
        if prefix:
            wanted = [*v1.trainable_variables(), v1.train.get_global_step()]
            v1.train.Saver(wanted).restore(sess, prefix)

    small = small_resume()
    monkeypatch.setattr(small, "restore_graph", weights_only)
    assert small.run_graph(steps=10)["final/differing"] >= 8


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_a_checkpoint_of_another_network_is_bad_input(half, tmp_path):
    getattr(catalog.load("mnist.resume", {"HIDDEN_NODE": 16}), f"run_{half}")(steps=2, out=tmp_path)
    with pytest.raises(InputError, match="mnist.ckpt-2"):
        getattr(resume, f"run_{half}")(steps=2, out=tmp_path)


def test_weights_as_text_are_read_back_to_the_bit():
    hard = np.float32([[1e-30, -0.1, 1 / 3], [16777217, 3.4e38, 1.17549435e-38], [0, -0.0, 1e-45]])
    text = resume.weights_as_text({"dense/kernel": hard, "dense/bias": np.float32([0.5])})
    assert text.startswith("dense/kernel\n(3, 3)\n[[")
    back = resume.weights_of_text(text)
    assert {name: value.tobytes() for name, value in back.items()} == {
        "dense/kernel": hard.tobytes(),
        "dense/bias": np.float32([0.5]).tobytes(),
    }
