"""Digits and the weights of units as pictures."""

import numpy as np

SIDE = 28


def tiles(rows, columns):
    """Turns (n, 784) into one picture of n / columns rows of tiles.

    There is a grey pixel between two tiles, and each tile fills 0 to 1.
    """
    low, high = rows.min(axis=1, keepdims=True), rows.max(axis=1, keepdims=True)
    scaled = (rows - low) / np.maximum(high - low, 1e-6)
    cells = np.pad(scaled.reshape(-1, columns, SIDE, SIDE), ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=0.5)
    return cells.transpose(0, 2, 1, 3).reshape(len(rows) // columns * (SIDE + 1), columns * (SIDE + 1))


def show(axis, rows, columns, title):
    """Draws tiles in black and white on a matplotlib axis."""
    axis.imshow(tiles(rows, columns), cmap="gray", interpolation="nearest")
    axis.set_title(title, fontsize=10)
    axis.set_axis_off()
