"""parity.Trace: keys by kind, rows by step, values taken when they are given."""

import doctest

import numpy as np
import pytest

from tf1ref import parity
from tf1ref.parity import recorder


def test_the_example_in_its_docstring():
    assert doctest.testmod(recorder).attempted >= 4
    assert doctest.testmod(recorder).failed == 0


def test_every_kind_is_one_that_the_engine_orders():
    trace = parity.Trace()
    for kind in ("initial", "forward", "gradients", "slots", "final"):
        getattr(trace, kind)({"w": 1})
    trace.step(loss=1)
    assert {key.split("/")[0] for key in trace} | {""} == set(parity.ORDER)


def test_a_value_is_taken_when_it_is_given():
    import tensorflow as tf

    trace, array, variable = parity.Trace(), np.zeros(2, np.float32), tf.Variable([0.0, 0.0])
    trace.initial({"array": array, "variable": variable})
    trace.step(array=array)
    array += 1
    variable.assign([1.0, 1.0])
    trace.step(array=array)
    kept = trace.arrays()
    assert not kept["initial/array"].any() and not kept["initial/variable"].any()
    assert kept["steps/array"].tolist() == [[0, 0], [1, 1]] and kept["steps/array"].dtype == np.float32


def test_rows_of_different_shapes_are_refused():
    trace = parity.Trace()
    trace.step(x=[1.0])
    trace.step(x=[1.0, 2.0])
    with pytest.raises(ValueError, match="inhomogeneous"):
        trace.arrays()
