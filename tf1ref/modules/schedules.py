"""TF1's learning-rate schedules as plain functions of the step, with TF1's arithmetic in float32."""

import tensorflow as tf


def exponential_decay(learning_rate, global_step, decay_steps, decay_rate, staircase=False):
    """Returns learning_rate * decay_rate ^ (global_step / decay_steps), a float32 scalar.

    With `staircase` the exponent is rounded down: the rate falls in steps (v1.train.exponential_decay).
    """
    learning_rate = tf.convert_to_tensor(learning_rate, tf.float32)
    exponent = tf.cast(global_step, tf.float32) / tf.cast(decay_steps, tf.float32)
    if staircase:
        exponent = tf.floor(exponent)
    return learning_rate * tf.pow(tf.cast(decay_rate, tf.float32), exponent)
