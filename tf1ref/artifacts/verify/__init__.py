"""Gives two artifacts the same inputs and compares their answers."""

from tf1ref.artifacts.verify.verifying import Row, compare, verify

__all__ = ["Row", "compare", "verify"]
