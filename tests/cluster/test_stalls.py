"""Progress as the launcher sees it: time-outs, and which task is named. Real processes, small Python programs."""

import os
import signal

import pytest

pytestmark = pytest.mark.slow

# Programs. A ps serves on its own port, as a TensorFlow server would; Ctrl-C and SIGTERM end it.
HEAD = """
import socket, threading
from tf1ref.cluster import contract
address = json.loads(os.environ['TF_CONFIG'])['cluster'][job][index].rpartition(':')
open(f'{folder}/{job}-{index}.pid', 'w').write(str(os.getpid()))
"""
PS = """
if job == 'ps':
    server = socket.create_server(('127.0.0.1', int(address[2])))
    contract.report(contract.RUNNING)
    time.sleep(60)
"""
# Both workers count up to 10 together, then do what STUCK says, or go on for ever.
COUNT = """
for step in range(100_000):
    contract.note(contract.CALLING, step)
    if step == 10:
        open(f'{folder}/{job}-{index}.counts', 'w').write('yes')
        STUCK
    time.sleep(.02)
    contract.note(contract.RUNNING, step)
"""


def counting(stuck="pass"):
    return HEAD + PS + COUNT.replace("STUCK", stuck)


def ended(job, code, *words):
    """Waits for the job's end; asserts the exit code, the words of the first line, and that nothing is left."""
    found, out, err = job.end()
    assert found == code, out + err
    first = err.splitlines()[0]
    assert all(word in first for word in words), err
    assert job.pids() == [] and not list(job.folder.glob("**/*.progress*"))
    return out, err


def test_a_worker_whose_step_stands_still_is_named(job):
    # Not the chief, which goes on.
    stuck = "if index == 1: time.sleep(60)"
    job.start(counting(stuck), "--stall-timeout", "2")
    ended(job, 4, "worker 1 has been at step 10 for 2 s (--stall-timeout), inside a session call")


def test_the_one_in_its_own_code_is_named_before_those_that_may_wait_for_it(job):
    # As in synchronous training: worker 0 waits inside its call for worker 1, which does something else.
    stuck = "if index == 1: contract.note(contract.RUNNING, step)\n        time.sleep(60)"
    job.start(counting(stuck), "--stall-timeout", "2")
    ended(job, 4, "worker 1 has been at step 10 for 2 s (--stall-timeout), in its own code")


def test_calls_that_move_nothing_are_no_progress(job):
    calls = "while True:\n    contract.report(contract.CALLING, 10 + (not index))\n    time.sleep(.1)\n"
    calls += "    contract.report(contract.RUNNING, 10 + (not index))\n    time.sleep(.1)\n"
    job.start(HEAD + PS + calls, "--stall-timeout", "2")
    ended(job, 4, "has been at step 1", "for 2 s (--stall-timeout)")


def test_a_stalled_step_of_any_program_is_seen(job):
    write = "open(os.environ['CLUSTER_PROGRESS'], 'w').write('running 7')\ntime.sleep(60)\n"
    job.start(HEAD + PS + write, "--stall-timeout", "1")
    ended(job, 4, "worker 0 has been at step 7 for 1 s")


@pytest.mark.parametrize("name", ["ps-0", "worker-0", "worker-1"])
def test_a_task_that_is_stopped_by_a_signal_is_named(name, job):
    job.start(counting(), "--stall-timeout", "3")
    for worker in ("worker-0", "worker-1"):
        job.wait_for_file(f"{worker}.counts")
    os.kill(int(job.wait_for_file(f"{name}.pid")), signal.SIGSTOP)
    ended(job, 4, f"{name.replace('-', ' ')} is stopped by a signal (SIGSTOP): no progress for 3 s (--stall-timeout)")


@pytest.mark.parametrize("name", ["ps-0", "worker-0", "worker-1"])
def test_a_task_that_is_stopped_at_its_start_is_named(name, job):
    # Every worker starts for ever, as it does without the one that is stopped.
    start = "if index: contract.report(contract.STARTING)\n"
    start += f"if f'{{job}}-{{index}}' == {name!r}: os.kill(os.getpid(), signal.SIGSTOP)\n"
    job.start(HEAD + start + PS + "contract.report(contract.STARTING)\ntime.sleep(60)\n", "--start-timeout", "3")
    ended(job, 3, f"{name.replace('-', ' ')} is stopped by a signal (SIGSTOP): no progress for 3 s (--start-timeout)")


def test_the_waiting_task_that_gives_up_first_is_not_the_culprit(job):
    # The chief lives and does nothing; worker 1 waits for it and gives up by itself, as tf1ref.distributed does.
    wait = "if index == 0: time.sleep(60)\ncontract.report(contract.STARTING)\ntime.sleep(1)\nsys.exit(3)\n"
    job.start(HEAD + PS + wait)
    ended(job, 3, "worker 0 was not running when worker 1 gave up waiting for it")


