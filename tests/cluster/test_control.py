"""status, stop, task, --json: the launcher beside other processes. Real processes, small Python programs."""

import json
import os
import signal
import socket
import sys

import pytest

from tf1ref.cluster.ports import Ports

TELL = "from tf1ref.cluster import contract\n"
TELL += "contract.report(contract.RUNNING, None if job == 'ps' else 7)\n"
TELL += "open(f'{folder}/{job}-{index}.pid', 'w').write(str(os.getpid()))\n"
WAIT = TELL + "time.sleep(60)\n"


def wait_until_all_tell(job):
    for name in ("ps-0", "worker-0", "worker-1"):
        job.wait_for_file(f"{name}.pid")


@pytest.mark.slow
def test_status_shows_running_jobs_and_ended_ones(job):
    assert job.ask("status") == (0, "no running jobs\n", "")
    job.start(WAIT, "--log-dir", "logs")
    wait_until_all_tell(job)
    job.wait_for(lambda: json.loads(job.ask("status", "--json")[1])[0]["tasks"][2]["step"] == 7)
    (found,) = json.loads(job.ask("status", "--json")[1])
    assert (found["pid"], found["code"], found["logs"]) == (job.process.pid, None, str(job.folder / "logs"))
    ps, _, worker = found["tasks"]
    assert (ps["name"], ps["state"], ps["step"], ps["restarts"]) == ("ps 0", "running", None, 0)
    assert (worker["name"], worker["step"]) == ("worker 1", 7)
    assert worker["pid"] == int(job.wait_for_file("worker-1.pid"))
    by_pid, by_folder = job.ask("status", job.process.pid), job.ask("status", "logs")
    assert by_pid == by_folder and "  worker 1   process " in by_pid[1] and "step 7  restarts 0\n" in by_pid[1]

    os.kill(worker["pid"], signal.SIGKILL)
    assert job.end()[0] == 1
    assert job.ask("status") == (0, "no running jobs\n", "")
    code, out, err = job.ask("status", "logs")
    assert code == 0 and "local.yml: ended with exit code 1; logs in" in out and "worker 1   exit -9 " in out


