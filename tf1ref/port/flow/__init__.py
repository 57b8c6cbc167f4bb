"""Loops and branches of a graph, as it writes them in either version, and as Python functions."""
