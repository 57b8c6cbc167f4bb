"""The base of tf.layers and of the rnn cells: an object whose variables live in one variable scope.

The first call fixes the scope: the name given, or the class in snake case, made unique (dense, dense_1). From then on
every call uses the same variables. `reuse=True` looks for existing ones instead of making a new scope.
"""

import inspect
import re
import weakref
from collections import Counter

import tensorflow.compat.v1 as v1
from tensorflow.python.util import nest

# Names that were given to layers without one, per graph: they are counted from 1, unlike the scopes.
_NAMES = weakref.WeakKeyDictionary()
# Defaults of arguments; initializers hold no state.
ZEROS, ONES = v1.zeros_initializer(), v1.ones_initializer()
_ACTIVATIONS = ("elu", "relu", "relu6", "selu", "sigmoid", "softmax", "softplus", "softsign", "tanh")


class InputSpec:
    """What a layer takes: a rank (exactly, at least, at most), and the size of axes by number."""

    def __init__(self, dtype=None, shape=None, ndim=None, max_ndim=None, min_ndim=None, axes=None):
        self.dtype, self.shape = dtype, shape
        self.ndim = len(shape) if shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = axes or {}

    def mismatch(self, shape):
        """Returns what is wrong with a TensorShape, or None."""
        rank = shape.rank
        if rank is None:
            return None
        for limit, wrong in ((self.ndim, rank != self.ndim), (self.min_ndim, rank < (self.min_ndim or 0))):
            if limit is not None and wrong:
                return f"expected {'ndim' if limit is self.ndim else 'min_ndim'}={limit}, found ndim={rank}"
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"expected max_ndim={self.max_ndim}, found ndim={rank}"
        sizes = shape.as_list()
        for axis, size in self.axes.items():
            if size is not None and sizes[axis] not in (size, None):
                return f"expected axis {axis} to have {size} elements, found {sizes[axis]}"
        return None