def test_status_of_a_job_whose_launcher_was_killed(job):
    job.start(WAIT, "--log-dir", "logs")
    wait_until_all_tell(job)
    job.process.kill()
    job.wait_for(lambda: not job.pids())
    assert job.ask("status") == (0, "no running jobs\n", "")
    assert "local.yml: ended; logs in" in job.ask("status", "logs")[1]
    assert not list(next(job.folder.glob("cluster-jobs-*")).iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", [None, "pid", "logs"])
def test_stop_ends_a_job_in_order(name, job):
    tidy = "def end(number, frame):\n    print('tidied', number)\n    sys.exit(1)\nsignal.signal(signal.SIGINT, end)\n"
    job.start(tidy + WAIT, "--log-dir", "logs")
    wait_until_all_tell(job)
    named = {"pid": job.process.pid, "logs": "logs"}.get(name)
    code, out, err = job.ask("stop", *filter(None, [named]))
    assert (code, out, err) == (0, f"the job of process {job.process.pid} has ended\n", "")
    code, out, err = job.end()
    assert (code, err) == (130, "") and "[worker 1] tidied 2\n" in out
    assert job.pids() == []


@pytest.mark.slow
def test_stop_now_kills(job):
    ignore = "for n in (signal.SIGINT, signal.SIGTERM):\n    signal.signal(n, signal.SIG_IGN)\n"
    job.start(ignore + WAIT, "--grace", "600")
    wait_until_all_tell(job)
    assert job.ask("stop", "--now")[0] == 0
    assert job.end()[0] == 130 and job.pids() == []


@pytest.mark.parametrize(
    "words, problem",
    [
        (["stop"], "0 running jobs; name one"),
        (["stop", "no-folder"], "no-folder: no running job"),
        (["stop", "1"], "1: no running job"),
        (["status", "no-folder"], "no-folder: no running job"),
    ],
)
def test_a_job_that_is_not_there(words, problem, job):
    code, out, err = job.ask(*words)
    assert (code, out, err.count("\n")) == (2, "", 1) and problem in err


@pytest.mark.slow
def test_two_jobs_cannot_share_a_log_folder_and_stop_asks_which(job, tmp_path_factory):
    job.start(WAIT, "--log-dir", "logs")
    wait_until_all_tell(job)
    code, out, err = job.ask("up", "local", "--log-dir", "logs", "--", sys.executable, "-c", "1")
    assert (code, out, err.count("\n")) == (2, "", 1) and "logs: a running job has its logs there" in err
    other = type(job)(job.folder)
    other.start(WAIT, "--log-dir", "others")
    job.wait_for(lambda: len(json.loads(job.ask("status", "--json")[1])) == 2)
    code, out, err = job.ask("stop")
    assert code == 2 and "2 running jobs" in err and str(other.process.pid) in err
    assert job.ask("stop", "logs")[0] == job.ask("stop", "others")[0] == 0
    assert job.end()[0] == other.end()[0] == 130 and job.pids() == []


def events(out):
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.slow
def test_json_is_one_event_a_line(job):
    program = TELL + "if job == 'ps': time.sleep(60)\nprint('hello\\u2028', index)\ntime.sleep(1)\n"
    code, out, err = job.start(program, "--json").end()
    assert (code, err) == (0, "")
    found = events(out)
    assert all(isinstance(event["time"], float) for event in found)
    assert found[0]["event"] == "job" and found[0]["tasks"] == ["ps 0", "worker 0", "worker 1"]
    assert found[1]["event"] == "ports" and len(found[1]["ports"]) == 3 and found[1]["isolated"] is False
    by_kind = {kind: [e for e in found if e["event"] == kind] for kind in {e["event"] for e in found}}
    assert sorted(e["task"] for e in by_kind["task"]) == ["ps 0", "worker 0", "worker 1"]
    assert {(e["task"], e["line"]) for e in by_kind["log"]} == {(f"worker {i}", f"hello\u2028 {i}") for i in (0, 1)}
    assert {"event": "progress", "task": "worker 1", "state": "running", "step": 7} in [
        {k: v for k, v in e.items() if k != "time"} for e in by_kind["progress"]
    ]
    assert sorted((e["task"], e["returncode"]) for e in by_kind["task_end"])[1:] == [("worker 0", 0), ("worker 1", 0)]
    assert (found[-1]["event"], found[-1]["code"]) == ("end", 0) and len(by_kind["end"]) == 1


@pytest.mark.slow
def test_json_of_a_failure_names_the_culprit(job):
    program = TELL + "if index: print('out of data'); sys.exit(3)\ntime.sleep(60)\n"
    code, out, err = job.start(program, "--json", "--log-dir", "logs").end()
    *_, end = events(out)
    assert code == end["code"] == 1 and (end["event"], end["culprit"]) == ("end", "worker 1")
    assert end["what"].startswith("worker 1 exited with code 3 after ")
    assert (end["log"], end["last_lines"]) == ("logs/worker-1.log", ["out of data"])


@pytest.fixture
def description(job):
    """A description with ports of its own, as several machines need; returns its path and the ports."""
    ports = Ports()
    numbers = [ports.pick(), ports.pick()]
    path = job.folder / "two.yml"
    path.write_text(f"ps_hosts: [localhost:{numbers[0]}]\nworker_hosts: [localhost:{numbers[1]}]\n")
    yield path, numbers
    ports.close()


# The ps answers on its port; the worker asks it, and is done.
ASK = """
import socket
config = json.loads(os.environ['TF_CONFIG'])['cluster']
if job == 'ps':
    server = socket.create_server(('127.0.0.1', int(config['ps'][0].rpartition(':')[2])))
    print('serving', flush=True)
    server.accept()[0].sendall(b'variables')
    time.sleep(60)
limit = time.monotonic() + 30
while time.monotonic() < limit:
    try:
        print('got', socket.create_connection(config['ps'][0].rsplit(':')).recv(9).decode(), flush=True)
        break
    except OSError:
        time.sleep(.05)
else:
    sys.exit(5)
"""


def test_tasks_are_run_one_by_one(job, description):
    path, ports = description
    job.start(ASK, description=path, verb=["task", "--job", "ps", "--index", "0"])
    worker = type(job)(job.folder)
    try:
        code, out, err = worker.start(ASK, description=path, verb=["task", "--job=worker", "--index=0"]).end()
        assert (code, err) == (0, "") and "[worker 0] got variables\n" in out
        assert f"every interface, without authentication: *:{ports[1]}\n" in out
        job.process.send_signal(signal.SIGTERM)
        assert job.end()[0] == 130
    finally:
        worker.clean()
    assert job.pids() == []


def test_a_task_that_fails_is_its_launchers_failure(job, description):
    verb = ["task", "--job", "worker", "--index", "0"]
    code, out, err = job.start("sys.exit(6)\n", description=description[0], verb=verb).end()
    assert code == 1 and err.startswith("cluster: error: worker 0 exited with code 6 after")


def test_the_file_may_name_the_task(job, description):
    path, _ = description
    path.write_text(path.read_text() + "job_name: worker\ntask_id: 0\n")
    code, out, err = job.start("print('I am', job, index)\n", description=path, verb=["task"]).end()
    assert code == 0 and "[worker 0] I am worker 0\n" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    "hosts, words, problem",
    [
        ("localhost:{port}", [], "names no task; add --job"),
        ("localhost:{port}", ["--job", "worker", "--index", "1"], "--index 1: "),
        ("localhost:{port}", ["--job", "worker", "--index", "-1"], "--index"),
        ("localhost:{port}", ["--job", "chief", "--index", "0"], "chief"),
        ("localhost:0", ["--job", "worker", "--index", "0"], "port 0 is for up"),
        ("no-such-host.invalid:1", ["--job", "ps", "--index", "0", "--allow-network"], "does not resolve"),
        ("192.0.2.1:2222", ["--job", "ps", "--index", "0"], "--allow-network"),  # TEST-NET-1 of RFC 5737
        ("192.0.2.1:2222", ["--job", "worker", "--index", "0", "--allow-network"], "is another machine"),
    ],
)
def test_a_task_that_cannot_be_run_here(hosts, words, problem, job, description):
    path, (port, other) = description
    path.write_text(f"ps_hosts: [localhost:{port}]\nworker_hosts: ['{hosts.format(port=other)}']\n")
    code, out, err = job.start("print('started')\n", description=path, verb=["task", *words]).end()
    assert (code, out, err.count("\n")) == (2, "", 1) and problem in err


def test_a_task_beside_other_machines_runs_with_allow_network(job, description):
    path, (port, _) = description
    path.write_text(f"ps_hosts: [localhost:{port}]\nworker_hosts: ['192.0.2.1:2222']\n")
    verb = ["task", "--job", "ps", "--index", "0", "--allow-network"]
    code, out, err = job.start("print('serving')\n", description=path, verb=verb).end()
    assert code == 0 and "[ps 0] serving\n" in out


def test_a_task_whose_port_is_taken(job, description):
    path, (port, other) = description
    with socket.create_server(("127.0.0.1", other)):
        verb = ["task", "--job", "worker", "--index", "0"]
        code, out, err = job.start("pass\n", description=path, verb=verb).end()
    assert (code, out, err.count("\n")) == (2, "", 1) and f"port {other} is already in use" in err
