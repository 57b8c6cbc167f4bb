"""The TF1 side: what TensorFlow dropped, rebuilt from raw v1 ops with TF1's names and arithmetic."""
