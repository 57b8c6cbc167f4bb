"""tf.contrib.seq2seq.AttentionWrapper: a cell that reads from a memory after each step."""

from collections import namedtuple

import tensorflow.compat.v1 as v1
from tensorflow.python.util import nest

from tf1ref.legacy.contrib.seq2seq._attention import AttentionMechanism
from tf1ref.legacy.layers import Dense
from tf1ref.legacy.nn.rnn_cell._base import RNNCell, assert_like_rnncell, zeros

_TILED = (
    "With a BeamSearchDecoder the encoder's outputs, lengths and states go through tf.contrib.seq2seq.tile_batch, and "
    "batch_size is that of the data times beam_width."
)


class AttentionWrapperState(
    namedtuple(
        "AttentionWrapperState",
        ("cell_state", "attention", "time", "alignments", "alignment_history", "attention_state"),
    )
):
    """The state of an AttentionWrapper. With a list of mechanisms, the last three and alignments are tuples.

    alignment_history: a TensorArray of each step's alignments, time first, or ().
    """

    __slots__ = ()

    def clone(self, **kwargs):
        """Returns a state with other parts, given by name. Raises ValueError when their structure or shapes differ."""
        return nest.map_structure(_with_same_shape, self, self._replace(**kwargs))


class AttentionWrapper(RNNCell):
    """A cell whose inputs are [inputs, last attention], and whose output is the attention.

    attention_mechanism: one, or a list. The attention is the mean of the memory, weighted by the alignments.
    attention_layer_size: a dense layer `attention_layer` of that size is applied to [output, mean]; its result is the
    attention.
    attention_layer: a Layer in place of that one. output_attention=False: the output is the cell's own.
    cell_input_fn(inputs, attention): makes other inputs.
    attention_fn(mechanism, output, state, layer): returns another (attention, alignments, next state).
    Raises TypeError for an object that is not a cell or mechanism, ValueError for layers that do not fit, and
    InvalidArgumentError when the batch size is not the memory's.
    """

    def __init__(
        self,
        cell,
        attention_mechanism,
        attention_layer_size=None,
        alignment_history=False,
        cell_input_fn=None,
        output_attention=True,
        initial_cell_state=None,
        name=None,
        attention_layer=None,
        attention_fn=None,
    ):
        super().__init__(name=name)
        assert_like_rnncell("cell", cell)
        if cell_input_fn is not None and not callable(cell_input_fn):
            raise TypeError(f"cell_input_fn must be callable, saw type: {type(cell_input_fn).__name__}")
        self._is_multi = isinstance(attention_mechanism, (list, tuple))
        self._attention_mechanisms = tuple(attention_mechanism) if self._is_multi else (attention_mechanism,)
        for mechanism in self._attention_mechanisms:
            if not isinstance(mechanism, AttentionMechanism):
                raise TypeError(
                    "attention_mechanism must be an AttentionMechanism or list of multiple AttentionMechanism "
                    f"instances, saw type: {type(mechanism).__name__}"
                )
        self._cell, self._cell_input_fn = cell, cell_input_fn or _joined
        self._output_attention, self._alignment_history = output_attention, alignment_history
        self._attention_fn = attention_fn or compute_attention
        self._set_layers(attention_layer_size, attention_layer)
        self._initial_cell_state = None
        if initial_cell_state is not None:
            with v1.name_scope(name, "AttentionWrapperInit"):
                batch = _batch_size(nest.flatten(initial_cell_state)[-1])
                self._initial_cell_state = self._checked(initial_cell_state, batch, "initial_cell_state")

    def _set_layers(self, sizes, layers):
        mechanisms = self._attention_mechanisms
        if sizes is not None and layers is not None:
            raise ValueError("Only one of attention_layer_size and attention_layer should be set")
        for what, given in (("attention_layer_size", sizes), ("attention_layer", layers)):
            if given is not None and len(_tuple(given)) != len(mechanisms):
                raise ValueError(
                    f"If provided, {what} must contain exactly one per attention_mechanism, saw: {len(_tuple(given))} "
                    f"vs {len(mechanisms)}"
                )
        depths = [mechanism.values.get_shape().as_list()[-1] for mechanism in mechanisms]
        self._attention_layers = None
        if sizes is not None:
            self._attention_layers = tuple(
                Dense(size, name="attention_layer", use_bias=False, dtype=mechanism.dtype)
                for size, mechanism in zip(_tuple(sizes), mechanisms)
            )
            depths = _tuple(sizes)
        elif layers is not None:
            self._attention_layers = _tuple(layers)
            shapes = (
                layer.compute_output_shape([None, self._cell.output_size + depth])
                for layer, depth in zip(self._attention_layers, depths)
            )
            depths = [v1.TensorShape(shape).as_list()[-1] for shape in shapes]
        self._attention_layer_size = sum(depths)

    def _checked(self, values, batch_size, what):
        """Returns the values. A run fails when the batch size is not the memory's."""
        message = f"The batch size of {what} is not that of the memory of AttentionWrapper {self.name}. {_TILED}"
        checks = [
            v1.assert_equal(batch_size, mechanism.batch_size, message=message)
            for mechanism in self._attention_mechanisms
        ]
        with v1.control_dependencies([check for check in checks if check is not None]):
            return nest.map_structure(v1.identity, values)

    def _item_or_tuple(self, values):
        values = tuple(values)
        return values if self._is_multi else values[0]

    @property
    def output_size(self):
        return self._attention_layer_size if self._output_attention else self._cell.output_size

    @property
    def state_size(self):
        sizes = [mechanism.alignments_size for mechanism in self._attention_mechanisms]
        return AttentionWrapperState(
            cell_state=self._cell.state_size,
            attention=self._attention_layer_size,
            time=v1.TensorShape([]),
            alignments=self._item_or_tuple(sizes),
            alignment_history=self._item_or_tuple(size if self._alignment_history else () for size in sizes),
            attention_state=self._item_or_tuple(mechanism.state_size for mechanism in self._attention_mechanisms),
        )

    def zero_state(self, batch_size, dtype):
        """Returns the initial state: zeros, or initial_cell_state where it is given. batch_size: the memory's."""
        with v1.name_scope(f"{type(self).__name__}ZeroState"):
            cell_state = self._initial_cell_state
            if cell_state is None:
                cell_state = self._cell.zero_state(batch_size, dtype)
            alignments = [each.initial_alignments(batch_size, dtype) for each in self._attention_mechanisms]
            histories = (
                v1.TensorArray(dtype, size=0, dynamic_size=True, element_shape=each.get_shape())
                if self._alignment_history
                else ()
                for each in alignments
            )
            return AttentionWrapperState(
                cell_state=self._checked(cell_state, batch_size, "zero_state"),
                attention=zeros(self._attention_layer_size, batch_size, dtype),
                time=v1.zeros([], v1.int32),
                alignments=self._item_or_tuple(alignments),
                alignment_history=self._item_or_tuple(histories),
                attention_state=self._item_or_tuple(
                    each.initial_state(batch_size, dtype) for each in self._attention_mechanisms
                ),
            )

    def call(self, inputs, state):
        if not isinstance(state, AttentionWrapperState):
            raise TypeError(f"Expected state to be instance of AttentionWrapperState. Received type {type(state)}.")
        output, cell_state = self._cell(self._cell_input_fn(inputs, state.attention), state.cell_state)
        output = self._checked(output, _batch_size(output), "the query")
        attentions, alignments, states, histories = [], [], [], []
        each_state = state.attention_state if self._is_multi else [state.attention_state]
        each_history = state.alignment_history if self._is_multi else [state.alignment_history]
        layers = self._attention_layers or [None] * len(self._attention_mechanisms)
        for mechanism, before, history, layer in zip(self._attention_mechanisms, each_state, each_history, layers):
            attention, aligned, after = self._attention_fn(mechanism, output, before, layer)
            attentions.append(attention)
            alignments.append(aligned)
            states.append(after)
            histories.append(history.write(state.time, aligned) if self._alignment_history else ())
        attention = v1.concat(attentions, 1)
        next_state = AttentionWrapperState(
            cell_state=cell_state,
            attention=attention,
            time=state.time + 1,
            alignments=self._item_or_tuple(alignments),
            alignment_history=self._item_or_tuple(histories),
            attention_state=self._item_or_tuple(states),
        )
        return (attention if self._output_attention else output), next_state


def compute_attention(mechanism, output, state, layer):
    """Returns (attention [batch, depth], alignments [batch, time], the mechanism's next state)."""
    alignments, state = mechanism(output, state=state)
    context = v1.squeeze(v1.matmul(v1.expand_dims(alignments, 1), mechanism.values), [1])
    return (context if layer is None else layer(v1.concat([output, context], 1))), alignments, state


def _joined(inputs, attention):
    return v1.concat([inputs, attention], -1)


def _tuple(value):
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _batch_size(tensor):
    known = tensor.get_shape().as_list()[0]
    return v1.shape(tensor)[0] if known is None else known


def _with_same_shape(old, new):
    if not (v1.is_tensor(old) and v1.is_tensor(new)):
        return new
    if not old.get_shape().is_compatible_with(new.get_shape()):
        raise ValueError(f"A state of shape {old.get_shape()} cannot become one of {new.get_shape()}. {_TILED}")
    if not (old.get_shape().is_fully_defined() and new.get_shape().is_fully_defined()):
        with v1.control_dependencies([v1.assert_equal(v1.shape(old), v1.shape(new), message=_TILED)]):
            new = v1.identity(new)
    new.set_shape(old.get_shape())
    return new
