"""Which task is in trouble, and which one is to blame, as far as the tasks have told.

A task whose step stands still often only waits for another one. Those that cannot be waiting are blamed first.
"""

import dataclasses
from collections.abc import Callable

from tf1ref.cluster.contract import CALLING, ENDING, LOADING, RUNNING, SERVING, STARTING, UNDER_WAY
from tf1ref.cluster.description import Description
from tf1ref.cluster.ports import wait_until_listening
from tf1ref.cluster.running.situation import FAILED, STALL, START_TIMEOUT, Situation, Trouble
from tf1ref.cluster.running.task import Task


def find(situation: Situation) -> Trouble | None:
    """Returns the first trouble of TROUBLES, or None."""
    return next((trouble for kind in TROUBLES if (trouble := kind(situation))), None)


def overdue(situation: Situation) -> Trouble | None:
    """The whole job takes longer than `timeout`."""
    limit = situation.description.timeout
    if limit is None or situation.now - situation.started <= limit:
        return None
    left = [task for task in situation.deciders if task.running] or situation.live
    return Trouble(STALL, left[0], f"{left[0].name} was not done {limit:g} s after the job's start (--timeout)")


def stopped(situation: Situation) -> Trouble | None:
    """A signal such as SIGSTOP holds a task."""
    limit = situation.description.stall_timeout
    for task in situation.live:
        if task.halted and situation.now - task.halted > limit:
            return _halted(task, STALL, limit, "--stall-timeout")
    return None


def late(situation: Situation) -> Trouble | None:
    """A task is not ready for its first step in time."""
    for task in situation.live:
        if situation.now - task.starting <= situation.description.start_timeout:
            continue
        # A task that reports nothing is late when others of its job do report: they run the same program.
        silent = not task.state and any(t.job == task.job and t.state for t in situation.live)
        if task.state == STARTING or silent:
            return at_start(situation, task)
    return None


def at_start(situation: Situation, late: Task) -> Trouble:
    """Returns the Trouble of a job in which the task `late` did not get to its first step in time.

    Or gave up by itself, waiting for another one.
    """
    limit, option = situation.description.start_timeout, "--start-timeout"
    waiting = [task for task in situation.live if task.state in ("", LOADING, STARTING)]
    for task in waiting:
        if task.halted:
            return _halted(task, START_TIMEOUT, limit, option)
    # In the order in which tasks wait for each other: ps, chief, the other workers. A silent one may be a program
    # that never tells its state: only its port says whether a ps serves.
    culprit = next((task for task in waiting if not _serves(task, situation.description)), late)
    if late.running:
        waits = "" if culprit is late else f"; {late.name} waited for it"
        what = f"{culprit.name} was not running {limit:g} s after its start ({option}){waits}"
    elif culprit is late:
        what = f"{late.describe_end()}: another task was not there in time"
    else:
        what = f"{culprit.name} was not running when {late.name} gave up waiting for it"
    return Trouble(START_TIMEOUT, culprit, what)


def _serves(task: Task, description: Description) -> bool:
    return task.job == "ps" and not task.state and not _unreachable(task.index, description)


def _unreachable(index: int, description: Description) -> str | None:
    """Returns why nothing accepts connections where ps `index` should, or None."""
    address = description.jobs["ps"][index]
    return wait_until_listening(address.host, address.port, 0)


def left_by_a_ps(situation: Situation) -> Trouble | None:
    """Returns the Trouble of a ps that has ended well while a worker still needs it.

    A worker needs it when it is about to begin, or waits in a session call. A worker that reports nothing counts as one
    that needs it until it shows a sign of life.
    """
    if situation.decided is not None:
        return None
    limits = {STARTING: situation.description.grace, CALLING: situation.description.grace}
    for ps in _gone(situation):
        for task in situation.live:
            limit = limits.get(task.state, situation.description.stall_timeout)
            waits = task.job != "ps" and task.state not in (ENDING, SERVING)
            if waits and situation.now - max(ps.ended, task.alive) > limit:
                return Trouble(FAILED, ps, f"{ps.describe_end()} while {task.name} still needed it")
    return None


def _gone(situation: Situation) -> list[Task]:
    """Returns the ps tasks that have ended well and will not be started again."""
    return [task for task in situation.tasks if task.job == "ps" and task.returncode == 0 and task.due is None]


