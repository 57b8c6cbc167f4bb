"""Cells made of other cells: stacked, with dropout, residual, and on a device."""

import hashlib
import numbers

import tensorflow.compat.v1 as v1
from tensorflow.python.framework import tensor_util
from tensorflow.python.util import nest

from tf1ref.legacy._layer import Layer
from tf1ref.legacy.nn.rnn_cell._base import LSTMStateTuple, RNNCell, assert_like_rnncell
from tf1ref.turns import Turn


class MultiRNNCell(RNNCell):
    """Stacks cells: the output of each one is the input of the next. Their scopes are cell_0, cell_1 and so on.

    The state is a tuple of the cells' states; with state_is_tuple=False it is one tensor of them all. As before
    TensorFlow 0.12, layers of LSTMs that are given such a tensor return one, too. Each layer needs its own cell object:
    [cell] * 2 is one cell with one set of variables.

    >>> from tf1ref.legacy.nn.rnn_cell import GRUCell
    >>> MultiRNNCell([GRUCell(4), GRUCell(2)]).state_size
    (4, 2)
    """

    def __init__(self, cells, state_is_tuple=True):
        super().__init__()
        if not cells:
            raise ValueError("Must specify at least one cell for MultiRNNCell.")
        if not nest.is_nested(cells):
            raise TypeError(f"cells must be a list or tuple, but saw: {cells}.")
        self._state_is_tuple = state_is_tuple
        self._keep("_cells", cells, [(cell, f"cell-{number}") for number, cell in enumerate(cells)])
        sizes = [cell.state_size for cell in cells]
        if not state_is_tuple and any(nest.is_nested(size) for size in sizes):
            raise ValueError(f"Some cells return tuples of states, but state_is_tuple is not set. Sizes: {sizes}")

    output_size = property(lambda self: self._cells[-1].output_size)

    @property
    def state_size(self):
        sizes = tuple(cell.state_size for cell in self._cells)
        return sizes if self._state_is_tuple else sum(sizes)

    @property
    def trainable_weights(self):
        """The trained variables of all cells."""
        own = [w for cell in self._cells if isinstance(cell, Layer) for w in cell.trainable_weights]
        return own if self.trainable else []

    @property
    def non_trainable_weights(self):
        layers = [cell for cell in self._cells if isinstance(cell, Layer)]
        frozen = [] if self.trainable else [w for cell in layers for w in cell.trainable_weights]
        return frozen + [w for cell in layers for w in cell.non_trainable_weights]

    def zero_state(self, batch_size, dtype):
        if not self._state_is_tuple:
            return super().zero_state(batch_size, dtype)
        with v1.name_scope(f"{type(self).__name__}ZeroState"):
            return tuple(cell.zero_state(batch_size, dtype) for cell in self._cells)

    def call(self, inputs, state):
        in_one = not self._state_is_tuple or self._holds_all(state)
        if not in_one and not (nest.is_nested(state) and len(state) == len(self._cells)):
            raise ValueError(f"Expected state to be a tuple of length {len(self._cells)}, but received: {state}")
        states = v1.split(state, self._widths(), axis=1) if in_one else state
        next_states = []
        for number, (cell, each) in enumerate(zip(self._cells, states)):
            with v1.variable_scope(f"cell_{number}"):
                inputs, next_state = cell(inputs, each)
            next_states.append(next_state)
        return inputs, v1.concat(next_states, 1) if in_one else tuple(next_states)

    def _widths(self):
        return [sum(nest.flatten(cell.state_size)) for cell in self._cells]

    def _holds_all(self, state):
        """Returns whether one tensor is as wide as the states of all cells together, which are LSTMs."""
        lstms = any(nest.is_nested(cell.state_size) for cell in self._cells)
        one = lstms and tensor_util.is_tf_type(state) and state.shape.rank == 2
        return one and state.shape[1] == sum(self._widths())


