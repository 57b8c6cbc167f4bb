"""tf.nn: the names that TensorFlow removed."""
