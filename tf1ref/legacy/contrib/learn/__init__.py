"""tf.contrib.learn: its data sets and its preprocessing."""
