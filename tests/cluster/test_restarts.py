"""Restarts, and whose success is the job's. Real processes, small Python programs."""

import json
import os
import signal

import pytest

# Every process adds a line to a file of its task: as many lines as starts. STARTS: how many the file of that task has.
COUNTED = """
from tf1ref.cluster import contract
with open(f'{folder}/{job}-{index}.starts', 'a+') as file:
    file.write(f'{os.getpid()}\\n')
    file.flush()
    file.seek(0)
    starts = len(file.readlines())
if job == 'ps': time.sleep(60)
"""
STARTS = "len(open(path).readlines() if os.path.exists(path := f'{{folder}}/{}.starts') else ())"
KEEP = ("--restart", "on-failure", "--checkpoint-dir", "kept")


def starts(job, name):
    return len((job.folder / f"{name}.starts").read_text().split())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["worker-0", "worker-1"])
def test_a_task_that_fails_is_started_again_on_its_port(name, job):
    fail = f"if f'{{job}}-{{index}}' == {name!r} and starts == 1: sys.exit(3)\n"
    tell = "print('port', index, json.loads(os.environ['TF_CONFIG'])['cluster']['worker'][index], flush=True)\n"
    # Until then the other one stays, or the chief would have succeeded already.
    wait = f"while {STARTS.format(name)} < 2: time.sleep(.05)\n"
    code, out, err = job.start(COUNTED + tell + fail + wait, *KEEP).end()
    assert (code, err) == (0, "")
    told = f"[cluster] {name.replace('-', ' ')} exited with code 3 after "
    assert told in out and "starting it again, 2 restarts left" in out
    assert (starts(job, "worker-0"), starts(job, "worker-1")) == ((2, 1) if name == "worker-0" else (1, 2))
    index = name[-1]
    first, second = [line.split()[-1] for line in out.splitlines() if f"] port {index} " in line]
    assert first == second
    assert job.pids() == []


@pytest.mark.slow
def test_a_killed_ps_is_started_again_and_its_rollback_is_no_alarm(job):
    # What a worker sees: steps, then the checkpoint's, once the ps has restarted.
    seen = "{t['name']: t['step'] for t in json.load(open('logs/job.json'))['tasks']}[f'{job} {index}']"
    follow = "for step in (566, 500):\n    contract.report(contract.RUNNING, step)\n"
    follow += f"    while not os.path.exists('logs/job.json') or {seen} != step: time.sleep(.05)\n"
    follow += "    open(f'{folder}/{index}.there', 'w').write('yes')\n"
    follow += f"    while step == 566 and {STARTS.format('ps-0')} < 2: time.sleep(.05)\n"
    job.start(COUNTED + follow, "--log-dir", "logs", *KEEP)
    assert job.wait_for_file("0.there") and job.wait_for_file("1.there")
    os.kill(int(job.wait_for_file("ps-0.starts").split()[0]), signal.SIGKILL)
    code, out, err = job.end()
    assert (code, err) == (0, "") and starts(job, "ps-0") == 2
    for index in (0, 1):
        assert f"worker {index}: the global step fell from 566 to 500, after the restart of a ps" in out
    assert job.pids() == []


@pytest.mark.slow
def test_the_budget_is_that_of_all_tasks_together(job):
    # Worker 1 fails, then worker 0, then worker 1 again, for which no restart is left.
    fail = "if index == 0 and starts == 2: time.sleep(60)\n"
    fail += f"while index == 0 and {STARTS.format('worker-1')} < 2: time.sleep(.05)\n"
    fail += f"while starts == 2 and {STARTS.format('worker-0')} < 2: time.sleep(.05)\nsys.exit(9)\n"
    code, out, err = job.start(COUNTED + fail, *KEEP, "--max-restarts", "2").end()
    assert code == 1 and (starts(job, "worker-0"), starts(job, "worker-1")) == (2, 2)
    assert err.startswith("cluster: error: worker 1 exited with code 9 after ") and "(restart 1)" in err
    assert job.pids() == []


@pytest.mark.slow
def test_no_restart_without_the_policy_or_beyond_its_budget(job):
    fail = COUNTED + "if index == 1: sys.exit(9)\ntime.sleep(60)\n"
    assert job.start(fail, "--checkpoint-dir", "kept").end()[0] == 1 and starts(job, "worker-1") == 1
    assert job.start(fail, *KEEP, "--max-restarts", "0").end()[0] == 1 and starts(job, "worker-1") == 2


@pytest.mark.slow
def test_bad_usage_of_a_task_is_not_tried_again(job):
    code, out, err = job.start(COUNTED + "if index == 1: sys.exit(2)\ntime.sleep(60)\n", *KEEP).end()
    assert code == 1 and starts(job, "worker-1") == 1 and "worker 1 exited with code 2" in err


@pytest.mark.slow
def test_a_stalled_task_is_killed_and_started_again_within_the_budget(job):
    # Nothing is expected of a worker that serves, so the other one alone can stall.
    stall = "contract.report(*((contract.RUNNING, 1) if index else (contract.SERVING,)))\ntime.sleep(60)\n"
    code, out, err = job.start(COUNTED + stall, "--stall-timeout", "2", *KEEP, "--max-restarts", "1").end()
    assert code == 4 and (starts(job, "worker-0"), starts(job, "worker-1")) == (1, 2)
    stalled = "worker 1 has been at step 1 for 2 s (--stall-timeout), in its own code"
    assert f"[cluster] {stalled}: killing it\n" in out
    assert err.startswith(f"cluster: error: {stalled}") and job.pids() == []


def test_restarts_without_a_checkpoint_folder_are_bad_usage(job):
    code, out, err = job.start(COUNTED, "--restart", "on-failure").end()
    assert (code, out, err.count("\n")) == (2, "", 1) and "needs a checkpoint folder (--checkpoint-dir)" in err
    assert not list(job.folder.glob("*.starts"))


def test_a_checkpoint_folder_that_is_a_file(job):
    (job.folder / "kept").write_text("")
    code, out, err = job.start(COUNTED, *KEEP).end()
    assert (code, out, err.count("\n")) == (2, "", 1) and "kept: not a folder" in err


def test_every_task_finds_the_checkpoint_folder(job):
    tell = "print('found', os.environ['CLUSTER_CHECKPOINT_DIR'])\n"
    code, out, err = job.start(COUNTED + tell, "--checkpoint-dir", "kept").end()
    assert code == 0 and out.count(f"found {job.folder / 'kept'}\n") == 2


@pytest.mark.slow
def test_the_description_can_say_it_all(job):
    path = job.folder / "policy.yml"
    settings = {"restart": "on-failure", "max_restarts": 1, "checkpoint_dir": "kept", "success": "all"}
    hosts = {"ps_hosts": ["localhost:0"], "worker_hosts": ["localhost:0", "localhost:0"]}
    path.write_text(json.dumps({**hosts, **settings}))  # JSON is YAML
    code, out, err = job.start(COUNTED + "sys.exit(9 * index)\n", description=path).end()
    assert code == 1 and starts(job, "worker-1") == 2 and "worker 1 exited with code 9" in err


@pytest.mark.slow
@pytest.mark.parametrize(("codes", "expected"), [((0, 1), 1), ((0, 0), 0)], ids=str)
def test_all_workers_must_end_well_where_that_is_the_rule(codes, expected, job):
    code, out, err = job.start(COUNTED + f"sys.exit({codes}[index])\n", "--success", "all").end()
    assert code == expected and job.pids() == []
    assert err.startswith("cluster: error: worker 1 exited with code 1 after") if expected else err == ""
