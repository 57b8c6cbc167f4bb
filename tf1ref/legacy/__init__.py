"""The TF1 side: what TensorFlow removed, rebuilt from raw v1 ops with TF1's names and arithmetic."""
