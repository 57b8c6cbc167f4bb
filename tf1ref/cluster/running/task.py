"""One task of a job as the launcher sees it: its command behind a keeper, its log, its end."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from typing import Any

from tf1ref.cluster import contract
from tf1ref.cluster.contract import STARTING, UNDER_WAY, Told
from tf1ref.cluster.description import Description
from tf1ref.cluster.devices import VISIBLE, Devices
from tf1ref.cluster.placeholders import fill
from tf1ref.cluster.running import processes
from tf1ref.cluster.running.keeper import OWN_GROUP

KEEPER = pathlib.Path(__file__).with_name("keeper.py")
# These are set only where they are unset. With them TensorFlow and gRPC print errors only, and Python writes at once
# although its output is a file.
DEFAULTS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GRPC_VERBOSITY": "NONE",
    "PYTHONUNBUFFERED": "1",
}
# This much processor time, two ticks of the kernel's clock, is a sign of life. A process that only sleeps uses less.
ALIVE_SECONDS = 0.02


class Task:
    """One task of the job, a process at a time: `start` again is a restart.

    returncode: None while it runs, then as in subprocess: -N for signal N.
    state: what it said last, one of contract.STATES, or "" while it has said nothing.
    step: the global step it saw last, in any of its runs, or None.
    made: how many steps it made itself in this run, where it tells that.

    The rest are monotonic seconds, or None.
    starting: since when it makes itself ready, also anew after a ps was lost.
    changed: when it said something new.
    alive: its last sign of life, of any kind.
    halted: since when a signal has stopped it.
    due: when it is to be started again.
    """

    def __init__(self, job: str, index: int, log_dir: str | os.PathLike):
        self.job, self.index = job, index
        self.name = f"{job} {index}"
        self.log = pathlib.Path(log_dir) / f"{job}-{index}.log"
        self.together = pathlib.Path(log_dir) / "job.together"
        self.mark = f"{contract.MARK}={os.getpid()}-{time.monotonic_ns()}-{job}-{index}"
        self._progress = self.log.with_suffix(".progress")
        self.pid: int | None = None
        self.returncode: int | None = None
        self.step: int | None = None
        self.made: int | None = None
        self.halted: float | None = None
        self.due: float | None = None
        self.started = self.starting = self.changed = self.alive = self.ended = 0.0
        self.state, self.restarts, self.quick_failures = "", 0, 0
        self._channel: socket.socket | None = None
        self._keeper: Any = None
        self._told: tuple | None = None
        self._received, self._used = b"", 0.0

    def start(self, command: list[str], description: Description, devices: Devices) -> None:
        """Starts this task of `description` with its job's command, or with `command`. The log gets its output."""
        if self._channel is not None:
            self.close()
            self.restarts += 1
        self.pid = self.returncode = self.halted = self.due = self.made = None
        self.state, self._told, self._received, self._used = "", None, b"", 0.0
        words = fill(list(description.of(self.job).command or command), description, self.job, self.index)
        self._channel, theirs = socket.socketpair()
        descriptor = theirs.fileno()
        cpus = ",".join(map(str, devices.cpus)) if devices.cpus else "-"
        # -I -S: the keeper needs no site packages. Without them it starts in 20 ms.
        keeper = [sys.executable, "-I", "-S", str(KEEPER), str(descriptor), cpus, *words]
        self.started = self.starting = self.changed = self.alive = time.monotonic()
        with theirs, open(self.log, "ab") as log:
            self._keeper = subprocess.Popen(
                keeper,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**DEFAULTS, **os.environ, **self._environment(description, devices)},
                pass_fds=(descriptor,),
                **OWN_GROUP,
            )
        self._channel.setblocking(False)

    def _environment(self, description: Description, devices: Devices) -> dict[str, str]:
        given = description.of(self.job).env
        own = dict(zip(given, fill(list(given.values()), description, self.job, self.index)))
        if devices.gpus is not None:
            own[VISIBLE] = ",".join(devices.gpus)
        own |= {
            "TF_CONFIG": contract.tf_config(description.hosts, self.job, self.index),
            contract.START_TIMEOUT: str(description.start_timeout),
            contract.GRACE: str(description.grace),
            contract.PROGRESS: str(self._progress.absolute()),
            contract.TOGETHER: str(self.together.absolute()),
        }
        name, _, value = self.mark.partition("=")
        own[name] = value
        if "evaluator" in description.jobs:
            own[contract.EVALUATOR] = "1"
        if description.checkpoint_dir is not None:
            own[contract.CHECKPOINT_DIR] = os.path.abspath(description.checkpoint_dir)
        return own

    @property
    def running(self) -> bool:
        """True from `start` until the command and everything it started are gone."""
        return self._channel is not None and self.returncode is None

    def look(self) -> tuple[int, int] | None:
        """Takes in what the task has reported. Returns (before, now) when its global step has fallen."""
        now, told, fell = time.monotonic(), contract.reported(self._progress), None
        if told:
            if told.state == STARTING and self.state not in ("", STARTING):
                self.starting = now
            # A task that only enters and leaves session calls, without a new step, makes no progress.
            if self._told != (new := _progress_of(told)):
                self.changed = self.alive = now
                self._told = new
            self.state = told.state
            if told.step is not None and self.step is not None and told.step < self.step:
                fell = (self.step, told.step)
            self.step = self.step if told.step is None else told.step
            self.made = self.made if told.made is None else told.made
        self.halted = (self.halted or now) if self.pid and processes.is_halted(self.pid) else None
        return fell

    def used(self, seconds: float) -> None:
        """Takes in how much processor time the task's processes have used up to now."""
        if seconds - self._used >= ALIVE_SECONDS:
            self.alive, self._used = time.monotonic(), seconds

    @property
    def keeper_pid(self) -> int:
        """The process below which the task's processes are."""
        return self._keeper.pid

    def fileno(self) -> int:
        """The keeper's socket, for select."""
        assert self._channel is not None
        return self._channel.fileno()

    def receive(self) -> None:
        """Takes in what the keeper has said: the task's pid, its end."""
        assert self._channel is not None
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

    def _keeper_died(self) -> None:
        """Kills the rest of a task whose keeper is dead. The kernel has killed its command.

        The command's group may hold more processes. Those that left the group have the task's mark.
        """
        self.returncode = self._keeper.wait() or -signal.SIGKILL
        self.ended = time.monotonic()
        if self.pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        processes.kill_marked(self.mark)

    def send(self, number: int) -> None:
        """Sends the signal `number` to the command's process group."""
        if self.running and self._channel is not None:
            with contextlib.suppress(OSError):  # The keeper is dead, and `receive` will soon report it.
                self._channel.sendall(b"%d\n" % number)

    def abandon(self) -> None:
        """Kills what is left without waiting for the keeper's answer, as the last resort."""
        if self.running:
            self._keeper.kill()
            self._keeper_died()

    def close(self) -> None:
        """Removes the progress file and closes the socket, at which the keeper kills what it has."""
        for path in (self._progress, self._progress.with_suffix(".progress.new")):
            path.unlink(missing_ok=True)
        if self._channel is not None:
            self._channel.close()

    def describe_end(self) -> str:
        """How it ended: "worker 1 exited with code 3 after 2.1 s"."""
        seconds = f"after {self.ended - self.started:.1f} s"
        assert self.returncode is not None
        if self.returncode >= 0:
            return f"{self.name} exited with code {self.returncode} {seconds}"
        try:
            return f"{self.name} was killed by {signal.Signals(-self.returncode).name} {seconds}"
        except ValueError:
            return f"{self.name} was killed by signal {-self.returncode} {seconds}"


def _progress_of(told: Told) -> tuple:
    # A worker's own steps count as progress only without a global step: a worker that repeats a step makes no progress.
    made = told.made if told.step is None else None
    return told.state in UNDER_WAY or told.state, told.step, made
