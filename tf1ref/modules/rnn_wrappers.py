"""TF1's cells that are made of other cells, for tf.function code: stacked, residual, and with dropout."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tf1ref.modules._layer import Layer, probability
from tf1ref.modules._types import Scalar, State, Tensor
from tf1ref.modules.rnn import LSTMStateTuple
from tf1ref.turns import Turn

if TYPE_CHECKING:
    from typing_extensions import Self


class MultiRNNCell(Layer):
    """Stacks cells: the output of each one is the input of the next. The state is a tuple of the cells' states.

    Variables: `<scope>/multi_rnn_cell/cell_0/<cell's own>`, then cell_1, and so on. Each layer needs its own cell
    object.

    >>> from tf1ref.modules.rnn import GRUCell
    >>> cell = MultiRNNCell([GRUCell(4), GRUCell(2)]).create(3)
    >>> output, state = cell(tf.zeros([1, 3]), cell.zero_state(1))
    >>> print(output.shape, len(state))
    (1, 2) 2
    """

    def __init__(self, cells: Sequence[Layer], name: str = "multi_rnn_cell") -> None:
        super().__init__(name)
        if not isinstance(cells, (list, tuple)) or not cells:
            raise ValueError(f"{name}: cells must be a list of at least one cell, not {cells}")
        self.cells = list(cells)
        if len({id(cell) for cell in self.cells}) < len(self.cells):
            raise ValueError(f"{name}: a cell is in its list twice; make one object for each layer")

    state_size = property(lambda self: tuple(cell.state_size for cell in self.cells))
    output_size = property(lambda self: self.cells[-1].output_size)

    def create(self, depth: int, scope: str = "") -> "Self":
        """Makes the variables for inputs of [batch, depth], below `scope`; returns the cell."""
        self.scope = f"{scope}/{self.scope}" if scope else self.scope
        for number, cell in enumerate(self.cells):
            cell.create(depth, f"{self.scope}/cell_{number}")
            depth = cell.output_size
        return self

    def variables_by_name(self) -> dict[str, tf.Variable]:
        """Returns {checkpoint name: variable} of all cells."""
        return {name: variable for cell in self.cells for name, variable in cell.variables_by_name().items()}

    def new_series(self) -> None:
        """Draws what all steps of a series share, for each cell."""
        for cell in self.cells:
            cell.new_series()

    def zero_state(self, batch_size: int | Tensor) -> State:
        """Returns the cells' zero states."""
        return tuple(cell.zero_state(batch_size) for cell in self.cells)

    def __call__(self, inputs: tf.Tensor, state: State) -> tuple[Tensor, State]:
        """Computes one step. Raises ValueError unless the state is a tuple with one state for each cell."""
        if not isinstance(state, (tuple, list)) or len(state) != len(self.cells):
            raise ValueError(f"{self.scope}: its state must be a tuple of {len(self.cells)}, not {state}")
        states = []
        for cell, each in zip(self.cells, state):
            inputs, each = cell(inputs, each)
            states.append(each)
        return inputs, tuple(states)


class _Wrapper(Layer):
    """A cell around another cell. It has neither variables nor a scope of its own."""

    def __init__(self, cell: Layer, name: str) -> None:
        super().__init__(name)
        if not isinstance(cell, Layer) or not hasattr(cell, "state_size"):
            raise TypeError(f"{type(self).__name__}: {cell} is not a cell")
        self.cell = cell

    state_size = property(lambda self: self.cell.state_size)
    output_size = property(lambda self: self.cell.output_size)

    def create(self, depth: int, scope: str = "") -> "Self":
        """Makes the cell's variables; returns the wrapper."""
        self.cell.create(depth, scope)
        return self

    def variables_by_name(self) -> dict[str, tf.Variable]:
        """Returns {checkpoint name: variable} of the cell."""
        return self.cell.variables_by_name()

    def new_series(self) -> None:
        """Draws what all steps of a series share, for the cell."""
        self.cell.new_series()

    def zero_state(self, batch_size: int | Tensor) -> State:
        """Returns the cell's zero state."""
        return self.cell.zero_state(batch_size)

    def _around(self) -> AbstractContextManager[Any]:
        # TF1's wrapper stands in the scope around the cell's. The order in which gradients are summed depends on the
        # names and shows in the last bit.
        around = self.cell.scope.rpartition("/")[0]
        return tf.name_scope(f"{around}/" if around else "")


