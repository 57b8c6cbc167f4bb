"""The launcher over small Python programs, as real processes."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

import pytest

# Programs. The head that defines task, job, index and folder is written before them.
SERVE_PS = "if job == 'ps':\n    print('serving', flush=True)\n    time.sleep(60)\n"
TELL = "open(f'{folder}/{job}-{index}.pid', 'w').write(str(os.getpid()))\n"
WAIT = TELL + "print('waiting', flush=True)\ntime.sleep(60)\n"


def test_a_job_that_succeeds(job):
    told = "open(f'{folder}/{job}-{index}.json', 'w').write(os.environ['TF_CONFIG'])\n"
    code, out, err = job.start(told + SERVE_PS + "time.sleep(.3); print('hello from', job, index)\n").end()
    assert (code, err) == (0, "")
    assert "[worker 0] hello from worker 0\n" in out and "[worker 1] hello from worker 1\n" in out
    configs = [json.loads(job.wait_for_file(f"{name}.json")) for name in ("ps-0", "worker-0", "worker-1")]
    assert [c["task"] for c in configs] == [
        {"type": "ps", "index": 0},
        {"type": "worker", "index": 0},
        {"type": "worker", "index": 1},
    ]
    assert configs[0]["cluster"] == configs[1]["cluster"] == configs[2]["cluster"]
    addresses = configs[0]["cluster"]["ps"] + configs[0]["cluster"]["worker"]
    ports = [int(address.removeprefix("localhost:")) for address in addresses]
    assert len(set(ports)) == 3 and 0 not in ports
    assert all(f"*:{port}" in out for port in ports)
    assert_nothing_left(job, ports)


def test_what_decides_results_and_speed_is_left_as_it_is(job):
    """oneDNN, threads and the like are the program's own: by hand it computes the same, at the same speed."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL", "GRPC_VERBOSITY", "PYTHONUNBUFFERED"}
    unset = {*quiet, "TF_ENABLE_ONEDNN_OPTS"}
    job.prefix = ("env", *(f"--unset={name}" for name in unset))
    tell = "open(f'{folder}/{job}-{index}.json', 'w').write(json.dumps(sorted(os.environ)))\n"
    assert job.start(tell + SERVE_PS).end()[0] == 0
    given = set(json.loads(job.wait_for_file("worker-0.json"))) - (set(job.environment()) - unset)
    assert {name for name in given if not name.startswith("CLUSTER_")} == {"TF_CONFIG", *quiet}


def assert_nothing_left(job, ports=()):
    assert job.pids() == []
    for port in ports:
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("", port))


def test_the_culprit_of_a_failed_job_is_named_with_its_last_lines(job):
    program = SERVE_PS + "if index == 1:\n    print('out of data')\n    sys.exit(3)\n" + WAIT
    code, out, err = job.start(program, "--log-dir", "logs").end()
    assert code == 1
    first, *lines = err.splitlines()
    what = r"cluster: error: worker 1 exited with code 3 after \d+\.\d s; log: logs/worker-1.log; "
    assert re.match(what, first)
    assert lines == ["    out of data"]
    assert (job.folder / "logs" / "worker-1.log").read_text() == "out of data\n"
    assert_nothing_left(job)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ps 0", "worker 0", "worker 1"])
def test_the_culprit_that_died_by_a_signal(name, job):
    program = f"if f'{{job}} {{index}}' == {name!r}:\n    os.kill(os.getpid(), signal.SIGKILL)\n" + WAIT
    code, out, err = job.start(program).end()
    assert code == 1 and err.startswith(f"cluster: error: {name} was killed by SIGKILL after ")
    assert_nothing_left(job)


def test_a_task_killed_from_outside(job):
    job.start(WAIT)
    os.kill(int(job.wait_for_file("worker-1.pid")), signal.SIGSEGV)
    code, out, err = job.end()
    assert code == 1 and "worker 1 was killed by SIGSEGV" in err
    assert_nothing_left(job)


def test_a_stopped_task_is_ended_too(job):
    job.start(WAIT)
    os.kill(int(job.wait_for_file("worker-1.pid")), signal.SIGSTOP)
    os.kill(int(job.wait_for_file("worker-0.pid")), signal.SIGKILL)
    code, out, err = job.end()
    assert code == 1 and "worker 0 was killed by SIGKILL" in err
    assert_nothing_left(job)


