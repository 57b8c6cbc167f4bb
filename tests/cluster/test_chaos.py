"""Dummy tasks killed and stopped at random, again and again, with restarts: the job ends with every step made.

The long form: CHAOS="1200 30" (seconds, and seconds between two blows) pytest tests/cluster/test_chaos.py
"""

import os
import pathlib
import random
import signal
import time

import pytest

SEED = 16
SECONDS, PAUSE = map(float, os.environ.get("CHAOS", "8 0.4").split())
STEPS, SAVE_EVERY = 400, 10
STEP_SECONDS = SECONDS / STEPS / 2  # half of the chaos comes before a worker's last steps

# Each worker counts its own steps, tells them, and saves every SAVE_EVERY; a ps holds a port's place, no more.
PROGRAM = f"""
from tf1ref.cluster import contract
open(f'{{folder}}/{{job}}-{{index}}.pid', 'w').write(str(os.getpid()))
if job == 'ps':
    contract.report(contract.SERVING)
    time.sleep(600)
path = f"{{os.environ['CLUSTER_CHECKPOINT_DIR']}}/{{job}}-{{index}}"
os.makedirs(os.path.dirname(path), exist_ok=True)
saved = int(open(path).read()) if os.path.exists(path) else 0
steps = open(f'{{folder}}/{{job}}-{{index}}.steps', 'a')
for step in range(saved + 1, {STEPS} + 1):
    contract.note(contract.RUNNING, step, step - saved)
    steps.write(f'{{step}}\\n')
    steps.flush()
    if step % {SAVE_EVERY} == 0 or step == {STEPS}:
        open(path + '.new', 'w').write(str(step))
        os.replace(path + '.new', path)
    # Nobody is done before the chaos is: then the others could not be started again.
    while step > {STEPS} - 20 and not os.path.exists(f'{{folder}}/calm'):
        time.sleep(.05)
        contract.report(contract.RUNNING, step)
        contract.report(contract.LOADING)
    time.sleep({STEP_SECONDS})
"""


def held(pid):
    """The open files of a process, and the kilobytes of memory it holds."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    return len(os.listdir(f"/proc/{pid}/fd")), memory


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 280)
def test_every_step_is_made_though_tasks_die_all_the_time(job):
    path = job.folder / "six.yml"
    path.write_text(f"ps_hosts: [{', '.join(['localhost:0'] * 2)}]\nworker_hosts: [{', '.join(['localhost:0'] * 4)}]\n")
    options = ("--restart", "on-failure", "--max-restarts", "10000", "--checkpoint-dir", "kept", "--success", "all")
    # A step that waits for calm is no stall; only what a signal has stopped is.
    job.start(PROGRAM, *options, "--stall-timeout", "4", "--log-dir", "logs", description=path)
    names = ["ps-0", "ps-1", "worker-0", "worker-1", "worker-2", "worker-3"]
    for name in names:
        job.wait_for_file(f"{name}.pid")
    before, blows = held(job.process.pid), blow_for(job, names)
    after = held(job.process.pid)
    print(f"{blows} blows, seed {SEED}; open files and kB of memory {before}, then {after}")
    (job.folder / "calm").write_text("x")
    code, out, err = job.end(120)
    alarms = [line for line in err.splitlines() if "the global step fell" not in line]
    assert code == 0 and alarms == [], err
    assert out.count("; starting it again") >= blows / 4 > 1
    for name in names[2:]:
        made = [int(line) for line in (job.folder / f"{name}.steps").read_text().split()]
        assert set(made) == set(range(1, STEPS + 1))
        # A step is made twice only where it came after the last checkpoint.
        lost = [made[i - 1] - step + 1 for i, step in enumerate(made) if i and step <= made[i - 1]]
        assert all(count <= SAVE_EVERY for count in lost), lost
    assert after[0] <= before[0] + 2 and after[1] <= before[1] + 8192, (before, after)
    assert job.pids() == []


def blow_for(job, names):
    """Kills or stops random tasks for SECONDS; returns how many."""
    chance, limit, count = random.Random(SEED), time.monotonic() + SECONDS, 0
    while time.monotonic() < limit:
        time.sleep(PAUSE)
        assert job.process.poll() is None
        pid = int((job.folder / f"{chance.choice(names)}.pid").read_text() or 0)
        number = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP])
        # Its process of before may be gone, and the number another's: only a task of this job is hurt.
        if pid in job.pids():
            os.kill(pid, number)
            count += 1
    return count
