"""tf.contrib.eager.Network: models made of layers by hand, as eager programs of 1.4 to 1.15 wrote them."""

import inspect

import tensorflow.compat.v1 as v1

from tf1ref.legacy._layer import Layer


class Network(Layer):
    """The base class. Subclasses track their layers in __init__ and use them in `call`.

    Variables are named `<class in snake case>/<layer>/<its own>`: my_network/dense/kernel, my_network/dense_1/kernel.
    Raises ValueError for a name with a slash, and for a scope in place of a name.
    """

    def __init__(self, name=None):
        if isinstance(name, v1.VariableScope):
            raise ValueError("VariableScopes are not valid Network names.")
        if name and "/" in name:
            raise ValueError("Forward slashes ('/') are not allowed in Network names.")
        super().__init__(name=name)
        self._tracked = []

    def track_layer(self, layer):
        """Adds a layer or a network, and returns it.

        Raises RuntimeError before Network.__init__ was called, TypeError for an object that is not a layer, and
        ValueError for a name that another layer here has.
        """
        if not hasattr(self, "_tracked"):
            raise RuntimeError("Need to call Network.__init__ before adding layers")
        if not isinstance(layer, Layer):
            raise TypeError(f"Network.track_layer() passed type {type(layer)}, not a tf.layers.Layer")
        if any(layer is not other and layer.name == other.name for other in self._tracked):
            raise ValueError(f"Attempt to add two Layers with the name '{layer.name}' to the same Network.")
        if not any(layer is other for other in self._tracked):
            self._tracked.append(layer)
        return layer

    def get_layer(self, name=None, index=None):
        """Returns a tracked layer by its name or its index.

        Raises ValueError for neither, for both, and when the layer does not exist.
        """
        if (name is None) == (index is None):
            raise ValueError("Exactly one of 'index' or 'name' must be provided")
        if index is None:
            found = [layer for layer in self._tracked if layer.name == name][:1]
        else:
            found = self._tracked[index : index + 1]
        if not found:
            raise ValueError(f"No such layer: {name or index}; there are {[layer.name for layer in self._tracked]}")
        return found[0]

    @property
    def layers(self):
        """The tracked layers, in the order in which they were added."""
        return list(self._tracked)

    @property
    def trainable_weights(self):
        """The trained variables of all layers."""
        return [weight for layer in self._tracked for weight in layer.trainable_weights]

    @property
    def non_trainable_weights(self):
        """The variables of all layers that are not trained."""
        return [weight for layer in self._tracked for weight in layer.non_trainable_weights]

    @property
    def losses(self):
        """The losses of all layers."""
        return [loss for layer in self._tracked for loss in layer.losses]

    @property
    def updates(self):
        """The updates of all layers."""
        return [update for layer in self._tracked for update in layer.updates]

    def call(self, inputs, *args, **kwargs):
        raise NotImplementedError(f"{type(self).__name__} must define call(self, inputs)")


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
