"""Fused cells of tf.contrib.rnn: objects that run all the steps in one call."""

import tensorflow.compat.v1 as v1


class FusedRNNCell:
    """The base class. A call takes inputs [time, batch, depth], or a list of [batch, depth], and returns the like.

    Its other arguments are those of FusedRNNCellAdaptor's call. It returns (outputs, last state).
    """

    def __call__(self, inputs, initial_state=None, dtype=None, sequence_length=None, scope=None):
        raise NotImplementedError(f"{type(self).__name__} must define __call__")


class FusedRNNCellAdaptor(FusedRNNCell):
    """Runs a cell over all the steps, by dynamic_rnn or by static_rnn."""

    def __init__(self, cell, use_dynamic_rnn=False):
        self._cell, self._use_dynamic_rnn = cell, use_dynamic_rnn

    def __call__(self, inputs, initial_state=None, dtype=None, sequence_length=None, scope=None):
        """Returns (outputs, last state). Either initial_state or dtype is needed. sequence_length: [batch]."""
        is_list = isinstance(inputs, list)
        options = {
            "initial_state": initial_state, "dtype": dtype, "sequence_length": sequence_length, "scope": scope
        }  # fmt: skip
        if self._use_dynamic_rnn:
            inputs = v1.stack(inputs) if is_list else inputs
            outputs, state = v1.nn.dynamic_rnn(self._cell, inputs, time_major=True, **options)
            return v1.unstack(outputs) if is_list else outputs, state
        outputs, state = v1.nn.static_rnn(self._cell, inputs if is_list else v1.unstack(inputs), **options)
        return outputs if is_list else v1.stack(outputs), state


class TimeReversedFusedRNN(FusedRNNCell):
    """Runs a fused cell from the last step to the first. Outputs are in the order of the inputs.

    Only the first sequence_length steps of a row are reversed. A list of inputs is reversed as a whole.
    """

    def __init__(self, cell):
        self._cell = cell

    def __call__(self, inputs, initial_state=None, dtype=None, sequence_length=None, scope=None):
        outputs, state = self._cell(
            _reversed(inputs, sequence_length),
            initial_state=initial_state,
            dtype=dtype,
            sequence_length=sequence_length,
            scope=scope,
        )
        return _reversed(outputs, sequence_length), state


def _reversed(steps, lengths):
    if isinstance(steps, list):
        return steps[::-1]
    if lengths is None:
        return v1.reverse_v2(steps, [0])
    return v1.reverse_sequence(steps, lengths, seq_axis=0, batch_axis=1)
