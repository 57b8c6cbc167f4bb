"""Where the program of a distributed example runs: as one task of a cluster, or alone as all tasks of one."""

import functools
import os

from tf1ref.cluster import contract
from tf1ref.cluster.placeholders import classic
from tf1ref.cluster.ports import Ports
from tf1ref.distributed.program import in_threads


def place():
    """Returns (hosts, job_name, task_index) of this process as TF_CONFIG says it, or None without that.

    hosts: {"ps": ["host:port", ...], "worker": [...]}. A chief is worker 0 here, as TF1's own programs have it.
    """
    if not (text := os.environ.get("TF_CONFIG")):
        return None
    found = classic(*contract.parse_tf_config(text))
    return {"ps": found["ps_hosts"], "worker": found["worker_hosts"]}, found["job_name"], found["task_index"]


def run_tasks(program, workers, awaited=1):
    """Returns program(hosts, job_name, task_index) of this process's task, which does not return where that serves.

    Alone, of worker 0 of a whole cluster: a ps and `workers` workers run at once here, a thread each. Those that serve
    do so until the process ends. awaited: how many workers come to an end by themselves.
    """
    if here := place():
        return program(*here)
    ports = Ports()
    try:
        hosts = {"ps": [f"localhost:{ports.pick()}"], "worker": [f"localhost:{ports.pick()}" for _ in range(workers)]}
        tasks = [*(("worker", index) for index in range(workers)), ("ps", 0)]
        return in_threads([functools.partial(program, hosts, *task) for task in tasks], awaited)[0]
    finally:
        ports.close()


def checkpoint_folder():
    """Returns the folder that the launcher was given for the job's checkpoints, or None."""
    return os.environ.get(contract.CHECKPOINT_DIR)
