"""TF1's dynamic_rnn and static_rnn for tf.function code: the steps of a cell over a series."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.modules._layer import Layer
from tf1ref.modules._types import State, Tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class RNN(Layer):
    """Runs a cell along a series. Its variables are `<name>/<cell's own>`, such as rnn/basic_lstm_cell/kernel.

    unroll: False (the default) computes the steps in a tf.while_loop (tf.nn.dynamic_rnn), for series of any length.
    True writes the steps out one by one (tf.nn.static_rnn). It needs a known length, takes longer to trace and runs
    faster.
    time_major: True means inputs and outputs of [time, batch, size], which saves two transpositions. False (the
    default) means [batch, time, size].
    parallel_iterations: how many steps of the loop may run at once (default: 32). Stacked cells gain by it.

    >>> from tf1ref.modules.rnn import BasicLSTMCell
    >>> network = RNN(BasicLSTMCell(4)).create(3)
    >>> outputs, state = network(tf.zeros([2, 5, 3]))
    >>> print(outputs.shape, state.h.shape)
    (2, 5, 4) (2, 4)
    """

    def __init__(
        self,
        cell: Layer,
        unroll: bool = False,
        time_major: bool = False,
        parallel_iterations: int = 32,
        name: str = "rnn",
    ) -> None:
        super().__init__(name, cell.dtype)
        self.cell, self.unroll, self.time_major = cell, unroll, time_major
        self.parallel_iterations = parallel_iterations

    def create(self, depth: int) -> "Self":
        """Makes the cell's variables for inputs of [..., depth]; returns the network."""
        self.cell.create(depth, self.scope)
        return self

    def variables_by_name(self) -> dict[str, tf.Variable]:
        """Returns {checkpoint name: variable} of the cell."""
        return self.cell.variables_by_name()

    def __call__(
        self, inputs: tf.Tensor, initial_state: State | None = None, sequence_length: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Returns (outputs, the state after the last step).

        initial_state: the state before the first step; None (the default) means zeros.
        sequence_length: [batch] integers. After its own length, a row's outputs are 0 and its state stays the last
        valid one.
        Raises ValueError for inputs or states that do not fit.
        """
        inputs = tf.convert_to_tensor(inputs)
        if inputs.shape.rank != 3:
            raise ValueError(f"{self.scope}: its inputs must be of rank 3, not {inputs.shape}")
        series = inputs if self.time_major else tf.transpose(inputs, [1, 0, 2])
        batch = tf.shape(series)[1] if series.shape[1] is None else series.shape[1]
        self.cell.new_series()
        state = self.cell.zero_state(batch) if initial_state is None else initial_state
        if sequence_length is not None:
            sequence_length = self._checked_lengths(sequence_length, series.shape[1])
        outputs, state = (_written_out if self.unroll else _looped)(self, series, state, sequence_length, batch)
        return (outputs if self.time_major else tf.transpose(outputs, [1, 0, 2])), state

    def _checked_lengths(self, lengths: Any, batch: Any) -> Tensor:
        lengths = tf.cast(lengths, tf.int32)
        if not lengths.shape.is_compatible_with([batch]):
            raise ValueError(f"{self.scope}: sequence_length must be [{batch}], one for each row, not {lengths.shape}")
        return lengths


def _looped(rnn: Layer, series: Tensor, state: State, lengths: Any, batch: Any) -> tuple[Tensor, State]:
    """Computes the steps in a loop that ends with the longest row."""
    time_steps = tf.shape(series)[0] if series.shape[0] is None else series.shape[0]
    size = rnn.cell.output_size
    steps = tf.TensorArray(rnn.dtype, time_steps, element_shape=series.shape[1:]).unstack(series)
    outputs = tf.TensorArray(rnn.dtype, time_steps, element_shape=[series.shape[1], size])
    zeros = tf.zeros([batch, size], rnn.dtype)
    bound = time_steps if lengths is None else tf.minimum(time_steps, tf.maximum(1, tf.reduce_max(lengths)))

    def body(time: Any, outputs: Any, state: State) -> Any:
        # TF1's loops have this scope. The order in which gradients are summed depends on the names.
        with tf.name_scope(""):
            output, following = rnn.cell(steps.read(time), state)
            if lengths is not None:
                output, following = _passed_by(rnn, time, lengths, (zeros, state), (output, following))
            return time + 1, outputs.write(time, output), following

    _, outputs, state = tf.while_loop(
        lambda time, *_: time < bound,
        body,
        (tf.constant(0), outputs, state),
        parallel_iterations=rnn.parallel_iterations,
        maximum_iterations=time_steps,
    )
    stacked = outputs.stack()
    stacked.set_shape([series.shape[0], series.shape[1], size])
    return stacked, state


def _written_out(rnn: Layer, series: Tensor, state: State, lengths: Any, batch: Any) -> tuple[Tensor, State]:
    """Computes the steps one by one."""
    if series.shape[0] is None:
        raise ValueError(f"{rnn.scope}: unroll=True needs a known number of steps, but the inputs are {series.shape}")
    if tf.executing_eagerly():
        return _steps(rnn, series, state, lengths, batch)

    @tf.custom_gradient
    def forward(series: Tensor, *state_parts: Any) -> Any:
        parts = tf.nest.pack_sequence_as(state, state_parts)
        outputs, last = _steps(rnn, series, parts, lengths, batch)
        results = [outputs, *tf.nest.flatten(last)]

        def backward(*upstream: Any, variables: Sequence[tf.Variable] = ()) -> Any:
            sources = [series, *state_parts]
            # A tape names its ops differently from tf.gradients and v1.gradients, which changes the order of sums.
            gradients = tf.gradients(results, [*sources, *variables], upstream)
            return (gradients[: len(sources)], gradients[len(sources) :]) if variables else gradients

        return results, backward

    outputs, *last = forward(series, *tf.nest.flatten(state))
    return outputs, tf.nest.pack_sequence_as(state, last)


def _steps(rnn: Layer, series: Tensor, state: State, lengths: Any, batch: Any) -> tuple[Tensor, State]:
    """Returns the outputs of all steps, [time, batch, size], and the last state."""
    outputs, zeros = [], tf.zeros([batch, rnn.cell.output_size], rnn.dtype)
    if lengths is not None:
        shortest, longest = tf.reduce_min(lengths), tf.reduce_max(lengths)
    for time, inputs in enumerate(tf.unstack(series)):
        if lengths is None:
            output, state = rnn.cell(inputs, state)
        else:
            output, state = _step_or_none(rnn, time, inputs, lengths, shortest, longest, (zeros, state))
        outputs.append(output)
    return tf.stack(outputs), state


def _step_or_none(
    rnn: Layer, time: Any, inputs: tf.Tensor, lengths: Any, shortest: Any, longest: Any, before: State
) -> Any:
    """Computes one step for all rows, for some, or for none. The cell runs only when a row needs it."""

    def made() -> Any:
        after = rnn.cell(inputs, before[1])
        return tf.cond(time < shortest, lambda: after, lambda: _passed_by(rnn, time, lengths, before, after))

    return tf.cond(time >= longest, lambda: before, made)


def _passed_by(rnn: Layer, time: Any, lengths: Any, before: State, after: State) -> Any:
    """Returns the (output, state) of a step. Rows that have ended keep the state from before, and their output is 0."""
    done = time >= lengths
    # As in a cell: TF1's names of these ops sort before those of the cell's ops.
    with tf.name_scope(f"{rnn.scope}/"):
        return tf.nest.map_structure(lambda old, new: v1.where(done, old, new), before, after)
