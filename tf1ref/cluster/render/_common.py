"""What the engines' files have in common: places, hosts, variables, and the settings that an engine does not have."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import yaml

from tf1ref.cluster.contract import CHECKPOINT_DIR, EVALUATOR, GRACE, START_TIMEOUT, tf_config
from tf1ref.cluster.description import SETTINGS, Address, Description
from tf1ref.cluster.placeholders import fill

PORT = 2222
CHECKPOINTS = "/checkpoints"  # where a container sees the checkpoint folder


def placed(description: Description, host_of: Callable[[str, int], str]) -> Description:
    """Returns `description` with the engine's hosts: host_of(job, index) is the name by which the others find it."""
    jobs = {
        job: tuple(Address(host_of(job, index), address.port or PORT) for index, address in enumerate(addresses))
        for job, addresses in description.jobs.items()
    }
    return dataclasses.replace(description, jobs=jobs)


def words_of(description: Description, command: list[str], job: str, index: int) -> list[str]:
    """Returns the command of one task, its placeholders filled in from the hosts of `description`."""
    return fill(list(description.of(job).command or command), description, job, index)


def variables_of(description: Description, job: str, index: int, checkpoints: str = CHECKPOINTS) -> dict[str, str]:
    """Returns the variables of one task."""
    env = description.of(job).env
    own = dict(zip(env, fill(list(env.values()), description, job, index)))
    own["TF_CONFIG"] = tf_config(description.hosts, job, index)
    return own | shared_variables(description, checkpoints)


def shared_variables(description: Description, checkpoints: str) -> dict[str, str]:
    """Returns the variables that are the same for every task of the job."""
    own = {START_TIMEOUT: f"{description.start_timeout:g}", GRACE: f"{description.grace:g}"}
    if "evaluator" in description.jobs:
        own[EVALUATOR] = "1"
    if description.checkpoint_dir is not None:
        own[CHECKPOINT_DIR] = checkpoints
    return own


def deciders(description: Description) -> list[str]:
    """Returns the names of the tasks whose end is the job's success, such as worker-0."""
    waited = [(job, index) for job, index in description.tasks if job != "ps"]
    return [
        f"{job}-{index}" for job, index in waited if description.success == "all" or (job, index) == description.chief
    ]


def restarts(description: Description) -> int:
    """Returns how often tasks are started again."""
    return 0 if description.restart == "never" else description.max_restarts


def left_out(description: Description, names: tuple[str, ...]) -> list[str]:
    """Returns a line on the settings among `names` that the description gives and the engine does not have."""
    defaults: dict[str, Any] = {**SETTINGS, "timeout": None, "log_limit": None}
    defaults["restart"] = description.restart if description.restart != "job" else "never"
    given = [f"{name} {getattr(description, name)}" for name in names if getattr(description, name) != defaults[name]]
    return [f"This engine has nothing for: {', '.join(given)}."] if given else []


def text(head: list[str], documents: list[dict[str, Any]]) -> str:
    """Returns YAML: `head` as comments, then the documents."""
    # The parts are copied. Otherwise the text would hold references where documents share a part.
    documents = json.loads(json.dumps(documents))
    parts = [yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000) for document in documents]
    return "".join(f"# {line}\n" for line in head) + "---\n".join(parts)
