"""A model and its weights become one graph of constants."""

from tf1ref.artifacts.freeze.freezing import check, freeze

__all__ = ["check", "freeze"]
