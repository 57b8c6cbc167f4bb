"""Convolutional networks, from one kernel by hand to ResNet."""
