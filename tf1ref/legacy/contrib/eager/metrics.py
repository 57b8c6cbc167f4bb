"""tf.contrib.eager.metrics: objects that accumulate the values with which they are called, eagerly or in a graph."""

import re

import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.python.ops import summary_ops_v2
from tensorflow.python.trackable.base import Trackable

from tf1ref.legacy._conditions import smart_cond

__all__ = ["Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "Mean", "Metric", "SparseAccuracy"]


class Metric(Trackable):
    """The base class: `build` makes variables with add_variable, `call` takes values, `result` returns the metric.

    A Checkpoint saves it. In a graph, a call returns what one step adds, init_variables an op, and the variables are
    local ones, or global ones with use_global_variables. There two metrics cannot have one name.
    """

    def __init__(self, name=None, use_global_variables=False):
        self._built, self._variables, self._starts = False, [], []
        self._global = use_global_variables
        name = name or type(self).__name__
        scope_name = re.sub("[^A-Za-z0-9.]", "_", name)
        with v1.variable_scope(scope_name, use_resource=True, reuse=False) as scope:
            self._name = name + scope.name[scope.name.rfind(scope_name) + len(scope_name) :]
            self._scope = scope
        self._graph = None if v1.executing_eagerly() else v1.get_default_graph()
        build = self.build

        def build_once(*args, **kwargs):
            build(*args, **kwargs)
            self._built = True

        self.build = build_once
        if self._graph is not None:
            # One call of a function makes all updates, whichever of its results is fetched.
            self.call = tf.function(self.call, autograph=False)

    name = property(lambda self: self._name)
    variables = property(lambda self: self._variables)

    def __call__(self, *args, **kwargs):
        if not self._built:
            with v1.init_scope() if self._graph is None else self._graph.as_default(), v1.variable_scope(self._scope):
                self.build(*args, **kwargs)
        return self.call(*args, **kwargs)

    def add_variable(self, name, shape=None, dtype=None, initializer=None):
        """Returns a new variable, which init_variables() resets. Raises RuntimeError after `build`."""
        if self._built:
            raise RuntimeError("Can't call add_variable() except in build().")
        kind = v1.GraphKeys.GLOBAL_VARIABLES if self._global else v1.GraphKeys.LOCAL_VARIABLES
        variable = self._add_variable_with_custom_getter(
            name=name, shape=shape or (), dtype=dtype or v1.float32, initializer=initializer or v1.zeros_initializer(),
            trainable=False, collections=None if v1.executing_eagerly() else [kind, v1.GraphKeys.METRIC_VARIABLES],
            use_resource=True, getter=v1.get_variable, overwrite=True,
        )  # fmt: skip
        self._variables.append(variable)
        if v1.executing_eagerly():
            self._starts.append(variable.read_value())
        return variable

    def init_variables(self):
        """Resets all variables. In a graph it returns the op that does so."""
        if not v1.executing_eagerly():
            return v1.group(*(variable.initializer for variable in self._variables))
        for variable, start in zip(self._variables, self._starts):
            variable.assign(start)
        return None

    def build(self, *args, **kwargs):
        """Makes the variables. It is called once, before the first call."""
        raise NotImplementedError(f"{type(self).__name__} must define build()")

    def call(self, *args, **kwargs):
        """Adds values to the metric."""
        raise NotImplementedError(f"{type(self).__name__} must define call()")

    def result(self):
        """Returns the metric of all values so far."""
        raise NotImplementedError(f"{type(self).__name__} must define result()")

    def value(self):
        """Returns result(), or the function itself where code runs eagerly."""
        return self.result if v1.executing_eagerly() else self.result()


class Mean(Metric):
    """The weighted mean of all values."""

    def __init__(self, name=None, dtype=v1.float64, use_global_variables=False):
        super().__init__(name, use_global_variables)
        self.dtype = dtype

    def build(self, *args, **kwargs):
        self.numer = self.add_variable("numer", dtype=self.dtype)
        self.denom = self.add_variable("denom", dtype=self.dtype)

    def call(self, values, weights=None):
        """Takes values of any shape, and weights that broadcast to it (None means ones).

        Returns the sum of the values, or (the weighted values, weights), as TF1 did.
        """
        if weights is None:
            self.denom.assign_add(v1.cast(v1.size(values), self.dtype))
            total = v1.reduce_sum(values)
            self.numer.assign_add(v1.cast(total, self.dtype))
            return total
        weights = v1.cast(weights, self.dtype)
        values = v1.cast(values, self.dtype) * weights
        self.denom.assign_add(v1.reduce_sum(weights))
        self.numer.assign_add(v1.reduce_sum(values))
        return values, weights

    def result(self, write_summary=True):
        """Returns the mean. write_summary: whether the default writer of tf.contrib.summary gets it, too."""
        mean = self.numer / self.denom
        if summary_ops_v2.has_default_writer():
            smart_cond(write_summary, lambda: self._summarized(mean), lambda: v1.identity(mean))
        return mean

    def _summarized(self, mean):
        summary_ops_v2.scalar(self.name, mean)
        return v1.identity(mean)


class Accuracy(Mean):
    """The share of predictions that equal their labels."""

    def __init__(self, name=None, dtype=v1.float64):
        super().__init__(name, dtype)

    def call(self, labels, predictions, weights=None):
        """Takes labels and predictions of one shape, and returns them.

        Raises InvalidArgumentError when the shapes differ.
        """
        labels, predictions = _alike(labels, predictions)
        return self._add(labels, v1.cast(predictions, labels.dtype), weights, predictions)

    def _add(self, labels, predictions, weights, shown=None):
        super().call(v1.cast(v1.equal(labels, predictions), self.dtype), weights)
        found = labels, predictions if shown is None else shown
        return found if weights is None else (*found, weights)


class CategoricalAccuracy(Accuracy):
    """The share of rows whose largest prediction stands where the label's 1 is."""

    def call(self, labels, predictions, weights=None):
        """Takes [..., classes] of both; returns the class numbers."""
        labels, predictions = _alike(labels, predictions)
        return self._add(v1.argmax(labels, -1), v1.argmax(predictions, -1), weights)


class BinaryAccuracy(Accuracy):
    """The share of labels 0 or 1 that fit to predictions above or below a threshold: 0 for logits."""

    def __init__(self, threshold, name=None, dtype=v1.float64):
        super().__init__(name, dtype)
        self.threshold = threshold

    def call(self, labels, predictions, weights=None):
        """Takes labels and predictions of one shape; returns both as bool."""
        labels, predictions = _alike(labels, predictions)
        return self._add(v1.cast(labels, v1.bool), predictions > self.threshold, weights)


class SparseAccuracy(Accuracy):
    """The share of rows whose largest prediction stands at the label, a class number."""

    def call(self, labels, predictions, weights=None):
        """Takes labels [batch] and predictions [batch, classes]; returns class numbers."""
        labels, predictions = v1.cast(labels, v1.int64), v1.argmax(predictions, -1)
        return self._add(*_alike(labels, predictions), weights)


def _alike(labels, predictions):
    """Returns tensors; raises InvalidArgumentError when their shapes differ."""
    labels, predictions = v1.convert_to_tensor(labels), v1.convert_to_tensor(predictions)
    shapes = v1.shape(labels), v1.shape(predictions)
    v1.debugging.assert_equal(*shapes, message="Shapes of labels and predictions are unequal")
    return labels, predictions
