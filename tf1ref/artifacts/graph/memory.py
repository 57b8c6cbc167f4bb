"""Bounds the memory that the import and the run of a foreign graph may take, and spares copies and the garbage search.

A file of a hundred bytes may say Fill of 10^12. Without a bound the kernel would end some process of the machine.
"""

import contextlib
import ctypes
import gc
import math
import re
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np

# A share of the free memory, since other processes need some, too.
SHARE = 0.75
PAGE = resource.getpagesize()
M_MMAP_THRESHOLD = -3  # malloc.h
ALIGNMENT = 64  # in bytes: a session takes over a fed array that lies so, and copies any other


def returned() -> None:
    """Makes the C library give freed blocks of 1 MB or more back at once. It would keep those below 32 MB for later."""
    # Other systems than Linux have no mallopt.
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 20)


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Returns an array whose memory a session takes over. Its elements are not set."""
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def as_aligned(array: np.ndarray) -> np.ndarray:
    """Returns `array`, or a copy of it whose memory a session takes over."""
    array = np.asarray(array)
    if array.dtype.hasobject or (array.flags.c_contiguous and array.ctypes.data % ALIGNMENT == 0):
        return array
    copy = aligned(array.shape, array.dtype)
    copy[...] = array
    return copy


def available() -> int:
    """Returns how many bytes this process may still take: what is free here, or the rest of a container's limit."""
    try:
        told = re.search(r"MemAvailable:\s*(\d+)", Path("/proc/meminfo").read_text())
    except OSError:
        return 1 << 62
    # Kernels before 3.14 do not say it.
    if told is None:
        return 1 << 62
    free = 1024 * int(told[1])
    with contextlib.suppress(OSError, ValueError):
        most, used = (int(Path("/sys/fs/cgroup", f"memory.{name}").read_text()) for name in ("max", "current"))
        free = min(free, most - used)
    return int(SHARE * free)


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Lets TensorFlow run out of memory inside the block instead of the machine. It then raises ResourceExhaustedError.

    The bound holds for the address space of the whole process. Afterwards it is what it was before.
    """
    before = resource.getrlimit(resource.RLIMIT_AS)
    try:
        held = PAGE * int(Path("/proc/self/statm").read_text().split()[0])
    # This is not Linux.
    except OSError:
        yield
        return
    most = held + available()
    lower = [most] + [limit for limit in before if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(lower), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keeps Python's garbage collection from running inside the block, which makes a large graph.

    Collections walk over all ops that are there, again and again. That is a fifth of the time of 100,000 ops.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