def stands_still(situation: Situation) -> Trouble | None:
    """A task that has reported a step has reported no new one for too long."""
    description = situation.description
    if not any(_stands_still(task, description, situation.now) for task in situation.live):
        return None
    limit, option = description.stall_timeout, "--stall-timeout"
    # Tasks that stopped together with the first one count, too, not only those whose time is up: 1 s, a tick and a slow
    # step.
    still = [task for task in situation.live if _stands_still(task, _sooner(description), situation.now)]
    for task in situation.live:
        if task.halted:
            return _halted(task, STALL, limit, option)
    first = min(still, key=lambda task: task.changed)
    at = f"has been at step {first.step} for {limit:g} s ({option})"
    for task in still:
        if task.state == RUNNING:
            at = f"has been at step {task.step} for {limit:g} s ({option})"
            return Trouble(STALL, task, f"{task.name} {at}, in its own code")
    for index, address in enumerate(description.jobs["ps"]):
        if problem := _unreachable(index, description):
            # Where tasks are run one by one, another launcher has it.
            ps = next((task for task in situation.tasks if (task.job, task.index) == ("ps", index)), first)
            return Trouble(STALL, ps, f"ps {index} at {address} cannot be reached ({problem}): {first.name} {at}")
    for task in situation.tasks:
        if task.job != "ps" and task.returncode == 0:
            return Trouble(STALL, task, f"{task.describe_end()}, and {first.name} {at}, as if waiting for it")
    return Trouble(STALL, first, f"{first.name} {at}, inside a session call")


def _stands_still(task: Task, description: Description, now: float) -> bool:
    steps = task.state in UNDER_WAY and task.job != "ps" and task.step is not None
    return steps and now - task.changed > description.stall_timeout


def _sooner(description: Description) -> Description:
    return dataclasses.replace(description, stall_timeout=max(0.0, description.stall_timeout - 1.0))


def silent(situation: Situation) -> Trouble | None:
    """A task that reports no steps shows no other sign of life: it writes no log and uses no processor time.

    A ps may have nothing to do. So may an evaluator, a task that serves and a task that ends. `stands_still` is the
    rule for tasks that report steps.
    """
    limit = situation.description.stall_timeout
    for task in situation.live:
        judged = task.job not in ("ps", "evaluator") and task.state in ("", LOADING, *UNDER_WAY) and task.step is None
        if judged and situation.now - task.alive > limit:
            for other in situation.live:
                if other.halted:
                    return _halted(other, STALL, limit, "--stall-timeout")
            for ps in _gone(situation):
                return Trouble(FAILED, ps, f"{ps.describe_end()} while {task.name} still needed it")
            signs = "no state, no log and no processor time"
            return Trouble(STALL, task, f"{task.name} has shown {signs} for {limit:g} s (--stall-timeout)")
    return None


def endless(situation: Situation) -> Trouble | None:
    """A task does not end in time after its own last session, or after the tasks that decide success."""
    limit, decided = situation.description.end_timeout, situation.decided
    for task in situation.live:
        if task.state == ENDING and situation.now - task.changed > limit:
            return Trouble(STALL, task, f"{task.name} has not ended {limit:g} s after its last session (--end-timeout)")
        # A task that still makes steps is watched by its steps.
        makes_steps = task.state in UNDER_WAY and task.step is not None
        waits = decided is not None and task.job != "ps" and not makes_steps
        if waits and situation.now - max(decided or 0.0, task.changed) > limit:
            return Trouble(STALL, task, f"{task.name} has not ended {limit:g} s after the chief (--end-timeout)")
    return None


def _halted(task: Task, code: int, limit: float, option: str) -> Trouble:
    return Trouble(code, task, f"{task.name} is stopped by a signal (SIGSTOP): no progress for {limit:g} s ({option})")


def idle(situation: Situation) -> Trouble | None:
    """Returns a Trouble where a worker could have trained but made no step in the whole training.

    It is not one of TROUBLES, because it is known only at the end.
    """
    made = [task for task in situation.workers if task.made]
    for task in situation.workers:
        if made and task.made == 0:
            others = f"{made[0].name} made {made[0].made}"
            return Trouble(FAILED, task, f"{task.name} made no step of the training ({others})")
    return None


# They are looked for in this order, and the job ends with the first one.
TROUBLES: tuple[Callable[[Situation], Trouble | None], ...] = (
    overdue,
    stopped,
    late,
    left_by_a_ps,
    stands_still,
    silent,
    endless,
)
