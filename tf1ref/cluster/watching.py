"""Which task is in trouble, and which one is to blame: judged from outside, by what the tasks have told.

A task whose step stands still is often only waiting for another one. Those that cannot be waiting are blamed first.
"""

import dataclasses

from tf1ref.cluster.contract import ENDING, RUNNING, STARTING, UNDER_WAY
from tf1ref.cluster.ports import wait_until_listening

START_TIMEOUT, STALL = 3, 4  # exit codes


@dataclasses.dataclass(frozen=True)
class Trouble:
    """A time-out: the launcher's exit code, the task to blame, and one line that says what is wrong with it."""

    code: int
    task: object
    what: str


def find(tasks, description, now, decided=None):
    """Returns the first Trouble among `tasks` (ps first) at the monotonic time `now`, or None.

    decided: when the tasks that decide success were done; the others have `end_timeout` from there.
    """
    live = [task for task in tasks if task.running]
    for task in live:
        if task.halted and now - task.halted > description.stall_timeout:
            return _halted(task, STALL, description.stall_timeout, "--stall-timeout")
    for task in live:
        if _is_late(task, live, description, now):
            return at_start(tasks, description, task)
    if any(_stands_still(task, description, now) for task in live):
        return _stalled(tasks, description, now)
    for task in live:
        if trouble := _endless(task, description, now, decided):
            return trouble
    return None


def at_start(tasks, description, late):
    """Returns the Trouble of a job in which the task `late` did not get to its first step in time.

    Or gave up by itself, waiting for another one.
    """
    limit, option = description.start_timeout, "--start-timeout"
    waiting = [task for task in tasks if task.running and task.state in ("", STARTING)]
    for task in waiting:
        if task.halted:
            return _halted(task, START_TIMEOUT, limit, option)
    # In the order in which tasks wait for each other: ps, chief, the other workers. A silent one may be a program
    # that never tells its state: only its port says whether a ps serves.
    culprit = next((task for task in waiting if not _serves(task, description)), late)
    if late.running:
        waits = "" if culprit is late else f"; {late.name} waited for it"
        what = f"{culprit.name} was not running {limit:g} s after its start ({option}){waits}"
    elif culprit is late:
        what = f"{late.describe_end()}: another task was not there in time"
    else:
        what = f"{culprit.name} was not running when {late.name} gave up waiting for it"
    return Trouble(START_TIMEOUT, culprit, what)


def _serves(task, description):
    return task.job == "ps" and not task.state and not _unreachable(task.index, description)


def _unreachable(index, description):
    """Returns why nothing accepts connections where ps `index` should, or None."""
    address = description.jobs["ps"][index]
    return wait_until_listening(address.host, address.port, 0)


def _is_late(task, live, description, now):
    if now - task.starting <= description.start_timeout:
        return False
    # A task that says nothing is late where others of its job speak: the same program would.
    return task.state == STARTING or (not task.state and any(t.job == task.job and t.state for t in live))


def _stands_still(task, description, now):
    """True where the task told a step and has told no other one for too long. What tells no step is only alive."""
    steps = task.state in UNDER_WAY and task.job != "ps" and task.step is not None
    return steps and now - task.changed > description.stall_timeout


def _stalled(tasks, description, now):
    limit, option = description.stall_timeout, "--stall-timeout"
    # Those that stopped with the first one, not only those whose time is up already: 1 s, a tick and a slow step.
    still = [task for task in tasks if task.running and _stands_still(task, _sooner(description), now)]
    for task in tasks:
        if task.running and task.halted:
            return _halted(task, STALL, limit, option)
    first = min(still, key=lambda task: task.changed)
    at = f"has been at step {first.step} for {limit:g} s ({option})"
    for task in still:
        if task.state == RUNNING:
            at = f"has been at step {task.step} for {limit:g} s ({option})"
            return Trouble(STALL, task, f"{task.name} {at}, in its own code")
    for index, address in enumerate(description.jobs["ps"]):
        if problem := _unreachable(index, description):
            # Where tasks are run one by one it is another launcher's.
            ps = next((task for task in tasks if (task.job, task.index) == ("ps", index)), first)
            return Trouble(STALL, ps, f"ps {index} at {address} cannot be reached ({problem}): {first.name} {at}")
    for task in tasks:
        if task.job != "ps" and task.returncode == 0:
            return Trouble(STALL, task, f"{task.describe_end()}, and {first.name} {at}, as if waiting for it")
    return Trouble(STALL, first, f"{first.name} {at}, inside a session call")


def _sooner(description):
    return dataclasses.replace(description, stall_timeout=max(0.0, description.stall_timeout - 1.0))


def _halted(task, code, limit, option):
    return Trouble(code, task, f"{task.name} is stopped by a signal (SIGSTOP): no progress for {limit:g} s ({option})")


def _endless(task, description, now, decided):
    limit = description.end_timeout
    if task.state == ENDING and now - task.changed > limit:
        what = f"{task.name} has not ended {limit:g} s after its last session (--end-timeout)"
        return Trouble(STALL, task, what)
    # One that still makes steps is watched for those.
    makes_steps = task.state in UNDER_WAY and task.step is not None
    if decided and task.job != "ps" and not makes_steps and now - max(decided, task.changed) > limit:
        return Trouble(STALL, task, f"{task.name} has not ended {limit:g} s after the chief (--end-timeout)")
    return None
