"""What a running job leaves for others to find: its lock and its state in the log folder, a pointer to that.

A launcher that is killed cannot tidy up. The kernel takes its lock from it, and by that a record is known as stale.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import tempfile
import time

from tf1ref.errors import InputError

LOCK, STATE = "job.lock", "job.json"
WRITE_SECONDS = 0.5


def registry():
    """Returns this user's folder of pointers, one a running job, or None where no safe one can be had."""
    for base in filter(None, (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir())):
        folder = pathlib.Path(base) / f"cluster-jobs-{os.getuid()}"
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            # In a shared folder somebody else may have made it first: a pointer there is not to be believed.
            if folder.stat().st_uid == os.getuid() and not folder.is_symlink():
                return folder
    return None


class Record:
    """This process's job: held from `__init__` to `close`."""

    def __init__(self, log_dir):
        """Raises InputError where another running job has its logs in that folder."""
        self._folder = pathlib.Path(log_dir).absolute()
        self._pointer, self._written, self._next = None, None, 0.0
        try:
            self._lock = open(self._folder / LOCK, "a+", encoding="utf-8")  # noqa: SIM115 - held while the job runs
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

    def write(self, state, now=False):
        """Writes the dict `state` where it is new; every WRITE_SECONDS, unless `now`."""
        if state == self._written or (not now and time.monotonic() < self._next):
            return
        self._written, self._next = state, time.monotonic() + WRITE_SECONDS
        beside = self._folder / f".{STATE}"
        with contextlib.suppress(OSError):  # A full disk must not end the job.
            beside.write_text(json.dumps(state), encoding="utf-8")
            beside.replace(self._folder / STATE)

    def close(self):
        """Gives the lock and the pointer back; the state stays with the logs."""
        if self._pointer is not None:
            self._pointer.unlink(missing_ok=True)
        (self._folder / LOCK).unlink(missing_ok=True)
        self._lock.close()


def _take(lock, attempts=5):
    """Locks; BlockingIOError where another holds it. `holder` does for a moment: hence the attempts."""
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not (attempts := attempts - 1):
                raise
            time.sleep(0.05)


def holder(log_dir):
    """Returns the pid of the launcher whose job has its logs in `log_dir`, or None when none is running."""
    try:
        with open(pathlib.Path(log_dir) / LOCK, encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read())
    except (OSError, ValueError):
        pass
    return None


def state(log_dir):
    """Returns the state that the job with its logs in `log_dir` wrote last, or None."""
    try:
        found = json.loads((pathlib.Path(log_dir) / STATE).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else None
    except (OSError, ValueError):
        return None


def running():
    """Returns {pid: log folder} of this user's running jobs, and removes the pointers that killed ones left."""
    jobs = {}
    for pointer in sorted((folder := registry()) and folder.iterdir() or ()):
        with contextlib.suppress(OSError):
            log_dir = pointer.read_text(encoding="utf-8")
            if pointer.name.isdigit() and holder(log_dir) == int(pointer.name):
                jobs[int(pointer.name)] = log_dir
            else:
                pointer.unlink()
    return jobs
