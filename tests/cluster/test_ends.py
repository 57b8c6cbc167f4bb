"""A job of any program ends, with the right culprit: dummy tasks that say nothing, that leave, that come back."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from tf1ref.cluster.running.output import Output

SECONDS = 60
LINGER = "[sys.executable, '-I', '-S', '-c', 'import time; time.sleep(60)']"


def failed(job, code, *words):
    found, out, err = job.end()
    assert found == code and all(word in err.splitlines()[0] for word in words), (found, out, err)
    assert job.pids() == []
    return out


@pytest.mark.slow
def test_a_task_that_shows_no_sign_of_life_is_a_stall(job):
    # A log is one, and processor time: only the last worker shows none, and it would be named last.
    path = job.folder / "four.yml"
    path.write_text("ps_hosts: [localhost:0]\nworker_hosts: [localhost:0, localhost:0, localhost:0]\n")
    works = "while job != 'ps' and index < 2:\n"
    works += "    print('.', flush=True) if index else sum(range(300_000))\n    time.sleep(.1)\n"
    job.start(works + "time.sleep(60)\n", "--stall-timeout", "4", description=path)
    failed(job, 4, "worker 2 has shown no state, no log and no processor time for 4 s (--stall-timeout)")


@pytest.mark.slow
def test_the_whole_job_may_have_a_time(job):
    busy = "while True: print('.', flush=True); time.sleep(.2)\n"
    job.start(busy, "--timeout", "2")
    failed(job, 4, "worker 0 was not done 2 s after the job's start (--timeout)")


@pytest.mark.slow
def test_a_worker_without_a_step_in_a_job_that_trained_is_a_failure(job):
    tell = "from tf1ref.cluster import contract\nif job == 'ps': time.sleep(60)\n"
    tell += "contract.report(contract.RUNNING, 200, 0 if index else 200)\ntime.sleep(.5)\n"
    job.start(tell)
    failed(job, 1, "worker 1 made no step of the training (worker 0 made 200)")


@pytest.mark.slow
def test_a_killed_keeper_takes_along_what_has_left_its_tasks_session(job):
    leave = f"child = subprocess.Popen({LINGER}, start_new_session=True)\n"
    leave += "if (job, index) == ('worker', 1): open(f'{folder}/pid', 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    job.start(leave)
    task = int(job.wait_for_file("pid"))
    keeper = int(pathlib.Path(f"/proc/{task}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(keeper, signal.SIGKILL)
    failed(job, 1, "worker 1 was killed by SIGKILL")


@pytest.mark.slow
def test_nohup_stays_nohup(job):
    job.prefix = ("nohup",)
    wait = "open(f'{folder}/{job}-{index}', 'w').write('x')\n"
    wait += "while job == 'ps' or not os.path.exists(f'{folder}/enough'): time.sleep(.05)\n"
    job.start(wait)
    job.wait_for_file("worker-0")
    job.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)  # a launcher that obeyed would have ended the workers
    (job.folder / "enough").touch()
    assert job.end()[0] == 0


def test_ctrl_c_reaches_the_tasks_of_a_job_in_the_background(job):
    # A shell script starts `... &` with SIGINT ignored; the tasks hear of it all the same.
    (job.folder / "task.py").write_text(
        "import os, pathlib, time\n"
        "try: pathlib.Path(f'up-{os.getpid()}').touch(); time.sleep(60)\n"
        "except KeyboardInterrupt: print('tidied', flush=True); raise\n"
    )
    command = (
        f"{sys.executable} -m tf1ref.cluster up local -- {sys.executable} task.py > out 2> err & echo $! > pid; wait"
    )
    job.process = subprocess.Popen(["sh", "-c", command], cwd=job.folder, env=job.environment(), stdout=subprocess.PIPE)
    job.wait_for(lambda: len(list(job.folder.glob("up-*"))) == 3)
    os.kill(int(job.wait_for_file("pid")), signal.SIGINT)
    job.process.wait(SECONDS)
    assert (job.folder / "out").read_text().count("] tidied") == 2 and job.pids() == []


@pytest.fixture
def blocked(job):
    """Starts a job whose output goes to a pipe that nobody reads."""
    reader, writer = os.pipe()

    def start(program, *options):
        (job.folder / "task.py").write_text(program)
        command = [sys.executable, "-m", "tf1ref.cluster", "up", "local", *options, "--", sys.executable, "task.py"]
        job.process = subprocess.Popen(
            command, cwd=job.folder, env=job.environment(), stdout=writer, stderr=writer, start_new_session=True
        )
        return job

    yield start
    os.close(reader)
    os.close(writer)


FLOOD = "import os, pathlib, time\nprint('x' * 99 * 5000, flush=True)\npathlib.Path(f'up-{os.getpid()}').touch()\n"


@pytest.mark.slow
def test_a_failure_is_seen_though_nobody_reads(blocked):
    job = blocked(FLOOD + "time.sleep(1); raise SystemExit(7)\n", "--log-dir", "logs")
    assert job.process.wait(SECONDS) == 1 and job.pids() == []
    assert json.loads((job.folder / "logs" / "job.json").read_text())["code"] == 1


@pytest.mark.slow
def test_ctrl_c_is_obeyed_though_nobody_reads(blocked):
    job = blocked(FLOOD + "time.sleep(60)\n")
    job.wait_for(lambda: len(list(job.folder.glob("up-*"))) == 3)
    job.process.send_signal(signal.SIGINT)
    assert job.process.wait(SECONDS) == 130 and job.pids() == []


def test_what_nobody_read_in_time_is_counted_and_the_newest_is_shown():
    reader, writer = os.pipe()
    with open(reader, encoding="utf-8") as read, open(writer, "w", encoding="utf-8") as stream:
        output = Output(stream)
        for number in range(200):
            output.write([f"{number} {'x' * 100}"] * 1000)  # 20 MB in all, of which 4 wait
        taken = []
        taking = threading.Thread(target=lambda: taken.extend(read))
        taking.start()
        output.finish()
        stream.close()
        taking.join(SECONDS)
    notes = [line for line in taken if line.startswith("... ")]
    counts = [int(line.split()[1]) for line in notes]
    what = "lines left out here, which nobody read in time; the logs have them"
    assert counts and notes == [f"... {count} {what}\n" for count in counts]
    assert sum(counts) + len(taken) - len(notes) == 200_000 and taken[-1].startswith("199 x")


@pytest.mark.slow
def test_a_log_that_grows_too_large_is_moved_aside(job):
    write = "for i in range(40): print(f'{i} ' + 'x' * 50_000, flush=True); time.sleep(.05)\n"
    job.start("if job == 'ps': time.sleep(60)\n" + write, "--log-dir", ".", "--log-limit", "0.5")
    code, out, err = job.end()
    sizes = {path.name: path.stat().st_size for path in job.folder.glob("worker-0.log*")}
    assert code == 0 and set(sizes) == {"worker-0.log", "worker-0.log.1"} and sizes["worker-0.log"] < 1 << 20
    assert "what it held is in" in out


def test_processors_and_variables_are_those_of_the_job(job):
    path = job.folder / "shares.yml"
    processors = sorted(os.sched_getaffinity(0))
    shares = {"ps": {"env": {"ROLE": "{job} {index} of {worker_hosts}"}}, "worker": {"cpus": 1, "gpus": 0}}
    hosts = {"ps_hosts": ["localhost:0"], "worker_hosts": ["localhost:0", "localhost:0"]}
    path.write_text(json.dumps({**hosts, **shares}))
    tell = "values = [os.environ.get(name) for name in ('ROLE', 'CUDA_VISIBLE_DEVICES', 'ALL')]\n"
    tell += "open(f'{folder}/{job}-{index}.json', 'w').write(json.dumps([sorted(os.sched_getaffinity(0)), *values]))\n"
    tell += "if job == 'ps': time.sleep(60)\n"
    tell += "while not os.path.exists(f'{folder}/ps-0.json'): time.sleep(.05)\n"
    assert job.start(tell, "--env", "ALL={task}", description=path).end()[0] == 0
    ps, *workers = [json.loads((job.folder / f"{name}.json").read_text()) for name in ("ps-0", "worker-0", "worker-1")]
    assert ps[0] == processors and ps[1].startswith("ps 0 of localhost:") and ps[3] == "ps-0"
    assert [worker[0] for worker in workers] == [[processors[0]], [processors[1 % len(processors)]]]
    assert [worker[2] for worker in workers] == ["", ""]


@pytest.mark.slow
def test_a_cluster_of_counts_with_placeholders(job):
    echo = "import sys, time; print(sys.argv[1:], flush=True); time.sleep(60 if sys.argv[1] == 'ps' else 1)"
    words = ["{job}", "{index}", "{task}", "{ps_hosts}", "{worker_hosts}", "{{job}}", "${job}"]
    command = [sys.executable, "-m", "tf1ref.cluster", "up", "--ps", "1", "--chief", "--workers", "1"]
    job.process = subprocess.Popen(
        [*command, "--", sys.executable, "-c", echo, *words],
        cwd=job.folder,
        env=job.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    code, out, err = job.end()
    assert (code, err) == (0, "")
    said = {line[1 : line.index("]")]: eval(line.split("] ", 1)[1]) for line in out.splitlines() if "] ['" in line}
    assert said["chief 0"][:3] == ["worker", "0", "chief-0"] and said["worker 0"][:3] == ["worker", "1", "worker-0"]
    assert said["ps 0"][3] == said["chief 0"][3] and len(said["ps 0"][4].split(",")) == 2
    assert said["ps 0"][5:] == ["{job}", "${job}"]


def test_another_users_folder_is_said_and_not_believed(job):
    if os.getuid():
        pytest.skip("only root can make another user's folder")
    folder = job.folder / f"cluster-jobs-{os.getuid()}"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    code, out, err = job.start("time.sleep(60 if job == 'ps' else 0)\n").end()
    assert code == 0 and "is not this user's folder: it is not used" in err
    assert not list(folder.iterdir())


def test_nobody_else_can_take_a_jobs_lock(job):
    job.start("open(f'{folder}/{job}-{index}', 'w').write('x')\ntime.sleep(60)\n", "--log-dir", "logs")
    job.wait_for_file("worker-0")
    assert (job.folder / "logs" / "job.lock").stat().st_mode & 0o077 == 0
    job.process.send_signal(signal.SIGTERM)
    assert job.end()[0] == 130
