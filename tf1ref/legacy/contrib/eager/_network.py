"""tf.contrib.eager.Network: models made of layers by hand, as eager programs of 1.4 to 1.15 wrote them."""

import inspect
import weakref
from collections import Counter

import tensorflow.compat.v1 as v1
from tensorflow.python.ops.variable_scope import get_variable_scope_store

from tf1ref.legacy._layer import Layer, snake_case

# How many top-level networks without a name there are: {graph: {(outer scope, class): number}}.
_NAMES = weakref.WeakKeyDictionary()


class Network(Layer):
    """The base class. Subclasses track their layers in __init__ and use them in `call`.

    Variables are named `<network>/<layer>/<its own>`: my_network/dense/kernel, my_network/dense_1/kernel. Names without
    a number come first, and they count in the network that a layer or network is first tracked by. A network has its
    name when it is tracked, or at its first call, which counts in the variable scope where it was made. Raises
    ValueError for a name with a slash, for a scope in place of a name, and for a name that is taken.
    """

    def __init__(self, name=None):
        if isinstance(name, v1.VariableScope):
            raise ValueError("VariableScopes are not valid Network names.")
        if name and "/" in name:
            raise ValueError("Forward slashes ('/') are not allowed in Network names.")
        super().__init__(name=name)
        self._name, self._base_name = name or None, snake_case(type(self).__name__)
        self._layers, self._parts, self._owned, self._counts = [], [], {}, Counter()
        # None: not known yet. False: a network at the top. Otherwise a weak reference to the network around it.
        self._first_parent = None
        self._outer = v1.get_variable_scope()
        # This dictionary goes on to count the scopes that are opened, even those that the store forgets.
        self._scopes = get_variable_scope_store().variable_scopes_count

    @property
    def name(self):
        """The name. Raises ValueError before it is known."""
        if self._name is None:
            raise ValueError(
                "The network does not yet have a final name: it gets one when another network tracks it, or when it "
                "is first called"
            )
        return self._name

    @property
    def trainable(self):
        """True: the layers say what is trained. Raises AttributeError when it is set to False."""
        return True

    @trainable.setter
    def trainable(self, value):
        """Takes True only."""
        if not value:
            raise AttributeError("cannot mark Network as not trainable")

    def _finish_name(self, parent):
        """Fixes the name in `parent`, or at the top for None, and remembers the first one."""
        if self._name is None and parent is not None:
            self._name = unique(self._base_name, self._base_name, parent._counts, parent._owned)
        elif self._name is None:
            outer = f"{self._outer.name}/" if self._outer.name else ""
            taken = {scope[len(outer) :] for scope in self._scopes if scope.startswith(outer)}
            counts = _NAMES.setdefault(v1.get_default_graph(), Counter())
            self._name = unique(self._base_name, (outer, self._base_name), counts, taken)
        if self._first_parent is None or (self._first_parent and self._first_parent() is None):
            self._first_parent = False if parent is None else weakref.ref(parent)

    def _set_scope(self, scope=None):
        if self._scope is not None:
            return
        if scope is not None:
            raise ValueError("Networks may not be created with explicit scopes.")
        parent = self._first_parent and self._first_parent()
        if parent:
            parent._set_scope()
        else:
            self._finish_name(None)
        with v1.variable_scope(parent._scope if parent else self._outer) as outer:
            self._open(outer.name)
        if parent and self._scope.name != f"{parent.scope_name}/{self._name}":
            raise ValueError(f"the scope {self._scope.name} of network {self._name} is not in that of its parent")
        if not parent:
            self._name = self._scope.name
        for layer in self._parts:
            _place(layer)

    def _open(self, outer):
        taken = f"{outer}/{self._name}" in self._scopes
        with v1.variable_scope(None, default_name=self._name, use_resource=True) as scope:
            if taken or scope.name.rpartition("/")[2] != self._name:
                raise ValueError(
                    f"A Network named '{self._name}' already exists (or a variable_scope was created with this name). "
                    "Names must be unique."
                )
            self._scope = scope

    def track_layer(self, layer):
        """Adds a layer or a network, and returns it.

        Raises RuntimeError before Network.__init__ was called, TypeError for an object that is not a layer, and
        ValueError for a name that another layer here has.
        """
        if not hasattr(self, "_layers"):
            raise RuntimeError("Need to call Network.__init__ before adding layers")
        if not isinstance(layer, Layer):
            raise TypeError(f"Network.track_layer() passed type {type(layer)}, not a tf.layers.Layer")
        layer._use_resource_variables = True
        if isinstance(layer, Network):
            layer._finish_name(self)
        elif not layer.built:
            first = getattr(layer, "_first_parent", None)
            if first is None or first() is None:
                if layer._name != layer._base_name:  # it was given no name
                    layer._name = unique(layer._base_name, layer._base_name, self._counts, self._owned)
                layer._first_parent = weakref.ref(self)
            self._parts.append(layer)
        if not layer.built and layer._first_parent and layer._first_parent() is self:
            other = self._owned.setdefault(layer.name, layer)
            if other is not layer:
                raise ValueError(f"Attempt to add two Layers with the name '{layer.name}' to the same Network.")
            if any(layer is each for each in self._layers):
                return layer
        self._layers.append(layer)
        return layer

    def get_layer(self, name=None, index=None):
        """Returns a tracked layer by its name or its index.

        Raises ValueError for neither, for both, and when the layer does not exist.
        """
        if (name is None) == (index is None):
            raise ValueError("Exactly one of 'index' or 'name' must be provided")
        if index is None:
            found = [layer for layer in self._layers if layer.name == name][:1]
        else:
            found = self._layers[index : index + 1]
        if not found:
            raise ValueError(f"No such layer: {name or index}; there are {[layer.name for layer in self._layers]}")
        return found[0]

    @property
    def layers(self):
        """The tracked layers, in the order in which they were added."""
        return list(self._layers)

    @property
    def trainable_weights(self):
        """The trained variables of all layers."""
        return [weight for layer in self._layers for weight in layer.trainable_weights]

    @property
    def non_trainable_weights(self):
        """The variables of all layers that are not trained."""
        return [weight for layer in self._layers for weight in layer.non_trainable_weights]

    @property
    def losses(self):
        """The losses of all layers."""
        return [loss for layer in self._layers for loss in layer.losses]

    @property
    def updates(self):
        """The updates of all layers."""
        return [update for layer in self._layers for update in layer.updates]

    def call(self, inputs, *args, **kwargs):
        raise NotImplementedError(f"{type(self).__name__} must define call(self, inputs)")


