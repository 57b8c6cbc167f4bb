"""The few pictures of conftest.py, on which the examples are run."""

TRAIN, TEST = 80, 40
STEPS = 12
HALVES = ("graph", "function")
