"""Runs a whole job on this machine: starts every task, watches, and ends it in order."""

import contextlib
import dataclasses
import itertools
import os
import select
import shutil
import signal
import sys
import tempfile
import time

from cluster.contract import STARTING
from cluster.errors import UsageError
from cluster.ports import Ports, in_use, is_local
from cluster.stream import Stream, Tail
from cluster.task import Task

DONE, FAILED, START_TIMEOUT, INTERRUPTED = 0, 1, 3, 130
TICK = 0.1  # seconds between two looks at the logs
SETTLE = 0.3  # seconds in which a task that failed a moment earlier can still report it
KILL_SECONDS = 5.0  # a killed process that is not gone by then hangs in the kernel
LAST_LINES = 10


def up(description, command, log_dir=None):
    """Runs `command` (a list) once for every task of `description`; returns the exit code.

    The chief, worker 0, decides success. Logs go to `log_dir`, or to a temporary folder that a job which
    succeeds takes with it. Raises UsageError, with nothing started, when a port, a host, the command or the
    folder cannot be used.
    """
    _check_command(command)
    ports = Ports()
    try:
        job = Job(_resolve(description, ports), _log_folder(log_dir))
        code = job.run(command)
        if code == DONE and log_dir is None:
            shutil.rmtree(job.log_dir, ignore_errors=True)
        return code
    finally:
        ports.close()


def _check_command(command):
    if shutil.which(command[0]) is None:
        there = os.path.exists(command[0])
        problem = "not an executable file" if there else "no such command"
        raise UsageError(f"{command[0]}: {problem}; write the command after --, such as -- python train.py")


