"""Picture files as people have them, and the digit on one, prepared as MNIST's were.

MNIST's home page (http://yann.lecun.com/exdb/mnist/) states its preparation. The digit is scaled into a box of 20 x 20
with its aspect kept, which makes its edges grey. Its centre of mass then lies in the middle of 28 x 28.
"""

import math
import os
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tf1ref.data import folders
from tf1ref.errors import InputError

SIDE = 28  # pixels of a side of MNIST's pictures
BOX = 20  # pixels of the longer side of the digit in one
# Others are left out on purpose: for .eps Pillow would start Ghostscript.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
MOST_PIXELS = 50_000_000  # about 270 MB while it is decoded, with an alpha channel
KEPT_PIXELS = 2_000_000  # what is larger is reduced to that: 28 x 28 are wanted in the end
CONTRAST = 40  # grey levels; what differs less from the paper is its shade or a JPEG's noise
INK = 0.2  # share of the darkest ink; what is fainter is paper
MIDDLE = 14  # where MNIST's centres of mass lie: 13.99 and 14.00 on average, counted from the first pixel as 0


def grey(path):
    """Returns a picture file in grey, as uint8 (height, width): 0 black, 255 white, turned as its EXIF data say.

    Transparent parts get the picture's own background. A picture of more than two million pixels is reduced to that
    size. Raises InputError for a file that is not a picture, is damaged or animated, or has more than 50 million
    pixels.
    """
    path = os.path.expanduser(os.fspath(path))
    if os.path.exists(path) and not os.path.isfile(path):
        raise InputError(f"{path}: not a file: name a picture file")
    try:
        file = open(path, "rb")  # noqa: SIM115 - what fails here is the system's, what fails below the picture's
    except OSError as error:
        raise folders.unreadable(path, error) from error
    with file:
        return _decoded(path, file)


def digit(path):
    """Returns the digit on a picture file as MNIST has it: uint8 (28, 28), ink 255 on 0, from dark or light ink.

    Raises InputError where `grey` does, and for a picture on which nothing is to be seen.
    """
    return centred(grey(path), path)


def centred(sheet, name="the picture"):
    """Returns the digit on a grey `sheet`, uint8 (height, width), as uint8 (28, 28).

    Raises InputError, which calls the sheet by `name`, for a blank one.
    """
    ink = _ink(sheet, name)
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = ink.shape
    scale = BOX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = Image.fromarray(ink).resize(size, Image.Resampling.LANCZOS)
    small = np.asarray(small, np.float32)
    small = small * (255 / small.max())
    masses = [np.average(np.arange(n), weights=small.sum(axis=1 - axis)) for axis, n in enumerate(small.shape)]
    top, left = (int(np.clip(round(MIDDLE - mass), 0, SIDE - n)) for mass, n in zip(masses, small.shape))
    out = np.zeros((SIDE, SIDE), np.uint8)
    out[top : top + size[1], left : left + size[0]] = np.round(small)
    return out


def squeezed(path):
    """Returns a whole picture file as `Image.resize` makes it, uint8 (28, 28). Raises as `grey` does."""
    return np.asarray(Image.fromarray(grey(path)).resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _decoded(path, file):
    too_many = f"{path}: more than the {MOST_PIXELS:,} pixels that are read: make the picture smaller"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise InputError(too_many)
                # .mpo is a JPEG with a preview or a depth map after it, as telephones write them.
                if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
                    raise InputError(f"{path}: animated, {image.n_frames} pictures: save the one that is meant")
                return _flat(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(too_many) from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: not a picture of a known kind: use {', '.join(FORMATS)}") from error
    except InputError:
        raise
    except Exception as error:  # decoders raise whatever they run into: OSError, SyntaxError, struct.error, ...
        raise InputError(f"{path}: damaged, it cannot be decoded ({error}): save it again") from error


def _flat(image):
    """Returns an opened picture in grey, uint8 (height, width), without transparency."""
    image.draft("L", _kept_size(image))  # a JPEG is decoded at a fraction of its size
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode[0] in "IF":  # 16 or 32 bits, which convert("L") would clip, not scale
        return _small(Image.fromarray(_eight_bits(np.asarray(image))))
    if not image.has_transparency_data:
        return _small(image.convert("L"))
    both = image if image.mode == "RGBA" else image.convert("RGBA")
    alpha = _small(both.getchannel("A")) / 255
    return _on_background(_small(both.convert("L")), alpha)


def _kept_size(image):
    share = min(1, math.sqrt(KEPT_PIXELS / (image.width * image.height)))
    return max(1, int(image.width * share)), max(1, int(image.height * share))


def _small(image):
    return np.asarray(image.resize(_kept_size(image), Image.Resampling.BOX))


def _eight_bits(values):
    values = np.nan_to_num(values.astype(np.float32))
    most = values.max()
    unit = 1 if most <= 1 and values.dtype.kind == "f" else 255 if most <= 255 else 65535
    return np.clip(values * (255 / unit), 0, 255).astype(np.uint8)


def _on_background(values, alpha):
    """Puts grey `values` on a background by their `alpha` (0 to 1).

    It is the paper's grey where at least half is opaque; else what is opaque is the ink, and the background its
    opposite: white below dark strokes, black below light ones.
    """
    seen = alpha > 0.5
    if seen.mean() >= 0.5:
        background = np.median(values[seen])
    else:
        background = 0 if np.average(values, weights=alpha + 1e-9) >= 128 else 255
    return np.round(values * alpha + background * (1 - alpha)).astype(np.uint8)


def _ink(sheet, name):
    """Returns how much ink is where, uint8: 0 on paper, 255 at most. The margin's median is the paper's grey."""
    sheet = sheet.astype(np.float32)
    margin = np.concatenate([sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]])
    ink = np.median(margin) - sheet
    if -ink.min() > ink.max():  # light on dark
        ink = -ink
    if ink.max() < CONTRAST:
        raise InputError(f"{name}: nothing to be seen on it: draw a digit, dark on light or light on dark")
    ink = ink / ink.max()
    return np.round(255 * np.where(ink < INK, 0, np.minimum(ink, 1))).astype(np.uint8)
