"""tf.keras: the few names that need no Keras."""
