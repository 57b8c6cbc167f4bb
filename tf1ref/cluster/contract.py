"""What launcher and task say to each other: TF_CONFIG to the task, its state and global step back."""

import contextlib
import json
import os
import threading

from tf1ref.cluster.description import ADDRESS, JOBS, SETTINGS
from tf1ref.errors import InputError

# Names the file in which a task may tell its state and global step, one line such as "running 120". Without it
# only the task's life and death are watched.
PROGRESS = "CLUSTER_PROGRESS"
# In its own code; inside a session call, where it may wait for another task; after its last session; at the service
# of other tasks until it is ended: a worker too, where the chief computes on it (in-graph replication).
STARTING, RUNNING, CALLING, ENDING, SERVING = STATES = ("starting", "running", "calling", "ending", "serving")
UNDER_WAY = (RUNNING, CALLING)
# Seconds between two looks of the thread that writes what `note` was told: a training step costs no file.
NOTE_SECONDS = 0.2
# Holds the seconds a task may wait for the others at its start.
START_TIMEOUT = "CLUSTER_START_TIMEOUT"
# Names the job's checkpoint folder, where the launcher was given one.
CHECKPOINT_DIR = "CLUSTER_CHECKPOINT_DIR"
EXAMPLE = '{"cluster": {"ps": [...], "worker": [...]}, "task": {"type": "worker", "index": 0}}'

_lock = threading.Lock()
_noted = None  # what was told last
_thread = None


def tf_config(hosts, job, index):
    """Returns the text of TF_CONFIG for one task; hosts: {"ps": ["host:port", ...], "worker": [...]}."""
    return json.dumps({"cluster": hosts, "task": {"type": job, "index": index}})


def parse_tf_config(text):
    """Returns (hosts, job, index) from the text of TF_CONFIG; InputError says what is wrong with it."""
    try:
        config = json.loads(text)
        hosts, task = config["cluster"], config["task"]
        job, index = task["type"], int(task["index"])
        addresses = [(name, address) for name, job_hosts in hosts.items() for address in job_hosts]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"TF_CONFIG: {type(error).__name__}: {error}; it looks like {EXAMPLE}") from None
    if set(hosts) != set(JOBS):
        raise InputError(f"TF_CONFIG: cluster: the jobs must be ps and worker, not {', '.join(hosts)}")
    for name, address in addresses:
        if not (isinstance(address, str) and ADDRESS.fullmatch(address)):
            raise InputError(f"TF_CONFIG: cluster: {name}: {address!r} is no address; write host:port")
    if job not in JOBS or not 0 <= index < len(hosts[job]):
        raise InputError(f"TF_CONFIG: task: there is no {job} {index} in its cluster")
    return hosts, job, index


def start_timeout():
    """Returns the seconds this task may wait for others at its start: the launcher's, or the default."""
    text = os.environ.get(START_TIMEOUT, "")
    try:
        return float(text or SETTINGS["start_timeout"])
    except ValueError:
        raise InputError(f"{START_TIMEOUT}: {text!r} is no number of seconds") from None


def report(state, step=None):
    """Tells the launcher, if there is one, what this task does, and the global step it has seen: at once."""
    global _noted
    with _lock:
        _noted = (state, step)
        _write(state, step)


def note(state, step=None):
    """As `report`, within NOTE_SECONDS and at no cost: for every step of a training loop."""
    global _noted, _thread
    if not os.environ.get(PROGRESS):
        return
    _noted = (state, step)
    if _thread is None:
        _thread = threading.Thread(target=_write_notes, daemon=True)
        _thread.start()


def _write_notes():
    written, pause = None, threading.Event()
    while True:
        pause.wait(NOTE_SECONDS)
        with _lock:
            if _noted != written:
                written = _noted
                _write(*written)


def _write(state, step):
    if not (path := os.environ.get(PROGRESS)):
        return
    # A full disk must not end a job that does not need it. Renamed, so that nobody reads half a line.
    with contextlib.suppress(OSError):
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(f"{state}\n" if step is None else f"{state} {int(step)}\n")
        os.replace(f"{path}.new", path)


def reported(path):
    """Returns (state, step or None), as the task with the progress file `path` told last; None for nothing new."""
    try:
        with open(path, encoding="utf-8") as file:
            state, *step = file.read(64).split()
        return (state, int(step[0]) if step else None) if state in STATES else None
    except (OSError, ValueError):
        return None
