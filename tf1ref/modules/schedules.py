"""TF1's learning-rate schedules as plain functions of the step, with TF1's arithmetic in float32."""

import math
import numbers
from collections.abc import Sequence

import tensorflow as tf

from tf1ref.modules._types import Scalar, Tensor


def exponential_decay(
    learning_rate: Scalar, global_step: Scalar, decay_steps: Scalar, decay_rate: Scalar, staircase: bool = False
) -> Tensor:
    """Returns learning_rate * decay_rate ^ (global_step / decay_steps), a float32 scalar.

    With `staircase` the exponent is rounded down, so the rate falls in steps (v1.train.exponential_decay).

    >>> print(exponential_decay(0.1, 20, decay_steps=10, decay_rate=0.5).numpy())
    0.025
    >>> print(exponential_decay(0.1, 15, 10, 0.5, staircase=True).numpy())
    0.05
    """
    learning_rate = tf.convert_to_tensor(learning_rate, tf.float32)
    exponent = tf.cast(global_step, tf.float32) / tf.cast(decay_steps, tf.float32)
    if staircase:
        exponent = tf.floor(exponent)
    return learning_rate * tf.pow(tf.cast(decay_rate, tf.float32), exponent)


def natural_exp_decay(
    learning_rate: Scalar, global_step: Scalar, decay_steps: Scalar, decay_rate: Scalar, staircase: bool = False
) -> Tensor:
    """Returns learning_rate * exp(-decay_rate) ^ (global_step / decay_steps), a float32 scalar.

    As in v1.train.natural_exp_decay, this is the power of a rounded base. exp(-decay_rate * p) differs in the last
    bits.
    With `staircase` the exponent is rounded down.

    >>> print(f"{natural_exp_decay(0.1, 10, decay_steps=10, decay_rate=1.0):.4f}")
    0.0368
    """
    base = tf.exp(-tf.cast(decay_rate, tf.float32))
    return exponential_decay(learning_rate, global_step, decay_steps, base, staircase)


def inverse_time_decay(
    learning_rate: Scalar, global_step: Scalar, decay_steps: Scalar, decay_rate: Scalar, staircase: bool = False
) -> Tensor:
    """Returns learning_rate / (1 + decay_rate * global_step / decay_steps), a float32 scalar.

    With `staircase` the quotient of the steps is rounded down (v1.train.inverse_time_decay).

    >>> print(inverse_time_decay(0.1, 10, decay_steps=10, decay_rate=1.0).numpy())
    0.05
    """
    done = tf.cast(global_step, tf.float32) / tf.cast(decay_steps, tf.float32)
    if staircase:
        done = tf.floor(done)
    return tf.cast(learning_rate, tf.float32) / (1.0 + tf.cast(decay_rate, tf.float32) * done)


def polynomial_decay(
    learning_rate: Scalar,
    global_step: Scalar,
    decay_steps: Scalar,
    end_learning_rate: Scalar = 0.0001,
    power: Scalar = 1.0,
    cycle: bool = False,
) -> Tensor:
    """Returns (learning_rate - end_learning_rate) * (1 - p) ^ power + end_learning_rate, a float32 scalar.

    p is global_step / decay_steps and stays at 1 after the end. With `cycle` the end moves to the next multiple of
    decay_steps instead, and the rate jumps up again (v1.train.polynomial_decay).
    In a graph, the division by a constant becomes a product. Some cycles therefore end one step early, in TF1 as
    here;
    with decay_steps=7 it is the third one.

    >>> print(polynomial_decay(0.5, 5, decay_steps=10, end_learning_rate=0.25).numpy())
    0.375
    """
    learning_rate, end = tf.cast(learning_rate, tf.float32), tf.cast(end_learning_rate, tf.float32)
    step, last = tf.cast(global_step, tf.float32), tf.cast(decay_steps, tf.float32)
    if cycle:
        last *= tf.where(tf.equal(step, 0.0), 1.0, tf.math.ceil(step / last))
    else:
        step = tf.minimum(step, last)
    return (learning_rate - end) * tf.pow(1.0 - step / last, tf.cast(power, tf.float32)) + end


def cosine_decay(learning_rate: Scalar, global_step: Scalar, decay_steps: Scalar, alpha: Scalar = 0.0) -> Tensor:
    """Returns learning_rate * ((1 - alpha) * (1 + cos(pi * p)) / 2 + alpha), a float32 scalar.

    p is global_step / decay_steps and stays at 1 after the end, so the last rate is alpha times the first. This is
    v1.train.cosine_decay (Loshchilov and Hutter, arXiv:1608.03983, without the restarts).

    >>> print(cosine_decay(0.5, 10, decay_steps=10, alpha=0.5).numpy())
    0.25
    """
    last = tf.cast(decay_steps, tf.float32)
    done = tf.minimum(tf.cast(global_step, tf.float32), last) / last
    cosine = 0.5 * (1.0 + tf.cos(tf.constant(math.pi) * done))
    return tf.cast(learning_rate, tf.float32) * ((1 - alpha) * cosine + alpha)


def piecewise_constant(global_step: Scalar, boundaries: Sequence[float], values: Sequence[float]) -> Tensor:
    """Returns values[i], a float32 scalar, where i is the number of boundaries below global_step.

    A boundary that equals global_step is not counted (v1.train.piecewise_constant).
    values: one more than boundaries.
    Raises ValueError for another number of values, for an empty list of boundaries, and for boundaries that are not
    integers while the step is one.

    >>> print(piecewise_constant(6, boundaries=[5, 10], values=[1.0, 0.5, 0.25]).numpy())
    0.5
    >>> print(piecewise_constant(5, [5, 10], [1.0, 0.5, 0.25]).numpy())
    1.0
    """
    step = tf.convert_to_tensor(global_step)
    if not boundaries or len(values) != len(boundaries) + 1:
        raise ValueError(f"{len(boundaries)} boundaries and {len(values)} values: give one value more than boundaries")
    if step.dtype.is_integer and not all(isinstance(boundary, numbers.Integral) for boundary in boundaries):
        raise ValueError(f"boundaries {boundaries}: the step is an integer, give integers")
    passed = tf.reduce_sum(tf.cast(step > tf.constant(boundaries, step.dtype), tf.int32))
    return tf.gather(tf.constant(values, tf.float32), passed)
