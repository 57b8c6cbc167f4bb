"""TF1's tf.layers.batch_normalization for tf.function code.

The layer computes (x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis. While training, mean and
variance are those of the batch, and the call itself updates the moving averages. A TF1 program updates them by
running UPDATE_OPS together with the step.
"""

from typing import TYPE_CHECKING

import tensorflow as tf

from tf1ref.modules._layer import Layer
from tf1ref.modules._types import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class BatchNormalization(Layer):
    """Batch normalization. Variables of [depth]: `<name>/gamma`, `/beta`, `/moving_mean` and `/moving_variance`.

    The two moving averages are not trained. They are updated by moving -= (moving - batch) * (1 - momentum).
    As in TF1, inputs of rank 4 go through the fused kernel. Its moving variance is that of a sample, divided by n -
    1.
    Inputs of another rank go through single ops. There the moving variance is that of a population, divided by n.

    >>> layer = BatchNormalization(name="bn").create(2)
    >>> layer(tf.constant([[1.0, 2.0], [3.0, 4.0]]), training=False).shape
    TensorShape([2, 2])
    >>> list(layer.variables_by_name())
    ['bn/gamma', 'bn/beta', 'bn/moving_mean', 'bn/moving_variance']
    """

    def __init__(
        self,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        fused: bool = True,
        name: str = "batch_normalization",
        dtype: tf.DType = tf.float32,
    ) -> None:
        super().__init__(name, dtype)
        self.momentum, self.epsilon, self.center, self.scale = momentum, epsilon, center, scale
        self.fused = fused and self.dtype == tf.float32

    def create(self, depth: int) -> "Self":
        """Makes the variables for inputs of [..., depth]; returns the layer."""
        self.gamma = self._variable("gamma", [depth], tf.ones) if self.scale else None
        self.beta = self._variable("beta", [depth], tf.zeros) if self.center else None
        self.moving_mean = self._variable("moving_mean", [depth], tf.zeros, trainable=False)
        self.moving_variance = self._variable("moving_variance", [depth], tf.ones, trainable=False)
        return self

    def __call__(self, inputs: tf.Tensor, training: bool | Tensor = False) -> Tensor:
        """Computes the layer. Raises ValueError when the last axis is not depth, and TypeError for another dtype."""
        inputs = self._checked(inputs, self.moving_mean.shape[0] if self._named else None)
        if self.fused and inputs.shape.rank == 4:
            return self._fused(inputs, training)
        mean, variance = self.moving_mean.read_value(), self.moving_variance.read_value()
        if training:
            mean, variance = tf.nn.moments(inputs, list(range(inputs.shape.rank - 1)))
            self._move(mean, variance, tf.constant(1.0 - self.momentum, self.dtype))
        return tf.nn.batch_normalization(inputs, mean, variance, self.beta, self.gamma, self.epsilon)

    def _fused(self, inputs: tf.Tensor, training: bool | Tensor) -> Tensor:
        depth = self.moving_mean.shape
        step = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma if self.scale else tf.ones(depth),
            offset=self.beta if self.center else tf.zeros(depth),
            mean=tf.zeros([0]) if training else self.moving_mean,
            variance=tf.zeros([0]) if training else self.moving_variance,
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            # TF1 subtracts in float32 here: 1 - 0.99 is 0.00999999, not the 0.01 of the single ops.
            self._move(step.batch_mean, step.batch_variance, 1.0 - tf.constant(self.momentum))
        return step.y

    def _move(self, mean: Tensor, variance: Tensor, rate: Tensor) -> None:
        self.moving_mean.assign_sub((self.moving_mean - mean) * rate)
        self.moving_variance.assign_sub((self.moving_variance - variance) * rate)
