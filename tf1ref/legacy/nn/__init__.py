"""tf.nn: what TensorFlow dropped of it."""