def unique(base, key, counts, taken):
    """Returns the first of base, base_1, base_2 ... that neither came before, by `counts`, nor is taken."""
    while True:
        name = f"{base}_{counts[key]}" if counts[key] else base
        counts[key] += 1
        if name not in taken:
            return name


def _place(layer):
    """Gives a layer that is no network its scope, in that of the network that tracked it first."""
    if layer._scope is None:
        parent = layer._first_parent()
        if parent is None:
            raise ValueError(f"the first network that tracked the layer {layer.name} is gone, and its scope with it")
        parent._set_scope()
        if layer._scope is None:
            outer = v1.variable_scope(parent._scope)
            with outer, v1.variable_scope(None, default_name=layer.name, use_resource=True) as scope:
                layer._scope = scope


class Sequential(Network):
    """Layers or functions, called one after the other. Those that take `training` get it."""

    def __init__(self, layers_funcs=None, name=None):
        super().__init__(name)
        self._steps = []
        for each in layers_funcs or ():
            self.add(each)

    def add(self, layer_func):
        """Adds a layer or a function at the end. Raises TypeError for anything else."""
        if isinstance(layer_func, Layer):
            self.track_layer(layer_func)
        elif not callable(layer_func):
            raise TypeError(f"Sequential.add() takes only tf.layers.Layer objects or callables; not '{layer_func}'")
        function = layer_func.call if isinstance(layer_func, Layer) else layer_func
        parameters = inspect.signature(function).parameters.values()
        takes = any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters)
        self._steps.append((layer_func, takes))

    def call(self, inputs, training=None):
        options = {} if training is None else {"training": training}
        for step, takes in self._steps:
            inputs = step(inputs, **(options if takes else {}))
        return inputs
