"""S0's (x - 255) / 255, treated alike in every program that has it."""

import numpy as np


def less_255(pixels):
    """Returns (pixels - 255) / 255 as S0's programs compute it: uint8 to float32 from 0 to 1, any shape.

    It is meant to shift the pixels to -1 to 0, but uint8 wraps: x becomes (x + 1) % 256 / 255. Paper is 1 / 255, ink
    up to 254 is a little darker than it was, and full ink, 255, is 0.
    """
    return (pixels - np.uint8(255)).astype(np.float32) / 255
