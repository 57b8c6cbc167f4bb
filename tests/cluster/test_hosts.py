"""Hosts apart: a ps and a worker in network namespaces of their own, joined by a link that is cut. Real processes."""

import contextlib
import os
import signal
import subprocess
import time

import pytest

pytestmark = pytest.mark.slow

SUBNET = "10.203.77"  # the two namespaces have it to themselves
# The ps answers every question with the next step; the worker reports it.
PROGRAM = """
import socket
from tf1ref.cluster import contract
config = json.loads(os.environ['TF_CONFIG'])['cluster']
host, _, port = config['ps'][0].rpartition(':')
if job == 'ps':
    server = socket.create_server(('', int(port)))
    contract.report(contract.RUNNING)
    peer = server.accept()[0]
    for step in range(1_000_000):
        peer.recv(1)
        peer.sendall(b'%7d' % step)
contract.report(contract.STARTING)
limit = time.monotonic() + 50
while True:
    try:
        ps = socket.create_connection((host, int(port)))
        break
    except OSError:
        if time.monotonic() > limit: raise
        time.sleep(.1)
for step in range(1_000_000):
    contract.note(contract.CALLING, step)
    ps.sendall(b'?')
    assert int(ps.recv(7, socket.MSG_WAITALL)) == step
    contract.note(contract.RUNNING, step)
    time.sleep(.02)
    open(f'{folder}/step', 'w').write(str(step + 1))
    if os.path.exists(f'{folder}/enough'): break
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=30)


@pytest.fixture
def link(tmp_path):
    """Two namespaces, "PREFIX-ps" and "PREFIX-worker", joined by veth; yields PREFIX."""
    prefix = f"cl{os.getpid()}"
    try:
        for number, name in enumerate(("ps", "worker"), start=1):
            ip("netns", "add", f"{prefix}-{name}")
            ip("-n", f"{prefix}-{name}", "link", "set", "lo", "up")
            if number == 2:
                ends = ["netns", f"{prefix}-ps", "type", "veth", "peer", "name", "v2", "netns", f"{prefix}-worker"]
                ip("link", "add", "v1", *ends)
        for number, name in enumerate(("ps", "worker"), start=1):
            ip("-n", f"{prefix}-{name}", "address", "add", f"{SUBNET}.{number}/24", "dev", f"v{number}")
            ip("-n", f"{prefix}-{name}", "link", "set", f"v{number}", "up")
        yield prefix
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespaces here: {getattr(error, 'stderr', error)}")
    finally:
        for name in ("ps", "worker"):
            with contextlib.suppress(OSError, subprocess.CalledProcessError):
                ip("netns", "delete", f"{prefix}-{name}")


@pytest.fixture
def hosts(job, link, request):
    """The launchers of ps 0 and worker 0, each in its namespace, the job under way; yields (ps, worker)."""
    path, stall = job.folder / "two.yml", getattr(request, "param", 60)
    path.write_text(f"ps_hosts: ['{SUBNET}.1:2222']\nworker_hosts: ['{SUBNET}.2:2222']\nstall_timeout: {stall}\n")
    launchers = [job, type(job)(job.folder)]
    try:
        for name, launcher in zip(("ps", "worker"), launchers, strict=True):
            launcher.prefix = ["ip", "netns", "exec", f"{link}-{name}"]
            launcher.start(PROGRAM, "--allow-network", description=path, verb=["task", "--job", name, "--index", "0"])
        job.wait_for_file("step")
        yield launchers
    finally:
        for launcher in launchers:
            launcher.clean()


def set_link(link, state):
    ip("-n", f"{link}-ps", "link", "set", "v1", state)


def step(job):
    return int((job.folder / "step").read_text() or 0)


def test_a_link_that_comes_back_does_not_end_the_job(hosts, link, job):
    ps, worker = hosts
    set_link(link, "down")
    time.sleep(4)  # what was under way has arrived
    before = step(job)
    time.sleep(2)
    assert step(job) == before
    set_link(link, "up")
    job.wait_for(lambda: step(job) > before + 10)
    (job.folder / "enough").write_text("yes")
    code, out, err = worker.end()
    assert (code, err) == (0, "")
    ps.process.send_signal(signal.SIGTERM)
    ps.end()
    assert job.pids() == []


@pytest.mark.parametrize("hosts", [6], indirect=True, ids=[""])
def test_a_link_that_is_cut_for_good_ends_the_job_with_the_right_name(hosts, link, job):
    ps, worker = hosts
    set_link(link, "down")
    code, out, err = worker.end()
    assert code == 4 and err.startswith(f"cluster: error: ps 0 at {SUBNET}.1:2222 cannot be reached ("), err
    assert "worker 0 has been at step" in err
    assert ps.process.poll() is None
    ps.process.send_signal(signal.SIGTERM)
    assert ps.end()[0] in (0, 1, 130) and job.pids() == []
