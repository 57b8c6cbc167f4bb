"""tf.keras.datasets."""
