"""tf.contrib: what people used of it."""
