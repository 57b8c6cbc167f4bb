"""The base of tf.layers and of the RNN cells: an object whose variables live in one variable scope.

The first call fixes the scope. It is the given name, or the class name in snake case, made unique (dense, dense_1).
Every later call uses the same variables. `reuse=True` uses existing variables instead of a new scope.
"""

import functools
import inspect
import re
import sys
import weakref
from collections import Counter

import tensorflow.compat.v1 as v1
from tensorflow.python.util import nest

from tf1ref.legacy._input_spec import mismatch
from tf1ref.legacy._layer_record import Record

# The names of layers that were given no name, for each graph. They are counted from 1; scopes are not.
_NAMES = weakref.WeakKeyDictionary()
# Defaults of arguments. Initializers hold no state.
ZEROS, ONES = v1.zeros_initializer(), v1.ones_initializer()
ACTIVATIONS = ("elu", "relu", "relu6", "selu", "sigmoid", "softmax", "softplus", "softsign", "tanh")


class Layer(Record):
    """The base class. Subclasses make variables in `build` with `add_weight`, and add ops in `call`.

    trainable: False keeps the variables out of TRAINABLE_VARIABLES. dtype: the type of the variables; None takes the
    type of the first input. Raises TypeError for unknown keywords. A call raises ValueError for inputs that do not fit.
    """

    input_spec = None
    # Keras sets it to True for a layer that is a part of one of its own: its optimizers train resource variables only.
    _use_resource_variables = None

    def __init__(self, trainable=True, name=None, dtype=None, **kwargs):
        scope = kwargs.pop("_scope", None)
        self._reuse = kwargs.pop("_reuse", None)
        self._activity_regularizer = kwargs.pop("activity_regularizer", None)
        if kwargs:
            raise TypeError(f"{type(self).__name__}: unknown keyword argument {', '.join(map(repr, sorted(kwargs)))}")
        self._begin(trainable, dtype)
        self._graph = None if v1.executing_eagerly() else v1.get_default_graph()
        self._name, self._base_name = _names(type(self).__name__, name)
        self._scope = None
        if scope:
            with v1.variable_scope(scope) as captured:
                self._scope = captured

    @property
    def scope_name(self):
        """The name of the variable scope. Raises ValueError before the first call, which fixes it."""
        if not self._scope:
            raise ValueError(f'No name available for layer scope: the layer "{self._name}" has not been used yet')
        return self._scope.name

    def build(self, input_shape):
        """Makes the variables for inputs of `input_shape`, a TensorShape."""
        self.built = True

    def call(self, inputs, *args, **kwargs):
        """Adds the ops and returns the outputs."""
        return inputs

    def apply(self, inputs, *args, **kwargs):
        """Does what calling the layer does."""
        return self(inputs, *args, **kwargs)

    def __call__(self, inputs, *args, **kwargs):
        self._set_scope(kwargs.pop("scope", None))
        reuse = True if self.built else self._reuse
        with v1.variable_scope(self._scope, reuse=reuse, auxiliary_name_scope=False) as scope:
            if "scope" in inspect.signature(self.call).parameters:
                kwargs["scope"] = scope
            with v1.name_scope(scope.original_name_scope):
                inputs = nest.map_structure(_tensor, inputs)
                self._check(inputs)
                if not self.built:
                    self._build_for(inputs)
                outputs = self.call(inputs, *args, **kwargs)
                self._regularize_activity(inputs, outputs)
        if not v1.executing_eagerly():
            self._calls.append((inputs, outputs))
        return outputs

    def _build_for(self, inputs):
        if self._dtype is None:
            self._dtype = nest.flatten(inputs)[0].dtype.base_dtype
        shapes = nest.map_structure(lambda tensor: tensor.get_shape(), inputs)
        self.build(shapes)
        self.built = True

    def _check(self, inputs):
        for index, (spec, tensor) in enumerate(zip(nest.flatten(self.input_spec or []), nest.flatten(inputs))):
            wrong = spec and mismatch(spec, tensor)
            if wrong:
                made = f" ({self.weights[0].name} was made for it)" if self.weights else ""
                raise ValueError(
                    f"Input {index} of layer {self.scope_name} is incompatible with the layer: {wrong}{made}. "
                    f"Full shape received: {tensor.get_shape()}"
                )

    def _set_scope(self, scope=None):
        if self._scope is not None:
            return
        if self._reuse:
            with v1.variable_scope(self._base_name if scope is None else scope) as captured:
                self._scope = captured
        else:
            with v1.variable_scope(scope, default_name=self._base_name) as captured:
                self._scope = captured

    def _variables_dtype(self):
        """Returns the dtype of the variables. It is float32 when `build` is called before any inputs are known."""
        self._dtype = self._dtype or v1.float32
        return self._dtype

    def add_weight(
        self,
        name,
        shape,
        dtype=None,
        initializer=None,
        regularizer=None,
        trainable=None,
        constraint=None,
        use_resource=None,
        synchronization=v1.VariableSynchronization.AUTO,
        aggregation=v1.VariableAggregation.NONE,
        partitioner=None,
    ):
        """Returns the variable `name` of the layer's scope. get_variable makes it, with its reuse rules and errors.

        initializer: None takes the scope's, or get_variable's default (glorot uniform). The regularizer's penalty goes
        to REGULARIZATION_LOSSES when the variable is new, but not when it is reused.
        Raises ValueError for a variable that is trained and read only at the end of a step (ON_READ).
        """
        on_read = synchronization == v1.VariableSynchronization.ON_READ
        if on_read and trainable:
            raise ValueError(
                "Synchronization value can be set to VariableSynchronization.ON_READ only for non-trainable variables. "
                "You have specified trainable=True and synchronization=VariableSynchronization.ON_READ."
            )
        trainable = not on_read if trainable is None else trainable
        self._set_scope()
        known = {id(variable) for variable in v1.global_variables()}
        reuse = self.built or self._reuse
        with (
            v1.variable_scope(self._scope, reuse=reuse, auxiliary_name_scope=False) as scope,
            v1.name_scope(scope.original_name_scope),
        ):
            variable = v1.get_variable(
                name,
                shape,
                dtype=v1.as_dtype(dtype or self._variables_dtype()),
                initializer=_initializer(initializer),
                trainable=bool(trainable and self.trainable),
                constraint=constraint,
                partitioner=partitioner,
                use_resource=self._use_resource_variables or use_resource,
                synchronization=synchronization,
                aggregation=aggregation,
            )
            parts = list(variable) if hasattr(variable, "as_tensor") else [variable]
            if regularizer is not None and not any(id(part) in known for part in parts):
                for penalty in penalties(name, parts, regularizer):
                    self.add_loss(penalty)
        self._remember(variable, parts, trainable)
        return variable

    def add_variable(self, *args, **kwargs):
        """The older name of add_weight."""
        return self.add_weight(*args, **kwargs)

    def _remember(self, variable, parts, trainable):
        # A custom getter or the scope may have taken the variable out of training. A tensor does not tell.
        is_trained = trainable and getattr(parts[0], "trainable", self.trainable)
        wanted = is_trained or (trainable and not self.trainable)
        (self._trainable_weights if wanted else self._non_trainable_weights).append(variable)
        keras = sys.modules.get("tf_keras.src.backend")
        if keras is not None:
            for part in parts:
                keras.track_variable(part)  # so that a model of Keras initializes it

    def _regularize_activity(self, inputs, outputs):
        if self._activity_regularizer is None:
            return
        with v1.name_scope("ActivityRegularizer"):
            for output in nest.flatten(outputs):
                penalty = self._activity_regularizer(output)
                self.add_loss(penalty / v1.cast(v1.shape(output)[0], penalty.dtype), inputs=inputs)