class Layer:
    """Base class: subclasses make variables in `build` with `add_weight`, and ops in `call`.

    trainable: False keeps the variables out of TRAINABLE_VARIABLES. dtype: of the variables; None: that of the first
    input. Raises TypeError for keywords it does not know; a call raises ValueError where inputs do not fit.
    """

    input_spec = None

    def __init__(self, trainable=True, name=None, dtype=None, **kwargs):
        scope = kwargs.pop("_scope", None)
        self._reuse = kwargs.pop("_reuse", None)
        self._activity_regularizer = kwargs.pop("activity_regularizer", None)
        if kwargs:
            raise TypeError(f"{type(self).__name__}: unknown keyword argument {', '.join(map(repr, sorted(kwargs)))}")
        self.trainable = trainable
        self.built = False
        self._dtype = None if dtype is None else v1.as_dtype(dtype).base_dtype
        self._trainable_weights, self._non_trainable_weights = [], []
        self._losses, self._updates = [], []
        self._name, self._base_name = _names(type(self).__name__, name)
        self._scope = None
        if scope:
            with v1.variable_scope(scope) as captured:
                self._scope = captured

    name = property(lambda self: self._name)
    dtype = property(lambda self: self._dtype)
    losses = property(lambda self: list(self._losses))
    updates = property(lambda self: list(self._updates) if self.trainable else [])
    trainable_weights = property(lambda self: list(self._trainable_weights) if self.trainable else [])
    trainable_variables = property(lambda self: self.trainable_weights)
    non_trainable_variables = property(lambda self: self.non_trainable_weights)
    weights = property(lambda self: self.trainable_weights + self.non_trainable_weights)
    variables = property(lambda self: self.weights)

    @property
    def non_trainable_weights(self):
        frozen = [] if self.trainable else self._trainable_weights
        return list(frozen) + list(self._non_trainable_weights)

    @property
    def scope_name(self):
        """Name of the variable scope. Raises ValueError before the first call, which fixes it."""
        if not self._scope:
            raise ValueError(f'No name available for layer scope: the layer "{self._name}" has not been used yet')
        return self._scope.name

    def build(self, input_shape):
        """Makes the variables for inputs of that TensorShape."""
        self.built = True

    def call(self, inputs, *args, **kwargs):
        """Adds the ops; returns the outputs."""
        return inputs

    def apply(self, inputs, *args, **kwargs):
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
                self._regularize_activity(outputs)
        return outputs

    def _build_for(self, inputs):
        if self._dtype is None:
            self._dtype = nest.flatten(inputs)[0].dtype.base_dtype
        shapes = nest.map_structure(lambda tensor: tensor.get_shape(), inputs)
        self.build(shapes)
        self.built = True

    def _check(self, inputs):
        for index, (spec, tensor) in enumerate(zip(nest.flatten(self.input_spec or []), nest.flatten(inputs))):
            wrong = spec.mismatch(tensor.get_shape())
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

    def add_weight(
        self,
        name,
        shape,
        dtype=None,
        initializer=None,
        regularizer=None,
        trainable=True,
        constraint=None,
        partitioner=None,
        use_resource=None,
    ):
        """Returns the variable `name` of the layer's scope: get_variable's, with its reuse rules and errors.

        initializer: None is the scope's, or get_variable's default (glorot uniform). The regularizer's penalty goes to
        REGULARIZATION_LOSSES when the variable is new, not where it is reused.
        """
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
                dtype=v1.as_dtype(dtype or self._dtype or v1.float32),
                initializer=_initializer(initializer),
                trainable=bool(trainable and self.trainable),
                constraint=constraint,
                partitioner=partitioner,
                use_resource=use_resource,
            )
            parts = list(variable) if hasattr(variable, "as_tensor") else [variable]
            if regularizer is not None and not any(id(part) in known for part in parts):
                self._regularize(name, parts, regularizer)
        self._remember(variable, parts, trainable)
        return variable

    add_variable = add_weight

    def _remember(self, variable, parts, trainable):
        # A custom getter or the scope may have taken the variable out of training.
        trained = {id(v) for v in v1.trainable_variables()} if trainable and self.trainable else set()
        is_trained = id(parts[0]) in trained if not v1.executing_eagerly() else parts[0].trainable
        wanted = is_trained or (trainable and not self.trainable)
        (self._trainable_weights if wanted else self._non_trainable_weights).append(variable)

    def _regularize(self, name, parts, regularizer):
        # In the outermost graph: a penalty inside a loop's body could not be fetched.
        with v1.init_scope():
            for part in parts:
                with v1.name_scope(f"{name}/Regularizer"):
                    penalty = regularizer(part)
                if penalty is not None:
                    self.add_loss(penalty)

    def _regularize_activity(self, outputs):
        if self._activity_regularizer is None:
            return
        with v1.name_scope("ActivityRegularizer"):
            for output in nest.flatten(outputs):
                penalty = self._activity_regularizer(output)
                self.add_loss(penalty / v1.cast(v1.shape(output)[0], penalty.dtype))

    def add_loss(self, losses):
        """Adds tensors to the layer's losses and to REGULARIZATION_LOSSES."""
        for loss in nest.flatten(losses):
            self._losses.append(loss)
            if not v1.executing_eagerly():
                v1.add_to_collection(v1.GraphKeys.REGULARIZATION_LOSSES, loss)

    def add_update(self, updates):
        """Adds ops to the layer's updates and, unless it is not trainable, to UPDATE_OPS; eagerly they are done."""
        if v1.executing_eagerly():
            return
        self._updates += nest.flatten(updates)
        if self.trainable:
            v1.get_collection_ref(v1.GraphKeys.UPDATE_OPS).extend(nest.flatten(updates))

    def count_params(self):
        """Number of elements of all variables."""
        return sum(variable.get_shape().num_elements() for variable in self.weights)


def activation(identifier):
    """Returns a function: itself, one of tf.nn by name, or None for None and "linear"."""
    if identifier is None or identifier == "linear":
        return None
    if callable(identifier):
        return identifier
    if identifier in _ACTIVATIONS:
        return getattr(v1.nn, identifier)
    raise ValueError(f"Could not interpret activation function identifier: {identifier!r}")


def functional(cls, takes_reuse=True):
    """Returns tf.layers' function for a class: `inputs`, the class's own arguments, `reuse`; adds the layer's ops."""
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
    return re.sub(r"(?<=.)(?=[A-Z][a-z0-9])|(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _names(class_name, name):
    """Returns the layer's own name, and the name its scope starts from."""
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
