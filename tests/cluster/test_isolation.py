"""--isolate, and what is open without it. Real processes."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from tf1ref.cluster import __main__, isolation
from tf1ref.errors import InputError

ROOT = pathlib.Path(__file__).parents[2]

# Every task listens on every interface, as TensorFlow's servers do, and worker 1 talks to the ps.
LISTEN = """
import socket
address = json.loads(os.environ['TF_CONFIG'])['cluster'][job][index]
server = socket.create_server(('', int(address.rpartition(':')[2])))
open(f'{folder}/{job}-{index}.port', 'w').write(address.rpartition(':')[2])
if job == 'ps':
    server.accept()[0].sendall(b'variables')
elif index == 1:
    host, _, port = json.loads(os.environ['TF_CONFIG'])['cluster']['ps'][0].rpartition(':')
    while True:
        try:
            print('got', socket.create_connection((host, int(port))).recv(9).decode(), flush=True)
            break
        except ConnectionRefusedError:
            time.sleep(.05)
    print('interfaces', [name for _, name in socket.if_nameindex()], flush=True)
    open(f'{folder}/met', 'w').write('yes')
time.sleep(60)
"""


needs_namespaces = pytest.mark.usefixtures("namespaces")


def reach(job, name):
    """Connects to the task from this process, outside the job."""
    socket.create_connection(("127.0.0.1", int(job.wait_for_file(f"{name}.port"))), timeout=10).close()


@pytest.mark.slow
@needs_namespaces
def test_nothing_outside_can_connect_to_an_isolated_job(job):
    job.start(LISTEN, "--isolate", "--log-dir", "logs")
    job.wait_for_file("met")
    for name in ("ps-0", "worker-0", "worker-1"):
        with pytest.raises(ConnectionRefusedError):
            reach(job, name)
    assert job.ask("stop", "logs")[0] == 0
    code, out, err = job.end()
    assert (code, err) == (130, "") and "[worker 1] got variables\n" in out
    assert "in a network namespace of their own, where nothing outside can connect: *:" in out
    (line,) = [line for line in out.splitlines() if "interfaces" in line]
    assert "'lo'" in line and "eth" not in line
    assert job.pids() == []


def test_without_it_the_launcher_says_what_is_open(job):
    job.start(LISTEN)
    job.wait_for_file("met")
    reach(job, "worker-0")
    port = job.wait_for_file("worker-0.port")
    job.process.terminate()
    out = job.end()[1]
    (line,) = [line for line in out.splitlines() if "listen on every interface, without authentication" in line]
    assert f"*:{port}" in line.split()


@needs_namespaces
def test_json_tells_that_a_job_is_isolated(job):
    code, out, err = job.start("if job == 'ps': time.sleep(60)\n", "--isolate", "--json").end()
    assert code == 0 and json.loads(out.splitlines()[1])["isolated"] is True


@needs_namespaces
def test_a_port_that_is_taken_outside_is_free_inside(job):
    with socket.create_server(("127.0.0.1", 0)) as server:
        path = job.folder / "fixed.yml"
        path.write_text(f"ps_hosts: [localhost:0]\nworker_hosts: ['localhost:{server.getsockname()[1]}']\n")
        code, out, err = job.start("if job == 'ps': time.sleep(60)\n", "--isolate", description=path).end()
    assert (code, err) == (0, "")


def test_a_job_that_cannot_be_isolated_is_not_started(job, monkeypatch, capsys):
    def refuse():
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(isolation, "_unshare", refuse)
    tell = f"open({str(job.folder / 'started')!r}, 'w').write('yes')"
    assert __main__.main(["up", "local", "--isolate", "--", sys.executable, "-c", tell]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "--isolate: no network namespace (Operation not permitted)" in err
    assert not (job.folder / "started").exists()


def test_a_system_without_namespaces_says_so(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(InputError, match="only Linux"):
        isolation.enter()


# Becomes a user without rights, as one that logs in is: its own /proc is its own (PR_SET_DUMPABLE, <linux/prctl.h>).
NOBODY = """
import ctypes, encodings.idna, os  # the interpreter's own folder may be closed to others
from tf1ref import errors
from tf1ref.cluster import isolation
os.setgid(65534); os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
try:
    isolation.enter()
    print(os.getuid())
except errors.InputError as error:
    print('refused', error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user without rights")
@needs_namespaces
def test_a_user_without_root_keeps_the_own_number():
    done = subprocess.run([sys.executable, "-c", NOBODY], cwd=ROOT, capture_output=True, text=True, timeout=60)
    if done.stdout.startswith("refused"):
        pytest.skip(f"no namespaces without root here: {done.stdout.strip()}")
    assert done.stdout == "65534\n", done.stderr
