"""Ports that no two tasks get at once, also when many jobs start together on one machine."""

import errno
import random
import socket
import sys
import time

from tf1ref.errors import InputError

# Ports are picked below the range from which the kernel takes ports of outgoing connections. So such a connection
# cannot take a port in the seconds between picking it and the task's server binding it.
LOWEST, HIGHEST = 10000, 32767
EPHEMERAL = "/proc/sys/net/ipv4/ip_local_port_range"
ATTEMPTS = 1000
CONNECT_SECONDS, POLL_SECONDS = 2.0, 0.2


class Ports:
    """The ports of one job, reserved against other jobs until `close`, or until this process is dead.

    A reservation is a bound name in Linux's abstract socket space. That space is as wide as the machine's (or the
    network namespace's) own ports, and a name is gone with its process, however that dies. On other systems only the
    bind check is left.
    """

    def __init__(self):
        self._names = {}

    def pick(self, given=()):
        """Returns a free, now reserved port that is not among the `given` ones."""
        highest = max(min(HIGHEST, _first_ephemeral() - 1), LOWEST + ATTEMPTS)
        for port in random.sample(range(LOWEST, highest), ATTEMPTS):
            if port not in given and self._reserve(port) and in_use(port) is None:
                return port
        raise InputError(f"no free port between {LOWEST} and {highest}; end other jobs first")

    def _reserve(self, port):
        if port in self._names:
            return False
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            if sys.platform == "linux":
                name.bind(f"\0cluster-port-{port}")
        except OSError:
            name.close()
            return False
        self._names[port] = name
        return True

    def close(self):
        """Gives the reservations back."""
        for name in self._names.values():
            name.close()
        self._names.clear()


def in_use(port):
    """Returns why `port` cannot be bound on this machine ("already in use"), or None when it is free."""
    # TensorFlow's server sets SO_REUSEADDR, too. With it a port is free although its last connections still linger.
    for family, everywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((everywhere, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "already in use"
            if error.errno == errno.EACCES:
                return "not allowed to this user"
            if family == socket.AF_INET:
                return error.strerror
            # A machine without IPv6 has nothing to clash with there.
    return None


def wait_until_listening(host, port, seconds):
    """Returns None when something accepts connections at `host`:`port`. After `seconds` without it, returns why not."""
    limit = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host.strip("[]"), port), timeout=CONNECT_SECONDS).close()
            return None
        except OSError as error:
            if time.monotonic() > limit:
                return error.strerror or str(error)
            time.sleep(POLL_SECONDS)


def is_local(host):
    """Returns None when `host` is this machine. Otherwise returns why not ("does not resolve")."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return "does not resolve"
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.bind(address)
                return None
        except OSError:
            continue
    return "is another machine"


def _first_ephemeral():
    try:
        with open(EPHEMERAL, encoding="ascii") as file:
            return int(file.read().split()[0])
    except (OSError, ValueError):
        return HIGHEST + 1