class Wrapper(RNNCell):
    """A cell that wraps another one and has no scope of its own."""

    def __init__(self, cell, **kwargs):
        super().__init__(**kwargs)
        assert_like_rnncell("cell", cell)
        self._keep("_cell", cell, [(cell, "cell")])

    wrapped_cell = property(lambda self: self._cell)
    state_size = property(lambda self: self._cell.state_size)
    output_size = property(lambda self: self._cell.output_size)
    trainable_weights = property(lambda self: self._cell.trainable_weights if self.trainable else [])
    non_trainable_weights = property(lambda self: self._cell.non_trainable_weights)

    def get_config(self):
        """Returns the arguments by name. `cell` is {"class_name": ..., "config": ...} of the wrapped cell."""
        cell = {"class_name": type(self._cell).__name__, "config": self._cell.get_config()}
        return {**super().get_config(), "cell": cell}

    @classmethod
    def from_config(cls, config):
        """Returns a wrapper made from get_config's arguments, in which you put a cell object for `cell`.

        Raises ValueError for a `cell` that is no cell.
        """
        try:
            assert_like_rnncell("cell", config["cell"])
        except TypeError as error:
            raise ValueError(f"put an RNNCell object into the config for `cell`: {error}") from None
        return cls(**config)

    def zero_state(self, batch_size, dtype):
        with v1.name_scope(f"{type(self).__name__}ZeroState"):
            return self._cell.zero_state(batch_size, dtype)


class ResidualWrapper(Wrapper):
    """Adds the inputs to the output, or returns residual_fn(inputs, outputs) where that is given."""

    _arguments = ("residual_fn",)

    def __init__(self, cell, residual_fn=None, **kwargs):
        super().__init__(cell, **kwargs)
        self._residual_fn = residual_fn

    def __call__(self, inputs, state, scope=None):
        outputs, state = self._cell(inputs, state, scope=scope)
        return (self._residual_fn or _sum)(inputs, outputs), state


class DeviceWrapper(Wrapper):
    """Builds the cell and its zero state on a device."""

    _arguments = ("device",)

    def __init__(self, cell, device, **kwargs):
        super().__init__(cell, **kwargs)
        self._device = device

    def zero_state(self, batch_size, dtype):
        with v1.device(self._device):
            return super().zero_state(batch_size, dtype)

    def __call__(self, inputs, state, scope=None):
        with v1.device(self._device):
            return self._cell(inputs, state, scope=scope)


