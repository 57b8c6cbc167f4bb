"""contrib.eager: variables by their names in checkpoints, stores of variables, and tests that run in both modes."""

import unittest

import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy import layers
from tf1ref.legacy.contrib import eager as tfe


@pytest.fixture
def checkpoint(tmp_path):
    """The prefix of a checkpoint that holds a = 1, b = [2, 3]."""
    a, b = tfe.Variable(1.0, name="a"), tfe.Variable([2.0, 3.0], name="b")
    return tfe.Saver([a, b]).save(str(tmp_path / "c"), global_step=7)


def test_a_saver_needs_eager_execution(checkpoint):
    assert checkpoint.endswith("c-7")
    a = tfe.Variable(0.0, name="a")
    tfe.Saver([a]).restore(checkpoint)
    assert a.numpy() == 1.0
    with v1.Graph().as_default(), pytest.raises(RuntimeError, match="eager execution"):
        tfe.Saver([])


def test_variables_are_restored_as_they_are_made(checkpoint):
    with tfe.restore_variables_on_create(checkpoint):
        a, b = tfe.Variable(9.0, name="a"), v1.get_variable("b", [2], use_resource=True)
        assert a.numpy() == 1.0 and b.numpy().tolist() == [2.0, 3.0]
        assert tfe.Variable(9.0, name="a").numpy() == 9.0
        with pytest.raises(tf.errors.NotFoundError, match="z not found"):
            tfe.Variable(0.0, name="z")
    assert tfe.Variable(9.0, name="a").numpy() == 9.0


def test_a_function_gives_the_names_in_the_checkpoint(checkpoint):
    with tfe.restore_variables_on_create(checkpoint, map_func=lambda name: name.removeprefix("new_")):
        assert tfe.Variable(9.0, name="new_a").numpy() == 1.0
    with tfe.restore_variables_on_create(None):
        assert tfe.Variable(9.0, name="z").numpy() == 9.0


@pytest.mark.parametrize("is_eager", [True, False])
def test_what_cannot_be_restored_is_refused(checkpoint, is_eager):
    with v1.Graph().as_default() if not is_eager else tf.name_scope("here"):
        says = "must be callable" if is_eager else "eager execution"
        with pytest.raises(ValueError, match=says), tfe.restore_variables_on_create(checkpoint, map_func=3):
            pass


def test_a_store_keeps_the_variables_of_functional_layers():
    store = tfe.EagerVariableStore()
    for _ in range(2):
        with store.as_default():
            layers.dense(tf.ones([1, 3]), 2, name="dense")
    assert sorted(v.name for v in store.trainable_variables()) == ["dense/bias:0", "dense/kernel:0"]


def test_a_test_runs_in_both_modes():
    modes = []

    class Test(tf.test.TestCase):
        @tfe.run_test_in_graph_and_eager_modes
        def test_mode(self):
            modes.append(tfe.executing_eagerly())

    unittest.defaultTestLoader.loadTestsFromTestCase(Test)(result := unittest.TestResult())
    assert result.wasSuccessful() and sorted(modes) == [False, True]


def test_an_iterator_goes_on_from_a_checkpoint(tmp_path):
    numbers = tfe.Iterator(tf.data.Dataset.range(5))
    assert [int(numbers.next()), int(numbers.get_next())] == [0, 1]
    path = tfe.Checkpoint(numbers=numbers).save(str(tmp_path / "c"))
    again = tfe.Iterator(tf.data.Dataset.range(5))
    tfe.Checkpoint(numbers=again).restore(path)
    assert [int(n) for n in again] == [int(n) for n in numbers] == [2, 3, 4]


def test_a_mean_in_a_graph_and_eagerly(tmp_path):
    mean = tfe.metrics.Mean("two words")
    mean([1, 10, 100])
    path = tfe.Checkpoint(mean=mean).save(str(tmp_path / "c"))
    mean(1000)
    assert float(mean.result()) == 1111 / 4 and mean.numer.name == "two_words/numer:0"
    tfe.Checkpoint(mean=mean).restore(path)
    assert float(mean.value()()) == 37
    mean.init_variables()
    mean([2, 4], weights=[1, 3])
    assert float(mean.result()) == 3.5
    with v1.Graph().as_default(), v1.Session() as session:
        mean, values = tfe.metrics.Mean(), v1.placeholder(v1.float32)
        add, start = mean(values), mean.init_variables()
        assert v1.local_variables() == mean.variables and not v1.global_variables()
        for _ in range(2):
            session.run(start)
            session.run(add, {values: [1, 10, 100]})
            session.run(add, {values: 1000})
            assert session.run(mean.value()) == 1111 / 4
        with pytest.raises(ValueError, match="already exists"):
            tfe.metrics.Mean()(values)
