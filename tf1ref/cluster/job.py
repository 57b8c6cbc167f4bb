"""One job from its first process to its last: starts its tasks, watches them, restarts some, ends all."""

import contextlib
import select
import signal
import time

from tf1ref.cluster import watching
from tf1ref.cluster.contract import SERVING, STARTING
from tf1ref.cluster.stream import Tail
from tf1ref.cluster.task import Task

DONE, FAILED, START_TIMEOUT, INTERRUPTED = 0, 1, 3, 130
# Exit codes of a task that would only fail again: bad usage, a command that exists and does not start.
HOPELESS = (2, 126)
TICK = 0.1  # seconds between two looks at the logs
SETTLE = 0.3  # seconds in which a task that failed a moment earlier can still report it
KILL_SECONDS = 5.0  # a killed process that is not gone by then hangs in the kernel
LAST_LINES = 10


class Job:
    """All tasks of one description, or the one named by `only`, a (job, index)."""

    def __init__(self, description, log_dir, events, record, only=None):
        self.description, self.log_dir = description, log_dir
        self._events, self._record = events, record
        # In the order in which they are started and blamed: a worker without its ps is nobody's culprit.
        places = [(job, index) for job in ("ps", "worker") for index in range(len(description.jobs[job]))]
        self.tasks = [Task(job, index, log_dir) for job, index in places if only in (None, (job, index))]
        # Whose end is waited for, and whose success is the job's. A ps that is run alone is its own worker.
        self.workers = [task for task in self.tasks if task.job == "worker"] or self.tasks
        self.deciders = self.workers if description.success == "all" else self.workers[:1]
        self._tails = {task: Tail(task.log) for task in self.tasks}
        self._restarts_left = description.max_restarts if description.restart == "on-failure" else 0
        self._signals, self._noted, self._forgiven, self._troubles = [], set(), set(), {}
        self._decided = self._code = None

    def run(self, command):
        """Runs the job to its end and returns the exit code; no task is left when this returns or raises."""
        with self._signals_noted():
            try:
                for task in self.tasks:
                    task.start(command, self.description)
                self._code = self._watch(command)
                return self._code
            finally:
                self._kill(self.tasks)
                self._show(last=True)
                for task in self.tasks:
                    task.close()
                    self._tails[task].close()
                self._record.write(self.state(), now=True)

    def state(self):
        """Returns what `status` shows: a dict of plain values. `code` is None until the job has ended."""
        names = ("name", "pid", "state", "step", "restarts", "returncode")
        rows = [{**{name: getattr(task, name) for name in names}, "log": str(task.log)} for task in self.tasks]
        return {"description": self.description.path, "code": self._code, "tasks": rows}

    def _watch(self, command):
        while True:
            self._look()
            if self._signals:
                return self._stop(self._signals[0])
            failed = [task for task in self.tasks if task.returncode]
            if self._decided is None and self._succeeded():
                self._decided = time.monotonic()
            if failed and self._decided is None:
                if not self._restart(failed, command):
                    return self._fail()
                continue
            self._note(failed)
            busy = any(task.running and task.state != SERVING for task in self.workers)
            if (self._decided and not busy) or any(task.job == "ps" for task in failed):
                return self._finish()
            trouble = watching.find(self.tasks, self.description, time.monotonic(), self._decided)
            if trouble and not self._forced(trouble):
                return self._give_up(trouble)

    def _succeeded(self):
        """True when every task that decides is done; one that serves the others is never done by itself."""
        left = [task for task in self.deciders if task.returncode != DONE]
        return len(left) < len(self.deciders) and all(task.running and task.state == SERVING for task in left)

    def _look(self, seconds=TICK):
        """Waits up to `seconds` for a task to say something, then shows what the logs have gained."""
        running = [task for task in self.tasks if task.running]
        for task in select.select(running, [], [], seconds)[0] if running else []:
            known = task.pid
            task.receive()
            if task.pid != known:
                self._events.say("task", f"{task.name} is process {task.pid}", task=task.name, pid=task.pid)
            if task.returncode is not None:
                self._events.say("task_end", task=task.name, returncode=task.returncode)
        for task in running:
            self._look_at(task)
        self._show()
        self._record.write(self.state())

    def _look_at(self, task):
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

    def _show(self, last=False):
        for task in self.tasks:
            self._events.log(task.name, self._tails[task].lines(last))

    def _note(self, failed):
        """The job has succeeded already: what fails now is said, and changes nothing."""
        for task in set(failed) - self._noted:
            text = f"{task.describe_end()}, when the chief was already done; log: {task.log}"
            self._events.say("late_failure", text, task=task.name, returncode=task.returncode)
        self._noted.update(failed)

    def _restart(self, failed, command):
        """Starts the `failed` tasks again, unless the budget or a task's exit code forbids it."""
        if len(failed) > self._restarts_left or any(task.returncode in HOPELESS for task in failed):
            return False
        for task in failed:
            self._restarts_left -= 1
            text = f"{task.describe_end()}; starting it again, {self._restarts_left} restarts left"
            self._events.say("restart", text, task=task.name, returncode=task.returncode, left=self._restarts_left)
            if task.job == "ps":
                self._forgiven.update(self.workers)
            self._troubles.pop(task, None)
            task.start(command, self.description)
        return True

    def _forced(self, trouble):
        """Kills the task in `trouble` where the job can go on without it, or with it started again."""
        task = trouble.task
        if task in self._troubles:
            return True  # It is dying.
        if self._decided is None and (self._restarts_left < 1 or not task.running):
            return False
        self._events.say("trouble", f"{trouble.what}: killing it", task=task.name, what=trouble.what)
        self._troubles[task] = trouble
        # What waits for a task that has left will never get further.
        for stuck in [task] if task.running else self.workers:
            stuck.send(signal.SIGKILL)
        return True

    def _finish(self):
        self._end(self.tasks, signal.SIGTERM)
        self._events.end(DONE)
        return DONE

    def _stop(self, number):
        name = signal.Signals(number).name
        self._events.say("stop", f"{name}: ending the job; once more kills it", signal=name)
        self._end(self.workers, number, signals=1)
        self._end(self.tasks, signal.SIGTERM, signals=1)
        self._events.end(INTERRUPTED)
        return INTERRUPTED

    def _fail(self):
        self._look(SETTLE)
        culprit = min((task for task in self.tasks if task.returncode), key=lambda task: task.ended)
        if culprit.returncode == START_TIMEOUT and culprit.state == STARTING:
            # It waited for another one, in vain: that one is to blame.
            return self._give_up(watching.at_start(self.tasks, self.description, culprit))
        if trouble := self._troubles.get(culprit):
            return self._give_up(trouble)
        self._kill(self.tasks)
        self._blame(FAILED, culprit, culprit.describe_end())
        return FAILED

    def _give_up(self, trouble):
        self._kill(self.tasks)
        self._blame(trouble.code, trouble.task, trouble.what)
        return trouble.code

    def _blame(self, code, task, what):
        self._show(last=True)
        if task.restarts:
            what += f" (restart {task.restarts})"
        self._events.end(code, (task.name, what, task.log), self._tails[task].last_lines(LAST_LINES))

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
