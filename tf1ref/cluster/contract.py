"""What launcher and task tell each other: TF_CONFIG tells the task its place, the task its state and its steps."""

import contextlib
import json
import os
import pathlib
import threading
import time
from typing import Any, NamedTuple

from tf1ref.cluster.description import ADDRESS, JOBS, SETTINGS
from tf1ref.errors import InputError

# Names the file in which a task may tell its state and its steps, in one line such as "running 120 60". A task that
# does not is watched only for whether it lives.
PROGRESS = "CLUSTER_PROGRESS"
# In its own code, before it has a server; with a server, before its first session; in its own code; inside a session
# call, where it may wait for another task; after its last session; at the service of other tasks until it is ended:
# a worker too, where the chief computes on it (in-graph replication).
LOADING, STARTING, RUNNING, CALLING, ENDING, SERVING = STATES = (
    "loading",
    "starting",
    "running",
    "calling",
    "ending",
    "serving",
)
UNDER_WAY = (RUNNING, CALLING)
# Seconds between two looks of the thread that writes what `note` was told, so that a training step writes no file.
NOTE_SECONDS = 0.2
# Holds the seconds a task may wait for the others at its start.
START_TIMEOUT = "CLUSTER_START_TIMEOUT"
# Holds the seconds a task has to end after it was asked to.
GRACE = "CLUSTER_GRACE"
# Names the job's checkpoint folder, where the launcher was given one.
CHECKPOINT_DIR = "CLUSTER_CHECKPOINT_DIR"
# Names the file that appears when every worker of the job is ready for its first step.
TOGETHER = "CLUSTER_TOGETHER"
# Is set where a task of the job evaluates. TF_CONFIG's cluster does not tell that.
EVALUATOR = "CLUSTER_EVALUATOR"
# Is in the environment of everything that a task starts: the job's and the task's name. Strays are found by it.
MARK = "CLUSTER_MARK"
# A ready worker waits this long for the others. Then it makes its first step without them.
TOGETHER_SECONDS = 30.0
LOOK_SECONDS = 0.02
# What TF_CONFIG may name: `master` was the chief's name before TensorFlow 1.4.
KNOWN_JOBS = (*JOBS, "master")
CHIEFS = ("chief", "master")
EXAMPLE = '{"cluster": {"ps": [...], "worker": [...]}, "task": {"type": "worker", "index": 0}}'

_lock = threading.Lock()
_noted: "Told | None" = None  # what was told last
_thread: threading.Thread | None = None


class Told(NamedTuple):
    """What a task says: its state, the global step that it has seen, and the number of steps that it has made itself.

    A field is None where the task does not know it.
    """

    state: str
    step: int | None = None
    made: int | None = None


def tf_config(hosts: dict[str, list[str]], job: str, index: int) -> str:
    """Returns the text of TF_CONFIG for one task; hosts: {"ps": ["host:port", ...], "worker": [...]}."""
    return json.dumps({"cluster": hosts, "task": {"type": job, "index": index}})


def parse_tf_config(text: str) -> tuple[dict[str, list[str]], str, int]:
    """Returns (hosts, job, index) from the text of TF_CONFIG. Raises InputError, which says what is wrong with it.

    The jobs are those of estimators and TFJob: ps, chief (or master) and worker. A task may also be an evaluator, which
    stands outside of the cluster.
    """
    try:
        config = json.loads(text)
        hosts, task = config["cluster"], config["task"]
        job, index = task["type"], int(task["index"])
        addresses = [(name, address) for name, job_hosts in hosts.items() for address in job_hosts]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise InputError(f"TF_CONFIG: {type(error).__name__}: {error}; it looks like {EXAMPLE}") from None
    if unknown := [str(name) for name in hosts if name not in KNOWN_JOBS]:
        raise InputError(f"TF_CONFIG: cluster: unknown job {unknown[0]!r}; the jobs are {', '.join(KNOWN_JOBS)}")
    for name, address in addresses:
        if not (isinstance(address, str) and ADDRESS.fullmatch(address)):
            raise InputError(f"TF_CONFIG: cluster: {name}: {address!r} is no address; write host:port")
    if not any(hosts.get(name) for name in (*CHIEFS, "worker")):
        raise InputError("TF_CONFIG: cluster: has neither a chief nor a worker; one of them must initialize the model")
    there = job == "evaluator" or isinstance(job, str) and index < len(hosts.get(job, ()))
    if not there or index < 0:
        raise InputError(f"TF_CONFIG: task: there is no {job} {index} in its cluster")
    return hosts, job, index


