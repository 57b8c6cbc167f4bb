"""The arguments that all layers with weights share, and what the layers do with them."""

import dataclasses
import functools
import inspect

import tensorflow.compat.v1 as v1

from tf1ref.legacy._layer import penalties
from tf1ref.legacy._layer_record import loss_values
from tf1ref.legacy.contrib.framework import model_variable
from tf1ref.legacy.contrib.layers._parts import collect_named_outputs, get_variable_collections, xavier_initializer

XAVIER, ZEROS = xavier_initializer(), v1.zeros_initializer()


@dataclasses.dataclass(frozen=True)
class Weighted:
    """The caller's arguments for the weights, the biases and what follows them, in TF1's order."""

    activation_fn: object = v1.nn.relu
    normalizer_fn: object = None
    normalizer_params: object = None
    weights_initializer: object = XAVIER
    weights_regularizer: object = None
    biases_initializer: object = ZEROS
    biases_regularizer: object = None
    reuse: object = None
    variables_collections: object = None
    outputs_collections: object = None
    trainable: object = True
    scope: object = None

    def open(self, default, inputs):
        """Returns the variable scope to enter: the caller's, or `default` made unique."""
        return v1.variable_scope(self.scope, default, [inputs], reuse=self.reuse)

    def weights(self, name, shape, dtype, initializer=None):
        """Returns the variable `name` with the caller's regularizer, in the collections of "weights"."""
        initializer = initializer or self.weights_initializer
        return self._variable(name, shape, dtype, initializer, self.weights_regularizer, "weights")

    def _variable(self, name, shape, dtype, initializer, regularizer, collection):
        known = {id(each) for each in v1.global_variables()}
        variable = model_variable(
            name,
            shape,
            dtype,
            initializer=initializer,
            trainable=self.trainable,
            collections=get_variable_collections(self.variables_collections, collection),
        )
        parts = list(variable) if hasattr(variable, "as_tensor") else [variable]
        if regularizer is not None and not any(id(part) in known for part in parts):
            # In TF1 these were tf.layers' layers, which name their variables differently. The name of the op shows
            # it.
            inner = name.replace("weights", "kernel").replace("biases", "bias")
            for penalty in loss_values(penalties(inner, parts, regularizer)):
                v1.add_to_collection(v1.GraphKeys.REGULARIZATION_LOSSES, penalty)
        return variable

    def biased(self, outputs, size):
        """Adds the variable `biases`, unless a normalizer has its own biases or there is no initializer for them."""
        if self.normalizer_fn is not None or self.biases_initializer is None:
            return outputs
        initializer, regularizer = self.biases_initializer, self.biases_regularizer
        biases = self._variable("biases", [size], outputs.dtype.base_dtype, initializer, regularizer, "biases")
        return v1.nn.bias_add(outputs, biases)

    def finished(self, outputs, alias):
        """Normalizes the outputs, applies the activation, and collects them."""
        if self.normalizer_fn is not None:
            outputs = self.normalizer_fn(outputs, **(self.normalizer_params or {}))
        if self.activation_fn is not None:
            outputs = self.activation_fn(outputs)
        return collect_named_outputs(self.outputs_collections, alias, outputs)


_FIELDS = {field.name: field.default for field in dataclasses.fields(Weighted)}


def weighted(func=None, *, after="scope"):
    """Replaces `func`'s keyword argument `common` by the fields of Weighted.

    Further keyword arguments of `func` follow the field `after`, as they did in TF1.
    """
    if func is None:
        return functools.partial(weighted, after=after)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    given = inspect.signature(func).parameters.values()
    parameters = [p for p in given if p.kind is kind]
    for name, default in _FIELDS.items():
        parameters.append(inspect.Parameter(name, kind, default=default))
        if name == after:
            parameters += [p.replace(kind=kind) for p in given if p.kind is not kind and p.name != "common"]
    signature = inspect.Signature(parameters)

    @functools.wraps(func)
    def layer(*args, **kwargs):
        arguments = signature.bind(*args, **kwargs).arguments
        common = Weighted(**{name: arguments.pop(name) for name in _FIELDS if name in arguments})
        return func(**arguments, common=common)

    layer.__signature__ = signature
    return layer
