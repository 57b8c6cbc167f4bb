"""Turns a model and its weights into one graph of constants."""

from tf1ref.artifacts.freeze.freezing import check, freeze

__all__ = ["check", "freeze"]
