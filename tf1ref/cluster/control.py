"""The verbs status and stop, which act on jobs of other processes."""

import contextlib
import json
import os
import signal
import time

from tf1ref.cluster import record
from tf1ref.errors import InputError

STOP_SECONDS = 60.0  # more than the default grace of workers and ps together, and the time to kill what is left
POLL_SECONDS = 0.1
ABSENT = "-"


def status(job=None, as_json=False):
    """Prints the job with that process number or log folder, or all running ones. Returns 0.

    A job that has ended is shown from its log folder, with its exit code. Raises InputError for a job that is not
    found.
    """
    jobs = record.running() if job is None else dict([_find(job, ended=True)])
    found = [{"pid": pid, "logs": logs, **(record.state(logs) or {})} for pid, logs in jobs.items()]
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    if not found:
        print("no running jobs")
    for entry in found:
        _show(entry)
    return 0


def _show(entry):
    ended = "ended" if entry.get("code") is None else f"ended with exit code {entry['code']}"
    who = f"process {entry['pid']}" if entry["pid"] else ended
    print(f"{entry.get('description', 'starting')}: {who}; logs in {entry['logs']}")
    for task in entry.get("tasks", ()):
        step = ABSENT if task["step"] is None else task["step"]
        if task.get("made") is not None:
            step = f"{step} ({task['made']} of its own)"
        life = f"process {task['pid']}" if task["returncode"] is None else f"exit {task['returncode']}"
        print(f"  {task['name']:<10} {life:<15} {task['state'] or ABSENT:<9} step {step}  restarts {task['restarts']}")


def stop(job=None, now=False):
    """Ends a running job in order, or at once with `now`. Returns 0, or 1 when it still runs after STOP_SECONDS."""
    if job is None:
        jobs = record.running()
        if len(jobs) != 1:
            which = "; running: " + ", ".join(f"{pid} ({logs})" for pid, logs in jobs.items()) if jobs else ""
            raise InputError(f"{len(jobs)} running jobs{which}; name one by its process number or log folder")
        (pid, logs), *_ = jobs.items()
    else:
        pid, logs = _find(job)
    limit, sent = time.monotonic() + STOP_SECONDS, 0
    while record.holder(logs) == pid:
        if sent < (2 if now else 1):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
            sent += 1
        if time.monotonic() > limit:
            print(f"the job of process {pid} has not ended in {STOP_SECONDS:g} s; --now kills it")
            return 1
        time.sleep(POLL_SECONDS)
    print(f"the job of process {pid} has ended")
    return 0


def _find(job, ended=False):
    """Returns (pid, log folder) of the job. With `ended` it returns (None, folder) of a job that has left its state."""
    jobs = record.running()
    if job.isascii() and job.isdigit() and int(job) in jobs:
        return int(job), jobs[int(job)]
    if pid := record.holder(job):
        return pid, os.path.abspath(job)
    if ended and record.state(job):
        return None, os.path.abspath(job)
    raise InputError(f"{job}: no running job of that process number or log folder; see status")