@pytest.mark.parametrize("session", [False, True], ids=["in its group", "in a session of its own"])
def test_a_child_that_lingers_ends_with_its_task(session, job):
    sleep = "import time; time.sleep(60)"
    linger = f"subprocess.Popen([sys.executable, '-c', {sleep!r}], start_new_session={session})\n"
    code, out, err = job.start(SERVE_PS + linger).end()
    assert (code, err) == (0, "")
    assert_nothing_left(job)


@pytest.mark.slow
def test_a_ps_that_ignores_sigterm_is_killed_after_the_grace(job):
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + TELL
    wait = "while job == 'worker' and not os.path.exists(f'{folder}/ps-0.pid'): time.sleep(.05)\n"
    code, out, err = job.start(ignore + SERVE_PS + wait, "--grace", "0.5").end()
    assert (code, err) == (0, "")
    assert_nothing_left(job)


@pytest.mark.slow
def test_the_chief_decides_success(job):
    # Worker 1 fails when the launcher knows that the chief is done.
    done = "json.load(open('job.json'))['tasks'][1]['returncode'] == 0"
    wait = f"while index and not (os.path.exists('job.json') and {done}): time.sleep(.05)\n"
    code, out, err = job.start(SERVE_PS + wait + "sys.exit(index)\n", "--log-dir", ".").end()
    assert (code, err) == (0, "")
    assert "[cluster] worker 1 exited with code 1" in out


@pytest.mark.slow
def test_all_workers_are_waited_for(job):
    code, out, err = job.start(SERVE_PS + "time.sleep(.5 * index)\nprint('done', index)\n").end()
    assert code == 0 and "[worker 1] done 1" in out


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_is_an_orderly_stop(number, job):
    tidy = "def end(number, frame):\n    print('tidied', number)\n    sys.exit(1)\n"
    tidy += "for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):\n    signal.signal(n, end)\n"
    job.start(tidy + WAIT)
    wait_until_all_wait(job)
    job.process.send_signal(number)
    code, out, err = job.end()
    assert (code, err) == (130, "")
    # The workers get the signal itself; the ps are ended as always.
    assert f"[worker 0] tidied {number}" in out and f"[worker 1] tidied {number}" in out
    assert f"[ps 0] tidied {signal.SIGTERM}" in out
    assert_nothing_left(job)


def wait_until_all_wait(job):
    for name in ("ps-0", "worker-0", "worker-1"):
        job.wait_for_file(f"{name}.pid")


def test_the_second_ctrl_c_kills(job):
    ignore = "for n in (signal.SIGINT, signal.SIGTERM):\n    signal.signal(n, signal.SIG_IGN)\n"
    job.start(ignore + WAIT, "--grace", "600")
    wait_until_all_wait(job)
    job.process.send_signal(signal.SIGINT)
    for line in job.process.stdout:
        if "once more kills it" in line:
            break
    job.process.send_signal(signal.SIGINT)
    assert job.end()[0] == 130
    assert_nothing_left(job)


def test_nothing_survives_a_killed_launcher(job):
    sleep = "import time; time.sleep(60)"
    linger = f"subprocess.Popen([sys.executable, '-c', {sleep!r}], start_new_session=True)\n"
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    job.start(ignore + linger + WAIT)
    wait_until_all_wait(job)
    job.process.kill()
    assert job.end()[0] == -signal.SIGKILL
    job.wait_for(lambda: not job.pids())


@pytest.mark.slow
def test_a_killed_keeper_takes_its_task_along(job):
    job.start(WAIT)
    wait_until_all_wait(job)
    task = int(job.wait_for_file("worker-1.pid"))
    stat = pathlib.Path(f"/proc/{task}/stat").read_text()
    keeper = int(stat.rpartition(")")[2].split()[1])
    os.kill(keeper, signal.SIGKILL)
    code, out, err = job.end()
    assert code == 1 and "worker 1 was killed by SIGKILL" in err
    assert_nothing_left(job)


