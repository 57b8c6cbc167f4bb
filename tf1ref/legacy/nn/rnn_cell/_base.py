"""What the RNN cells share: the shape of the state, zero states, and the rules of variable scopes."""

from collections import namedtuple

import tensorflow.compat.v1 as v1
from tensorflow.python.framework import tensor_util
from tensorflow.python.util import nest

from tf1ref.legacy._input_spec import InputSpec
from tf1ref.legacy._layer import ACTIVATIONS, Layer, activation


class LSTMStateTuple(namedtuple("LSTMStateTuple", ("c", "h"))):
    """The state of an LSTM: c, the memory, and h, the output, both [batch, units]."""

    __slots__ = ()

    @property
    def dtype(self):
        """The dtype of both. Raises TypeError when they differ."""
        if self.c.dtype != self.h.dtype:
            raise TypeError(f"Inconsistent internal state: {self.c.dtype} vs {self.h.dtype}")
        return self.c.dtype


class RNNCell(Layer):
    """The base class: call(inputs, state) -> (output, next state), where `call` may use tf.get_variable.

    A subclass has state_size (an integer, a TensorShape, or a nest of them) and output_size.
    """

    # Keras passes a cell with this attribute its state, and other cells a list of it.
    _is_tf_rnn_cell = True
    # The constructor's arguments that get_config gives. Each one is an attribute, with an underscore before its name.
    _arguments = ()

    @property
    def state_size(self):
        """The size of the state: an integer, a TensorShape, or a nest of them."""
        raise NotImplementedError("Abstract method")

    @property
    def output_size(self):
        """The size of the output: an integer or a TensorShape."""
        raise NotImplementedError("Abstract method")

    def get_config(self):
        """Returns the constructor's arguments by name. Activations are names where they have one."""
        own = {name: _named(getattr(self, f"_{name}")) for name in self._arguments}
        return {**super().get_config(), **own}

    def __call__(self, inputs, state, scope=None):
        if scope is not None:
            with v1.variable_scope(scope, custom_getter=self._getter) as scope:
                return super().__call__(inputs, state, scope=scope)
        with v1.variable_scope(v1.get_variable_scope(), custom_getter=self._getter):
            return super().__call__(inputs, state)

    def _getter(self, getter, *args, **kwargs):
        """Makes a variable for `call` and remembers it."""
        if self._use_resource_variables:
            kwargs["use_resource"] = True
        variable = getter(*args, **kwargs)
        if all(variable is not known for known in self._trainable_weights + self._non_trainable_weights):
            self._remember(variable, list(variable) if hasattr(variable, "as_tensor") else [variable], True)
        return variable

    def zero_state(self, batch_size, dtype):
        """Returns zeros of [batch_size, size] for each state_size. batch_size: an integer or a scalar tensor."""
        with v1.name_scope(f"{type(self).__name__}ZeroState"):
            return nest.map_structure(lambda size: zeros(size, batch_size, dtype), self.state_size)

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        """Returns zero_state for inputs of [batch, ...], or for batch_size and dtype.

        Raises ValueError without both, and for a batch_size or dtype that is not that of the inputs.
        """
        if inputs is not None:
            inputs = v1.convert_to_tensor(inputs, name="inputs")
            known = inputs.get_shape().as_list()[0]
            if batch_size is not None and _known(batch_size) != known:
                raise ValueError(
                    "batch size from input tensor is different from the input param. "
                    f"Input tensor batch: {known}, batch_size: {batch_size}"
                )
            if dtype is not None and inputs.dtype != dtype:
                raise ValueError(
                    "dtype from input tensor is different from the input param. "
                    f"Input tensor dtype: {inputs.dtype}, dtype: {dtype}"
                )
            batch_size, dtype = v1.shape(inputs)[0] if known is None else known, inputs.dtype
        if batch_size is None or dtype is None:
            raise ValueError(
                "batch_size and dtype cannot be None while constructing initial state: "
                f"batch_size={batch_size}, dtype={dtype}"
            )
        return self.zero_state(batch_size, dtype)


class LayerRNNCell(RNNCell):
    """A cell that makes its variables in `build`, once, for inputs of [batch, depth]."""

    # Whether a dtype of integers is refused: tf.nn.rnn_cell's own cells do so, contrib's and a program's do not.
    _only_floating = False

    def __init__(self, trainable=True, name=None, dtype=None, **kwargs):
        super().__init__(trainable=trainable, name=name, dtype=dtype, **kwargs)
        self.input_spec = InputSpec(ndim=2)
        self._check_floating(self.dtype)

    def __call__(self, inputs, state, scope=None, *args, **kwargs):
        return Layer.__call__(self, inputs, state, *args, scope=scope, **kwargs)

    def _depth(self, input_shape):
        """Returns the depth of the inputs. Later calls need the same depth, because one cell object is one layer."""
        depth = v1.TensorShape(input_shape).as_list()[-1]
        if depth is None:
            raise ValueError(f"Expected inputs.shape[-1] of {self.name} to be known, saw shape: {input_shape}")
        self._check_floating(self._variables_dtype())
        self.input_spec = InputSpec(ndim=2, axes={1: depth})
        return depth

    def _check_floating(self, dtype):
        if self._only_floating and dtype is not None and not (dtype.is_floating or dtype.is_complex):
            raise ValueError(f"RNN cell only supports floating point inputs, but saw dtype: {dtype}")

    def _in_one(self, state):
        """Returns whether the state of an LSTM is one tensor, which was the default before TensorFlow 0.12."""
        return not (self._state_is_tuple and nest.is_nested(state))

    def _check_dtypes(self, inputs, state):
        for what, tensor in [("inputs", inputs), *(("state", each) for each in nest.flatten(state))]:
            if tensor.dtype.base_dtype != self.dtype:
                raise TypeError(f"{self.weights[0].name} is {self.dtype.name}, its {what} are {tensor.dtype.name}")


def cell_activation(identifier):
    """Returns the function that `activation` names, or tanh for None."""
    return activation(identifier) if identifier else v1.tanh


def _named(value):
    """Returns the name of an activation of tf.nn, and any other value as it is."""
    return next((name for name in ACTIVATIONS if getattr(v1.nn, name) is value), value)


def zeros(size, batch_size, dtype):
    """Returns zeros of [batch_size, *size]. size: an integer, a TensorShape or a scalar tensor."""
    inner = [size] if v1.is_tensor(size) else v1.TensorShape(size).as_list()
    known = v1.TensorShape([_known(each) for each in (batch_size, *inner)])
    made = v1.zeros(known if known.is_fully_defined() else v1.stack([batch_size, *inner]), dtype)
    made.set_shape(known)
    return made


# Tests look for this in the message of assert_like_rnncell.
ASSERT_LIKE_RNNCELL_ERROR_REGEXP = "is not an RNNCell"


def assert_like_rnncell(what, cell):
    """Raises TypeError for an object that lacks a method or attribute of an RNN cell."""
    needed = ("output_size", "state_size", "zero_state", "__call__")
    missing = [name for name in needed if not hasattr(cell, name)]
    if missing:
        raise TypeError(f"The argument {what!r} ({cell}) is not an RNNCell: it has no {', '.join(missing)}.")


def _known(size):
    return tensor_util.constant_value(size) if v1.is_tensor(size) else size
