"""Converts any artifact into any kind that can hold it."""

from tf1ref.artifacts.convert.converting import convert

__all__ = ["convert"]
