"""A program as text: read as Python 3, translated from Python 2 or taken from a notebook; and the names it uses."""
