"""tf.layers.batch_normalization: (x - mean) / sqrt(variance + epsilon) * gamma + beta, with moving averages for later.

The moving averages move only when somebody runs UPDATE_OPS. Inputs of rank 4 with their channels on axis 1 or 3 go
through the fused kernel, others through single ops; the two differ: the fused kernel's moving variance is of a sample
(divided by n - 1), the other's of a population (divided by n).
"""

import tensorflow.compat.v1 as v1

from tf1ref.legacy._conditions import constant_value, smart_cond
from tf1ref.legacy._layer import ONES, ZEROS, InputSpec, Layer


class BatchNormalization(Layer):
    """Normalises over all axes but `axis` (one, or a list), by the batch's moments in training, else by the moving.

    Raises NotImplementedError for renorm, virtual_batch_size and adjustment, ValueError for an axis that the inputs
    do not have, whose size is unknown, or that the inputs of a later call have in another size.
    """

    def __init__(
        self,
        axis=-1,
        momentum=0.99,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer=ZEROS,
        gamma_initializer=ONES,
        moving_mean_initializer=ZEROS,
        moving_variance_initializer=ONES,
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        renorm=False,
        renorm_clipping=None,
        renorm_momentum=0.99,
        fused=None,
        trainable=True,
        virtual_batch_size=None,
        adjustment=None,
        name=None,
        **kwargs,
    ):
        super().__init__(trainable=trainable, name=name, **kwargs)
        for what, asked in (("renorm", renorm), ("virtual_batch_size", virtual_batch_size), ("adjustment", adjustment)):
            if asked:
                raise NotImplementedError(f"batch_normalization without {what} only: tf1ref does not give it back")
        if not isinstance(axis, (int, list, tuple)):
            raise TypeError(f"axis must be int or list, type given: {type(axis)}")
        self.axis = [axis] if isinstance(axis, int) else list(axis)
        self.momentum, self.epsilon = momentum, epsilon
        self.center, self.scale, self.fused = center, scale, fused
        self.beta_initializer, self.gamma_initializer = beta_initializer, gamma_initializer
        self.moving_mean_initializer = moving_mean_initializer
        self.moving_variance_initializer = moving_variance_initializer
        self.beta_regularizer, self.gamma_regularizer = beta_regularizer, gamma_regularizer
        self.beta_constraint, self.gamma_constraint = beta_constraint, gamma_constraint

    def build(self, input_shape):
        shape = v1.TensorShape(input_shape)
        if not shape.ndims:
            raise ValueError(f"Input of {self.scope_name} has undefined rank: {shape}")
        self.axis = [self._checked_axis(axis, shape) for axis in self.axis]
        in_fours = shape.ndims == 4 and self.axis in ([1], [3]) and self.dtype != v1.float64
        self.fused = self.fused is not False and in_fours
        # Of 16-bit inputs the moments are 32-bit.
        self._param_dtype = v1.float32 if self.dtype in (v1.float16, v1.bfloat16) else self.dtype
        sizes = {axis: shape.as_list()[axis] for axis in self.axis}
        self.input_spec = InputSpec(ndim=shape.ndims, axes=sizes)
        if len(sizes) > 1:
            self._param_shape = [sizes.get(axis, 1) for axis in range(shape.ndims)]
        else:
            self._param_shape = list(sizes.values())
        self.gamma = self._variable("gamma") if self.scale else None
        self.beta = self._variable("beta") if self.center else None
        partitioner = self._scope.partitioner
        self._scope.set_partitioner(None)
        self.moving_mean = self._variable("moving_mean", trainable=False)
        self.moving_variance = self._variable("moving_variance", trainable=False)
        self._scope.set_partitioner(partitioner)
        super().build(input_shape)

    def _checked_axis(self, axis, shape):
        if not -shape.ndims <= axis < shape.ndims:
            raise ValueError(f"Invalid axis of {self.scope_name}: {axis}, the input has shape {shape}")
        if shape.as_list()[axis] is None:
            raise ValueError(f"Input of {self.scope_name} has undefined `axis` dimension. Input shape: {shape}")
        return axis % shape.ndims

    def _variable(self, name, trainable=True):
        initializer = getattr(self, f"{name}_initializer")
        regularizer, constraint = getattr(self, f"{name}_regularizer", None), getattr(self, f"{name}_constraint", None)
        return self.add_weight(
            name, self._param_shape, self._param_dtype, initializer, regularizer, trainable, constraint
        )

    def call(self, inputs, training=False):
        return self._fused(inputs, training) if self.fused else self._unfused(inputs, training)

    def _fused(self, inputs, training):
        gamma = self.gamma if self.scale else v1.constant(1.0, self._param_dtype, self._param_shape)
        beta = self.beta if self.center else v1.constant(0.0, self._param_dtype, self._param_shape)
        data_format = "NCHW" if self.axis == [1] else "NHWC"

        def by_batch():
            return v1.nn.fused_batch_norm(inputs, gamma, beta, epsilon=self.epsilon, data_format=data_format)

        def by_moving():
            return v1.nn.fused_batch_norm(
                inputs, gamma, beta, self.moving_mean, self.moving_variance, self.epsilon, data_format, False
            )

        outputs, mean, variance = smart_cond(training, by_batch, by_moving)
        known = constant_value(training)
        if known is not False:
            # In float32 from the start: 1 - 0.99 is then 0.00999999, not 0.01.
            momentum = smart_cond(training, lambda: v1.constant(self.momentum), lambda: v1.constant(1.0))
            self.add_update(self._moved(self.moving_mean, mean, momentum))
            self.add_update(self._moved(self.moving_variance, variance, momentum))
        return outputs

    def _unfused(self, inputs, training):
        axes = [axis for axis in range(inputs.get_shape().ndims) if axis not in self.axis]
        mean, variance = self.moving_mean, self.moving_variance
        if constant_value(training) is not False:
            batch = v1.nn.moments(v1.cast(inputs, self._param_dtype), axes, keep_dims=len(self.axis) > 1)
            mean, variance = (
                smart_cond(training, lambda now=now: now, lambda moving=moving: v1.convert_to_tensor(moving))
                for now, moving in zip(batch, (self.moving_mean, self.moving_variance))
            )
            self.add_update(self._moved_in_training(self.moving_mean, mean, training))
            self.add_update(self._moved_in_training(self.moving_variance, variance, training))
        mean, variance, beta, gamma = (self._along(each, inputs) for each in (mean, variance, self.beta, self.gamma))
        outputs = v1.nn.batch_normalization(inputs, mean, variance, beta, gamma, self.epsilon)
        outputs.set_shape(inputs.get_shape())
        return outputs

    def _along(self, parameter, inputs):
        """Returns a parameter in the inputs' dtype, and in a shape that lies along `axis`."""
        if parameter is None:
            return None
        parameter = v1.cast(parameter, inputs.dtype.base_dtype)
        rank = inputs.get_shape().ndims
        if len(self.axis) > 1 or self.axis == [rank - 1]:
            return parameter
        return v1.reshape(parameter, [-1 if axis in self.axis else 1 for axis in range(rank)])

    def _moved_in_training(self, variable, value, training):
        return smart_cond(
            training,
            lambda: self._moved(variable, value, self.momentum),
            lambda: v1.convert_to_tensor(variable),
        )

    def _moved(self, variable, value, momentum):
        """Returns the op of: variable -= (variable - value) * (1 - momentum)."""
        with v1.name_scope("AssignMovingAvg") as name:
            decay = v1.cast(v1.convert_to_tensor(1.0 - momentum, name="decay"), variable.dtype.base_dtype)
            delta = (variable - v1.cast(value, variable.dtype.base_dtype)) * decay
            return variable.assign_sub(delta, name=name)


def batch_normalization(
    inputs,
    axis=-1,
    momentum=0.99,
    epsilon=1e-3,
    center=True,
    scale=True,
    beta_initializer=ZEROS,
    gamma_initializer=ONES,
    moving_mean_initializer=ZEROS,
    moving_variance_initializer=ONES,
    beta_regularizer=None,
    gamma_regularizer=None,
    beta_constraint=None,
    gamma_constraint=None,
    training=False,
    trainable=True,
    name=None,
    reuse=None,
    renorm=False,
    renorm_clipping=None,
    renorm_momentum=0.99,
    fused=None,
    virtual_batch_size=None,
    adjustment=None,
):
    """Adds a new BatchNormalization layer to the graph; returns its outputs. training: a bool or a scalar tensor."""
    inputs = v1.convert_to_tensor(inputs)
    layer = BatchNormalization(
        axis, momentum, epsilon, center, scale, beta_initializer, gamma_initializer, moving_mean_initializer,
        moving_variance_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint, renorm,
        renorm_clipping, renorm_momentum, fused, trainable, virtual_batch_size, adjustment, name,
        dtype=inputs.dtype.base_dtype, _scope=name, _reuse=reuse,
    )  # fmt: skip
    return layer(inputs, training=training)
