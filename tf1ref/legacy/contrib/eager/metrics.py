"""tf.contrib.eager.metrics: objects that sum up what they are called with."""

import tensorflow.compat.v1 as v1


class Metric:
    """Base class: `build` makes variables with add_variable, `call` takes values, `result` tells.

    Eager execution alone: in graphs use tf.metrics. Raises RuntimeError there.
    """

    def __init__(self, name=None):
        if not v1.executing_eagerly():
            raise RuntimeError("tf.contrib.eager.metrics need eager execution; tf.metrics have the same for graphs")
        self._name, self._built, self._variables = name or type(self).__name__.lower(), False, []

    name = property(lambda self: self._name)
    variables = property(lambda self: list(self._variables))

    def __call__(self, *args, **kwargs):
        if not self._built:
            self.build(*args, **kwargs)
            self._built = True
        return self.call(*args, **kwargs)

    def add_variable(self, name, shape=None, dtype=None, initializer=None):
        """Returns a new variable that init_variables() sets back."""
        value = (initializer or v1.zeros_initializer())(shape or (), dtype=dtype or v1.float32)
        self._variables.append(v1.Variable(value, name=name, trainable=False, use_resource=True))
        return self._variables[-1]

    def init_variables(self):
        """Starts anew."""
        for variable in self._variables:
            variable.assign(v1.zeros_like(variable))

    def build(self, *args, **kwargs):
        pass

    def call(self, *args, **kwargs):
        raise NotImplementedError(f"{type(self).__name__} must define call()")

    def result(self):
        raise NotImplementedError(f"{type(self).__name__} must define result()")

    def value(self):
        """The same as result()."""
        return self.result()


class Mean(Metric):
    """The mean of all values, each as often as its weight."""

    def __init__(self, name=None, dtype=v1.float64):
        super().__init__(name)
        self.dtype = dtype

    def build(self, *args, **kwargs):
        self.numer = self.add_variable("numer", dtype=self.dtype)
        self.denom = self.add_variable("denom", dtype=self.dtype)

    def call(self, values, weights=None):
        """values: any shape; weights: one that broadcasts to it, or None for ones. Returns (values, weights)."""
        values = v1.cast(values, self.dtype)
        each = v1.ones_like(values) if weights is None else v1.cast(weights, self.dtype) * v1.ones_like(values)
        self.numer.assign_add(v1.reduce_sum(values * each))
        self.denom.assign_add(v1.reduce_sum(each))
        return values if weights is None else (values, weights)

    def result(self):
        if not self._built:
            raise ValueError(f"{self._name}: result() before any value")
        return self.numer / self.denom


class Accuracy(Mean):
    """The part of the predictions that are their labels."""

    def call(self, labels, predictions, weights=None):
        """labels, predictions: of one shape. Returns them. Raises InvalidArgumentError where the shapes differ."""
        labels, predictions = v1.convert_to_tensor(labels), v1.convert_to_tensor(predictions)
        v1.debugging.assert_equal(v1.shape(labels), v1.shape(predictions), message="Shapes of labels and predictions")
        super().call(v1.equal(labels, v1.cast(predictions, labels.dtype)), weights)
        return (labels, predictions) if weights is None else (labels, predictions, weights)
