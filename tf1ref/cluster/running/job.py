"""One job from its first process to its last. It starts and watches its tasks, and does what verdicts.py says."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator
from typing import Any

from tf1ref.cluster.contract import ENDING, SERVING, UNDER_WAY
from tf1ref.cluster.description import Description
from tf1ref.cluster.devices import Devices
from tf1ref.cluster.record import Record
from tf1ref.cluster.running import processes, verdicts
from tf1ref.cluster.running.events import Events
from tf1ref.cluster.running.logs import Tail
from tf1ref.cluster.running.situation import DONE, INTERRUPTED, Situation, Trouble
from tf1ref.cluster.running.task import Task

TICK = 0.1  # seconds between two looks at the logs
SETTLE = 0.3  # seconds in which a task that failed a moment earlier can still report it
KILL_SECONDS = 5.0  # a killed process that is not gone by then hangs in the kernel
CPU_SECONDS = 15.0  # between two looks at what the processes use; sooner where a time-out is shorter
LAST_LINES = 10


class Job:
    """All tasks of one description, or only the task `only`, a (job, index)."""

    def __init__(
        self,
        description: Description,
        log_dir: str | os.PathLike,
        events: Events,
        record: Record,
        devices: dict[tuple[str, int], Devices],
        only: tuple[str, int] | None = None,
    ):
        self.description, self._devices = description, devices
        self._events, self._record = events, record
        self.tasks = [Task(*place, log_dir) for place in description.tasks if only in (None, place)]
        left = 0 if description.restart == "never" else description.max_restarts
        self._now = Situation(description, self.tasks, left, time.monotonic())
        self._tails = {task: Tail(task.log) for task in self.tasks}
        self._noted: set[Task] = set()
        self._forgiven: set[Task] = set()
        self._command: list[str] = []
        self._next_cpu = 0.0
        self._code: int | None = None

    def run(self, command: list[str]) -> int:
        """Runs the job to its end and returns the exit code. No task is left when this returns or raises."""
        self._command = command
        with self._signals_noted():
            try:
                self.tasks[0].together.unlink(missing_ok=True)
                self._start(self.tasks)
                code = self._code = self._watch()
                return code
            finally:
                self._kill(self.tasks)
                self._show(last=True)
                for task in self.tasks:
                    task.close()
                    self._tails[task].close()
                self.tasks[0].together.unlink(missing_ok=True)
                self._record.write(self.state(), now=True)

    def state(self) -> dict[str, Any]:
        """Returns what `status` shows: a dict of plain values. `code` is None until the job has ended."""
        names = ("name", "pid", "state", "step", "made", "restarts", "returncode")
        rows = [{**{name: getattr(task, name) for name in names}, "log": str(task.log)} for task in self.tasks]
        return {"description": self.description.path, "code": self._code, "tasks": rows}

    def _watch(self) -> int:
        while True:
            self._look()
            self._now.now = time.monotonic()
            if self._now.decided is None and self._now.succeeded:
                self._now.decided = self._now.now
            if self._now.decided is not None:
                self._note_late_failures()
            code = self._carry_out(verdicts.judge(self._now))
            if code is not None:
                return code

    def _carry_out(self, verdict: verdicts.Verdict | None) -> int | None:
        """Returns the job's exit code where the verdict ends it."""
        match verdict:
            case verdicts.Stop(number):
                return self._stop(number)
            case verdicts.Finish():
                return self._finish()
            case verdicts.Fail(trouble):
                return self._fail(trouble)
            case verdicts.Restart(tasks, failed):
                self._restart(tasks, failed)
            case verdicts.Start(tasks):
                self._start(tasks)
            case verdicts.Kill(tasks, trouble):
                self._force(tasks, trouble)
        return None

    def _start(self, tasks: list[Task]) -> None:
        for task in tasks:
            task.start(self._command, self.description, self._devices[task.job, task.index])

    def _look(self, seconds: float = TICK) -> None:
        """Waits up to `seconds` for a task to report, then shows the new lines of the logs."""
        running = self._now.live
        # Without any, select only waits.
        for task in select.select(running, [], [], seconds)[0]:
            known = task.pid
            task.receive()
            if task.pid != known:
                self._events.say("task", f"{task.name} is process {task.pid}", task=task.name, pid=task.pid)
            if task.returncode is not None:
                self._events.say("task_end", task=task.name, returncode=task.returncode)
        for task in running:
            self._look_at(task)
        self._look_at_processors(running)
        self._say_all_are_ready()
        self._show()
        self._record.write(self.state())

    def _look_at(self, task: Task) -> None:
        before = task.changed
        fell = task.look()
        if task.changed != before:
            self._events.say("progress", task=task.name, state=task.state, step=task.step)
        if not fell:
            return
        text = f"{task.name}: the global step fell from {fell[0]} to {fell[1]}"
        steps = {"before": fell[0], "step": fell[1]}
        if task in self._forgiven:
            self._forgiven.discard(task)
            self._events.say("rollback", f"{text}, after the restart of a ps", task=task.name, **steps)
        else:
            self._events.alarm(text, task=task.name, **steps)

    def _look_at_processors(self, running: list[Task]) -> None:
        now = time.monotonic()
        if now < self._next_cpu:
            return
        self._next_cpu = now + min(CPU_SECONDS, self.description.stall_timeout / 4)
        roots = {task.keeper_pid: task for task in running}
        for pid, seconds in processes.cpu_seconds(list(roots)).items():
            roots[pid].used(seconds)

    def _say_all_are_ready(self) -> None:
        """Lets the workers continue that wait for each other (contract.wait_for_the_others)."""
        path = self.tasks[0].together
        ready = (*UNDER_WAY, SERVING, ENDING)
        if not path.exists() and all(task.state in ready or not task.running for task in self._now.workers):
            with contextlib.suppress(OSError):
                path.touch()

    def _show(self, last: bool = False) -> None:
        for task, tail in self._tails.items():
            lines = tail.lines(last)
            if lines:
                task.alive = time.monotonic()
            self._events.log(task.name, lines)
            if self.description.log_limit and tail.rotate(self.description.log_limit):
                self._events.say("rotated", f"{task.log}: what it held is in {task.log}.1", task=task.name)

    def _note_late_failures(self) -> None:
        """Reports a task that fails after the job has succeeded. It changes nothing."""
        for task in set(self._now.failed) - self._noted:
            text = f"{task.describe_end()}, when the chief was already done; log: {task.log}"
            self._events.say("late_failure", text, task=task.name, returncode=task.returncode)
            self._noted.add(task)

    def _restart(self, tasks: list[Task], failed: list[Task]) -> None:
        self._kill(tasks)
        now = time.monotonic()
        pauses = {task: verdicts.pause(task, now) for task in failed}
        for task, pause in pauses.items():
            self._now.restarts_left -= 1
            left, when = self._now.restarts_left, f"in {pause:g} s" if pause else "again"
            what = "all tasks" if len(tasks) > len(failed) else "it"
            again = f"starting {what} again {when}" if pause else f"starting {what} again"
            self._events.say(
                "restart",
                f"{task.describe_end()}; {again}, {left} restarts left",
                task=task.name,
                returncode=task.returncode,
                left=left,
                seconds=pause,
            )
        if any(task.job == "ps" for task in tasks):
            self._forgiven.update(self._now.workers)
        for task in tasks:
            self._now.troubles.pop(task, None)
            # All start at once where all tasks start. A worker that waits for a ps that is due later would only time
            # out.
            task.due = now + (pauses[task] if tasks is failed else max(pauses.values()))

    def _force(self, tasks: list[Task], trouble: Trouble) -> None:
        task = trouble.task
        self._events.say("trouble", f"{trouble.what}: killing it", task=task.name, what=trouble.what)
        self._now.troubles[task] = trouble
        for stuck in tasks:
            stuck.send(signal.SIGKILL)

    def _finish(self) -> int:
        self._end(self.tasks, signal.SIGTERM)
        self._events.end(DONE)
        return DONE

    def _stop(self, number: int) -> int:
        name = signal.Signals(number).name
        self._events.say("stop", f"{name}: ending the job; once more kills it", signal=name)
        self._end(self._now.workers, number, signals=1)
        self._end(self.tasks, signal.SIGTERM, signals=1)
        self._events.end(INTERRUPTED)
        return INTERRUPTED

    def _fail(self, trouble: Trouble | None) -> int:
        if trouble is None:
            self._look(SETTLE)
            trouble = verdicts.blame(self._now)
        self._kill(self.tasks)
        self._show(last=True)
        task, what = trouble.task, trouble.what
        if task.restarts:
            what += f" (restart {task.restarts})"
        self._events.end(trouble.code, (task.name, what, task.log), self._tails[task].last_lines(LAST_LINES))
        return trouble.code

    def _end(self, tasks: list[Task], number: int, signals: int = 0) -> None:
        """Asks `tasks` to end by the signal `number`, and kills what is left after the grace period.

        It also kills them when the launcher itself has got more than `signals` signals.
        """
        for task in tasks:
            task.send(number)
        asked = time.monotonic()
        while any(task.running for task in tasks):
            self._look()
            if time.monotonic() - asked > self.description.grace or len(self._now.signals) > signals:
                self._kill(tasks)

    def _kill(self, tasks: list[Task]) -> None:
        for task in tasks:
            task.send(signal.SIGKILL)
        limit = time.monotonic() + KILL_SECONDS
        while any(task.running for task in tasks) and time.monotonic() < limit:
            self._look()
        for task in tasks:
            task.abandon()

    @contextlib.contextmanager
    def _signals_noted(self) -> Iterator[None]:
        """Lets SIGINT, SIGTERM and SIGHUP only add to a list, so that the loop ends the job, not the signal.

        A SIGHUP that is ignored stays ignored, which is what nohup is for. A SIGINT does not: every shell script starts
        its background commands with SIGINT ignored, and `stop` sends it.
        """
        caught = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
            caught.remove(signal.SIGHUP)
        before = {number: signal.signal(number, lambda n, _: self._now.signals.append(n)) for number in caught}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
