"""TF1's RNN cells for tf.function code. A cell computes one step; rnn_unroll.RNN computes the steps of a series.

Each cell computes with the ops of TF1's tf.nn.rnn_cell, and names its variables as TF1 does.
A kernel starts as glorot uniform with `seed` as its op seed, unless `initializer` is given, a function of (shape,
dtype).
"""

from collections import namedtuple
from collections.abc import Sequence
from typing import TYPE_CHECKING

import tensorflow as tf

from tf1ref.modules._layer import Layer, activation, glorot
from tf1ref.modules._types import Activation, Initializer, Scalar, State, Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

LSTMStateTuple = namedtuple("LSTMStateTuple", ("c", "h"))
LSTMStateTuple.__doc__ = "State of an LSTM: c, the memory, and h, the output; both [batch, units]."


class Cell(Layer):
    """The base class. Call create(depth, scope), then cell(inputs, state) -> (output, next state), all [batch, size].

    A subclass has state_size (an integer, or a nest of them) and output_size. It makes its variables in `_create` and
    computes a step in `_step`.
    """

    def __init__(
        self,
        num_units: int,
        activation: Activation,
        initializer: Initializer | None,
        seed: int | None,
        name: str,
        dtype: tf.DType,
    ) -> None:
        super().__init__(name, dtype)
        self.num_units = num_units
        self.depth: int | None = None
        self.activation = _activation("tanh" if activation is None else activation, name)
        self.initializer = glorot(initializer, seed)

    state_size = output_size = property(lambda self: self.num_units)

    def create(self, depth: int, scope: str = "") -> "Self":
        """Makes the variables for inputs of [batch, depth], below `scope`; returns the cell."""
        if self.depth is None:
            self.scope = f"{scope}/{self.scope}" if scope else self.scope
        self._create(depth)
        self.depth = depth
        return self

    def zero_state(self, batch_size: int | Tensor) -> State:
        """Returns zeros of [batch_size, size] for each state_size. batch_size: an integer or a scalar tensor."""
        return tf.nest.map_structure(lambda size: tf.zeros([batch_size, size], self.dtype), self.state_size)

    def __call__(self, inputs: tf.Tensor, state: State) -> tuple[Tensor, State]:
        """Computes one step. Raises ValueError for inputs or a state that do not fit, and TypeError for another
        dtype.
        """
        inputs = self._checked(inputs, self.depth, rank=2)
        sizes = self.state_size
        if not isinstance(sizes, int) and not (isinstance(state, (tuple, list)) and len(state) == len(sizes)):
            raise ValueError(f"{self.scope}: its state must be a tuple of {len(sizes)}, not {state}")
        for size, each in zip(tf.nest.flatten(sizes), tf.nest.flatten(state)):
            self._checked(each, size, rank=2, what="state")
        # The graph optimizer sums gradients in the order of their names, so these must sort as TF1's do.
        with tf.name_scope(f"{self.scope}/"):
            return self._step(inputs, state)

    def _create_pair(
        self, prefix: str, depth: int, units: int, bias: Tensor = tf.zeros
    ) -> tuple[tf.Variable, tf.Variable]:
        return (
            self._variable(f"{prefix}kernel", [depth, units], self.initializer),
            self._variable(f"{prefix}bias", [units], bias),
        )

    def _create(self, depth: int) -> None:
        raise NotImplementedError

    def _step(self, inputs: tf.Tensor, state: State) -> tuple[Tensor, State]:
        raise NotImplementedError


class BasicRNNCell(Cell):
    """output = next state = activation([inputs, state] @ kernel + bias). Variables: kernel, bias.

    >>> cell = BasicRNNCell(4).create(3)
    >>> output, state = cell(tf.zeros([2, 3]), cell.zero_state(2))
    >>> print(output.shape)
    (2, 4)
    """

    def __init__(
        self,
        num_units: int,
        activation: Activation = None,
        initializer: Initializer | None = None,
        seed: int | None = None,
        name: str = "basic_rnn_cell",
        dtype: tf.DType = tf.float32,
    ) -> None:
        super().__init__(num_units, activation, initializer, seed, name, dtype)

    def _create(self, depth: int) -> None:
        self.kernel, self.bias = self._create_pair("", depth + self.num_units, self.num_units)

    def _step(self, inputs: tf.Tensor, state: State) -> tuple[Tensor, State]:
        output = self.activation(_affine([inputs, state], self.kernel, self.bias))
        return output, output


class GRUCell(Cell):
    """Gated recurrent unit (Cho et al., 2014): r, u = the gates; next = u * state + (1 - u) * candidate(r * state).

    Variables: gates/kernel, gates/bias, candidate/kernel, candidate/bias. gates/bias starts at ones, so that the cell
    keeps its state at first.

    >>> cell = GRUCell(4).create(3)
    >>> [name for name in cell.variables_by_name() if name.endswith("kernel")]
    ['gru_cell/gates/kernel', 'gru_cell/candidate/kernel']
    """

    def __init__(
        self,
        num_units: int,
        activation: Activation = None,
        initializer: Initializer | None = None,
        seed: int | None = None,
        name: str = "gru_cell",
        dtype: tf.DType = tf.float32,
    ) -> None:
        super().__init__(num_units, activation, initializer, seed, name, dtype)

    def _create(self, depth: int) -> None:
        units = self.num_units
        self.gate_kernel, self.gate_bias = self._create_pair("gates/", depth + units, 2 * units, tf.ones)
        self.candidate_kernel, self.candidate_bias = self._create_pair("candidate/", depth + units, units)

    def _step(self, inputs: tf.Tensor, state: State) -> tuple[Tensor, State]:
        gates = tf.sigmoid(_affine([inputs, state], self.gate_kernel, self.gate_bias))
        r, u = tf.split(gates, 2, axis=1)
        c = self.activation(_affine([inputs, r * state], self.candidate_kernel, self.candidate_bias))
        output = u * state + (1 - u) * c
        return output, output


