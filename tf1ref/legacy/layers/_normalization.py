"""tf.layers.batch_normalization: (x - mean) / sqrt(variance + epsilon) * gamma + beta, with moving averages.

The moving averages change only when the program runs UPDATE_OPS. Inputs of rank 4 with channels on axis 1 or 3 go
through the fused kernel, whose moving variance is that of a sample (divided by n - 1). Other inputs go through single
ops, where it is that of a population (divided by n).
"""

import tensorflow.compat.v1 as v1

from tf1ref.legacy._conditions import constant_value, smart_cond
from tf1ref.legacy._input_spec import InputSpec
from tf1ref.legacy._layer import ONES, ZEROS, Layer
from tf1ref.legacy.layers._renorm import checked_clipping, corrected


class BatchNormalization(Layer):
    """Normalizes over all axes but `axis` (one, or a list). Training takes the batch's moments, else the moving ones.

    renorm: batch renormalization (layers/_renorm.py), with the variables moving_stddev, renorm_mean and renorm_stddev.
    virtual_batch_size: each part of that size is normalized by its own moments (ghost batches); it must divide the
    batch.
    adjustment: a function of the inputs' shape that returns (scale, bias), applied before gamma and beta in training.
    Raises ValueError for an axis that the inputs do not have, or whose size is unknown or changes between calls, and
    for options that exclude one another.
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
        if not isinstance(axis, (int, list, tuple)):
            raise TypeError(f"axis must be int or list, type given: {type(axis)}")
        self.axis = [axis] if isinstance(axis, int) else list(axis)
        self.momentum, self.epsilon = momentum, epsilon
        self.center, self.scale, self.fused = center, scale, fused
        self.renorm, self.renorm_momentum = renorm, renorm_momentum
        self.renorm_clipping = checked_clipping(renorm_clipping)
        self.virtual_batch_size, self.adjustment = virtual_batch_size, adjustment
        if fused and (renorm or virtual_batch_size is not None or adjustment is not None):
            raise ValueError("fused=True goes with none of renorm, virtual_batch_size and adjustment")
        self.beta_initializer, self.gamma_initializer = beta_initializer, gamma_initializer
        self.moving_mean_initializer = moving_mean_initializer
        self.moving_variance_initializer = moving_variance_initializer
        self.beta_regularizer, self.gamma_regularizer = beta_regularizer, gamma_regularizer
        self.beta_constraint, self.gamma_constraint = beta_constraint, gamma_constraint

    def build(self, input_shape):
        shape = v1.TensorShape(input_shape)
        if not shape.ndims:
            raise ValueError(f"Input of {self.name} has undefined rank: {shape}")
        self.axis = [self._checked_axis(axis, shape) for axis in self.axis]
        if len(set(self.axis)) < len(self.axis):
            raise ValueError(f"Duplicate axis of {self.name}: {self.axis}")
        dtype = self._variables_dtype()
        self._check_virtual_batch()
        in_fours = shape.ndims == 4 and self.axis in ([1], [3])
        if self.fused and not in_fours:
            raise ValueError(
                f"Batch normalization layers with fused=True only support 4D input tensors and axis [1] or [3]; "
                f"{self.name} has axis {self.axis} of {shape}"
            )
        plain = not self.renorm and self.virtual_batch_size is None and self.adjustment is None
        self.fused = self.fused is not False and in_fours and plain and dtype != v1.float64
        # The moments of 16-bit inputs are 32-bit.
        self._param_dtype = v1.float32 if dtype in (v1.float16, v1.bfloat16) else dtype
        sizes = {axis: shape.as_list()[axis] for axis in self.axis}
        self.input_spec = InputSpec(ndim=shape.ndims, axes=sizes)
        self._param_shape = list(sizes.values())
        if len(sizes) > 1 or self.virtual_batch_size is not None:
            self._param_shape = [sizes.get(axis, 1) for axis in range(shape.ndims)]
        if self.virtual_batch_size is not None:
            # The batch is computed as [virtual_batch_size, parts, ...].
            self._param_shape.insert(1, 1)
            self.axis = [axis + 1 for axis in self.axis]
        self.gamma = self._variable("gamma") if self.scale else None
        self.beta = self._variable("beta") if self.center else None
        partitioner = self._scope.partitioner
        self._scope.set_partitioner(None)
        self.moving_mean = self._variable("moving_mean", trainable=False)
        self.moving_variance = self._variable("moving_variance", trainable=False)
        if self.renorm:
            self.moving_stddev = self._variable("moving_stddev", trainable=False)
            self.renorm_mean = self._variable("renorm_mean", trainable=False)
            self.renorm_stddev = self._variable("renorm_stddev", trainable=False)
        self._scope.set_partitioner(partitioner)
        super().build(input_shape)

    def _check_virtual_batch(self):
        if self.virtual_batch_size is None:
            return
        if self.virtual_batch_size <= 0:
            raise ValueError("virtual_batch_size must be a positive integer that divides the true batch size")
        if 0 in self.axis:
            raise ValueError(
                "When using virtual_batch_size, the batch dimension must be 0 and thus axis cannot include 0"
            )
        if self.adjustment is not None:
            raise ValueError("When using virtual_batch_size, adjustment cannot be specified")

    def _checked_axis(self, axis, shape):
        if not -shape.ndims <= axis < shape.ndims:
            raise ValueError(f"Invalid axis of {self.name}: {axis}, the input has shape {shape}")
        if shape.as_list()[axis] is None:
            raise ValueError(f"Input of {self.name} has undefined `axis` dimension. Input shape: {shape}")
        return axis % shape.ndims

    def _variable(self, name, trainable=True):
        source = name.replace("renorm", "moving")
        if source == "moving_stddev":

            def initializer(*args, **kwargs):
                return v1.sqrt(self.moving_variance_initializer(*args, **kwargs))
        else:
            initializer = getattr(self, f"{source}_initializer")
        regularizer, constraint = getattr(self, f"{name}_regularizer", None), getattr(self, f"{name}_constraint", None)
        return self.add_weight(
            name, self._param_shape, self._param_dtype, initializer, regularizer, trainable, constraint
        )

    def compute_output_shape(self, input_shape):
        return v1.TensorShape(input_shape)

    def call(self, inputs, training=False):
        if self.fused:
            return self._fused(inputs, training)
        if self.virtual_batch_size is None:
            return self._unfused(inputs, training)
        sizes = inputs.get_shape().as_list()[1:]
        parts = v1.reshape(inputs, [self.virtual_batch_size, -1, *sizes])
        outputs = v1.reshape(self._unfused(parts, training), [-1, *sizes])
        outputs.set_shape(inputs.get_shape())
        return outputs

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
            # This is float32 from the start: 1 - 0.99 is then 0.00999999, not 0.01.
            momentum = smart_cond(training, lambda: v1.constant(self.momentum), lambda: v1.constant(1.0))
            self.add_update(self._moved(self.moving_mean, mean, momentum), inputs=True)
            self.add_update(self._moved(self.moving_variance, variance, momentum), inputs=True)
        return outputs

    def _unfused(self, inputs, training):
        virtual = self.virtual_batch_size is not None
        axes = [axis for axis in range(inputs.get_shape().ndims) if axis not in self.axis]
        if virtual:
            # Each part has its own moments.
            del axes[1]
        mean, variance = self.moving_mean, self.moving_variance
        transforms = [(self.gamma, self.beta)]
        if constant_value(training) is not False:
            if self.adjustment:
                transforms.insert(0, self._adjusted(inputs, training))
            batch = v1.nn.moments(v1.cast(inputs, self._param_dtype), axes, keep_dims=virtual or len(self.axis) > 1)
            mean, variance = (
                smart_cond(training, lambda now=now: now, lambda moving=moving: v1.convert_to_tensor(moving))
                for now, moving in zip(batch, (self.moving_mean, self.moving_variance))
            )
            moments = (
                [v1.reduce_mean(m, axis=1, keepdims=True) for m in (mean, variance)] if virtual else (mean, variance)
            )
            if self.renorm:
                r, d, *moments = corrected(self, *moments, training)
                transforms.insert(0, (r, d))
            self._move(*moments, training)
        gamma, beta = self._composed(transforms, inputs)
        mean, variance = self._along(mean, inputs), self._along(variance, inputs)
        outputs = v1.nn.batch_normalization(inputs, mean, variance, beta, gamma, self.epsilon)
        outputs.set_shape(inputs.get_shape())
        return outputs

    def _adjusted(self, inputs, training):
        scale, bias = self.adjustment(v1.shape(inputs))
        return (
            smart_cond(training, lambda: scale, lambda: v1.ones_like(scale)),
            smart_cond(training, lambda: bias, lambda: v1.zeros_like(bias)),
        )

    def _composed(self, transforms, inputs):
        """Returns the (scale, offset) of several transforms in a row. Either may be None."""
        scale, offset = (self._along(each, inputs) for each in transforms[0])
        for then in transforms[1:]:
            then_scale, then_offset = (self._along(each, inputs) for each in then)
            if then_scale is not None:
                scale, offset = scale * then_scale, offset * then_scale
            offset = offset if then_offset is None else offset + then_offset
        return scale, offset

    def _move(self, mean, variance, training):
        self.add_update(self._moved_in_training(self.moving_mean, mean, training), inputs=True)
        if not self.renorm:
            self.add_update(self._moved_in_training(self.moving_variance, variance, training), inputs=True)
            return

        def by_stddev():
            stddev = self._moved(self.moving_stddev, v1.sqrt(variance + self.epsilon), self.momentum)
            # Rounding must not make this negative.
            return v1.assign(self.moving_variance, v1.nn.relu(stddev * stddev - self.epsilon))

        self.add_update(
            smart_cond(training, by_stddev, lambda: v1.convert_to_tensor(self.moving_variance)), inputs=True
        )

    def _along(self, parameter, inputs):
        """Returns a parameter in the inputs' dtype, with a shape that fits `axis`."""
        if parameter is None:
            return None
        parameter = v1.cast(parameter, inputs.dtype.base_dtype)
        rank = inputs.get_shape().ndims
        if len(parameter.shape) == rank or self.axis == [rank - 1]:
            return parameter
        return v1.reshape(parameter, [-1 if axis in self.axis else 1 for axis in range(rank)])

    def _moved_in_training(self, variable, value, training):
        return smart_cond(
            training,
            lambda: self._moved(variable, value, self.momentum),
            lambda: v1.convert_to_tensor(variable),
        )

    def _moved(self, variable, value, momentum):
        """Returns the op of variable -= (variable - value) * (1 - momentum)."""
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
    """Adds a new BatchNormalization layer to the graph. Returns its outputs. training: a bool or a scalar tensor."""
    inputs = v1.convert_to_tensor(inputs)
    layer = BatchNormalization(
        axis, momentum, epsilon, center, scale, beta_initializer, gamma_initializer, moving_mean_initializer,
        moving_variance_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint, renorm,
        renorm_clipping, renorm_momentum, fused, trainable, virtual_batch_size, adjustment, name,
        dtype=inputs.dtype.base_dtype, _scope=name, _reuse=reuse,
    )  # fmt: skip
    return layer(inputs, training=training)
