"""Loaders for the real file formats, and generated stand-ins of the same shape and type."""
