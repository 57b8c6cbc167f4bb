"""Writes TF1 graphs and programs as readable TensorFlow 2 code, and proves that the code answers the same.

The same means equal to the bit.
"""

from tf1ref.port.porting import Report, port

__all__ = ["Report", "port"]
