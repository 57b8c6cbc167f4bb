"""Which task is blamed, for what the launcher may see of a job at one moment. No processes, and no time passes."""

import socket

import pytest

from tf1ref.cluster.contract import CALLING, ENDING, LOADING, RUNNING, SERVING, STARTING
from tf1ref.cluster.description import Address, Description
from tf1ref.cluster.running import verdicts, watching
from tf1ref.cluster.running.situation import Situation
from tf1ref.cluster.running.task import ALIVE_SECONDS, Task

NOW = 1000.0  # monotonic seconds; every task started at 0
LONG = 100.0  # an age above every time-out below
LIMITS = {"start_timeout": 30.0, "stall_timeout": 20.0, "end_timeout": 40.0, "grace": 5.0}


class Seen(Task):
    """A task as it is seen, with no process behind it.

    It tells `state` and `step`. age: seconds since it told something new; quiet: since its last sign of life.
    """

    def __init__(self, folder, job, index, age=0.0, quiet=0.0, **fields):
        super().__init__(job, index, folder)
        self.changed, self.alive = NOW - age, NOW - quiet
        vars(self).update(fields)

    @property
    def running(self):
        return self.returncode is None


@pytest.fixture
def served():
    """The address of a ps that serves."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def situation(served, tmp_path):
    """Makes the situation of a ps and two workers, of each of which it is told what is seen."""

    def make(ps, chief, other, port=served, settings=None, **fields):
        jobs = {"ps": (Address("127.0.0.1", port),), "worker": (Address("localhost", 2), Address("localhost", 3))}
        places = (("ps", 0), ("worker", 0), ("worker", 1))
        tasks = [Seen(tmp_path, *place, **seen) for place, seen in zip(places, (ps, chief, other), strict=True)]
        return Situation(Description("x", jobs, **LIMITS, **(settings or {})), tasks, now=NOW, **fields)

    return make


def at(step, state=CALLING, age=0.0, **fields):
    return {"state": state, "step": step, "age": age, **fields}


def done(code=0, ago=LONG, **fields):
    return {"returncode": code, "ended": NOW - ago, **fields}


PS, SILENT = {"state": SERVING}, {"state": "", "quiet": LONG}
HALTED = {"halted": NOW - LONG}
START = {"state": STARTING, "starting": NOW - LONG}
IN_A_CALL = "worker 1 has been at step 10 for 20 s (--stall-timeout), inside a session call"
SIGSTOP = "{} is stopped by a signal (SIGSTOP): no progress for {:g} s ({})"
NO_SIGN = "worker {} has shown no state, no log and no processor time for 20 s (--stall-timeout)"
# Each: what is seen of the ps and the two workers; the exit code and the beginning of what is said.
CASES = {
    "a worker whose step stands still": (PS, at(500), at(10, age=LONG), 4, IN_A_CALL),
    "in its own code, not the one that waits in a call for it": (
        *(PS, at(10, age=LONG), at(10, RUNNING, age=LONG - 0.9)),
        *(4, "worker 1 has been at step 10 for 20 s (--stall-timeout), in its own code"),
    ),
    "a moment too early to say that the one in its own code stands still, too": (
        *(PS, at(10, age=21), at(10, RUNNING, age=18)),
        *(4, "worker 0 has been at step 10 for 20 s (--stall-timeout), inside a session call"),
    ),
    "a worker that left too early": (
        *(PS, at(10, age=LONG), done(step=10)),
        *(4, "worker 1 exited with code 0 after"),
    ),
    "a ps that a signal has stopped": (
        *({**PS, **HALTED}, at(10, age=1), at(10, age=1)),
        *(4, SIGSTOP.format("ps 0", 20, "--stall-timeout")),
    ),
    "a worker that a signal has stopped, though another is blocked for longer": (
        *(PS, at(10, age=LONG), at(10, age=30, halted=NOW - 5)),
        *(4, SIGSTOP.format("worker 1", 20, "--stall-timeout")),
    ),
    "silent workers of a silent ps": (SILENT, SILENT, SILENT, 4, NO_SIGN.format(0)),
    "a silent worker, where another one is stopped": (
        *(PS, SILENT, {"state": "", "halted": NOW - 1}),
        *(4, SIGSTOP.format("worker 1", 20, "--stall-timeout")),
    ),
    "a worker that loads and shows no sign of life": (PS, at(10), {**SILENT, "state": LOADING}, 4, NO_SIGN.format(1)),
    "a ps that left while a worker waits in a call": (
        *(done(), at(10, quiet=6), at(10, RUNNING)),
        *(1, "ps 0 exited with code 0 after"),
    ),
    "a ps that left silent workers": (done(), SILENT, SILENT, 1, "ps 0 exited with code 0 after"),
    "a worker that is late": (PS, at(1), START, 3, "worker 1 was not running 30 s after its start"),
    "a worker that says nothing where the other one speaks": (
        *(PS, at(1), {"state": ""}),
        *(3, "worker 1 was not running 30 s after its start (--start-timeout)"),
    ),
    "a chief for which the other one waits": (
        *(PS, {**START, "state": LOADING}, START),
        *(3, "worker 0 was not running 30 s after its start (--start-timeout); worker 1 waited for it"),
    ),
    "a ps that serves and never says so is not late": (
        *({"state": ""}, START, START),
        *(3, "worker 0 was not running 30 s after its start"),
    ),
    "a ps that is stopped at its start": (
        *({"state": "", "halted": NOW - 1}, START, START),
        *(3, SIGSTOP.format("ps 0", 30, "--start-timeout")),
    ),
    "a worker that is stopped at its start": (
        *(PS, START, {"state": "", "halted": NOW - 1}),
        *(3, SIGSTOP.format("worker 1", 30, "--start-timeout")),
    ),
    "a task that does not end": (
        *(PS, at(12, ENDING, age=41), at(12, ENDING, age=39)),
        *(4, "worker 0 has not ended 40 s after its last session (--end-timeout)"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_who_is_blamed(name, situation):
    ps, chief, other, code, what = CASES[name]
    now = situation(ps, chief, other)
    trouble = watching.find(now)
    assert trouble is not None and (trouble.code, trouble.what[: len(what)]) == (code, what), trouble
    assert trouble.what.startswith(trouble.task.name) and verdicts.judge(now) == verdicts.Fail(trouble)


# Each: what is seen of the ps and the two workers of a job that goes on.
FINE = {
    "steps that are slow": (PS, at(10, age=19.9), at(10, RUNNING, age=19.9)),
    "a program that says nothing and works": ({"state": ""}, {"state": "", "quiet": 19}, {"state": "", "quiet": 1}),
    "a ps with nothing to do": ({"state": "", "quiet": LONG}, at(10), at(10)),
    "a worker that serves": (PS, at(10), {"state": SERVING, "age": LONG, "quiet": LONG}),
    "a start that takes a while": (PS, {**START, "starting": NOW - 29}, {**START, "starting": NOW - 29}),
    "a ps that left when the workers were done with it": (done(), at(10, ENDING, quiet=30), at(10, ENDING, quiet=30)),
    "a ps that left a moment ago": (done(ago=4), at(10, quiet=30), at(10, quiet=30)),
    "a task that was stopped for a while": (PS, at(10), at(10, halted=NOW - 19)),
}


@pytest.mark.parametrize("name", FINE)
def test_nobody_is_blamed(name, situation):
    assert verdicts.judge(situation(*FINE[name])) is None


def test_a_ps_that_cannot_be_reached_is_blamed(situation):
    with socket.socket() as closed:  # bound and not listening: nobody else can
        closed.bind(("127.0.0.1", 0))
        trouble = watching.find(situation({"state": ""}, at(10, age=LONG), at(10), port=closed.getsockname()[1]))
    assert trouble.what.startswith("ps 0 at 127.0.0.1:") and trouble.task.name == "ps 0"
    assert "cannot be reached (Connection refused): worker 0 has been at step 10 for 20 s" in trouble.what


GAVE_UP = {"returncode": 3, "ended": NOW, "state": STARTING}


def test_a_task_that_gives_up_waiting_is_not_the_culprit(situation):
    trouble = verdicts.blame(situation(PS, {"state": ""}, GAVE_UP))
    assert (trouble.code, trouble.what) == (3, "worker 0 was not running when worker 1 gave up waiting for it")


def test_a_task_that_gives_up_waiting_while_all_run(situation):
    trouble = verdicts.blame(situation(PS, at(1), GAVE_UP))
    assert trouble.code == 3 and trouble.what.startswith("worker 1 exited with code 3 after")
    assert trouble.what.endswith("another task was not there in time")


def test_the_first_failure_is_the_culprit_with_what_it_was_killed_for(situation):
    now = situation(PS, done(-9, ago=2), done(1, ago=1))
    assert verdicts.blame(now).what.startswith("worker 0 was killed by SIGKILL after")
    now.troubles[now.tasks[1]] = known = watching.Trouble(4, now.tasks[1], "worker 0 stood still")
    assert verdicts.blame(now) == known


WORKS = {"state": "", "age": LONG}  # its log grows, and it says nothing of itself


@pytest.mark.parametrize("other", [SILENT, START, WORKS, at(9, ENDING, age=LONG), at(9, age=LONG)], ids=str)
def test_what_goes_on_without_end_does_not_undo_the_chiefs_success(other, situation):
    now = situation(PS, done(), {"age": LONG, **other}, decided=NOW - 60)
    verdict = verdicts.judge(now)
    assert isinstance(verdict, verdicts.Kill), verdict
    assert [task.name for task in verdict.tasks if task.running] == ["worker 1"]


def test_where_all_must_succeed_a_silent_worker_ends_the_job(situation):
    now = situation(PS, done(), SILENT, settings={"success": "all"})
    assert not now.succeeded and verdicts.judge(now) == verdicts.Fail(watching.find(now))


def test_a_worker_that_waits_for_one_that_left_is_started_again_where_restarts_are_left(situation):
    now = situation(PS, at(10, age=LONG), done(step=10), restarts_left=1, settings={"success": "all"})
    assert isinstance(verdicts.judge(now), verdicts.Fail)  # Who left cannot be killed, so nothing would change.
    now = situation(PS, at(10, age=LONG), at(11), restarts_left=1)
    assert verdicts.judge(now).tasks == [now.tasks[1]]


def test_pauses_grow_only_while_a_task_fails_soon(tmp_path):
    task = Seen(tmp_path, "worker", 1)
    pauses = []
    for _ in range(8):
        task.started = NOW
        pauses.append(verdicts.pause(task, NOW + 1))
    assert pauses == [0, 1, 2, 4, 8, 16, 30, 30]
    assert verdicts.pause(task, NOW + 61) == 0 and verdicts.pause(task, NOW + 1) == 1


def test_calls_that_move_nothing_are_no_progress(tmp_path):
    task = Task("worker", 0, tmp_path)
    progress = tmp_path / "worker-0.progress"
    seen = []
    for told in ("running 10", "calling 10", "running 10", "running 11", "calling 11", "loading", "ending 11"):
        task.changed = 0.0
        progress.write_text(told)
        task.look()
        seen.append(task.changed > 0)
    assert seen == [True, False, False, True, False, True, True]


def test_a_process_that_only_sleeps_shows_no_life(tmp_path):
    task = Task("worker", 0, tmp_path)
    for total, alive in ((ALIVE_SECONDS, True), (1.9 * ALIVE_SECONDS, False), (2 * ALIVE_SECONDS, True)):
        task.alive = 0.0
        task.used(total)
        assert (task.alive > 0) == alive, total
