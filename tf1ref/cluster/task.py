"""One task of a job as the launcher sees it: its command behind a keeper, its log, its end."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

from tf1ref.cluster.contract import CHECKPOINT_DIR, PROGRESS, START_TIMEOUT, STARTING, UNDER_WAY, reported, tf_config
from tf1ref.cluster.keeper import OWN_GROUP

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
    """One task of the job, a process at a time: `start` again is a restart.

    returncode: None while it runs, then as in subprocess: -N for signal N. state: what it said last, one of
    contract.STATES, or "" while it has said nothing. step: the global step it saw last, in any of its runs,
    or None. Monotonic seconds: started; starting: since when it makes itself ready, also anew after a ps was
    lost; changed: when it said something new; ended; halted: since when a signal has stopped it, or None.
    """

    def __init__(self, job, index, log_dir):
        self.job, self.index = job, index
        self.name = f"{job} {index}"
        self.log = pathlib.Path(log_dir) / f"{job}-{index}.log"
        self._progress = self.log.with_suffix(".progress")
        self.pid = self.returncode = self.halted = self.step = None
        self.started = self.starting = self.changed = self.ended = None
        self.state, self.restarts = "", 0
        self._channel = self._keeper = None
        self._told, self._received = None, b""

    def start(self, command, description):
        """Starts `command` (a list) as this task of `description`; its output is appended to the log."""
        if self._channel is not None:
            self.close()
            self.restarts += 1
        self.pid = self.returncode = self.ended = self.halted = None
        self.state, self._told, self._received = "", None, b""
        self._channel, theirs = socket.socketpair()
        descriptor = theirs.fileno()
        # -I -S: the keeper needs no site packages, and without them it is there in 20 ms.
        keeper = [sys.executable, "-I", "-S", str(KEEPER), str(descriptor), *command]
        self.started = self.starting = self.changed = time.monotonic()
        with theirs, open(self.log, "ab") as log:
            self._keeper = subprocess.Popen(
                keeper,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**DEFAULTS, **os.environ, **self._environment(description)},
                pass_fds=(descriptor,),
                **OWN_GROUP,
            )
        self._channel.setblocking(False)

    def _environment(self, description):
        own = {
            "TF_CONFIG": tf_config(description.hosts, self.job, self.index),
            START_TIMEOUT: str(description.start_timeout),
            PROGRESS: str(self._progress.absolute()),
        }
        if description.checkpoint_dir is not None:
            own[CHECKPOINT_DIR] = os.path.abspath(description.checkpoint_dir)
        return own

    @property
    def running(self):
        """True from `start` until the command and everything it started are gone."""
        return self._channel is not None and self.returncode is None

    def look(self):
        """Takes in what the task says of itself; returns (before, now) when its global step has fallen."""
        now, told, fell = time.monotonic(), reported(self._progress), None
        if told:
            state, step = told
            if state == STARTING and self.state not in ("", STARTING):
                self.starting = now
            # In and out of session calls without a new step is no progress.
            if self._told != (told := (state in UNDER_WAY or state, step)):
                self.changed, self._told = now, told
            self.state = state
            if step is not None and self.step is not None and step < self.step:
                fell = (self.step, step)
            self.step = self.step if step is None else step
        self.halted = (self.halted or now) if self.pid and _is_halted(self.pid) else None
        return fell

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
        for path in (self._progress, self._progress.with_suffix(".progress.new")):
            path.unlink(missing_ok=True)
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


def _is_halted(pid):
    """True where a signal such as SIGSTOP has stopped the process (Linux; elsewhere never)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[:1] == [b"T"]
    except OSError:
        return False