def is_chief(hosts: dict[str, list[str]], job: str, index: int) -> bool:
    """True for the task that initializes, restores and saves: the chief, or worker 0 of a cluster without one."""
    if job in CHIEFS:
        return True
    return (job, index) == ("worker", 0) and not any(hosts.get(name) for name in CHIEFS)


def launched() -> bool:
    """True where a launcher, or what `render` wrote for another engine, has started this task."""
    return GRACE in os.environ


def has_evaluator() -> bool:
    """True where a task of the job evaluates."""
    return EVALUATOR in os.environ


def start_timeout() -> float:
    """Returns the seconds this task may wait for others at its start: the launcher's, or the default."""
    return _seconds(START_TIMEOUT, "start_timeout")


def grace() -> float:
    """Returns the seconds this task has to end after it was asked to: the launcher's, or the default."""
    return _seconds(GRACE, "grace")


def _seconds(variable: str, name: str) -> float:
    text = os.environ.get(variable, "")
    try:
        return float(text or SETTINGS[name])
    except ValueError:
        raise InputError(f"{variable}: {text!r} is no number of seconds") from None


def wait_for_the_others() -> bool:
    """Returns when every worker of the job is ready for its first step. Without a launcher it returns at once.

    Otherwise a short training could be over before a worker that loads a little longer makes its first step. Returns
    False where the others were not there after TOGETHER_SECONDS.
    """
    if not (path := os.environ.get(TOGETHER)):
        return True
    limit = time.monotonic() + TOGETHER_SECONDS
    while not pathlib.Path(path).exists():
        if time.monotonic() > limit:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def report(state: str, step: Any = None, made: int | None = None) -> None:
    """Tells the launcher at once what this task does. Without a launcher it does nothing.

    step: the global step that it has seen. made: how many steps of the training this task made itself.
    """
    global _noted
    with _lock:
        _noted = Told(state, step, made)
        _write(_noted)


def note(state: str, step: Any = None, made: int | None = None) -> None:
    """Tells the same as `report`, within NOTE_SECONDS. It is cheap enough for every step of a training loop."""
    global _noted, _thread
    if not os.environ.get(PROGRESS):
        return
    _noted = Told(state, step, made)
    if _thread is None:
        _thread = threading.Thread(target=_write_notes, daemon=True)
        _thread.start()


def flush() -> None:
    """Tells at once what was noted last. It is called before the process ends."""
    with _lock:
        if _thread is not None and _noted is not None:
            _write(_noted)


def _write_notes() -> None:
    written, pause = None, threading.Event()
    while True:
        pause.wait(NOTE_SECONDS)
        with _lock:
            if _noted is not None and _noted != written:
                written = _noted
                _write(written)


def _write(told: Told) -> None:
    if not (path := os.environ.get(PROGRESS)):
        return
    words = [told.state, "-" if told.step is None else str(int(told.step))]
    if told.made is not None:
        words.append(str(told.made))
    elif told.step is None:
        words.pop()
    # A full disk must not end a job that does not need it. The file is renamed, so that half a line is never read.
    with contextlib.suppress(OSError):
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(" ".join(words) + "\n")
        os.replace(f"{path}.new", path)


def reported(path: str | os.PathLike) -> Told | None:
    """Returns what the task with the progress file `path` told last. Returns None when it told nothing new."""
    try:
        with open(path, encoding="utf-8") as file:
            state, *numbers = file.read(64).split()
        step, made, *_ = [None if number == "-" else int(number) for number in numbers] + [None, None]
    except (OSError, ValueError):
        return None
    return Told(state, step, made) if state in STATES else None
