"""A compose file."""

import json
import math
from typing import Any

from tf1ref.cluster.description import Description
from tf1ref.cluster.render import _common
from tf1ref.cluster.render._common import CHECKPOINTS

NO_LIKE = ("timeout", "stall_timeout", "end_timeout", "log_limit", "restart")


def render(description: Description, command: list[str], name: str, image: str) -> str:
    """Returns the file."""
    given, description = description, _common.placed(description, lambda job, index: f"{job}-{index}")
    restarts = _common.restarts(description)
    shared: dict[str, Any] = {
        "restart": f"on-failure:{restarts}" if restarts else "no",
        "stop_grace_period": f"{math.ceil(description.grace)}s",
        "networks": ["cluster"],
    }
    if (folder := description.checkpoint_dir) is not None:
        source = _escape(folder if folder.startswith("/") else f"./{folder}")
        shared["volumes"] = [{"type": "bind", "source": source, "target": CHECKPOINTS}]
    services = {
        f"{job}-{index}": {
            "image": image,
            "command": [_escape(word) for word in _common.words_of(description, command, job, index)],
            "environment": {k: _escape(v) for k, v in _common.variables_of(description, job, index).items()},
            **_resources(description, job),
            **shared,
        }
        for job, index in description.tasks
    }
    head = [
        f"{json.dumps(given.path)} for compose. Started, waited for and ended, FILE being this file, by:",
        "docker compose -f FILE up --detach",
        f"docker compose -f FILE wait {' '.join(_common.deciders(description))}; docker compose -f FILE down",
        "The network is internal: no port is published, and the tasks cannot reach the outside either.",
        *_common.left_out(given, NO_LIKE),
    ]
    return _common.text(head, [{"name": name, "services": services, "networks": {"cluster": {"internal": True}}}])


def _escape(text: str) -> str:
    return text.replace("$", "$$")  # compose replaces $NAME by a variable's value


def _resources(description: Description, job: str) -> dict[str, Any]:
    settings = description.of(job)
    own: dict[str, Any] = {}
    if settings.cpus is not None:
        own["cpus"] = settings.cpus
    if settings.gpus:
        devices = [{"driver": "nvidia", "count": settings.gpus, "capabilities": ["gpu"]}]
        own["deploy"] = {"resources": {"reservations": {"devices": devices}}}
    return own
