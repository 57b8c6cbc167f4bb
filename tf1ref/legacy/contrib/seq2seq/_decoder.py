"""tf.contrib.seq2seq's loop: dynamic_decode runs a Decoder until all its sequences are finished."""

import contextlib
from collections import namedtuple

import tensorflow.compat.v1 as v1
from tensorflow.python.framework import tensor_util
from tensorflow.python.util import nest

from tf1ref.legacy._layer import Layer
from tf1ref.legacy.contrib.seq2seq._helpers import Helper, transpose_batch_time
from tf1ref.legacy.nn.rnn_cell._base import assert_like_rnncell, zeros


class Decoder:
    """The base class: initialize() -> (finished, inputs, state), step(...) -> (outputs, state, inputs, finished).

    output_size and output_dtype are nests like the outputs. If finalize(outputs, final_state, sequence_lengths) exists,
    it makes the final outputs and state.
    """

    @property
    def batch_size(self):
        """The batch size, a scalar tensor."""
        raise NotImplementedError

    @property
    def output_size(self):
        """The sizes of the outputs, without the batch: a nest like the outputs."""
        raise NotImplementedError

    @property
    def output_dtype(self):
        """The dtypes of the outputs: a nest like the outputs."""
        raise NotImplementedError

    @property
    def tracks_own_finished(self):
        """True when `finished` of a step holds for all sequences, as in a decoder whose sequences change places."""
        return False

    def initialize(self, name=None):
        """Returns (finished, inputs, state) before the first step."""
        raise NotImplementedError

    def step(self, time, inputs, state, name=None):
        """Computes one step. Returns (outputs, state, inputs of the next step, finished)."""
        raise NotImplementedError

    def finalize(self, outputs, final_state, sequence_lengths):
        """Returns (outputs, final_state) after the last step."""
        raise NotImplementedError


class BasicDecoderOutput(namedtuple("BasicDecoderOutput", ("rnn_output", "sample_id"))):
    """rnn_output: the cell's output, or output_layer's for it. sample_id: the helper's sample."""

    __slots__ = ()


class BasicDecoder(Decoder):
    """A cell that reads what its helper gives it. Raises TypeError for objects of other types."""

    def __init__(self, cell, helper, initial_state, output_layer=None):
        check_cell_and_layer(cell, output_layer)
        if not isinstance(helper, Helper):
            raise TypeError(f"helper must be a Helper, received: {type(helper)}")
        self._cell, self._helper = cell, helper
        self._initial_state, self._output_layer = initial_state, output_layer

    batch_size = property(lambda self: self._helper.batch_size)

    @property
    def output_size(self):
        return BasicDecoderOutput(rnn_output_size(self._cell, self._output_layer), self._helper.sample_ids_shape)

    @property
    def output_dtype(self):
        dtype = nest.flatten(self._initial_state)[0].dtype
        outputs = nest.map_structure(lambda _: dtype, rnn_output_size(self._cell, self._output_layer))
        return BasicDecoderOutput(outputs, self._helper.sample_ids_dtype)

    def initialize(self, name=None):
        return (*self._helper.initialize(), self._initial_state)

    def step(self, time, inputs, state, name=None):
        with v1.name_scope(name, "BasicDecoderStep"):
            outputs, state = self._cell(inputs, state)
            if self._output_layer is not None:
                outputs = self._output_layer(outputs)
            ids = self._helper.sample(time=time, outputs=outputs, state=state)
            finished, inputs, state = self._helper.next_inputs(
                time=time, outputs=outputs, state=state, sample_ids=ids
            )  # fmt: skip
        return BasicDecoderOutput(outputs, ids), state, inputs, finished


def check_cell_and_layer(cell, output_layer):
    """Raises TypeError for a cell that is not an RNN cell, and for an output layer that is not a tf.layers.Layer."""
    assert_like_rnncell("cell", cell)
    if output_layer is not None and not isinstance(output_layer, Layer):
        raise TypeError(f"output_layer must be a Layer, received: {type(output_layer)}")


def rnn_output_size(cell, output_layer):
    """Returns the size of the cell's output, or of output_layer's for it, as a nest of integers or TensorShapes."""
    if output_layer is None:
        return cell.output_size
    return nest.map_structure(
        lambda size: output_layer.compute_output_shape(v1.TensorShape([None]).concatenate(size))[1:], cell.output_size
    )


