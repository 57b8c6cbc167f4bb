"""What is known of a job at one moment: its tasks, what was asked of it, and what has happened to it so far."""

import dataclasses

from tf1ref.cluster.contract import SERVING
from tf1ref.cluster.description import Description
from tf1ref.cluster.running.task import Task

DONE, FAILED, START_TIMEOUT, STALL, INTERRUPTED = 0, 1, 3, 4, 130  # exit codes of the launcher


@dataclasses.dataclass(frozen=True)
class Trouble:
    """Why a job cannot go on: the launcher's exit code, the task to blame, and one line that says what happened."""

    code: int
    task: Task
    what: str


@dataclasses.dataclass
class Situation:
    """A job as the launcher sees it. Times are monotonic seconds.

    tasks: in the order of blame.
    decided: when the tasks that decide success were done, or None.
    signals: those that the launcher itself has got.
    troubles: {task: what was wrong} of tasks that were killed for it, until they are started again.
    """

    description: Description
    tasks: list[Task]
    restarts_left: int = 0
    started: float = 0.0
    now: float = 0.0
    decided: float | None = None
    signals: list[int] = dataclasses.field(default_factory=list)
    troubles: dict[Task, Trouble] = dataclasses.field(default_factory=dict)

    @property
    def workers(self) -> list[Task]:
        """The tasks whose end is waited for. A ps that runs without workers is among them."""
        return [task for task in self.tasks if task.job != "ps"] or self.tasks

    @property
    def deciders(self) -> list[Task]:
        """The tasks whose success is the job's."""
        if self.description.success == "all":
            return self.workers
        chief = [task for task in self.workers if (task.job, task.index) == self.description.chief]
        return chief or self.workers[:1]

    @property
    def live(self) -> list[Task]:
        """The tasks that run."""
        return [task for task in self.tasks if task.running]

    @property
    def failed(self) -> list[Task]:
        """The tasks that have failed and are not to be started again."""
        return [task for task in self.tasks if task.returncode and task.due is None]

    @property
    def succeeded(self) -> bool:
        """True when every task that decides is done. A task that serves the others is never done by itself."""
        left = [task for task in self.deciders if task.returncode != DONE]
        return len(left) < len(self.deciders) and all(task.running and task.state == SERVING for task in left)

    @property
    def busy(self) -> bool:
        """True while the job waits for a task that could end by itself."""
        return any(task.running and task.state != SERVING for task in self.workers)
