"""How much memory the import and the run of a foreign graph may take.

A file of a hundred bytes may say Fill of 10^12. Without a bound the kernel would end some process of the machine.
"""

import contextlib
import re
import resource
from collections.abc import Iterator
from pathlib import Path

SHARE = 0.75  # of the memory that is free: others live on this machine, too
PAGE = resource.getpagesize()


def available() -> int:
    """Returns how many bytes this process may still take: of what is free here and, in a container, in its bound."""
    try:
        told = re.search(r"MemAvailable:\s*(\d+)", Path("/proc/meminfo").read_text())
    except OSError:
        return 1 << 62
    if told is None:  # kernels before 3.14 do not say it
        return 1 << 62
    free = 1024 * int(told[1])
    with contextlib.suppress(OSError, ValueError):
        most, used = (int(Path("/sys/fs/cgroup", f"memory.{name}").read_text()) for name in ("max", "current"))
        free = min(free, most - used)
    return int(SHARE * free)


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Lets TensorFlow run out of memory within, instead of the machine: it raises ResourceExhaustedError then.

    The bound is on the address space of the whole process, and is what it was before on leaving.
    """
    before = resource.getrlimit(resource.RLIMIT_AS)
    try:
        held = PAGE * int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:  # no Linux
        yield
        return
    most = held + available()
    lower = [most] + [limit for limit in before if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(lower), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
