"""The same job for engines that run on more than one machine: Kubernetes, compose, Slurm.

Each task has one definition with its TF_CONFIG written out, so the file shows what the engine starts. The description's
hosts are this machine's, and become the engine's own. Its ports stay; port 0 becomes PORT.
"""

import re
from collections.abc import Callable

from tf1ref.cluster import placeholders
from tf1ref.cluster.description import Description
from tf1ref.cluster.render import compose, kubernetes, slurm
from tf1ref.errors import InputError

# A pod is called NAME-evaluator-N-0-0, and a host name has 63 characters at most (RFC 1123).
NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
CONTAINERS: dict[str, Callable[[Description, list[str], str, str], str]] = {
    "kubernetes": kubernetes.render,
    "compose": compose.render,
}
ENGINES = (*CONTAINERS, "slurm")


def render(description: Description, command: list[str], engine: str, name: str, image: str | None = None) -> str:
    """Returns the file of `engine`, one of ENGINES, that runs `command` as a job called `name`.

    image: the container image, which all but Slurm need. Raises InputError for a missing image or command, a bad
    placeholder, or a name that is no host name.
    """
    if not NAME.fullmatch(name):
        raise InputError(f"--name {name}: not a name; write up to 40 of a-z, 0-9 and -, such as tf-cluster")
    settings = [description.of(job) for job in description.jobs]
    if not command and any(each.command is None for each in settings):
        raise InputError("no command; write it after --, such as -- python train.py")
    for words in (command, *(list(each.command or ()) for each in settings), *(list(s.env.values()) for s in settings)):
        placeholders.check(words)
    if engine == "slurm":
        return slurm.render(description, command, name)
    if not image:
        raise InputError(f"--to {engine}: needs the container image; give it with --image")
    return CONTAINERS[engine](description, command, name, image)
