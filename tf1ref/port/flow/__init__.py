"""Loops and branches of a graph, as both versions of TensorFlow write them, and as Python functions."""
