"""contrib.rnn's bidirectional networks of several layers. Each layer reads both directions of the one below."""

import tensorflow.compat.v1 as v1


def stack_bidirectional_rnn(
    cells_fw,
    cells_bw,
    inputs,
    initial_states_fw=None,
    initial_states_bw=None,
    dtype=None,
    sequence_length=None,
    scope=None,
):
    """Applies static_bidirectional_rnn for each pair of cells. inputs: a list of [batch, depth].

    Returns (list of [batch, forward + backward], tuple of the layers' forward states, tuple of the backward ones).
    Raises ValueError when the lists of cells differ in length, or when the states given are fewer or more than the
    layers.
    """
    _check(cells_fw, cells_bw, initial_states_fw, initial_states_bw)
    states_fw, states_bw = [], []
    with v1.variable_scope(scope or "stack_bidirectional_rnn"):
        for number, (cell_fw, cell_bw) in enumerate(zip(cells_fw, cells_bw)):
            with v1.variable_scope(f"cell_{number}") as cell_scope:
                inputs, state_fw, state_bw = v1.nn.static_bidirectional_rnn(
                    cell_fw, cell_bw, inputs, _at(initial_states_fw, number), _at(initial_states_bw, number), dtype,
                    sequence_length, cell_scope,
                )  # fmt: skip
            states_fw.append(state_fw)
            states_bw.append(state_bw)
    return inputs, tuple(states_fw), tuple(states_bw)


def stack_bidirectional_dynamic_rnn(
    cells_fw,
    cells_bw,
    inputs,
    initial_states_fw=None,
    initial_states_bw=None,
    dtype=None,
    sequence_length=None,
    parallel_iterations=None,
    time_major=False,
    scope=None,
    swap_memory=False,
):
    """Applies bidirectional_dynamic_rnn for each pair of cells.

    inputs: [batch, time, depth], or [time, batch, depth] with time_major.
    Returns and raises what stack_bidirectional_rnn does, with one tensor of outputs instead of a list.
    """
    _check(cells_fw, cells_bw, initial_states_fw, initial_states_bw)
    states_fw, states_bw = [], []
    with v1.variable_scope(scope or "stack_bidirectional_rnn"):
        for number, (cell_fw, cell_bw) in enumerate(zip(cells_fw, cells_bw)):
            with v1.variable_scope(f"cell_{number}"):
                outputs, (state_fw, state_bw) = v1.nn.bidirectional_dynamic_rnn(
                    cell_fw, cell_bw, inputs, sequence_length, _at(initial_states_fw, number),
                    _at(initial_states_bw, number), dtype, parallel_iterations, swap_memory, time_major,
                )  # fmt: skip
                inputs = v1.concat(outputs, 2)
            states_fw.append(state_fw)
            states_bw.append(state_bw)
    return inputs, tuple(states_fw), tuple(states_bw)


def _at(states, number):
    return states[number] if states else None


def _check(cells_fw, cells_bw, *initial_states):
    for cells, what in ((cells_fw, "fw"), (cells_bw, "bw")):
        if not cells or not isinstance(cells, list):
            raise ValueError(f"cells_{what} must be a list of RNNCells (one per layer).")
    if len(cells_fw) != len(cells_bw):
        raise ValueError(f"Forward and Backward cells must have the same depth: {len(cells_fw)} and {len(cells_bw)}.")
    for states in initial_states:
        if states is not None and len(states) != len(cells_fw):
            raise ValueError(f"initial states: one per layer, {len(cells_fw)}; got {len(states)}.")
