"""The MNIST tutorial: its data and its model."""