def test_a_task_that_gives_up_waiting_for_others_while_all_run(job):
    wait = "contract.report(contract.STARTING if index else contract.RUNNING)\ntime.sleep(1)\nsys.exit(3 * index)\n"
    job.start(HEAD + PS + wait.replace("time.sleep(1)", "time.sleep(1 if index else 60)"))
    ended(job, 3, "worker 1 exited with code 3 after", "another task was not there in time")


def test_a_silent_task_is_late_where_others_of_its_job_speak(job):
    silent = "if index == 1: time.sleep(60)\n"
    job.start(HEAD + PS + silent + COUNT.replace("STUCK", "pass"), "--start-timeout", "3")
    ended(job, 3, "worker 1 was not running 3 s after its start")


def test_a_ps_that_never_tells_its_state_and_serves_is_not_the_culprit(job):
    start = "contract.report(contract.STARTING)\ntime.sleep(60)\n"
    job.start(HEAD + PS.replace("contract.report(contract.RUNNING)", "pass") + start, "--start-timeout", "2")
    ended(job, 3, "worker 0 was not running 2 s")


def test_a_ps_that_cannot_be_reached_any_more_is_named(job):
    job.start(
        counting("time.sleep(60)").replace("contract.report", "server.close(); contract.report"), "--stall-timeout", "2"
    )
    ended(job, 4, "ps 0 at localhost:", "cannot be reached (Connection refused)", "worker")


def test_a_worker_that_ended_well_too_early_is_named(job):
    stuck = "if index: sys.exit()\n        time.sleep(60)"
    job.start(counting(stuck), "--stall-timeout", "2")
    ended(job, 4, "worker 1 exited with code 0 after", "worker 0 has been at step 10 for 2 s")


def test_a_task_that_does_not_end(job):
    end = "contract.report(contract.ENDING, 12)\ntime.sleep(60)\n"
    job.start(HEAD + PS + end, "--end-timeout", "1")
    ended(job, 4, "cluster: error: worker ", " has not ended 1 s after its last session (--end-timeout)")  # either


@pytest.mark.parametrize("says", ["", "contract.report(contract.STARTING)", "contract.report(contract.ENDING)"])
def test_a_worker_that_goes_on_without_end_does_not_undo_the_chiefs_success(says, job):
    program = HEAD + PS + f"{says or 'pass'}\nif index == 0: sys.exit()\ntime.sleep(60)\n"
    code, out, err = job.start(program, "--end-timeout", "1", "--start-timeout", "30").end()
    assert (code, err) == (0, "") and "[cluster] worker 1 " in out and ": killing it\n" in out
    assert job.pids() == []


def test_a_worker_that_waits_for_a_chief_that_left_does_not_undo_its_success(job):
    stuck = "if index == 0: sys.exit()\n        time.sleep(60)"
    code, out, err = job.start(counting(stuck), "--stall-timeout", "2").end()
    assert (code, err) == (0, "") and "worker 0 exited with code 0 after" in out
    assert job.pids() == []


def test_a_step_that_falls_is_an_alarm_and_no_end(job):
    seen = "{t['name']: t['step'] for t in json.load(open('job.json'))['tasks']}[f'{job} {index}']"
    fall = "for step in (566, 567, 159, 160):\n    contract.report(contract.RUNNING, step)\n"
    fall += f"    while not os.path.exists('job.json') or {seen} != step: time.sleep(.05)\n"
    code, out, err = job.start(HEAD + PS + fall, "--log-dir", ".").end()
    assert code == 0
    assert sorted(err.splitlines()) == [
        f"cluster: alarm: worker {index}: the global step fell from 567 to 159" for index in (0, 1)
    ]


def test_a_slow_step_is_no_stall(job):
    slow = "for step in range(3):\n    contract.report(contract.RUNNING, step)\n    time.sleep(1)\n"
    code, out, err = job.start(HEAD + PS + slow, "--stall-timeout", "6").end()
    assert (code, err) == (0, "")


def test_twenty_jobs_at_once_do_not_clash(job, tmp_path_factory):
    # Every task listens where it is told to, on every interface, and ends when it has met the ps.
    meet = "server = None if job == 'ps' else socket.create_server(('', int(address[2])))\n"
    meet += "host = json.loads(os.environ['TF_CONFIG'])['cluster']['ps'][0].rpartition(':')\n"
    meet += "limit = time.monotonic() + 50\n"
    meet += "while True:\n    try: socket.create_connection((host[0], int(host[2]))).close(); break\n"
    meet += "    except OSError:\n        if time.monotonic() > limit: raise\n        time.sleep(.1)\n"
    jobs = [type(job)(tmp_path_factory.mktemp("job")) for _ in range(20)]
    try:
        for each in jobs:
            each.start(HEAD + PS + meet)
        for each in jobs:
            code, out, err = each.end(120)
            assert (code, err) == (0, ""), out
            assert each.pids() == []
    finally:
        for each in jobs:
            each.clean()
