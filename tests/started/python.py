"""Stands in for `python`: asks server.py at its socket for a process that has TensorFlow, and ends as it does.

__init__.py writes the programs that call main, with the path of the socket.
"""

import json
import os
import signal
import socket
import sys

HANDED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def main(path, words):
    """Ends as `python WORDS...` does."""
    options = []
    while words and words[0] in ("-I", "-B", "-u", "-P"):
        options.append(words.pop(0))
    if not words or words[0].startswith("-") and words[0] not in ("-m", "-c"):
        os.execv(sys.executable, [sys.executable, *options, *words])
    ignored = [number for number in HANDED_ON if signal.getsignal(number) is signal.SIG_IGN]
    question = {"words": words, "options": options, "cwd": os.getcwd(), "env": dict(os.environ), "ignored": ignored}
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        for number in set(HANDED_ON) - set(ignored):
            signal.signal(number, lambda number, _: server.sendall(bytes([number])))
        socket.send_fds(server, [json.dumps(question).encode()], [0, 1, 2])
        code = int(server.recv(64) or 1)
    if code < 0:
        if code != -signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)