def penalties(name, parts, regularizer):
    """Yields the penalties of a variable's parts, as ops below `name/Regularizer`. A regularizer may return None.

    When code runs eagerly, and in a tf.function, they are functions, because the variables change.
    """
    # These ops belong to the outermost graph, because a penalty inside a loop's body could not be fetched.
    with v1.init_scope():
        if v1.executing_eagerly():
            yield from [functools.partial(regularizer, part) for part in parts]
            return
        for part in parts:
            with v1.name_scope(f"{name}/Regularizer"):
                penalty = regularizer(part)
            if penalty is not None:
                yield penalty


def activation(identifier):
    """Returns a function: itself, one of tf.nn by name, or None for None and "linear"."""
    if identifier is None or identifier == "linear":
        return None
    if callable(identifier):
        return identifier
    if identifier in ACTIVATIONS:
        return getattr(v1.nn, identifier)
    raise ValueError(f"Could not interpret activation function identifier: {identifier!r}")


def functional(cls, takes_reuse=True):
    """Returns the function of tf.layers for a class. It takes `inputs`, the class's own arguments and `reuse`."""
    own = [p for p in inspect.signature(cls).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    extra = [inspect.Parameter("reuse", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None)] if takes_reuse else []
    first = inspect.Parameter("inputs", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.Signature([first, *own, *extra])

    def layer_function(*args, **kwargs):
        arguments = signature.bind(*args, **kwargs).arguments
        inputs, reuse = _tensor(arguments.pop("inputs")), arguments.pop("reuse", None)
        layer = cls(**arguments, dtype=inputs.dtype.base_dtype, _scope=arguments.get("name"), _reuse=reuse)
        return layer(inputs)

    layer_function.__name__ = layer_function.__qualname__ = snake_case(cls.__name__)
    layer_function.__signature__ = signature
    layer_function.__doc__ = f"Adds a new {cls.__name__} layer to the graph; returns its outputs."
    return layer_function


def snake_case(name):
    """Returns a class name in snake case: LayerNorm becomes layer_norm.

    >>> snake_case("BatchNormalization"), snake_case("Conv2D")
    ('batch_normalization', 'conv2d')
    """
    return re.sub(r"(?<=.)(?=[A-Z][a-z0-9])|(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _names(class_name, name):
    """Returns the layer's own name and the name from which its scope is made."""
    base = snake_case(class_name)
    if name and not isinstance(name, v1.VariableScope):
        return name, name
    counts = _NAMES.setdefault(v1.get_default_graph(), Counter())
    counts[base] += 1
    return f"{base}_{counts[base]}", name.name if name else base


def _initializer(identifier):
    if not isinstance(identifier, str):
        return identifier
    if identifier not in ("glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity", "lecun_normal",
                          "lecun_uniform", "ones", "orthogonal", "zeros"):  # fmt: skip
        raise ValueError(f"Could not interpret initializer identifier: {identifier!r}")
    return getattr(v1.initializers, identifier)()


def _tensor(value):
    return value if isinstance(value, v1.SparseTensor) else v1.convert_to_tensor(value)
