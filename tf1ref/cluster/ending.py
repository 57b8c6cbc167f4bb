"""How the process of a cluster task ends at once, even while it is stuck inside TensorFlow."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from tf1ref.cluster import contract

# A task that was asked to end goes by itself at the latest this many seconds before the launcher kills it.
SPARE_SECONDS = 1.0

_at_once = False
_asked = threading.Lock()  # is taken by the first signal, and is not given back
_last_wish: Callable[[], None] | None = None
_wished = threading.Event()  # is set while nothing stands between this process and its end
_wished.set()


def end_in_time() -> None:
    """Makes SIGTERM (exit code 143) and Ctrl-C end this process within the grace period, and `leave` end it at once.

    Python runs its handlers only between two of its own instructions, and a session call on a dead ps never comes back
    to those. The C handler writes the wake-up descriptor at once, and a thread reads it.
    """
    global _at_once
    if _at_once or threading.current_thread() is not threading.main_thread():
        return  # Python handles signals in the main thread alone.
    _at_once = True
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGTERM, _end)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    seconds = max(contract.grace() - SPARE_SECONDS, contract.grace() / 2)
    threading.Thread(target=_force, args=(reader, seconds), daemon=True).start()


def before_end(wish: Callable[[], None] | None) -> None:
    """Sets what is done when this process is asked to end, such as saving a checkpoint. None does nothing.

    It runs in a thread of its own, because the main thread may be stuck in a session call. `leave` waits for it, and so
    must code that takes away what it works with (wait_for_wish).
    """
    global _last_wish
    _last_wish = wish


def _force(reader: int, seconds: float) -> None:
    number = 0
    while number not in (signal.SIGINT, signal.SIGTERM):
        number = os.read(reader, 1)[0]
    _ask()
    time.sleep(seconds)
    os._exit(128 + number)


def _end(number: int, frame: object) -> None:
    _ask()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def _ask() -> None:
    """Starts what `before_end` was given, once.

    The main thread calls this, and so does the one that waits for signals. The first call counts.
    """
    if _last_wish is not None and _asked.acquire(blocking=False):
        _wished.clear()
        threading.Thread(target=_grant, args=(_last_wish,), daemon=True).start()


def _grant(wish: Callable[[], None]) -> None:
    try:
        wish()
    except Exception as error:  # A ps may be gone or a disk full. The process ends all the same.
        text = str(error).partition("\n")[0]
        print(f"no last checkpoint: {type(error).__name__}: {text}", file=sys.stderr, flush=True)
    finally:
        _wished.set()


def wait_for_wish() -> None:
    """Returns when what `before_end` was given has ended. The grace period bounds the wait (end_in_time)."""
    _wished.wait()


def wait_for_end() -> int:
    """Waits in the main thread for SIGTERM or Ctrl-C. Returns the signal's number.

    signal.pause would not do: the kernel may give the signal to any of TensorFlow's threads, and then pause sleeps on.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for kind in (signal.SIGTERM, signal.SIGINT):
        signal.signal(kind, lambda *_: None)
    signal.set_wakeup_fd(writer)
    while (number := os.read(reader, 1)[0]) not in (signal.SIGTERM, signal.SIGINT):
        pass
    return number


def leave(code: object = 0) -> NoReturn:
    """Ends this process as sys.exit(code) does. A cluster task ends at once, without cleaning up.

    Cleaning up can hang there when another task is dead. So close files first, because atexit functions do not run. It
    waits for what `before_end` was given.
    """
    if not _at_once:
        sys.exit(code)  # type: ignore[arg-type]
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    contract.flush()
    wait_for_wish()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code or 0)
