"""Real TensorFlow tasks whose disk is full, whose ps is late or far: the culprit is named."""

import re
import shutil
import subprocess

import pytest

from tf1ref.cluster.ports import Ports

pytestmark = pytest.mark.slow  # real TensorFlow servers

SECONDS = 240

# The worker counts a variable up to 200; then it saves.
PROGRAM = """
import tensorflow.compat.v1 as v1
from tf1ref import distributed

def count(task):
    with v1.Graph().as_default(), v1.device(task.device_setter()):
        v1.get_variable("ballast", [VALUES])
        add = v1.assign_add(v1.train.get_or_create_global_step(), 1, use_locking=True)
        with task.session(save_checkpoint_steps=100) as session:
            while session.run(add) < 200:
                time.sleep(.01)

if __name__ == "__main__":
    distributed.run(count)
"""


def program(values=1000):
    return PROGRAM.replace("VALUES", str(values))


def pair(job):
    """A description of one ps and one worker."""
    (job.folder / "pair.yml").write_text("ps_hosts: [localhost:0]\nworker_hosts: [localhost:0]\n")
    return "pair.yml"


@pytest.fixture
def ports():
    ports = Ports()
    yield ports
    ports.close()


# What the shell mounts is seen by its own children alone, and gone with them.
SMALL_DISK = 'mkdir -p kept && mount -t tmpfs -o size=1200k none kept && "$@"; code=$?; ls kept; exit $code'


def can_mount():
    try:
        done = subprocess.run(
            ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, timeout=60
        )
    except OSError:
        return False
    return done.returncode == 0


@pytest.mark.skipif(not can_mount(), reason="a small file system cannot be mounted here (unshare -rm mount)")
def test_a_full_disk_is_named_and_the_last_checkpoint_kept(job):
    job.prefix = (shutil.which("unshare"), "-rm", "sh", "-c", SMALL_DISK, "sh")
    # The checkpoint of step 0 takes 800 kB of 1200, the next one finds no place.
    code, out, err = job.start(program(values=200_000), "--checkpoint-dir", "kept", description=pair(job)).end(SECONDS)
    assert code == 1 and "worker 0 exited with code 1" in err and "No space left on device" in err, out + err
    assert re.search(r"^model.ckpt-\d+.index$", out, re.M) and job.pids() == []


def test_a_worker_may_start_before_the_ps(job):
    # The launcher starts the ps first: here it waits with its server until the worker is there.
    head = "if job == 'ps':\n    while not os.path.exists(f'{folder}/worker'): time.sleep(.05)\n    time.sleep(1)\n"
    head += "else: open(f'{folder}/worker', 'w').close()\n"
    code, out, err = job.start(head + program(), description=pair(job)).end(SECONDS)
    assert (code, err) == (0, ""), out + err
    assert job.pids() == []


def test_a_ps_on_a_host_that_does_not_answer_is_named(tmp_path, job, ports):
    # 192.0.2.1 of RFC 5737 is nobody's: packets to it get no answer, or are refused on the way.
    description = tmp_path / "far.yml"
    description.write_text(f"ps_hosts: ['192.0.2.1:2222']\nworker_hosts: ['localhost:{ports.pick()}']\n")
    verb = ("task", "--job", "worker", "--index", "0", "--allow-network")
    text = program().replace("run(count)", "run(count, start_timeout=3.0)")
    code, _, err = job.start(text, description=description, verb=verb).end(SECONDS)
    assert code == 3 and "ps 0 at 192.0.2.1:2222: " in err and "after 3 s; start it" in err, err
    assert job.pids() == []
