"""A program as text: read as Python 3, translated from Python 2, taken out of a notebook, and what it uses."""
