"""tf.contrib.distributions' multivariate normal distributions, on TensorFlow's Distribution and linear operators.

x = loc + scale z, with z from the standard normal distribution of k numbers. The covariance is scale scale^T.
"""

import math

import tensorflow.compat.v1 as v1

distributions = v1.distributions


class _MultivariateNormal(distributions.Distribution):
    """loc: [..., k] or None for 0. scale: a LinearOperator of [..., k, k]. Batches of both are broadcast."""

    def __init__(self, loc, scale, validate_args, allow_nan_stats, name, parameters):
        self._scale = scale
        self._loc = None if loc is None else v1.convert_to_tensor(loc, scale.dtype, name="loc")
        super().__init__(
            dtype=scale.dtype,
            reparameterization_type=distributions.FULLY_REPARAMETERIZED,
            validate_args=validate_args,
            allow_nan_stats=allow_nan_stats,
            parameters=parameters,
            graph_parents=scale.graph_parents + ([] if loc is None else [self._loc]),
            name=name,
        )

    @property
    def loc(self):
        """The mean of [..., k], or None for 0."""
        return self._loc

    @property
    def scale(self):
        """The LinearOperator of [..., k, k]."""
        return self._scale

    def _batch_shape(self):
        shape = self.scale.batch_shape
        return shape if self.loc is None else v1.broadcast_static_shape(shape, self.loc.shape[:-1])

    def _batch_shape_tensor(self):
        shape = self.scale.batch_shape_tensor()
        return shape if self.loc is None else v1.broadcast_dynamic_shape(shape, v1.shape(self.loc)[:-1])

    def _event_shape(self):
        return v1.TensorShape([self.scale.range_dimension])

    def _event_shape_tensor(self):
        return self.scale.range_dimension_tensor()[None]

    def _size(self):
        return v1.cast(self.scale.range_dimension_tensor(), self.dtype)

    def _full(self, tensor):
        """Returns a tensor of [..., k] with the batch axes of the distribution."""
        return v1.broadcast_to(tensor, v1.concat([self.batch_shape_tensor(), v1.shape(tensor)[-1:]], 0))

    def _sample_n(self, n, seed=None):
        shape = v1.concat([[n], self.batch_shape_tensor(), self.event_shape_tensor()], 0)
        # A matrix multiplies all samples of its batch at once, as columns.
        noise = v1.random_normal(shape, dtype=self.dtype, seed=seed)
        moved = self.scale.matvec(noise)
        return moved if self.loc is None else moved + self.loc

    def _log_prob(self, x):
        x = v1.convert_to_tensor(x, self.dtype)
        noise = self.scale.solvevec(x if self.loc is None else x - self.loc)
        constant = 0.5 * self._size() * math.log(2 * math.pi) + self.scale.log_abs_determinant()
        return -0.5 * v1.reduce_sum(v1.square(noise), -1) - constant

    def _prob(self, x):
        return v1.exp(self._log_prob(x))

    def _entropy(self):
        entropy = 0.5 * self._size() * (1 + math.log(2 * math.pi)) + self.scale.log_abs_determinant()
        return v1.broadcast_to(entropy, self.batch_shape_tensor())

    def _mean(self):
        shape = v1.concat([self.batch_shape_tensor(), self.event_shape_tensor()], 0)
        return v1.zeros(shape, self.dtype) if self.loc is None else self._full(self.loc)

    def _mode(self):
        return self._mean()

    def _covariance(self):
        return self.scale.matmul(self.scale.to_dense(), adjoint_arg=True)

    def _variance(self):
        return self._full(v1.matrix_diag_part(self._covariance()))

    def _stddev(self):
        return v1.sqrt(self._variance())


@distributions.RegisterKL(_MultivariateNormal, _MultivariateNormal)
def _kl(a, b, name=None):
    """Returns KL(a || b) = (|B^-1 A|^2 + |B^-1 (mean_b - mean_a)|^2 - k) / 2 + log |B| - log |A|."""
    with v1.name_scope(name, "kl_multivariate_normal"):
        spread = v1.reduce_sum(v1.square(b.scale.solve(a.scale.to_dense())), [-2, -1])
        apart = v1.reduce_sum(v1.square(b.scale.solvevec(b.mean() - a.mean())), -1)
        volumes = b.scale.log_abs_determinant() - a.scale.log_abs_determinant()
        return 0.5 * (spread + apart - a._size()) + volumes


class MultivariateNormalDiag(_MultivariateNormal):
    """Independent numbers, with the standard deviations scale_diag of [..., k], by default 1.

    scale_identity_multiplier, [...], is added to the standard deviations.
    Raises ValueError when neither loc nor a scale says how many numbers there are.
    """

    def __init__(
        self, loc=None, scale_diag=None, scale_identity_multiplier=None, validate_args=False, allow_nan_stats=True,
        name="MultivariateNormalDiag",
    ):  # fmt: skip
        parameters = dict(locals())
        with v1.name_scope(name) as scope:
            if loc is None and scale_diag is None:
                raise ValueError("loc or scale_diag must be given: their last axis is the number of variables")
            loc, diag = (None if each is None else v1.convert_to_tensor(each) for each in (loc, scale_diag))
            if diag is None:
                diag = v1.ones_like(loc) if scale_identity_multiplier is None else v1.zeros_like(loc)
            if scale_identity_multiplier is not None:
                diag += v1.convert_to_tensor(scale_identity_multiplier, diag.dtype)[..., None]
            scale = v1.linalg.LinearOperatorDiag(diag, is_non_singular=True)
        super().__init__(loc, scale, validate_args, allow_nan_stats, scope, parameters)


class MultivariateNormalTriL(_MultivariateNormal):
    """scale_tril: the lower triangle of [..., k, k], such as the Cholesky factor of a covariance. loc: by default 0.

    Without scale_tril the covariance is the identity.
    Raises ValueError when neither says how many numbers there are.
    """

    def __init__(
        self, loc=None, scale_tril=None, validate_args=False, allow_nan_stats=True, name="MultivariateNormalTriL"
    ):
        parameters = dict(locals())
        with v1.name_scope(name) as scope:
            if loc is None and scale_tril is None:
                raise ValueError("loc or scale_tril must be given: their last axis is the number of variables")
            if scale_tril is None:
                loc = v1.convert_to_tensor(loc)
                scale = v1.linalg.LinearOperatorDiag(v1.ones_like(loc), is_non_singular=True)
            else:
                scale = v1.linalg.LinearOperatorLowerTriangular(v1.convert_to_tensor(scale_tril), is_non_singular=True)
        super().__init__(loc, scale, validate_args, allow_nan_stats, scope, parameters)


class MultivariateNormalFullCovariance(MultivariateNormalTriL):
    """covariance_matrix: [..., k, k], symmetric and positive definite. loc: by default 0."""

    def __init__(
        self, loc=None, covariance_matrix=None, validate_args=False, allow_nan_stats=True,
        name="MultivariateNormalFullCovariance",
    ):  # fmt: skip
        parameters = dict(locals())
        with v1.name_scope(name) as scope:
            factor = None if covariance_matrix is None else v1.cholesky(v1.convert_to_tensor(covariance_matrix))
        super().__init__(loc, factor, validate_args, allow_nan_stats, scope)
        self._parameters = parameters
