"""What the kernel knows of the processes below a task. This needs Linux; elsewhere nothing is known."""

import contextlib
import os
import signal
import time

TICKS = os.sysconf("SC_CLK_TCK")
KILL_SECONDS = 5.0


def is_halted(pid: int) -> bool:
    """True where a signal such as SIGSTOP has stopped the process."""
    fields = _stat(str(pid))
    return bool(fields) and fields[0] == b"T"


def cpu_seconds(roots: list[int]) -> dict[int, float]:
    """Returns {root: seconds of processor time of it and all processes below it}. It looks once at /proc for all."""
    parents, used = {}, {}
    for name in _numbers():
        if fields := _stat(name):
            parents[int(name)] = int(fields[1])
            used[int(name)] = sum(map(int, fields[11:15])) / TICKS  # its own and its dead children's, see proc(5)
    found = dict.fromkeys(roots, 0.0)
    for pid in used:
        above = pid
        while above in parents and above not in found:
            above = parents[above]
        if above in found:
            found[above] += used[pid]
    return found


def kill_marked(mark: str) -> None:
    """Kills every process that carries `mark`, "NAME=VALUE", in the environment it was started with."""
    limit = time.monotonic() + KILL_SECONDS
    while (pids := _marked(mark.encode())) and time.monotonic() < limit:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _marked(mark: bytes) -> list[int]:
    found = []
    for name in _numbers():
        with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
            if mark in file.read().split(b"\0") and name != str(os.getpid()):
                fields = _stat(name)
                if fields and fields[0] != b"Z":
                    found.append(int(name))
    return found


def _numbers() -> list[str]:
    with contextlib.suppress(OSError):
        return [name for name in os.listdir("/proc") if name.isdigit()]
    return []


def _stat(name: str) -> list[bytes]:
    """Returns the fields of /proc/PID/stat from the third one, the state, on. Without such a process it returns []."""
    try:
        with open(f"/proc/{name}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []
