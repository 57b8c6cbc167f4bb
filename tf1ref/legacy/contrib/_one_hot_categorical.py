"""tf.contrib.distributions' categorical distributions of vectors, on TensorFlow's Categorical.

OneHotCategorical draws one-hot vectors. Its relaxations draw positive vectors with the sum 1, or their
logarithms. At a low temperature the vectors are nearly one-hot (Jang et al., 2017, arXiv:1611.01144; Maddison et al.,
2017, arXiv:1611.00712).
"""

import numpy as np
import tensorflow.compat.v1 as v1

distributions = v1.distributions


class _Vectors(distributions.Distribution):
    """A distribution of vectors of k classes. logits or probs: [..., k], with a batch before the last axis."""

    def __init__(self, classes, dtype, reparameterization_type, parameters, more=()):
        self._classes = classes
        super().__init__(
            dtype=dtype,
            reparameterization_type=reparameterization_type,
            validate_args=parameters["validate_args"],
            allow_nan_stats=parameters["allow_nan_stats"],
            parameters=parameters,
            graph_parents=[classes.logits, classes.probs, *more],
            name=parameters["name"],
        )

    @property
    def logits(self):
        """The logits, [..., k]."""
        return self._classes.logits

    @property
    def probs(self):
        """The probabilities, [..., k]."""
        return self._classes.probs

    @property
    def event_size(self):
        """The number of classes k, an int32 tensor."""
        return self._classes.event_size

    def _batch_shape(self):
        return self._classes.batch_shape

    def _batch_shape_tensor(self):
        return self._classes.batch_shape_tensor()

    def _event_shape(self):
        return self.logits.shape[-1:]

    def _event_shape_tensor(self):
        return self.event_size[None]

    def _prob(self, x):
        return v1.exp(self._log_prob(x))


class OneHotCategorical(_Vectors):
    """One-hot vectors of [..., k] in the type `dtype`. Give either logits or probs.

    >>> with v1.Graph().as_default(), v1.Session() as session:
    ...     session.run(OneHotCategorical(probs=[0.0, 1.0]).sample())
    array([0, 1], dtype=int32)
    """

    def __init__(
        self, logits=None, probs=None, dtype=v1.int32, validate_args=False, allow_nan_stats=True,
        name="OneHotCategorical",
    ):  # fmt: skip
        parameters = dict(locals())
        with v1.name_scope(name) as scope:
            classes = distributions.Categorical(logits, probs, validate_args=validate_args)
        parameters["name"] = scope
        super().__init__(classes, dtype, distributions.NOT_REPARAMETERIZED, parameters)

    def _one_hot(self, index):
        return v1.one_hot(index, self.event_size, dtype=self.dtype)

    def _sample_n(self, n, seed=None):
        return self._one_hot(self._classes.sample(n, seed=seed))

    def _log_prob(self, x):
        x = v1.cast(x, self.logits.dtype)
        logits = v1.broadcast_to(self.logits, v1.broadcast_dynamic_shape(v1.shape(x), v1.shape(self.logits)))
        return -v1.nn.softmax_cross_entropy_with_logits_v2(labels=v1.broadcast_to(x, v1.shape(logits)), logits=logits)

    def _entropy(self):
        return self._classes.entropy()

    def _mean(self):
        return self.probs

    def _mode(self):
        return self._one_hot(v1.argmax(self.logits, axis=-1))

    def _variance(self):
        return self.probs * (1 - self.probs)

    def _covariance(self):
        products = self.probs[..., None] * self.probs[..., None, :]
        return v1.matrix_set_diag(-products, self._variance())


@distributions.RegisterKL(OneHotCategorical, OneHotCategorical)
def _kl(a, b, name=None):
    """Returns KL(a || b), that of the classes."""
    return distributions.kl_divergence(a._classes, b._classes, name=name)


class ExpRelaxedOneHotCategorical(_Vectors):
    """The logarithms of RelaxedOneHotCategorical's vectors. They do not underflow at a low temperature.

    temperature: a positive number or [...]. Give either logits or probs, [..., k].
    """

    def __init__(
        self, temperature, logits=None, probs=None, dtype=None, validate_args=False, allow_nan_stats=True,
        name="ExpRelaxedOneHotCategorical",
    ):  # fmt: skip
        parameters = dict(locals())
        with v1.name_scope(name) as scope:
            classes = distributions.Categorical(logits, probs, validate_args=validate_args)
            self._temperature = v1.convert_to_tensor(temperature, classes.logits.dtype, name="temperature")
            if validate_args:
                with v1.control_dependencies([v1.assert_positive(self._temperature)]):
                    self._temperature = v1.identity(self._temperature)
        parameters["name"] = scope
        kind = distributions.FULLY_REPARAMETERIZED
        super().__init__(classes, dtype or classes.logits.dtype, kind, parameters, [self._temperature])

    @property
    def temperature(self):
        """The temperature, a number or [...]."""
        return self._temperature

    def _last(self):
        return self.temperature[..., None]

    def _sample_n(self, n, seed=None):
        shape = v1.concat([[n], v1.shape(self.logits)], 0)
        # The smallest normal number, because the logarithm of 0 is infinite.
        tiny = np.finfo(self.dtype.as_numpy_dtype).tiny
        uniform = v1.random_uniform(shape, tiny, 1, self.dtype, seed=seed)
        gumbel = -v1.log(-v1.log(uniform))
        return v1.nn.log_softmax((gumbel + self.logits) / self._last())

    def _log_prob(self, x):
        k = v1.cast(self.event_size, self.dtype)
        constant = v1.lgamma(k) + (k - 1) * v1.log(self.temperature)
        return constant + v1.reduce_sum(v1.nn.log_softmax(self.logits - x * self._last()), -1)


class RelaxedOneHotCategorical(_Vectors):
    """Positive vectors of [..., k] with the sum 1: softmax((logits + Gumbel noise) / temperature).

    temperature: a positive number or [...]. `distribution` is the distribution of their logarithms.
    """

    def __init__(
        self, temperature, logits=None, probs=None, dtype=None, validate_args=False, allow_nan_stats=True,
        name="RelaxedOneHotCategorical",
    ):  # fmt: skip
        parameters = dict(locals())
        with v1.name_scope(name) as scope:
            self.distribution = ExpRelaxedOneHotCategorical(temperature, logits, probs, dtype, validate_args)
        parameters["name"] = scope
        kind = distributions.FULLY_REPARAMETERIZED
        more = [self.distribution.temperature]
        super().__init__(self.distribution._classes, self.distribution.dtype, kind, parameters, more)

    @property
    def temperature(self):
        """The temperature, a number or [...]."""
        return self.distribution.temperature

    def _sample_n(self, n, seed=None):
        return v1.exp(self.distribution.sample(n, seed=seed))

    def _log_prob(self, x):
        logarithm = v1.log(x)
        return self.distribution.log_prob(logarithm) - v1.reduce_sum(logarithm, -1)
