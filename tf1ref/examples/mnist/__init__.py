"""Handwritten digits, from softmax regression to LeNet-5."""
