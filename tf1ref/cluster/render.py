"""The same job for the engines that people outgrow one machine on: Kubernetes, compose, Slurm.

One definition a task, each with its TF_CONFIG written out: what the engine starts can be read off its file. The
hosts of the description are this machine's and become the engine's own; its ports stay, port 0 becomes PORT.
"""

import json
import re

import yaml

from tf1ref.cluster.contract import CHECKPOINT_DIR, START_TIMEOUT, tf_config
from tf1ref.cluster.render_slurm import slurm
from tf1ref.errors import InputError

PORT = 2222
CHECKPOINTS = "/checkpoints"  # where a container sees the checkpoint folder
# A pod is called NAME-worker-N-0-0, and a host name has 63 characters at most (RFC 1123).
NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")


def render(description, command, engine, name, image=None):
    """Returns the file of `engine` ("kubernetes", "compose" or "slurm") that runs `command` as a job called `name`.

    image: the container image, which the first two need. Raises InputError for a missing image or a name that
    is no host name.
    """
    if not NAME.fullmatch(name):
        raise InputError(f"--name {name}: not a name; write up to 40 of a-z, 0-9 and -, such as tf-cluster")
    if engine == "slurm":
        return slurm(description, command, name)
    if not image:
        raise InputError(f"--to {engine}: needs the container image; give it with --image")
    engines = {"kubernetes": _kubernetes, "compose": _compose}
    head, documents = engines[engine](description, command, name, image)
    # Copies, or the text would hold references where documents share a part.
    documents = json.loads(json.dumps(documents))
    parts = [yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000) for document in documents]
    return "".join(f"# {line}\n" for line in head) + "---\n".join(parts)


def _tasks(description):
    return [
        (job, index, address) for job, addresses in description.jobs.items() for index, address in enumerate(addresses)
    ]


def _environment(description, host_of, escape):
    """Returns {(job, index): its variables}; host_of(job, index): the name by which the others find it."""
    hosts = {
        job: [f"{host_of(job, index)}:{address.port or PORT}" for index, address in enumerate(addresses)]
        for job, addresses in description.jobs.items()
    }
    shared = {START_TIMEOUT: f"{description.start_timeout:g}"}
    if description.checkpoint_dir is not None:
        shared[CHECKPOINT_DIR] = CHECKPOINTS
    return {
        (job, index): {"TF_CONFIG": escape(tf_config(hosts, job, index)), **shared}
        for job, index, _ in _tasks(description)
    }


def _deciders(description):
    """Returns the names of the tasks whose end is the job's success."""
    return [
        f"worker-{index}" for index in range(len(description.jobs["worker"]) if description.success == "all" else 1)
    ]


def _restarts(description):
    return description.max_restarts if description.restart == "on-failure" else 0


def _kubernetes(description, command, name, image):
    def escape(text):
        return text.replace("$(", "$$(")  # Kubernetes puts variables in for $(NAME)

    command = [escape(word) for word in command]
    variables = _environment(description, lambda job, index: f"{name}-{job}-{index}-0-0.{name}", escape)
    jobs = [
        _replicated_job(description, job, index, address, command, name, image, variables[job, index])
        for job, index, address in _tasks(description)
    ]
    job_set = {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": name},
        "spec": {
            "network": {"enableDNSHostnames": True, "subdomain": name},
            "successPolicy": {"operator": "All", "targetReplicatedJobs": _deciders(description)},
            "failurePolicy": {"maxRestarts": _restarts(description)},
            "replicatedJobs": jobs,
        },
    }
    head = [
        f"{json.dumps(description.path)} for Kubernetes with the JobSet controller (jobset.sigs.k8s.io): kubectl apply",
        "The whole job is started again after a failure, and ended when the tasks under successPolicy are done.",
    ]
    if description.checkpoint_dir is not None:
        head.append(f"The checkpoints go to the claim {name}-checkpoints, which every pod mounts: make it first.")
    return head, [job_set, _network_policy(description, name)]


def _replicated_job(description, job, index, address, command, name, image, variables):
    container = {
        "name": job,
        "image": image,
        "command": command,
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "ports": [{"containerPort": address.port or PORT}],
    }
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": round(description.grace),
        "containers": [container],
    }
    if description.checkpoint_dir is not None:
        container["volumeMounts"] = [{"name": "checkpoints", "mountPath": CHECKPOINTS}]
        claim = {"claimName": f"{name}-checkpoints"}
        pod["volumes"] = [{"name": "checkpoints", "persistentVolumeClaim": claim}]
    once = {"completionMode": "Indexed", "completions": 1, "parallelism": 1, "backoffLimit": 0}
    return {
        "name": f"{job}-{index}",
        "replicas": 1,
        "template": {"spec": {**once, "template": {"spec": pod}}},
    }


def _network_policy(description, name):
    """Only the job's own pods may connect to its servers, which ask nobody who they are."""
    own = {"matchLabels": {"jobset.sigs.k8s.io/jobset-name": name}}
    ports = sorted({address.port or PORT for _, _, address in _tasks(description)})
    rule = {"from": [{"podSelector": own}], "ports": [{"protocol": "TCP", "port": port} for port in ports]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": own, "policyTypes": ["Ingress"], "ingress": [rule]},
    }


def _compose(description, command, name, image):
    def escape(text):
        return text.replace("$", "$$")  # compose puts variables in for $NAME

    command = [escape(word) for word in command]
    variables = _environment(description, lambda job, index: f"{job}-{index}", escape)
    restarts = _restarts(description)
    shared = {
        "restart": f"on-failure:{restarts}" if restarts else "no",
        "stop_grace_period": f"{round(description.grace)}s",
        "networks": ["cluster"],
    }
    if (folder := description.checkpoint_dir) is not None:
        source = escape(folder if folder.startswith("/") else f"./{folder}")
        shared["volumes"] = [{"type": "bind", "source": source, "target": CHECKPOINTS}]
    services = {
        f"{job}-{index}": {"image": image, "command": command, "environment": variables[job, index], **shared}
        for job, index, _ in _tasks(description)
    }
    head = [
        f"{json.dumps(description.path)} for compose. Started, waited for and ended, FILE being this file, by:",
        "docker compose -f FILE up --detach",
        f"docker compose -f FILE wait {' '.join(_deciders(description))}; docker compose -f FILE down",
        "The network is internal: no port is published, and the tasks cannot reach the outside either.",
    ]
    return head, [{"name": name, "services": services, "networks": {"cluster": {"internal": True}}}]
