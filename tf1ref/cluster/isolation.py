"""Puts a job into a network namespace of its own, with loopback only (--isolate)."""

import ctypes
import fcntl
import os
import socket
import struct
import sys

from tf1ref.errors import InputError

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # <linux/sched.h>
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1  # <linux/sockios.h>, <linux/if.h>
IFREQ = "16sh22x"  # struct ifreq: name, flags, the rest of the union


def enter():
    """Moves this process, and what it starts from now on, into a new network namespace, and raises loopback there.

    Without root it also takes a user namespace, in which the user keeps its own number. Where the system does not allow
    that, it raises InputError and nothing is started, so a job that was to be isolated never runs in the open.
    """
    try:
        if sys.platform != "linux":
            raise OSError(0, "only Linux has network namespaces")
        _unshare()
        _raise_loopback()
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=1.0).close()
    except OSError as error:
        advice = "needs root or unprivileged user namespaces; nothing was started, and without it the ports are open"
        raise InputError(f"--isolate: no network namespace ({error.strerror or error}); {advice}") from None


def _unshare():
    libc, user, group = ctypes.CDLL(None, use_errno=True), os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNET) == 0:
        return
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "wb") as file:
            file.write(text.encode())


def _raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        asked = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack(IFREQ, b"lo", 0))
        flags = struct.unpack(IFREQ, asked)[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack(IFREQ, b"lo", flags | IFF_UP))
