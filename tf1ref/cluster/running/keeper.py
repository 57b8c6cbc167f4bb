"""The keeper of one task: runs its command and leaves nothing of it behind, whichever process dies.

    python keeper.py FD CPUS COMMAND...       FD: a socket to the launcher; CPUS: processors' numbers, with commas, or -

It stands between launcher and command because nothing else holds in every case. A signal that Linux sends at
a parent's death (PR_SET_PDEATHSIG) reaches the command but not what the command started. Killing a process group
misses what left it. The keeper is a process group of its own, so a kill of the launcher's group passes it by. It
reads the end of the launcher from its socket. As subreaper it becomes the parent of every orphan below it, so that
killing its children until nothing is left ends all of them. Should the keeper itself be killed, the command gets the
parent-death signal, and the launcher kills what carries the task's mark in its environment. One process of about 10 MB
a task.

To the launcher: "pid N", once, then "exit CODE TIME" (as subprocess: -N for signal N; monotonic seconds).
From the launcher: a signal number a line, for the command's process group.
"""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # <linux/prctl.h>
CANNOT_RUN = 126  # what a shell returns for a command that exists and does not start
# Ctrl-C in the launcher's terminal reaches the launcher alone, which decides. Not start_new_session: Linux shares the
# processors out between sessions (autogroup), and small steps, which wait for each other, take a sixth longer.
OWN_GROUP = {"process_group": 0} if sys.version_info >= (3, 11) else {"start_new_session": True}
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def main(descriptor, cpus, command):
    """Runs `command` to its end; descriptor: the socket's number; cpus: as on the command line."""
    channel = socket.socket(fileno=descriptor)
    channel.set_inheritable(False)
    if LIBC:
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if cpus != "-":
        os.sched_setaffinity(0, {int(number) for number in cpus.split(",")})
    try:
        # preexec_fn is safe here: this process has one thread until the one below is started.
        child = subprocess.Popen(command, **OWN_GROUP, preexec_fn=_prepare)  # noqa: PLW1509
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        _say(channel, f"exit {CANNOT_RUN} {time.monotonic()}")
        return
    _say(channel, f"pid {child.pid}")
    # The parent-death signal depends on the thread that forked. This is the main thread, which lives to the end.
    threading.Thread(target=_obey, args=(channel, child), daemon=True).start()
    code = child.wait()
    ended = time.monotonic()
    _kill_all(child)
    _say(channel, f"exit {code} {ended}")


def _prepare():
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # A shell starts what runs in the background with SIGINT ignored, and that is inherited: the task would never see
    # the SIGINT by which the launcher asks it to end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _say(channel, text):
    with contextlib.suppress(OSError):  # The launcher is gone; the thread below has seen it too.
        channel.sendall(f"{text}\n".encode())


def _obey(channel, child):
    """Passes signals on until the launcher closes its end or dies; then kills everything."""
    with contextlib.suppress(OSError), channel.makefile("r") as orders:
        for order in orders:
            _signal_group(child, int(order))
    _kill_all(child)
    os._exit(1)


def _signal_group(child, number):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _kill_all(child):
    _signal_group(child, signal.SIGKILL)
    if not LIBC:
        return
    # Killing a child hands its own children to this subreaper, so this is a loop. It ends when nothing is left.
    while children := _children():
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in children:
            with contextlib.suppress(ChildProcessError):  # The other thread was first.
                os.waitpid(pid, 0)


def _children():
    """Returns the processes whose parent is this one, from /proc/PID/stat (see proc(5))."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    # The second field is the program's name in brackets and may itself hold brackets and
                    # spaces.
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            if parent == os.getpid():
                found.append(int(name))
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
