"""TF1 graphs and programs as readable TensorFlow 2 code, with the proof that the code answers the same, to the bit."""

from tf1ref.port.porting import Report, port

__all__ = ["Report", "port"]