class BasicLSTMCell(Cell):
    """LSTM without peepholes, clipping or projection (Zaremba et al., 2014). Variables: kernel, bias.

    forget_bias is added to the forget gate. It is not part of a variable.

    >>> cell = BasicLSTMCell(4).create(3, "rnn")
    >>> output, state = cell(tf.zeros([2, 3]), cell.zero_state(2))
    >>> print(state.c.shape, list(cell.variables_by_name()))
    (2, 4) ['rnn/basic_lstm_cell/kernel', 'rnn/basic_lstm_cell/bias']
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: Scalar = 1.0,
        activation: Activation = None,
        initializer: Initializer | None = None,
        seed: int | None = None,
        name: str = "basic_lstm_cell",
        dtype: tf.DType = tf.float32,
    ) -> None:
        super().__init__(num_units, activation, initializer, seed, name, dtype)
        self.forget_bias = forget_bias

    state_size = property(lambda self: LSTMStateTuple(self.num_units, self.num_units))

    def _create(self, depth: int) -> None:
        self.kernel, self.bias = self._create_pair("", depth + self.num_units, 4 * self.num_units)

    def _step(self, inputs: tf.Tensor, state: State) -> tuple[Tensor, State]:
        c, h = state
        i, j, f, o = tf.split(_affine([inputs, h], self.kernel, self.bias), 4, axis=1)
        next_c = c * tf.sigmoid(f + self.forget_bias) + tf.sigmoid(i) * self.activation(j)
        next_h = self.activation(next_c) * tf.sigmoid(o)
        return next_h, LSTMStateTuple(next_c, next_h)


class LSTMCell(Cell):
    """LSTM (Sak et al., 2014) that can have peepholes, clip c, and project the output.

    Variables: kernel, bias; with use_peepholes also w_f_diag, w_i_diag, w_o_diag; with num_proj also
    projection/kernel.
    num_proj: the size of the projected output; None (the default) projects nothing.
    cell_clip, proj_clip: c and the projection stay between minus this bound and the bound; None (the default) is no
    bound.
    """

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        cell_clip: float | None = None,
        num_proj: int | None = None,
        proj_clip: float | None = None,
        forget_bias: Scalar = 1.0,
        activation: Activation = None,
        initializer: Initializer | None = None,
        seed: int | None = None,
        name: str = "lstm_cell",
        dtype: tf.DType = tf.float32,
    ) -> None:
        super().__init__(num_units, activation, initializer, seed, name, dtype)
        self.use_peepholes, self.num_proj, self.forget_bias = use_peepholes, num_proj, forget_bias
        self.cell_clip, self.proj_clip = cell_clip, proj_clip

    output_size = property(lambda self: self.num_proj or self.num_units)
    state_size = property(lambda self: LSTMStateTuple(self.num_units, self.output_size))

    def _create(self, depth: int) -> None:
        units = self.num_units
        self.kernel, self.bias = self._create_pair("", depth + self.output_size, 4 * units)
        if self.use_peepholes:
            self.w_f_diag, self.w_i_diag, self.w_o_diag = (
                self._variable(name, [units], self.initializer) for name in ("w_f_diag", "w_i_diag", "w_o_diag")
            )
        if self.num_proj:
            self.projection = self._variable("projection/kernel", [units, self.num_proj], self.initializer)

    def _step(self, inputs: tf.Tensor, state: State) -> tuple[Tensor, State]:
        c, h = state
        i, j, f, o = tf.split(_affine([inputs, h], self.kernel, self.bias), 4, axis=1)
        if self.use_peepholes:
            kept = tf.sigmoid(f + self.forget_bias + self.w_f_diag * c) * c
            next_c = kept + tf.sigmoid(i + self.w_i_diag * c) * self.activation(j)
        else:
            next_c = tf.sigmoid(f + self.forget_bias) * c + tf.sigmoid(i) * self.activation(j)
        if self.cell_clip is not None:
            next_c = tf.clip_by_value(next_c, -self.cell_clip, self.cell_clip)
        gate = tf.sigmoid(o + self.w_o_diag * next_c if self.use_peepholes else o)
        next_h = gate * self.activation(next_c)
        if self.num_proj:
            next_h = tf.matmul(next_h, self.projection)
            if self.proj_clip is not None:
                next_h = tf.clip_by_value(next_h, -self.proj_clip, self.proj_clip)
        return next_h, LSTMStateTuple(next_c, next_h)


_activation = activation  # The argument `activation` of the constructors hides the function of that name.


def _affine(parts: Sequence[Tensor], kernel: Tensor, bias: Tensor) -> Tensor:
    return tf.nn.bias_add(tf.matmul(tf.concat(parts, 1), kernel), bias)
