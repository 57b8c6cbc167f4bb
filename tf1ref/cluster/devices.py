"""Which processors and GPUs of this machine each task gets, where the description says how many."""

import os
import pathlib
import re
from typing import NamedTuple

from tf1ref.cluster.description import Description
from tf1ref.errors import InputError

VISIBLE = "CUDA_VISIBLE_DEVICES"  # CUDA's own variable: numbers or identifiers, with commas
CARD = re.compile(r"nvidia(\d+)")


class Devices(NamedTuple):
    """What one task gets: numbers of processors and names of GPUs. None stands for all that the launcher has."""

    cpus: list[int] | None = None
    gpus: list[str] | None = None


def gpus() -> list[str]:
    """Returns the names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get(VISIBLE)
    if visible is not None:
        names = [name.strip() for name in visible.split(",")]
        return [name for name in names if name and not name.startswith("-")]
    numbers = [int(match[1]) for path in pathlib.Path("/dev").glob("nvidia*") if (match := CARD.fullmatch(path.name))]
    return [str(number) for number in sorted(numbers)]


def cpus() -> list[int]:
    """Returns the numbers of the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def share(description: Description) -> dict[tuple[str, int], Devices]:
    """Returns {(job, index): its Devices}.

    Each task that asks for GPUs gets some of its own. When any task asks, the tasks that do not ask get none.
    Processors are dealt out in turn. When all are dealt, dealing begins again, and tasks share them. Raises InputError
    where there are not as many.
    """
    asked = {task: description.of(task[0]) for task in description.tasks}
    free_gpus, processors, dealt = gpus(), cpus(), 0
    needed = sum(settings.gpus or 0 for settings in asked.values())
    if needed > len(free_gpus):
        first = next(settings for settings in asked.values() if settings.gpus)
        there = ", ".join(free_gpus) or "none"
        raise InputError(f"{first.where}: gpus: the job needs {needed} GPUs, this machine lets it use {there}")
    found = {}
    for task, settings in asked.items():
        own_cpus = None
        if settings.cpus is not None:
            if settings.cpus > len(processors):
                few = f"{settings.cpus} processors a task; this machine lets the job use {len(processors)}"
                raise InputError(f"{settings.where}: cpus: {few}")
            own_cpus = [processors[(dealt + i) % len(processors)] for i in range(settings.cpus)]
            dealt += settings.cpus
        own_gpus = [free_gpus.pop(0) for _ in range(settings.gpus or 0)] if needed or settings.gpus == 0 else None
        found[task] = Devices(own_cpus, own_gpus)
    return found
