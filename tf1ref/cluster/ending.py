"""How the process of a cluster task ends: at once, and also while it is stuck inside TensorFlow."""

import contextlib
import os
import signal
import sys
import threading
import time

# Seconds a task has to unwind after Ctrl-C or SIGTERM; less than the launcher's grace period.
SIGNAL_SECONDS = 5.0

_at_once = False


def end_in_time():
    """Makes SIGTERM (exit code 143) and Ctrl-C end this process in SIGNAL_SECONDS, and `leave` at once.

    Python runs its handlers only between two of its own instructions, and a session call on a dead ps never
    comes back to those. The wake-up descriptor is written by the C handler at once, and a thread reads it.
    """
    global _at_once
    if _at_once or threading.current_thread() is not threading.main_thread():
        return  # Python handles signals in the main thread alone.
    _at_once = True
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    threading.Thread(target=_force, args=(reader,), daemon=True).start()


def _force(reader):
    number = 0
    while number not in (signal.SIGINT, signal.SIGTERM):
        number = os.read(reader, 1)[0]
    time.sleep(SIGNAL_SECONDS)
    os._exit(128 + number)


def wait_for_end():
    """Waits in the main thread for SIGTERM or Ctrl-C; returns the signal's number.

    Not by signal.pause: the kernel may hand the signal to any of TensorFlow's threads, and pause sleeps on.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer)
    while (number := os.read(reader, 1)[0]) not in (signal.SIGTERM, signal.SIGINT):
        pass
    return number


def leave(code=0):
    """Ends this process as sys.exit(code) does; in a cluster task at once, without cleaning up.

    Cleaning up can hang there when another task is dead: close files first, atexit functions do not run.
    """
    if not _at_once:
        sys.exit(code)
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code or 0)
