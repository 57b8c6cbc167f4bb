"""Placeholders in the words of a command and in the values of variables: {job}, {index} and what else a task knows.

    tf1ref launch --ps 1 --workers 2 -- python train.py --job_name={job} --task_index={index} --ps_hosts={ps_hosts}

Any other word in braces is refused, with the nearest. {{name}} stands for {name} itself. What follows a $,
as in ${HOME}, is the shell's, and braces around anything but a name are left as they are.
"""

import re
from typing import Any

from tf1ref.cluster.contract import CHIEFS
from tf1ref.cluster.description import Description
from tf1ref.errors import InputError, nearest

NAMES = {
    "job": "the task's job, such as worker; the chief of a cluster that has one is worker 0 here",
    "index": "its place in that job",
    "task": "both, such as worker-1",
    "port": "the port it listens on",
    "ps_hosts": "host:port of every ps, with commas",
    "worker_hosts": "host:port of every worker, with commas; the chief's first",
}
PATTERN = re.compile(r"(?<!\$)\{(?P<literal>\{)?(?P<name>[A-Za-z_]\w*)\}(?(literal)\})")


def classic(hosts: dict[str, list[str]], job: str, index: int) -> dict[str, Any]:
    """Returns a task's place as scripts of TensorFlow 1 take it by flags: ps and workers, of which the first is chief.

    The keys: job_name, task_index, ps_hosts, worker_hosts; the hosts are lists.
    """
    chiefs = [address for name in CHIEFS for address in hosts.get(name, ())]
    if job in CHIEFS:
        job = "worker"
    elif job == "worker":
        index += len(chiefs)
    workers = [*chiefs, *hosts.get("worker", ())]
    return {"job_name": job, "task_index": index, "ps_hosts": list(hosts.get("ps", ())), "worker_hosts": workers}


def check(words: list[str]) -> None:
    """Raises InputError where one of `words` has a placeholder that does not exist."""
    for word in words:
        for match in PATTERN.finditer(word):
            name = match["name"]
            if not match["literal"] and name not in NAMES:
                known = nearest(name, NAMES, 1) or f"; there are {', '.join(NAMES)}"
                advice = f"write {{{{{name}}}}} for the word in braces itself"
                raise InputError(f"{{{name}}} in {word[:80]!r}: no such placeholder{known}; {advice}")


def fill(words: list[str], description: Description, job: str, index: int) -> list[str]:
    """Returns `words` with the placeholders filled in for one task, and {{name}} as {name}."""
    place = classic(description.hosts, job, index)
    values = {
        "job": place["job_name"],
        "index": str(place["task_index"]),
        "task": f"{job}-{index}",
        "port": str(description.jobs[job][index].port),
        "ps_hosts": ",".join(place["ps_hosts"]),
        "worker_hosts": ",".join(place["worker_hosts"]),
    }

    def filled(match: re.Match) -> str:
        return f"{{{match['name']}}}" if match["literal"] else values[match["name"]]

    return [PATTERN.sub(filled, word) for word in words]
