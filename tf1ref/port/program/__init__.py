"""Turns a training script into TensorFlow 2 code: what trains it, what reads it, and the proof."""