def test_a_port_in_use_is_found_before_anything_starts(job):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        path = job.folder / "fixed.yml"
        path.write_text(f"ps_hosts: [localhost:0]\nworker_hosts:\n  - localhost:0\n  - localhost:{port}\n")
        code, out, err = job.start(TELL, description=path).end()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{path}:4: worker_hosts: port {port} is already in use" in err
    assert not list(job.folder.glob("*.pid"))


@pytest.mark.parametrize(
    "second, word",
    [
        ("127.0.0.1:23456", "port 23456 is given twice"),
        ("no-such-host.invalid:0", "does not resolve"),
        ("192.0.2.1:0", "is another machine"),  # TEST-NET-1 of RFC 5737: nobody's address
    ],
)
def test_an_address_that_cannot_be_served_here(second, word, job):
    path = job.folder / "hosts.yml"
    path.write_text(f"ps_hosts: [localhost:23456]\nworker_hosts:\n  - {second}\n")
    code, out, err = job.start(TELL, description=path).end()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{path}:3: worker_hosts: " in err and word in err


def test_a_command_that_cannot_be_run(job):
    (job.folder / "plain.txt").write_text("no program\n")
    for command, word in ((["no-such-command"], "no such command"), (["./plain.txt"], "not an executable")):
        code, out, err = job.start_command(command).end()
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert command[0] in err and word in err


def test_no_command(job):
    code, out, err = job.start_command([]).end()
    assert (code, out, err.count("\n")) == (2, "", 1) and "no command" in err


def test_logs_that_cannot_be_written(job):
    (job.folder / "file").write_text("")
    (job.folder / "logs" / "ps-0.log").mkdir(parents=True)
    for folder, word in (("file/logs", "Not a directory"), ("logs", "Is a directory")):
        code, out, err = job.start(TELL, "--log-dir", folder).end()
        assert (code, out, err.count("\n")) == (2, "", 1) and folder in err and word in err


@pytest.mark.parametrize("option", ["--grace=soon", "--grace=-1", "--start-timeout=nan", "--nope"])
def test_bad_usage_is_one_line(option, job):
    code, out, err = job.start(TELL, option).end()
    assert (code, out, err.count("\n")) == (2, "", 1) and option.partition("=")[0] in err


def test_a_command_that_exists_and_does_not_start(job):
    script = job.folder / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    code, out, err = job.start_command([str(script)]).end()
    assert code == 1 and "exited with code 126" in err and "No such file" in err


@pytest.mark.slow
def test_a_task_that_says_it_is_starting_for_too_long(job):
    path = job.folder / "pair.yml"
    path.write_text("ps_hosts: [localhost:0]\nworker_hosts: [localhost:0]\n")
    # The worker starts, anew, when the ps is there: on a busy machine too it alone is late.
    program = "from tf1ref.cluster import contract\ncontract.report(contract.RUNNING)\n" + TELL
    program += "while not os.path.exists(f'{folder}/ps-0.pid'): time.sleep(.05)\n"
    program += "if job == 'worker': contract.report(contract.STARTING)\ntime.sleep(60)\n"
    code, out, err = job.start(program, "--start-timeout", "1", description=path).end()
    assert code == 3
    assert err.startswith("cluster: error: worker 0 was not running 1 s after its start")
    assert_nothing_left(job)


def test_logs_are_appended_to_and_only_this_run_is_quoted(job):
    (job.folder / "worker-0.log").write_text("of the last run\n")
    code, out, err = job.start("sys.exit(job == 'worker' and index == 0)\n", "--log-dir", ".").end()
    assert code == 1 and "of the last run" not in out + err
    assert (job.folder / "worker-0.log").read_text() == "of the last run\n"
    assert not list(job.folder.glob("*.progress"))


def test_a_fast_writer_neither_fills_memory_nor_stops_the_job(job):
    write = "for _ in range(50): print(('x' * 99 + '\\n') * 10_000)\nprint('written', index)\n"
    code, out, err = job.start(SERVE_PS + write).end()
    assert (code, err) == (0, "")
    assert "[worker 0] written 0" in out and "[worker 1] written 1" in out


def test_the_launcher_never_imports_tensorflow():
    code = "import sys, tf1ref.cluster.__main__; print({'tensorflow', 'numpy', 'rich'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
