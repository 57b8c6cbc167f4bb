"""tf.contrib.rnn: the cells of tf.nn.rnn_cell and contrib's own, and the functions that unroll them."""
# ruff: noqa: F401, F403 - this module re-exports names, as in TF1

from tensorflow.compat.v1.nn import static_bidirectional_rnn, static_rnn, static_state_saving_rnn

from tf1ref.legacy.contrib.rnn._attention import AttentionCellWrapper, HighwayWrapper
from tf1ref.legacy.contrib.rnn._block import GRUBlockCell, GRUBlockCellV2, LSTMBlockCell, LSTMBlockFusedCell
from tf1ref.legacy.contrib.rnn._compiled import CompiledWrapper
from tf1ref.legacy.contrib.rnn._conv import Conv1DLSTMCell, Conv2DLSTMCell, Conv3DLSTMCell, ConvLSTMCell
from tf1ref.legacy.contrib.rnn._coupled import CoupledInputForgetGateLSTMCell
from tf1ref.legacy.contrib.rnn._fused import FusedRNNCell, FusedRNNCellAdaptor, TimeReversedFusedRNN
from tf1ref.legacy.contrib.rnn._grid import BidirectionalGridLSTMCell, GridLSTMCell, TimeFreqLSTMCell
from tf1ref.legacy.contrib.rnn._groups import GLSTMCell
from tf1ref.legacy.contrib.rnn._layer_norm import LayerNormBasicLSTMCell
from tf1ref.legacy.contrib.rnn._more import IntersectionRNNCell, NASCell, UGRNNCell
from tf1ref.legacy.contrib.rnn._phased import PhasedLSTMCell
from tf1ref.legacy.contrib.rnn._projections import EmbeddingWrapper, InputProjectionWrapper, OutputProjectionWrapper
from tf1ref.legacy.contrib.rnn._simple import IndRNNCell, IndyLSTMCell, SRUCell
from tf1ref.legacy.contrib.rnn._stacks import stack_bidirectional_dynamic_rnn, stack_bidirectional_rnn
from tf1ref.legacy.nn.rnn_cell import *
