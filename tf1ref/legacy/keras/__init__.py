"""The few names of tf.keras that need no Keras."""
