"""A Kubernetes JobSet with its network policy."""

import json
import math
from typing import Any

from tf1ref.cluster.description import Description
from tf1ref.cluster.render import _common
from tf1ref.cluster.render._common import CHECKPOINTS

NO_LIKE = ("stall_timeout", "end_timeout", "log_limit")


def render(description: Description, command: list[str], name: str, image: str) -> str:
    """Returns the manifest."""
    given, description = description, _common.placed(description, lambda job, i: f"{name}-{job}-{i}-0-0.{name}")
    jobs = [_replicated_job(description, job, index, command, name, image) for job, index in description.tasks]
    spec: dict[str, Any] = {
        "network": {"enableDNSHostnames": True, "subdomain": name},
        "successPolicy": {"operator": "All", "targetReplicatedJobs": _common.deciders(description)},
        "failurePolicy": {"maxRestarts": _common.restarts(description)},
        "replicatedJobs": jobs,
    }
    job_set = {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": name},
        "spec": spec,
    }
    head = [
        f"{json.dumps(given.path)} for Kubernetes with the JobSet controller (jobset.sigs.k8s.io): kubectl apply",
        "The whole job is started again after a failure, and ended when the tasks under successPolicy are done.",
    ]
    head += _common.left_out(given, NO_LIKE)
    if description.checkpoint_dir is not None:
        head.append(f"The checkpoints go to the claim {name}-checkpoints, which every pod mounts: make it first.")
    return _common.text(head, [job_set, _network_policy(description, name)])


def _escape(text: str) -> str:
    # Kubernetes replaces $(NAME) by a variable's value and reads $$ as one $, everywhere in commands and values.
    return text.replace("$", "$$")


def _replicated_job(
    description: Description, job: str, index: int, command: list[str], name: str, image: str
) -> dict[str, Any]:
    variables = _common.variables_of(description, job, index)
    container: dict[str, Any] = {
        "name": job,
        "image": image,
        "command": [_escape(word) for word in _common.words_of(description, command, job, index)],
        "env": [{"name": key, "value": _escape(value)} for key, value in variables.items()],
        "ports": [{"containerPort": description.jobs[job][index].port}],
    }
    if resources := _resources(description, job):
        container["resources"] = resources
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": math.ceil(description.grace),
        "containers": [container],
    }
    if description.checkpoint_dir is not None:
        container["volumeMounts"] = [{"name": "checkpoints", "mountPath": CHECKPOINTS}]
        claim = {"claimName": f"{name}-checkpoints"}
        pod["volumes"] = [{"name": "checkpoints", "persistentVolumeClaim": claim}]
    once: dict[str, Any] = {"completionMode": "Indexed", "completions": 1, "parallelism": 1, "backoffLimit": 0}
    if description.timeout is not None:
        once["activeDeadlineSeconds"] = math.ceil(description.timeout)
    return {
        "name": f"{job}-{index}",
        "replicas": 1,
        "template": {"spec": {**once, "template": {"spec": pod}}},
    }


def _resources(description: Description, job: str) -> dict[str, Any]:
    settings = description.of(job)
    asked: dict[str, str] = {}
    if settings.cpus is not None:
        asked["cpu"] = str(settings.cpus)
    if settings.gpus:
        asked["nvidia.com/gpu"] = str(settings.gpus)
    return {"limits": asked, "requests": asked} if asked else {}


def _network_policy(description: Description, name: str) -> dict[str, Any]:
    """Only the job's own pods may connect to its servers, which ask nobody who they are."""
    own = {"matchLabels": {"jobset.sigs.k8s.io/jobset-name": name}}
    ports = sorted({address.port for addresses in description.jobs.values() for address in addresses})
    rule = {"from": [{"podSelector": own}], "ports": [{"protocol": "TCP", "port": port} for port in ports]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": own, "policyTypes": ["Ingress"], "ingress": [rule]},
    }
