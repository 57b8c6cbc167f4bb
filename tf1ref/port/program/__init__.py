"""A training script becomes TensorFlow 2 code: what trains it, what reads it, and the proof."""
