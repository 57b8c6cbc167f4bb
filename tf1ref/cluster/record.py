"""What a running job leaves for others to find: a lock and its state in the log folder, and a pointer to that folder.

A launcher that is killed cannot tidy up. The kernel then releases its lock, which shows that the record is stale.
"""

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import stat
import tempfile
import time
from collections.abc import Callable
from typing import IO, Any

from tf1ref.errors import InputError

LOCK, STATE = "job.lock", "job.json"
WRITE_SECONDS = 0.5


def registry(say: Callable[[str], None] | None = None) -> pathlib.Path | None:
    """Returns this user's folder of pointers, one for each running job, or None where no safe folder can be had.

    say: a function that is told, in one line, that somebody else has made a folder of that name.
    """
    for base in filter(None, (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir())):
        folder = pathlib.Path(base) / f"cluster-jobs-{os.getuid()}"
        with contextlib.suppress(OSError):
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            # In a shared folder somebody else may have made it first. A pointer there cannot be trusted.
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
                folder.chmod(0o700)
                return folder
            if say:
                say(f"{folder} is not this user's folder: it is not used")
    return None


class Record:
    """This process's job: held from `__init__` to `close`."""

    def __init__(self, log_dir: str | os.PathLike):
        """Raises InputError where another running job has its logs in that folder."""
        self._folder = pathlib.Path(log_dir).absolute()
        self._pointer: pathlib.Path | None = None
        self._written: dict[str, Any] | None = None
        self._next = 0.0
        try:
            self._lock = _open_lock(self._folder / LOCK)
            _take(self._lock)
            self._lock.truncate(0)
            self._lock.write(f"{os.getpid()}\n")
            self._lock.flush()
        except BlockingIOError:
            self._lock.close()
            raise InputError(f"{log_dir}: a running job has its logs there; give --log-dir another folder") from None
        except OSError as error:
            raise InputError(f"{log_dir}: {error.strerror}; give --log-dir another folder") from None
        if folder := registry():
            with contextlib.suppress(OSError):
                pointer = folder / str(os.getpid())
                pointer.write_text(str(self._folder), encoding="utf-8")
                self._pointer = pointer

    def write(self, state: dict[str, Any], now: bool = False) -> None:
        """Writes the dict `state` where it has changed, at most every WRITE_SECONDS, or at once with `now`."""
        if state == self._written or (not now and time.monotonic() < self._next):
            return
        self._written, self._next = state, time.monotonic() + WRITE_SECONDS
        beside = self._folder / f".{STATE}"
        with contextlib.suppress(OSError):  # A full disk must not end the job.
            beside.write_text(json.dumps(state), encoding="utf-8")
            beside.replace(self._folder / STATE)

    def close(self) -> None:
        """Gives the lock and the pointer back; the state stays with the logs."""
        if self._pointer is not None:
            self._pointer.unlink(missing_ok=True)
        (self._folder / LOCK).unlink(missing_ok=True)
        self._lock.close()


def _open_lock(path: pathlib.Path) -> IO[str]:
    """Opens the lock file so that nobody else can open it, because a user who can read a file can lock it."""
    lock = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+", encoding="utf-8")
    if os.fstat(lock.fileno()).st_uid != os.getuid():
        lock.close()
        raise PermissionError(errno.EPERM, "the lock in it is another user's")
    os.fchmod(lock.fileno(), 0o600)
    return lock


def _take(lock: IO[str], attempts: int = 5) -> None:
    """Locks the file. Raises BlockingIOError where another process holds it.

    `holder` holds it for a moment, so this tries several times.
    """
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not (attempts := attempts - 1):
                raise
            time.sleep(0.05)


def holder(log_dir: str | os.PathLike) -> int | None:
    """Returns the pid of the launcher whose job has its logs in `log_dir`, or None when no such launcher runs."""
    try:
        with open(pathlib.Path(log_dir) / LOCK, encoding="utf-8") as lock:
            if os.fstat(lock.fileno()).st_uid != os.getuid():
                return None  # Another user could have written the number of any process of ours.
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read())
    except (OSError, ValueError):
        pass
    return None


def state(log_dir: str | os.PathLike) -> dict[str, Any] | None:
    """Returns the state that the job with its logs in `log_dir` wrote last, or None."""
    try:
        found = json.loads((pathlib.Path(log_dir) / STATE).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else None
    except (OSError, ValueError):
        return None


def running() -> dict[int, str]:
    """Returns {pid: log folder} of this user's running jobs, and removes the pointers that killed ones left."""
    jobs: dict[int, str] = {}
    for pointer in sorted((folder := registry()) and folder.iterdir() or ()):
        with contextlib.suppress(OSError):
            log_dir = pointer.read_text(encoding="utf-8")
            if pointer.name.isdigit() and holder(log_dir) == int(pointer.name):
                jobs[int(pointer.name)] = log_dir
            else:
                pointer.unlink()
    return jobs
