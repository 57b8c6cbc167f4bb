"""What `exec` and `check` need: TensorFlow 1's names, where they come from, and the process that has them."""
