"""Learning without labels: each layer is trained to reproduce its input."""
