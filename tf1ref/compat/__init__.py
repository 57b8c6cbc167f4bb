"""What `exec` and `check` share: TensorFlow 1's names, where each comes from, and the process that offers them."""
