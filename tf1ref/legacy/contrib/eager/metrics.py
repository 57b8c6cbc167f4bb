"""tf.contrib.eager.metrics: objects that accumulate the values with which they are called."""

import tensorflow.compat.v1 as v1


class Metric:
    """The base class: `build` makes variables with add_variable, `call` takes values, `result` returns the metric.

    Metrics need eager execution; graphs have tf.metrics. Raises RuntimeError in a graph.
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
        """Returns a new variable, which init_variables() resets."""
        value = (initializer or v1.zeros_initializer())(shape or (), dtype=dtype or v1.float32)
        self._variables.append(v1.Variable(value, name=name, trainable=False, use_resource=True))
        return self._variables[-1]

    def init_variables(self):
        """Resets all variables."""
        for variable in self._variables:
            variable.assign(v1.zeros_like(variable))

    def build(self, *args, **kwargs):
        """Makes the variables. It is called once, before the first call."""

    def call(self, *args, **kwargs):
        """Adds values to the metric."""
        raise NotImplementedError(f"{type(self).__name__} must define call()")

    def result(self):
        """Returns the metric of all values so far."""
        raise NotImplementedError(f"{type(self).__name__} must define result()")

    def value(self):
        """The same as result()."""
        return self.result()


class Mean(Metric):
    """The weighted mean of all values."""

    def __init__(self, name=None, dtype=v1.float64):
        super().__init__(name)
        self.dtype = dtype

    def build(self, *args, **kwargs):
        self.numer = self.add_variable("numer", dtype=self.dtype)
        self.denom = self.add_variable("denom", dtype=self.dtype)

    def call(self, values, weights=None):
        """Takes values of any shape, and weights that broadcast to it (None means ones). Returns (values, weights)."""
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
    """The share of predictions that equal their labels."""

    def call(self, labels, predictions, weights=None):
        """Takes labels and predictions of one shape, and returns them.

        Raises InvalidArgumentError when the shapes differ.
        """
        labels, predictions = v1.convert_to_tensor(labels), v1.convert_to_tensor(predictions)
        v1.debugging.assert_equal(v1.shape(labels), v1.shape(predictions), message="Shapes of labels and predictions")
        super().call(v1.equal(labels, v1.cast(predictions, labels.dtype)), weights)
        return (labels, predictions) if weights is None else (labels, predictions, weights)