class ResidualWrapper(_Wrapper):
    """Adds a cell's inputs to its outputs of the same size, or computes residual_fn(inputs, outputs) instead."""

    def __init__(self, cell: Layer, residual_fn: Callable[..., Any] | None = None) -> None:
        super().__init__(cell, "residual_wrapper")
        self.residual_fn = residual_fn

    def __call__(self, inputs: tf.Tensor, state: State) -> tuple[Tensor, State]:
        """Computes one step. Raises ValueError when the sizes of inputs and outputs differ."""
        output, state = self.cell(inputs, state)
        if self.residual_fn is not None:
            with self._around():
                return self.residual_fn(inputs, output), state
        if inputs.shape[-1] != output.shape[-1]:
            what = f"inputs of {inputs.shape[-1]} and outputs of {output.shape[-1]}"
            raise ValueError(f"{self.cell.scope}: {what} cannot be added: give a residual_fn")
        with self._around():
            return inputs + output, state


class DropoutWrapper(_Wrapper):
    """Drops inputs, outputs and next states of a cell, but never the memory c of an LSTMStateTuple.

    The keep probabilities are numbers or scalar tensors (default: 1, which drops nothing).
    Each step draws new masks. With variational_recurrent, one mask holds for all steps and rows of a series (Gal and
    Ghahramani, 2015). RNN begins a series by itself; without RNN, call new_series() before the first step.
    seed: an integer, from which each mask gets its own seed, as in TF1. The steps of a loop draw in order here; in
    TF1 they do so only with parallel_iterations=1.
    For evaluation wrap the same cell again with keep probabilities of 1, or use the cell itself.
    """

    def __init__(
        self,
        cell: Layer,
        input_keep_prob: Scalar = 1.0,
        output_keep_prob: Scalar = 1.0,
        state_keep_prob: Scalar = 1.0,
        variational_recurrent: bool = False,
        seed: int | None = None,
    ) -> None:
        super().__init__(cell, "dropout_wrapper")
        self.seed, self._variational = seed, variational_recurrent
        self._depth: int | None = None
        self._noise: dict[str, list[Tensor]] = {}
        self.keep = {
            "input": probability(input_keep_prob, "input_keep_prob", cell.scope),
            "state": probability(state_keep_prob, "state_keep_prob", cell.scope),
            "output": probability(output_keep_prob, "output_keep_prob", cell.scope),
        }

    def create(self, depth: int, scope: str = "") -> "Self":
        """Makes the cell's variables for inputs of [batch, depth], below `scope`; returns the wrapper."""
        self._depth = depth
        return super().create(depth, scope)

    def new_series(self) -> None:
        """Draws the masks of a series if they are variational."""
        super().new_series()
        sizes = {"input": self._depth, "state": self.state_size, "output": self.output_size}
        for place in sizes if self._variational else ():
            if self._drops(place):
                self._noise[place] = [
                    tf.random.uniform([1, size], seed=self._place_seed(place, number), dtype=self.cell.dtype)
                    for number, size in enumerate(tf.nest.flatten(sizes[place]))
                ]

    def __call__(self, inputs: tf.Tensor, state: State) -> tuple[Tensor, State]:
        turn = Turn(state)
        output, state = self.cell(self._dropped("input", inputs, turn), state)
        state = self._dropped("state", state, turn)
        output = self._dropped("output", output, turn)
        return output, turn.pass_on(state)

    def _drops(self, place: str) -> bool:
        keep = self.keep[place]
        return not isinstance(keep, (int, float)) or keep != 1

    def _dropped(self, place: str, values: Any, turn: Turn) -> State:
        if not self._drops(place):
            return values
        if self._variational and place not in self._noise:
            raise ValueError(f"{self.cell.scope}: its masks are variational: call new_series() before the first step")
        dropped = [
            each if is_memory else self._dropout(place, number, each, turn)
            for number, (each, is_memory) in enumerate(zip(tf.nest.flatten(values), _memories(values)))
        ]
        return tf.nest.pack_sequence_as(values, dropped)

    def _dropout(self, place: str, number: int, value: Any, turn: Turn) -> Tensor:
        keep = self.keep[place]
        if not self._variational:
            return turn.draw(lambda: tf.nn.dropout(value, rate=1.0 - keep, seed=self._place_seed(place, number)))
        with self._around():
            return value / keep * tf.floor(keep + self._noise[place][number])

    def _place_seed(self, place: str, number: int) -> int | None:
        if self.seed is None:
            return None
        # TF1 computes seeds in this way, and a program with a seed must get the masks that it got.
        digest = hashlib.md5(f"{self.seed}{place}_{number}".encode()).hexdigest()
        return int(digest[:8], 16) & 0x7FFFFFFF


def _memories(values: Any) -> list[bool]:
    """Returns for each tensor of a flattened nest whether it is the c of an LSTMStateTuple."""
    if isinstance(values, LSTMStateTuple):
        return [True, False]
    if isinstance(values, (list, tuple)):
        return [memory for each in values for memory in _memories(each)]
    return [False]
