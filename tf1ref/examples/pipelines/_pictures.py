"""Pictures to write into files, for programs whose source has its own on disk."""

import io

import numpy as np
from PIL import Image


def picture(height, width, kind, seed):
    """Returns an encoded RGB picture (bytes): a colour gradient with a disc, by `seed`. kind: "PNG" or "JPEG"."""
    random = np.random.RandomState(seed)
    y, x = np.mgrid[0:height, 0:width]
    corners = random.randint(0, 256, (3, 3))
    pixels = (x / width)[..., None] * corners[0] + (y / height)[..., None] * corners[1]
    middle = random.uniform(0.3, 0.7, 2) * (height, width)
    disc = (y - middle[0]) ** 2 + (x - middle[1]) ** 2 < (min(height, width) / 4) ** 2
    pixels[disc] = corners[2]
    content = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(content, kind)
    return content.getvalue()
