"""TensorFlow 1 that works today. Importing this package imports neither TensorFlow nor Keras."""

__version__ = "0.1.0"
