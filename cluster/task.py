"""One task of a job as the launcher sees it: its command behind a keeper, its log, its end."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

from cluster.contract import PROGRESS, START_TIMEOUT, reported, tf_config

KEEPER = pathlib.Path(__file__).with_name("keeper.py")
# Only where unset: TensorFlow and gRPC say nothing but errors, Python prints at once though its output is a
# file.
DEFAULTS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "GRPC_VERBOSITY": "NONE",
    "PYTHONUNBUFFERED": "1",
}


class Task:
    """One process of the job. `returncode` is None while it runs, then as in subprocess: -N for signal N."""

    def __init__(self, job, index, log_dir):
        self.job, self.index = job, index
        self.name = f"{job} {index}"
        self.log = pathlib.Path(log_dir) / f"{job}-{index}.log"
        self._progress = self.log.with_suffix(".progress")
        self.pid = self.returncode = self.started = self.ended = None
        self._channel = self._keeper = None
        self._received = b""

    def start(self, command, description):
        """Starts `command` (a list) as this task of `description`; its output is appended to the log."""
        own = {
            "TF_CONFIG": tf_config(description.hosts, self.job, self.index),
            START_TIMEOUT: str(description.start_timeout),
            PROGRESS: str(self._progress.absolute()),
        }
        self._progress.unlink(missing_ok=True)
        self._channel, theirs = socket.socketpair()
        descriptor = theirs.fileno()
        # -I -S: the keeper needs no site packages, and without them it is there in 20 ms.
        keeper = [sys.executable, "-I", "-S", str(KEEPER), str(descriptor), *command]
        self.started = time.monotonic()
        with theirs, open(self.log, "ab") as log:
            self._keeper = subprocess.Popen(
                keeper,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**DEFAULTS, **os.environ, **own},
                pass_fds=(descriptor,),
                start_new_session=True,
            )
        self._channel.setblocking(False)

    @property
    def running(self):
        """True from `start` until the command and everything it started are gone."""
        return self._channel is not None and self.returncode is None

    @property
    def state(self):
        """What the task says of itself: contract.STARTING, RUNNING, or "" when it says nothing."""
        return reported(self._progress)

    def fileno(self):
        """The keeper's socket, for select."""
        return self._channel.fileno()

    def receive(self):
        """Takes in what the keeper has said: the task's pid, its end."""
        try:
            data = self._channel.recv(4096)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        *lines, self._received = (self._received + data).split(b"\n")
        for word, *numbers in (line.decode().split() for line in lines):
            if word == "pid":
                self.pid = int(numbers[0])
            elif word == "exit":
                self.returncode, self.ended = int(numbers[0]), float(numbers[1])
        if not data and self.returncode is None:
            self._keeper_died()
        if self.returncode is not None:
            self._keeper.wait()

    def _keeper_died(self):
        """Its command got SIGKILL from the kernel; the group may hold more."""
        self.returncode = self._keeper.wait() or -signal.SIGKILL
        self.ended = time.monotonic()
        if self.pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def send(self, number):
        """Sends the signal `number` to the command's process group."""
        if self.running:
            with contextlib.suppress(OSError):  # The keeper is dead; `receive` is about to say so.
                self._channel.sendall(b"%d\n" % number)

    def abandon(self):
        """Kills what is left without asking the keeper's answer; the last resort."""
        if self.running:
            self._keeper.kill()
            self._keeper_died()

    def close(self):
        """Removes the progress file and closes the socket, at which the keeper kills what it has."""
        self._progress.unlink(missing_ok=True)
        if self._channel is not None:
            self._channel.close()

    def describe_end(self):
        """How it ended: "worker 1 exited with code 3 after 2.1 s"."""
        seconds = f"after {self.ended - self.started:.1f} s"
        if self.returncode >= 0:
            return f"{self.name} exited with code {self.returncode} {seconds}"
        try:
            return f"{self.name} was killed by {signal.Signals(-self.returncode).name} {seconds}"
        except ValueError:
            return f"{self.name} was killed by signal {-self.returncode} {seconds}"
