"""What launcher and task say to each other: TF_CONFIG to the task, its state back."""

import contextlib
import json
import os

from cluster.description import ADDRESS, JOBS, SETTINGS
from cluster.errors import UsageError

# Names the file in which a task may tell its state, one line. Without it only its life and death are watched.
PROGRESS = "CLUSTER_PROGRESS"
STARTING, RUNNING = "starting", "running"
# Holds the seconds a task may wait for the others at its start.
START_TIMEOUT = "CLUSTER_START_TIMEOUT"
EXAMPLE = '{"cluster": {"ps": [...], "worker": [...]}, "task": {"type": "worker", "index": 0}}'


def tf_config(hosts, job, index):
    """Returns the text of TF_CONFIG for one task; hosts: {"ps": ["host:port", ...], "worker": [...]}."""
    return json.dumps({"cluster": hosts, "task": {"type": job, "index": index}})


def parse_tf_config(text):
    """Returns (hosts, job, index) from the text of TF_CONFIG; UsageError says what is wrong with it."""
    try:
        config = json.loads(text)
        hosts, task = config["cluster"], config["task"]
        job, index = task["type"], int(task["index"])
        addresses = [(name, address) for name, job_hosts in hosts.items() for address in job_hosts]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"TF_CONFIG: {type(error).__name__}: {error}; it looks like {EXAMPLE}") from None
    if set(hosts) != set(JOBS):
        raise UsageError(f"TF_CONFIG: cluster: the jobs must be ps and worker, not {', '.join(hosts)}")
    for name, address in addresses:
        if not (isinstance(address, str) and ADDRESS.fullmatch(address)):
            raise UsageError(f"TF_CONFIG: cluster: {name}: {address!r} is no address; write host:port")
    if job not in JOBS or not 0 <= index < len(hosts[job]):
        raise UsageError(f"TF_CONFIG: task: there is no {job} {index} in its cluster")
    return hosts, job, index


def start_timeout():
    """Returns the seconds this task may wait for others at its start: the launcher's, or the default."""
    text = os.environ.get(START_TIMEOUT, "")
    try:
        return float(text or SETTINGS["start_timeout"])
    except ValueError:
        raise UsageError(f"{START_TIMEOUT}: {text!r} is no number of seconds") from None


def report(state):
    """Tells the launcher, if there is one, what this task does: STARTING or RUNNING."""
    if path := os.environ.get(PROGRESS):
        # A full disk must not end a job that does not need it.
        with contextlib.suppress(OSError), open(path, "w", encoding="utf-8") as file:
            file.write(f"{state}\n")


def reported(path):
    """Returns the state that the task with the progress file `path` told last, "" when it told none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().rstrip("\n")
    except (OSError, UnicodeDecodeError):
        return ""
