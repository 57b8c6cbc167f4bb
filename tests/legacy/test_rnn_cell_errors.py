"""legacy/rnn_cell: TF1's kinds of error, with the variable's or the cell's name."""

import re

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.rnn import GRUBlockCell, LSTMBlockFusedCell, stack_bidirectional_dynamic_rnn
from tf1ref.legacy.nn import rnn_cell

SERIES = np.random.RandomState(7).randn(4, 9, 3).astype("float32")
LSTM, GRU = rnn_cell.BasicLSTMCell, rnn_cell.GRUCell


def step(cell, inputs=SERIES[:, 0], state=None):
    return cell(v1.constant(inputs), cell.zero_state(4, v1.float32) if state is None else state)


def dynamic(*cells):
    for cell in cells:
        v1.nn.dynamic_rnn(cell, SERIES, dtype=v1.float32)


ERRORS = {
    "a second cell of one name": (lambda: dynamic(LSTM(4), LSTM(4)), ValueError, "rnn/basic_lstm_cell/kernel already"),
    "reuse of nothing": (lambda: step(GRU(4, reuse=True)), ValueError, "gru_cell/gates/kernel does not exist"),
    "one cell for two layers": (
        lambda: dynamic(rnn_cell.MultiRNNCell([LSTM(4)] * 2)), ValueError,
        r"axis 1 to have 3 elements, found 4 \(rnn/multi_rnn_cell/cell_0/basic_lstm_cell/kernel:0 was made for it\)",
    ),
    "mixed dtypes": (
        lambda: step(LSTM(4), SERIES[:, 0].astype("float64")), TypeError,
        "basic_lstm_cell/kernel:0 is float64, its state are float32",
    ),
    "inputs of another dtype": (
        lambda: step(GRU(4, dtype=v1.float32), SERIES[:, 0].astype("float64")), TypeError,
        "gru_cell/gates/kernel:0 is float32, its inputs are float64",
    ),
    "rank 3": (lambda: step(LSTM(4), SERIES), ValueError, "basic_lstm_cell .*expected ndim=2, found ndim=3"),
    "an unknown depth": (
        lambda: GRU(4)(v1.placeholder(v1.float32, [4, None]), v1.zeros([4, 4])), ValueError, "gru_cell.* to be known",
    ),
    "a state of another size": (lambda: step(GRU(4), state=v1.zeros([4, 5])), ValueError, "gru_cell/MatMul"),
    "integers": (lambda: step(LSTM(4), np.ones([4, 3], "int32")), ValueError, "floating point.*int32"),
    "integers as dtype": (lambda: LSTM(4, dtype=v1.int32), ValueError, "floating point.*int32"),
    "no cells": (lambda: rnn_cell.MultiRNNCell([]), ValueError, "at least one cell"),
    "a cell that is no list": (lambda: rnn_cell.MultiRNNCell(LSTM(4)), TypeError, "list or tuple"),
    "tuples in one state": (
        lambda: rnn_cell.MultiRNNCell([LSTM(4)], state_is_tuple=False), ValueError, "return tuples of states",
    ),
    "a state that is no tuple": (
        lambda: step(rnn_cell.MultiRNNCell([GRU(4)]), state=v1.zeros([4, 4])), ValueError, "tuple of length 1",
    ),
    "a probability": (lambda: rnn_cell.DropoutWrapper(LSTM(4), 1.5), ValueError, "input_keep_prob.*between 0 and 1"),
    "a wrapped nothing": (lambda: rnn_cell.DropoutWrapper(4), TypeError, "not an RNNCell: it has no output_size"),
    "variational without dtype": (
        lambda: rnn_cell.DropoutWrapper(LSTM(4), variational_recurrent=True), ValueError, "needs dtype",
    ),
    "variational without a size": (
        lambda: rnn_cell.DropoutWrapper(LSTM(4), 0.5, variational_recurrent=True, dtype="float32"), ValueError,
        "needs input_size",
    ),
    "a residual of another size": (lambda: step(rnn_cell.ResidualWrapper(LSTM(4))), ValueError, "incompatible"),
    "both sizes": (lambda: GRUBlockCell(4, cell_size=4), ValueError, "Exactly one"),
    "a fused cell without state": (lambda: LSTMBlockFusedCell(4)(SERIES), ValueError, "initial_state or dtype"),
    "rank 2 into a fused cell": (
        lambda: LSTMBlockFusedCell(4)(SERIES[0], dtype=v1.float32), ValueError, "lstm_fused_cell .*found ndim=2",
    ),
    "a state of two dtypes": (
        lambda: rnn_cell.LSTMStateTuple(v1.zeros([1]), v1.zeros([1], "int32")).dtype, TypeError, "Inconsistent",
    ),
    "stacks of two depths": (
        lambda: stack_bidirectional_dynamic_rnn([LSTM(4)] * 2, [LSTM(4)], SERIES), ValueError, "same depth: 2 and 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_refused(case):
    build, error, message = ERRORS[case]
    with v1.Graph().as_default(), pytest.raises(error) as caught:
        build()
    assert re.search(message, str(caught.value)), str(caught.value)