def _log_folder(log_dir):
    if log_dir is None:
        return tempfile.mkdtemp(prefix="cluster-")
    try:
        os.makedirs(log_dir, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{log_dir}: {error.strerror}; give --log-dir another folder") from None
    if not os.access(log_dir, os.W_OK | os.X_OK):
        raise UsageError(f"{log_dir}: cannot be written; give --log-dir another folder")
    return log_dir


def _resolve(description, ports):
    """Returns `description` with a port for every 0; UsageError where an address cannot be served here."""
    given = set()
    for address in itertools.chain(*description.jobs.values()):
        if problem := is_local(address.host):
            advice = "up runs every task on this machine, so write localhost"
            raise UsageError(f"{address.where}: {address.host} {problem}; {advice}")
        if not address.port:
            continue
        # Servers listen on all interfaces, so one port serves one task whatever the hosts are called.
        if problem := "given twice" if address.port in given else in_use(address.port):
            advice = "choose another, or 0 for a free one"
            raise UsageError(f"{address.where}: port {address.port} is {problem}; {advice}")
        given.add(address.port)
    jobs = {
        job: tuple(a if a.port else dataclasses.replace(a, port=ports.pick(given)) for a in addresses)
        for job, addresses in description.jobs.items()
    }
    return dataclasses.replace(description, jobs=jobs)


class Job:
    """All tasks of one description, from start to end."""

    def __init__(self, description, log_dir):
        self.description, self.log_dir = description, log_dir
        # In the order in which they are started and blamed: a worker without its ps is nobody's culprit.
        self.ps = [Task("ps", index, log_dir) for index in range(len(description.jobs["ps"]))]
        self.workers = [Task("worker", index, log_dir) for index in range(len(description.jobs["worker"]))]
        self.tasks = self.ps + self.workers
        self._tails = {task: Tail(task.log) for task in self.tasks}
        self._stream = Stream(sys.stdout)
        self._signals = []
        self._noted = set()

    def run(self, command):
        """Runs the job to its end and returns the exit code; no task is left when this returns or raises."""
        with self._signals_noted():
            try:
                self._start(command)
                return self._watch()
            finally:
                self._kill(self.tasks)
                self._show(last=True)
                for task in self.tasks:
                    task.close()
                    self._tails[task].close()

    def _start(self, command):
        ports = " ".join(f"*:{a.port}" for a in itertools.chain(*self.description.jobs.values()))
        workers = f"{len(self.workers)} worker{'s'[: len(self.workers) > 1]}"
        self._say(f"{len(self.ps)} ps, {workers}; logs in {self.log_dir}")
        self._say(f"TensorFlow's servers listen on every interface, without authentication: {ports}")
        for task in self.tasks:
            task.start(command, self.description)

    def _watch(self):
        while True:
            self._look()
            if self._signals:
                return self._stop(self._signals[0])
            failed = [task for task in self.tasks if task.returncode]
            if failed and self.workers[0].returncode != DONE:
                return self._fail()
            self._note(failed)
            if not any(task.running for task in self.workers) or any(task.job == "ps" for task in failed):
                return self._finish()
            if late := self._late():
                return self._give_up(late)

    def _look(self, seconds=TICK):
        """Waits up to `seconds` for a task to say something, then shows what the logs have gained."""
        running = [task for task in self.tasks if task.running]
        for task in select.select(running, [], [], seconds)[0] if running else []:
            known = task.pid
            task.receive()
            if task.pid != known:
                self._say(f"{task.name} is process {task.pid}")
        self._show()

    def _show(self, last=False):
        for task in self.tasks:
            self._stream.write(task.name, self._tails[task].lines(last))

    def _say(self, line):
        self._stream.write("cluster", [line])

    def _note(self, failed):
        """The chief has ended well: what fails now is said, and changes nothing."""
        for task in set(failed) - self._noted:
            self._say(f"{task.describe_end()}, when the chief was already done; log: {task.log}")
        self._noted.update(failed)

    def _late(self):
        """Returns the first task that says it is starting when its start time-out is over."""
        limit = time.monotonic() - self.description.start_timeout
        late = (task for task in self.tasks if task.running and task.started < limit)
        return next((task for task in late if task.state == STARTING), None)

    def _finish(self):
        self._end(self.workers + self.ps, signal.SIGTERM)
        return DONE

    def _stop(self, number):
        self._say(f"{signal.Signals(number).name}: ending the job; once more kills it")
        self._end(self.workers, number, signals=1)
        self._end(self.ps, signal.SIGTERM, signals=1)
        return INTERRUPTED

    def _fail(self):
        self._look(SETTLE)
        culprit = min((task for task in self.tasks if task.returncode), key=lambda task: task.ended)
        self._kill(self.tasks)
        self._blame(culprit, culprit.describe_end())
        return FAILED

    def _give_up(self, task):
        self._kill(self.tasks)
        seconds = self.description.start_timeout
        self._blame(task, f"{task.name} was not running {seconds:g} s after its start (--start-timeout)")
        return START_TIMEOUT

    def _blame(self, task, what):
        self._show(last=True)
        lines = self._tails[task].last_lines(LAST_LINES)
        print(f"cluster: error: {what}; log: {task.log}; its last lines:", file=sys.stderr)
        for line in lines or ["(it wrote none)"]:
            print(f"    {line}", file=sys.stderr)

    def _end(self, tasks, number, signals=0):
        """Asks `tasks` to end by the signal `number`; kills what is left after the grace period.

        Or when the launcher itself has got more than `signals` signals.
        """
        for task in tasks:
            task.send(number)
        asked = time.monotonic()
        while any(task.running for task in tasks):
            self._look()
            if time.monotonic() - asked > self.description.grace or len(self._signals) > signals:
                self._kill(tasks)

    def _kill(self, tasks):
        for task in tasks:
            task.send(signal.SIGKILL)
        limit = time.monotonic() + KILL_SECONDS
        while any(task.running for task in tasks) and time.monotonic() < limit:
            self._look()
        for task in tasks:
            task.abandon()

    @contextlib.contextmanager
    def _signals_noted(self):
        """Within it SIGINT, SIGTERM and SIGHUP only add to a list: the loop ends the job, not the signal."""
        caught = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, lambda n, _: self._signals.append(n)) for number in caught}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
