"""The idx format of the MNIST files: big-endian arrays behind a magic number, plain or in gzip."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from tf1ref import files
from tf1ref.data import folders
from tf1ref.errors import InputError

# Third byte of the magic number -> element type (http://yann.lecun.com/exdb/mnist/, "THE IDX FILE FORMAT").
TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path):
    """Reads an idx file into an array of the file's shape, in native byte order.

    Gzip is recognized by its first bytes, not by the suffix, because browsers unpack .gz files and keep the name.
    Raises InputError when the file cannot be read, is cut short, has too many bytes, or is not an idx file.
    """
    content = _content(path)
    code, axes = content[2:4] if len(content) >= 4 else (0, 0)
    if content[:2] != b"\0\0" or code not in TYPES:
        raise InputError(
            f"{path}: not an idx file: it starts with {content[:4].hex(' ') or 'nothing'}, "
            "expected 00 00, a type (08 for bytes) and a number of axes: fetch the file again"
        )
    start = 4 + 4 * axes
    if len(content) < start:
        raise InputError(
            f"{path}: cut short inside the header: {len(content)} bytes, expected {start}: fetch the file again"
        )
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", axes, 4))
    dtype = np.dtype(TYPES[code])
    size = start + math.prod(shape) * dtype.itemsize
    if len(content) != size:
        raise InputError(
            f"{path}: {len(content)} bytes, expected {size} for {' x '.join(map(str, shape))}: fetch the file again"
        )
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def write_idx(path, array):
    """Writes `array` as an idx file, in gzip when `path` ends in .gz.

    Types: uint8, int8, int16, int32, float32, float64. Raises InputError for others. The file is written beside its
    target and renamed, so that a reader never sees half a file.
    """
    path, array = Path(path), np.asarray(array)
    codes = {np.dtype(name).newbyteorder("="): code for code, name in TYPES.items()}
    if array.dtype.newbyteorder("=") not in codes:
        raise InputError(f"{path}: idx files cannot hold {array.dtype}: convert to uint8 or float32")
    code = codes[array.dtype.newbyteorder("=")]
    content = bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    content += array.astype(TYPES[code]).tobytes()
    if path.suffix == ".gz":
        content = gzip.compress(content, mtime=0)  # no clock in the file: the same array gives the same bytes
    files.write(path, content)


def _content(path):
    try:
        with open(path, "rb") as file:
            content = file.read()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged gzip file ({error}): fetch the file again") from error
    except OSError as error:
        raise folders.unreadable(path, error) from error