class DropoutWrapper(Wrapper):
    """Drops inputs, outputs and next states, but never the memory c of an LSTMStateTuple.

    The keep probabilities are floats or scalar tensors (default: 1, which drops nothing). variational_recurrent: draws
    the mask once in a run, for all steps and the whole batch (Gal and Ghahramani, 2015). It needs dtype, and input_size
    when inputs are dropped. seed: an integer, from which each mask gets its own seed. The steps of a loop draw in order
    here; in TF1 they do so only with parallel_iterations=1. Raises ValueError for probabilities outside of 0 to 1 and
    for missing arguments.
    """

    _arguments = ("variational_recurrent", "input_size", "seed")

    def __init__(
        self,
        cell,
        input_keep_prob=1.0,
        output_keep_prob=1.0,
        state_keep_prob=1.0,
        variational_recurrent=False,
        input_size=None,
        dtype=None,
        seed=None,
        dropout_state_filter_visitor=None,
        **kwargs,
    ):
        super().__init__(cell, dtype=dtype, **kwargs)
        if dropout_state_filter_visitor is not None and not callable(dropout_state_filter_visitor):
            raise TypeError("dropout_state_filter_visitor must be callable")
        self._dropout_state_filter = dropout_state_filter_visitor or _all_but_memory
        with v1.name_scope("DropoutWrapperInit"):
            self._keep = {
                "input": _probability(input_keep_prob, "input_keep_prob"),
                "state": _probability(state_keep_prob, "state_keep_prob"),
                "output": _probability(output_keep_prob, "output_keep_prob"),
            }
        self._variational_recurrent, self._input_size = variational_recurrent, input_size
        self._seed, self._noise = seed, {}
        if variational_recurrent:
            self._draw_noise(dtype, input_size)

    def get_config(self):
        """Returns the arguments by name, as the other wrappers do."""
        kept = {f"{place}_keep_prob": keep for place, keep in self._keep.items()}
        return {**super().get_config(), **kept, "dropout_state_filter_visitor": self._dropout_state_filter}

    def _draw_noise(self, dtype, input_size):
        if dtype is None:
            raise ValueError("variational_recurrent=True needs dtype")
        sizes = {"state": self._cell.state_size, "output": self._cell.output_size}
        if self._drops("input"):
            if input_size is None:
                raise ValueError("variational_recurrent=True with input_keep_prob < 1.0 needs input_size")
            sizes = {"input": input_size, **sizes}
        for place, size in sizes.items():
            self._noise[place] = _numbered_map(
                size,
                lambda number, each, place=place: v1.random_uniform(
                    [1, *v1.TensorShape(each).as_list()], seed=self._place_seed(place, number), dtype=dtype
                ),
                size,
            )

    def _drops(self, place):
        keep = self._keep[place]
        return not isinstance(keep, float) or keep < 1

    def _place_seed(self, place, number):
        if self._seed is None:
            return None
        # TF1 computes seeds in this way, and a program with a seed must get the masks that it got.
        digest = hashlib.md5(f"{self._seed}{place}_{number}".encode()).hexdigest()
        return int(digest[:8], 16) & 0x7FFFFFFF

    def __call__(self, inputs, state, scope=None):
        turn = Turn(state)
        if self._drops("input"):
            inputs = self._dropped("input", inputs, inputs, turn)
        output, state = self._cell(inputs, state, scope=scope)
        if self._drops("state"):
            wanted = nest.get_traverse_shallow_structure(self._dropout_state_filter, state)
            state = self._dropped("state", state, wanted, turn)
        if self._drops("output"):
            output = self._dropped("output", output, output, turn)
        return output, turn.pass_on(state)

    def _dropped(self, place, values, wanted, turn):
        """Returns the values with dropout where `wanted`, a structure as deep as theirs or less deep, is not False."""
        keep = self._keep[place]

        def drop(number, want, value, noise=None):
            if want is False:
                return value
            if not self._variational_recurrent:
                return turn.draw(lambda: v1.nn.dropout(value, rate=1.0 - keep, seed=self._place_seed(place, number)))
            dropped = v1.divide(value, keep) * v1.floor(keep + noise)
            dropped.set_shape(value.get_shape())
            return dropped

        noise = [self._noise[place]] if self._variational_recurrent else []
        return _numbered_map(wanted, drop, wanted, values, *noise)


def _probability(value, what):
    """Returns a float when the value is known, else a tensor."""
    known = float(value) if isinstance(value, numbers.Real) else tensor_util.constant_value(v1.convert_to_tensor(value))
    if known is None:
        return v1.convert_to_tensor(value)
    if not 0 <= known <= 1:
        raise ValueError(f"Parameter {what} must be between 0 and 1: {known}")
    return float(known)


def _numbered_map(shallow, function, *structures):
    numbers_of = iter(range(len(nest.flatten(structures[-1])) + len(nest.flatten(shallow))))
    return nest.map_structure_up_to(shallow, lambda *each: function(next(numbers_of), *each), *structures)


def _all_but_memory(substate):
    if isinstance(substate, LSTMStateTuple):
        return LSTMStateTuple(c=False, h=True)
    return not isinstance(substate, v1.TensorArray)


def _sum(inputs, outputs):
    nest.assert_same_structure(inputs, outputs)
    nest.map_structure(lambda i, o: i.get_shape().assert_is_compatible_with(o.get_shape()), inputs, outputs)
    return nest.map_structure(lambda i, o: i + o, inputs, outputs)
