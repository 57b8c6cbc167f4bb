"""Decoding, resizing, flipping and recolouring pictures inside the graph."""
