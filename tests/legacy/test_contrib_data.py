"""contrib.data's transformations that are gone: windows that overlap, and elements of a known shape."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import data


def listed(dataset):
    return [element.tolist() for element in dataset.as_numpy_iterator()]


@pytest.mark.parametrize(("size", "shift", "stride"), [(3, 1, 1), (3, 2, 1), (2, 1, 3), (2, 5, 2), (8, 1, 1)])
def test_windows_over_a_data_set(size, shift, stride):
    found = listed(v1.data.Dataset.range(7).apply(data.sliding_window_batch(size, shift, window_stride=stride)))
    starts = range(0, 7 - (size - 1) * stride, shift)
    assert found == [np.arange(7)[s : s + (size - 1) * stride + 1 : stride].tolist() for s in starts]
    with pytest.raises(ValueError, match="both `stride` and `window_shift`"):
        data.sliding_window_batch(size, shift, shift)


def test_windows_keep_the_structure():
    pairs = v1.data.Dataset.from_tensor_slices({"a": [[1, 2], [3, 4]], "b": [5.0, 6.0]})
    (found,) = pairs.apply(data.sliding_window_batch(2)).as_numpy_iterator()
    assert found["a"].tolist() == [[1, 2], [3, 4]] and found["b"].tolist() == [5, 6]


def test_elements_have_the_shape_that_is_said():
    batches = v1.data.Dataset.range(6).batch(2)
    known = batches.apply(data.assert_element_shape(v1.TensorShape([2])))
    assert known.element_spec.shape == [2] and listed(known) == [[0, 1], [2, 3], [4, 5]]
    pairs = v1.data.Dataset.zip((batches, batches)).apply(
        data.assert_element_shape((v1.TensorShape(None), v1.TensorShape([2])))
    )
    assert [spec.shape.as_list() for spec in pairs.element_spec] == [[None], [2]]
    with pytest.raises(ValueError, match="[Ss]hape"):
        known.apply(data.assert_element_shape(v1.TensorShape([3])))
    with pytest.raises(v1.errors.InvalidArgumentError, match=r"\[1\]|\[2\]"):
        listed(v1.data.Dataset.range(3).batch(2).apply(data.assert_element_shape(v1.TensorShape([2]))))


def test_a_data_set_is_reduced():
    reducer = data.Reducer(lambda _: np.int64(1), lambda product, value: product * (value + 1), lambda state: state)
    assert int(data.reduce_dataset(v1.data.Dataset.range(5), reducer)) == 120
    with pytest.raises(TypeError, match="must be"):
        data.reduce_dataset([1], reducer)
