"""The TF2 side: building blocks for tf.function code with TF1's arithmetic, slot names and checkpoint names."""
