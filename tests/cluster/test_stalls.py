"""Progress as the launcher sees it, and its time-outs. Real processes; test_watching.py tells who is blamed."""

import os
import signal

import pytest

pytestmark = pytest.mark.slow

# Programs. A ps serves on its own port, as a TensorFlow server would; Ctrl-C and SIGTERM end it. So does worker 0, of
# which nothing is expected while it serves: on a busy machine too worker 1 alone can be named.
HEAD = """
import socket
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
SERVE = PS + "if index == 0:\n    contract.report(contract.SERVING)\n    time.sleep(60)\n"


def ended(job, code, *words):
    """Waits for the job's end; asserts the exit code, the words of the first line, and that nothing is left."""
    found, out, err = job.end()
    assert found == code, out + err
    first = err.splitlines()[0]
    assert all(word in first for word in words), err
    assert job.pids() == [] and not list(job.folder.glob("**/*.progress*"))
    return out, err


def test_a_worker_whose_step_stands_still_is_named(job):
    job.start(HEAD + SERVE + "contract.note(contract.CALLING, 10)\ntime.sleep(60)\n", "--stall-timeout", "2")
    ended(job, 4, "worker 1 has been at step 10 for 2 s (--stall-timeout), inside a session call")


def test_a_task_that_is_stopped_by_a_signal_is_named(job):
    job.start(HEAD + SERVE + "contract.report(contract.SERVING)\ntime.sleep(60)\n", "--stall-timeout", "2")
    os.kill(int(job.wait_for_file("ps-0.pid")), signal.SIGSTOP)
    ended(job, 4, "ps 0 is stopped by a signal (SIGSTOP): no progress for 2 s (--stall-timeout)")


def test_a_task_that_does_not_end(job):
    end = "contract.report(contract.ENDING, 12)\ntime.sleep(60)\n"
    job.start(HEAD + PS + end, "--end-timeout", "1")
    ended(job, 4, "cluster: error: worker ", " has not ended 1 s after its last session (--end-timeout)")  # either


def test_a_worker_that_goes_on_without_end_does_not_undo_the_chiefs_success(job):
    program = HEAD + PS + "if index == 0: sys.exit()\ntime.sleep(60)\n"
    code, out, err = job.start(program, "--end-timeout", "1").end()
    assert (code, err) == (0, "") and "[cluster] worker 1 " in out and ": killing it\n" in out
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


def test_eight_jobs_at_once_do_not_clash(job, tmp_path_factory):
    # Every task listens where it is told to, on every interface, and ends when it has met the ps.
    meet = "server = None if job == 'ps' else socket.create_server(('', int(address[2])))\n"
    meet += "host = json.loads(os.environ['TF_CONFIG'])['cluster']['ps'][0].rpartition(':')\n"
    meet += "limit = time.monotonic() + 50\n"
    meet += "while True:\n    try: socket.create_connection((host[0], int(host[2]))).close(); break\n"
    meet += "    except OSError:\n        if time.monotonic() > limit: raise\n        time.sleep(.1)\n"
    jobs = [type(job)(tmp_path_factory.mktemp("job")) for _ in range(8)]
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