def dynamic_decode(
    decoder,
    output_time_major=False,
    impute_finished=False,
    maximum_iterations=None,
    parallel_iterations=32,
    swap_memory=False,
    scope=None,
):
    """Runs the steps of a decoder until all sequences are finished, or maximum_iterations times.

    impute_finished: finished sequences keep their state and give zeros, so that no gradient passes through later steps.
    Returns (outputs, the last state, the lengths [batch]). Outputs are [batch, time, ...], or time first with
    output_time_major. Raises TypeError for an object that is not a Decoder, and ValueError for maximum_iterations that
    is not a scalar.
    """
    if not isinstance(decoder, Decoder):
        raise TypeError(f"Expected decoder to be type Decoder, but saw: {type(decoder)}")
    with v1.variable_scope(scope, "decoder"):
        maximum_iterations = _limit(maximum_iterations)
        finished, inputs, state = decoder.initialize()
        if maximum_iterations is not None:
            finished = v1.logical_or(finished, maximum_iterations <= 0)
        lengths = v1.zeros_like(finished, dtype=v1.int32)
        arrays = _for_outputs(decoder, _array)
        _, arrays, state, _, _, lengths = v1.while_loop(
            lambda time, arrays, state, inputs, finished, lengths: v1.logical_not(v1.reduce_all(finished)),
            _body(decoder, impute_finished),
            (v1.constant(0), arrays, state, inputs, finished, lengths),
            parallel_iterations=parallel_iterations,
            swap_memory=swap_memory,
            maximum_iterations=maximum_iterations,
        )
        outputs = nest.map_structure(lambda array: array.stack(), arrays)
        with contextlib.suppress(NotImplementedError):
            outputs, state = decoder.finalize(outputs, state, lengths)
        if not output_time_major:
            outputs = nest.map_structure(transpose_batch_time, outputs)
    return outputs, state, lengths


def _body(decoder, impute_finished):
    """Returns the loop's body: (time, arrays, state, inputs, finished, lengths) -> the same, one step later."""
    nothing = _for_outputs(decoder, zeros) if impute_finished else None

    def body(time, arrays, state, inputs, finished, lengths):
        outputs, next_state, next_inputs, now_finished = decoder.step(time, inputs, state)
        if not decoder.tracks_own_finished:
            now_finished = v1.logical_or(now_finished, finished)
        lengths = v1.where(finished, lengths, v1.fill(v1.shape(lengths), time + 1))
        nest.assert_same_structure(state, next_state)
        nest.assert_same_structure(arrays, outputs)
        nest.assert_same_structure(inputs, next_inputs)
        if impute_finished:
            outputs = nest.map_structure(lambda new, zero: v1.where(finished, zero, new), outputs, nothing)
            next_state = nest.map_structure(lambda new, old: _kept(finished, new, old), next_state, state)
        arrays = nest.map_structure(lambda array, output: array.write(time, output), arrays, outputs)
        return time + 1, arrays, next_state, next_inputs, now_finished, lengths

    return body


def _kept(finished, new, old):
    """Returns `old` for finished sequences, and `new` for the rest. Scalars and TensorArrays are always new."""
    if isinstance(old, v1.TensorArray):
        return new
    new.set_shape(old.get_shape())
    return new if new.get_shape().ndims == 0 else v1.where(finished, old, new)


def _limit(maximum_iterations):
    if maximum_iterations is None:
        return None
    limit = v1.convert_to_tensor(maximum_iterations, v1.int32, name="maximum_iterations")
    if limit.get_shape().ndims != 0:
        raise ValueError("maximum_iterations must be a scalar")
    return limit


def _for_outputs(decoder, make):
    """Returns what make(size, batch size, dtype) returns for each output of the decoder."""
    return nest.map_structure(
        lambda size, dtype: make(size, decoder.batch_size, dtype), decoder.output_size, decoder.output_dtype
    )


def _array(size, batch_size, dtype):
    # A size that is not a TensorShape may be wrong: some helpers say [] and return rows.
    if isinstance(size, v1.TensorShape) and size.ndims != 0:
        shape = v1.TensorShape([tensor_util.constant_value(v1.convert_to_tensor(batch_size))]).concatenate(size)
    else:
        shape = v1.TensorShape(None)
    return v1.TensorArray(dtype, size=0, dynamic_size=True, element_shape=shape)
