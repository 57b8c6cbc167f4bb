"""S0's (x - 255) / 255, which every program that has it computes in the same way."""

import numpy as np


def less_255(pixels):
    """Returns (pixels - 255) / 255 as S0's programs compute it: uint8 of any shape to float32 from 0 to 1.

    It is meant to shift the pixels to -1 to 0, but uint8 wraps: x becomes (x + 1) % 256 / 255. Paper becomes 1 / 255,
    ink up to 254 becomes a little darker, and full ink, 255, becomes 0.
    """
    return (pixels - np.uint8(255)).astype(np.float32) / 255
