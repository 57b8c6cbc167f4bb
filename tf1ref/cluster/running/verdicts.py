"""What has to be done with a job in its situation. The first rule of RULES that applies decides."""

import dataclasses
from collections.abc import Callable

from tf1ref.cluster.contract import STARTING
from tf1ref.cluster.running import watching
from tf1ref.cluster.running.situation import FAILED, START_TIMEOUT, Situation, Trouble
from tf1ref.cluster.running.task import Task

# A task that ends with one of these exit codes would only fail again: bad usage, or a command that does not start.
HOPELESS = (2, 126)
# The first restart is at once. Where a task fails again soon after its start, the pauses are 1, 2, 4 ... s.
LONGEST_PAUSE, SOON = 30.0, 60.0


@dataclasses.dataclass(frozen=True)
class Stop:
    """End the job in order, by this signal."""

    number: int


@dataclasses.dataclass(frozen=True)
class Restart:
    """Start `tasks` again, each when it is due. `failed` is the reason. Those that still run are killed."""

    tasks: list[Task]
    failed: list[Task]


@dataclasses.dataclass(frozen=True)
class Start:
    """Start `tasks`, which are due."""

    tasks: list[Task]


@dataclasses.dataclass(frozen=True)
class Kill:
    """Kill `tasks`: the job can go on without them, or with them started again."""

    tasks: list[Task]
    trouble: Trouble


@dataclasses.dataclass(frozen=True)
class Fail:
    """Kill everything and blame a task. None: a task has failed, and when all have reported it is known which one."""

    trouble: Trouble | None = None


@dataclasses.dataclass(frozen=True)
class Finish:
    """End what is left, in order: the job has succeeded."""


Verdict = Stop | Restart | Start | Kill | Fail | Finish


def judge(situation: Situation) -> Verdict | None:
    """Returns what has to be done, or None when the job only has to wait."""
    return next((verdict for rule in RULES if (verdict := rule(situation))), None)


def interrupted(situation: Situation) -> Verdict | None:
    """Somebody wants the job to end."""
    return Stop(situation.signals[0]) if situation.signals else None


def failed(situation: Situation) -> Verdict | None:
    """A task has failed before the job has succeeded."""
    tasks = situation.failed
    if not tasks or situation.decided is not None:
        return None
    if any(task.returncode in HOPELESS for task in tasks) or len(tasks) > situation.restarts_left:
        return Fail()
    if situation.description.restart == "job":
        return Restart(situation.tasks, tasks)
    return Restart(tasks, tasks)


def due(situation: Situation) -> Verdict | None:
    """The pause before a restart is over."""
    tasks = [task for task in situation.tasks if task.due is not None and task.due <= situation.now]
    return Start(tasks) if tasks else None


def done(situation: Situation) -> Verdict | None:
    """The tasks that decide are done, and the job waits for no other one."""
    if situation.decided is None:
        return None
    if situation.busy and not any(task.job == "ps" for task in situation.failed):
        return None
    trouble = watching.idle(situation)
    return Fail(trouble) if trouble else Finish()


def troubled(situation: Situation) -> Verdict | None:
    """A task makes no progress."""
    trouble = watching.find(situation)
    if trouble is None or trouble.task in situation.troubles:
        return None  # It is dying.
    overdue = trouble.what.endswith("(--timeout)")
    if overdue or (situation.decided is None and (situation.restarts_left < 1 or not trouble.task.running)):
        return Fail(trouble)
    # A task that waits for one that has left will never continue.
    return Kill([trouble.task] if trouble.task.running else situation.workers, trouble)


RULES: tuple[Callable[[Situation], Verdict | None], ...] = (interrupted, failed, due, done, troubled)


def pause(task: Task, now: float) -> float:
    """Returns the seconds until a task that has failed is started again. It counts the failures soon after a start."""
    task.quick_failures = task.quick_failures + 1 if now - task.started < SOON else 1
    return 0.0 if task.quick_failures == 1 else min(2.0 ** (task.quick_failures - 2), LONGEST_PAUSE)


def blame(situation: Situation) -> Trouble:
    """Returns the Trouble of a job in which tasks have failed. The one that failed first is blamed."""
    culprit = min(situation.failed, key=lambda task: task.ended)
    if culprit.returncode == START_TIMEOUT and culprit.state == STARTING:
        # This task waited in vain for another one, which is to blame.
        return watching.at_start(situation, culprit)
    return situation.troubles.get(culprit) or Trouble(FAILED, culprit, culprit.describe_end())
