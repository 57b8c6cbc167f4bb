"""Two artifacts are given the same inputs and their answers are compared."""

from tf1ref.artifacts.verify.verifying import Row, compare, verify

__all__ = ["Row", "compare", "verify"]
