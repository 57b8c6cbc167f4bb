"""tf.keras.datasets: the data sets that need no Keras."""
