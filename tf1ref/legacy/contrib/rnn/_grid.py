"""contrib.rnn's LSTMs over time and frequency: TimeFreqLSTMCell, GridLSTMCell and BidirectionalGridLSTMCell."""

from collections import namedtuple

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.rnn._grid_steps import Steps, windows
from tf1ref.legacy.contrib.rnn._sharded import sharded
from tf1ref.legacy.nn.rnn_cell._base import RNNCell


class TimeFreqLSTMCell(RNNCell):
    """One LSTM that goes over windows of the features (Li et al., 2016), and sees the output of the window below.

    The windows of feature_size features begin at every frequency_skip features. The state is [c, h] of each window in
    one tensor, and the output is the h of each. As in TF1, state_size is 2 * num_units for any number of windows.
    Give the state of several windows yourself. `initializer` has no effect, as in TF 1.15.
    """

    def __init__(
        self,
        num_units,
        use_peepholes=False,
        cell_clip=None,
        initializer=None,
        num_unit_shards=1,
        forget_bias=1.0,
        feature_size=None,
        frequency_skip=1,
        reuse=None,
    ):
        super().__init__(_reuse=reuse)
        self._num_units, self._use_peepholes, self._cell_clip = num_units, use_peepholes, cell_clip
        self._shards, self._forget_bias = num_unit_shards, forget_bias
        self._feature_size, self._frequency_skip = feature_size, frequency_skip

    output_size = property(lambda self: self._num_units)
    state_size = property(lambda self: 2 * self._num_units)

    def call(self, inputs, state):
        units, dtype = self._num_units, inputs.dtype
        kernel = sharded("W", [self._feature_size + 2 * units, 4 * units], dtype, self._shards)
        bias = v1.get_variable("B", [4 * units], dtype, v1.zeros_initializer())
        diagonals = [0.0] * 3
        if self._use_peepholes:
            diagonals = [v1.get_variable(f"W_{gate}_diag", [units], dtype) for gate in "FIO"]
        below, states, outputs = v1.zeros([v1.shape(inputs)[0], units], dtype), [], []
        for number, window in enumerate(windows(inputs, self._feature_size, self._frequency_skip)):
            c, h = (v1.slice(state, [0, (2 * number + part) * units], [-1, units]) for part in (0, 1))
            gates = v1.nn.bias_add(v1.matmul(v1.concat([window, h, below], 1), kernel), bias)
            c, below = self._step(v1.split(gates, 4, axis=1), c, diagonals)
            states += [c, below]
            outputs.append(below)
        return v1.concat(outputs, 1), v1.concat(states, 1)

    def _step(self, gates, c, diagonals):
        i, j, f, o = gates
        seen_f, seen_i, seen_o = diagonals
        f = f + self._forget_bias
        if self._use_peepholes:
            f, i = f + seen_f * c, i + seen_i * c
        next_c = v1.sigmoid(f) * c + v1.sigmoid(i) * v1.tanh(j)
        if self._cell_clip is not None:
            next_c = v1.clip_by_value(next_c, -self._cell_clip, self._cell_clip)
        return next_c, v1.sigmoid(o + seen_o * next_c if self._use_peepholes else o) * v1.tanh(next_c)


