"""tf.keras.utils: the functions that need no Keras."""