class GridLSTMCell(RNNCell):
    """A grid of LSTMs over time and frequency (Kalchbrenner et al., 2015; Sainath and Li, 2016).

    num_frequency_blocks: a list with the number of windows of each block. A window has feature_size features and begins
    frequency_skip after the one before. start_freqindex_list, end_freqindex_list: the features of each block. Without
    them one block has all features. share_time_frequency_weights: one set of weights for both directions.
    couple_input_forget_gates: the forget gate is 1 - the input gate. The output is [h of time, h of frequency] of each
    window, and the state a named tuple of state_f00_b00_c, state_f00_b00_m and so on. With state_is_tuple=False it is
    one tensor, from which every block reads the first one's part, as in TF1.
    `initializer` has no effect, as in TF 1.15. Raises ValueError for numbers of windows that do not fit the inputs.
    """

    def __init__(
        self,
        num_units,
        use_peepholes=False,
        share_time_frequency_weights=False,
        cell_clip=None,
        initializer=None,
        num_unit_shards=1,
        forget_bias=1.0,
        feature_size=None,
        frequency_skip=None,
        num_frequency_blocks=None,
        start_freqindex_list=None,
        end_freqindex_list=None,
        couple_input_forget_gates=False,
        state_is_tuple=True,
        reuse=None,
    ):
        super().__init__(_reuse=reuse)
        if num_frequency_blocks is None:
            raise ValueError("Must specify num_frequency_blocks")
        self._num_units, self._state_is_tuple = num_units, state_is_tuple
        self._feature_size, self._frequency_skip = feature_size, frequency_skip
        self._blocks = [int(count) for count in num_frequency_blocks]
        self._starts, self._ends = start_freqindex_list, end_freqindex_list
        self._options = {
            "units": num_units, "peepholes": use_peepholes, "shared": share_time_frequency_weights, "clip": cell_clip,
            "shards": num_unit_shards, "forget_bias": forget_bias, "coupled": couple_input_forget_gates,
        }  # fmt: skip
        self._state_tuple_type = namedtuple("GridLSTMStateTuple", self._names("state")) if state_is_tuple else None
        self._total = sum(self._blocks)

    state_tuple_type = property(lambda self: self._state_tuple_type)
    output_size = property(lambda self: 2 * self._num_units * self._total)

    @property
    def state_size(self):
        if self._state_tuple_type is None:
            return 2 * self._num_units * self._total
        return self._state_tuple_type(*[self._num_units] * len(self._state_tuple_type._fields))

    def call(self, inputs, state):
        outputs, states = self._compute(self._features(inputs), state, "state")
        packed = self._state_tuple_type(*states) if self._state_is_tuple else v1.concat(states, 1)
        return v1.concat(outputs, 1), packed

    def _names(self, prefix):
        windows = [(window, block) for block, count in enumerate(self._blocks) for window in range(count)]
        return [f"{prefix}_f{window:02d}_b{block:02d}_{part}" for window, block in windows for part in "cm"]

    def _compute(self, features, state, prefix):
        """Returns the outputs and the states of all blocks, as lists."""
        outputs, states = [], []
        for block, block_windows in enumerate(features):
            parts = [self._part(state, number, block, prefix) for number in range(len(block_windows))]
            found = Steps(block, block_windows[0], **self._options)(block_windows, parts)
            outputs += found[0]
            states += found[1]
        return outputs, states

    def _part(self, state, number, block, prefix):
        """Returns c and h of one window."""
        if self._state_is_tuple:
            return tuple(getattr(state, f"{prefix}_f{number:02d}_b{block:02d}_{part}") for part in "cm")
        units = self._num_units
        return tuple(v1.slice(state, [0, (2 * number + part) * units], [-1, units]) for part in (0, 1))

    def _features(self, inputs, offset=0):
        """Returns the windows of each block. offset: moves them up by so many features, or down when it is negative."""
        size, starts, ends = inputs.get_shape().with_rank(2).as_list()[1], self._starts, self._ends
        if size is None:
            raise ValueError("Cannot infer input_size from static shape inference.")
        if not starts:
            starts, ends = [0], [size]
        if not len(self._blocks) == len(starts) == len(ends or []):
            raise ValueError(
                f"num_frequency_blocks, start_freqindex_list and end_freqindex_list must have one length; they have "
                f"{len(self._blocks)}, {len(starts)} and {len(ends or [])}"
            )
        if offset:
            inputs = v1.pad(inputs, [[0, 0], [max(-offset, 0), max(offset, 0)]])
        features = []
        for count, start, end in zip(self._blocks, starts, ends):
            moved = start + max(offset, 0)
            found = windows(inputs, self._feature_size, self._frequency_skip, moved, end - start)
            if len(found) != count:
                raise ValueError(
                    f"Invalid num_frequency_blocks, requires {count} but gets {len(found)}, please check the input "
                    "size and filter config are correct."
                )
            features.append(found)
        return features


class BidirectionalGridLSTMCell(GridLSTMCell):
    """GridLSTMCell over the windows from the first to the last (fwd), and from the last to the first (bwd).

    backward_slice_offset: moves the windows of the second direction. The state is a named tuple of
    fwd_state_f00_b00_c and so on, then bwd_state_f00_b00_c and so on.
    """

    def __init__(
        self,
        num_units,
        use_peepholes=False,
        share_time_frequency_weights=False,
        cell_clip=None,
        initializer=None,
        num_unit_shards=1,
        forget_bias=1.0,
        feature_size=None,
        frequency_skip=None,
        num_frequency_blocks=None,
        start_freqindex_list=None,
        end_freqindex_list=None,
        couple_input_forget_gates=False,
        backward_slice_offset=0,
        reuse=None,
    ):
        super().__init__(
            num_units, use_peepholes, share_time_frequency_weights, cell_clip, initializer, num_unit_shards,
            forget_bias, feature_size, frequency_skip, num_frequency_blocks, start_freqindex_list, end_freqindex_list,
            couple_input_forget_gates, True, reuse,
        )  # fmt: skip
        self._offset, self._total = int(backward_slice_offset), 2 * self._total
        names = [name for direction in ("fwd", "bwd") for name in self._names(f"{direction}_state")]
        self._state_tuple_type = namedtuple("BidirectionalGridLSTMStateTuple", names)

    def call(self, inputs, state):
        forward = self._features(inputs)
        backward = self._features(inputs, self._offset) if self._offset else forward
        with v1.variable_scope("fwd"):
            outputs, states = self._compute(forward, state, "fwd_state")
        with v1.variable_scope("bwd"):
            found = self._compute([block[::-1] for block in backward], state, "bwd_state")
        return v1.concat(outputs + found[0], 1), self._state_tuple_type(*states, *found[1])
