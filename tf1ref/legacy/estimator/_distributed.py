"""An Estimator as one task of a ps/worker cluster, which TF_CONFIG describes.

The rules are those of TensorFlow 1.15. The chief and the workers build the same graph, with its variables on the ps,
and train one model. Only the chief saves. An evaluator is outside of the cluster and follows the checkpoints.
Two rules are added. In a cluster without a chief, worker 0 is the chief; 1.15 refuses such a cluster. When a launcher
has started no evaluator, the chief evaluates the last checkpoint itself.
"""

import contextlib
import functools
import json
import time
from collections.abc import Callable
from typing import Any

import tensorflow.compat.v1 as v1
from tensorflow.core.protobuf import rewriter_config_pb2

from tf1ref.cluster import contract
from tf1ref.cluster.description import ADDRESS

POLL_SECONDS = 1.0  # seconds between two looks of the evaluator at the folder


class TaskType:
    """The jobs of a cluster that TF_CONFIG may name."""

    MASTER, CHIEF, PS, WORKER, EVALUATOR = "master", "chief", "ps", "worker", "evaluator"


def described(text: str | None) -> dict[str, Any]:
    """Returns what TF_CONFIG says. Raises ValueError for a text that is not a JSON object."""
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise ValueError(f"TF_CONFIG: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"TF_CONFIG must be a JSON object, not {text}")
    return found


def place(found: dict[str, Any]) -> dict[str, Any]:
    """Returns RunConfig's values for this process: task_type, task_id, is_chief, master, cluster_spec and the counts.

    found: what TF_CONFIG says. Raises ValueError, or TypeError for a service that is not a dict, when it cannot be
    used.
    """
    task, service = found.get("task") or {}, found.get("service")
    if service is not None and not isinstance(service, dict):
        raise TypeError(f'If "service" is set in TF_CONFIG, it must be a dict. Given {type(service)}')
    if not found.get("cluster"):
        return {**_alone(task), "service": service, "master": found.get("session_master", ""),
                "evaluation_master": found.get("eval_session_master", "")}  # fmt: skip
    hosts = {name: list(addresses) for name, addresses in found["cluster"].items()}
    chief = _chief(hosts)
    job, index = _task(hosts, task, chief)
    if job == TaskType.EVALUATOR:
        outside = {"task_type": job, "task_id": index, "is_chief": False, "num_worker_replicas": 0}
        return {**_alone({}), **outside, "service": service, "global_id_in_cluster": None,
                "evaluation_master": found.get("eval_session_master", "")}  # fmt: skip
    others = sorted(name for name in hosts if name not in (chief, TaskType.PS))
    order = [*([chief] if chief else []), *others, TaskType.PS]
    single = sum(map(len, hosts.values())) == 1
    return {
        "task_type": job,
        "task_id": index,
        "is_chief": job == chief or chief is None and (job, index) == (TaskType.WORKER, 0),
        "master": found.get("session_master", "" if single else f"grpc://{hosts[job][index]}"),
        "evaluation_master": "",
        "cluster_spec": v1.train.ClusterSpec(hosts),
        "num_ps_replicas": len(hosts.get(TaskType.PS, ())),
        "num_worker_replicas": sum(len(hosts.get(name, ())) for name in (chief, TaskType.WORKER)),
        "global_id_in_cluster": sum(len(hosts[name]) for name in order[: order.index(job)]) + index,
        "service": service,
    }


def _alone(task: dict[str, Any]) -> dict[str, Any]:
    if task.get("type", TaskType.WORKER) != TaskType.WORKER:
        raise ValueError('If "cluster" is not set in TF_CONFIG, task type must be WORKER.')
    if int(task.get("index", 0)) != 0:
        raise ValueError('If "cluster" is not set in TF_CONFIG, task index must be 0.')
    return {
        "task_type": TaskType.WORKER, "task_id": 0, "is_chief": True, "master": "", "evaluation_master": "",
        "cluster_spec": v1.train.ClusterSpec({}), "num_ps_replicas": 0, "num_worker_replicas": 1,
        "global_id_in_cluster": 0,
    }  # fmt: skip


def _chief(hosts: dict[str, list[str]]) -> str | None:
    """Returns the name of the chief's job, or None where worker 0 is the chief. Raises ValueError without either."""
    chief = TaskType.MASTER if TaskType.MASTER in hosts else TaskType.CHIEF
    if chief == TaskType.MASTER and TaskType.CHIEF in hosts:
        raise ValueError("If `master` node exists in `cluster`, job `chief` is not supported.")
    if len(hosts.get(chief, ())) > 1:
        raise ValueError(f'The "cluster" in TF_CONFIG must have only one "{chief}" node.')
    if not hosts.get(chief) and not hosts.get(TaskType.WORKER):
        raise ValueError(f'If "cluster" is set in TF_CONFIG, it must have one "{chief}" node, or a worker.')
    for name, addresses in hosts.items():
        for address in addresses:
            if not (isinstance(address, str) and ADDRESS.fullmatch(address)):
                raise ValueError(f"TF_CONFIG: cluster: {name}: {address!r} is no address; write host:port")
    return chief if hosts.get(chief) else None


def _task(hosts: dict[str, list[str]], task: dict[str, Any], chief: str | None) -> tuple[str, int]:
    """Returns the job and index of this task. Raises ValueError when the cluster does not have it."""
    for key, what in (("type", "task type"), ("index", "task index")):
        if task.get(key) in (None, ""):
            raise ValueError(f'If "cluster" is set in TF_CONFIG, {what} must be set.')
    job, index = task["type"], int(task["index"])
    if index < 0:
        raise ValueError("Task index must be non-negative number.")
    if job == TaskType.EVALUATOR:
        if chief == TaskType.MASTER:
            raise ValueError("If `master` node exists in `cluster`, task_type `evaluator` is not supported.")
    elif job not in hosts:
        raise ValueError(f"TF_CONFIG: {job} is not a valid task_type in the cluster_spec: {hosts}")
    elif index >= len(hosts[job]):
        raise ValueError(f"TF_CONFIG: {index} is not a valid task_id for task_type {job} in the cluster_spec: {hosts}")
    return job, index


def session_config(job: str, index: int) -> v1.ConfigProto | None:
    """Returns how a task's sessions see the cluster, or None outside of it.

    Chief and workers see only the parameter servers, so that a session begins without the other workers.
    """
    seen = {
        TaskType.MASTER: ["/job:ps", "/job:master"],
        TaskType.CHIEF: ["/job:ps", "/job:chief"],
        TaskType.WORKER: ["/job:ps", f"/job:worker/task:{index}"],
        TaskType.PS: ["/job:ps", "/job:worker", "/job:chief", "/job:master"],
    }
    if job not in seen:
        return None
    config = local_session_config()
    config.device_filters.extend(seen[job])
    return config


def local_session_config() -> v1.ConfigProto:
    """Returns TF1's configuration of an Estimator's sessions: an op whose device is not there runs on another one."""
    config = v1.ConfigProto(allow_soft_placement=True)
    config.graph_options.rewrite_options.meta_optimizer_iterations = rewriter_config_pb2.RewriterConfig.ONE
    return config


def take_place(config: Any) -> None:
    """Starts this task's server, once in each process. A ps serves from here on, and the call does not return."""
    if not config.master:
        return
    server = _server(json.dumps(config.cluster_spec.as_dict()), config.task_type, config.task_id)
    if config.task_type == "ps":
        server.join()


@functools.cache
def _server(cluster: str, job: str, index: int) -> v1.train.Server:
    return v1.train.Server(json.loads(cluster), job, index)


def devices(config: Any) -> contextlib.AbstractContextManager:
    """A context that places variables on the ps tasks and other ops on this worker. Alone, it places nothing."""
    if config.device_fn is not None:
        return v1.device(config.device_fn)
    if not config.num_ps_replicas:
        return contextlib.nullcontext()
    worker = f"/job:{config.task_type}/task:{config.task_id}"
    return v1.device(v1.train.replica_device_setter(worker_device=worker, cluster=config.cluster_spec))


def train_and_evaluate(
    estimator: Any, train_spec: Any, eval_spec: Any, evaluate: Callable[[], dict[str, Any]]
) -> tuple[Any, Any]:
    """Does this task's part of train_and_evaluate.

    evaluate(): evaluates the last checkpoint, exports it, and returns the metrics. Returns the metrics and exports
    in the task that evaluates, and (None, None) in the others.
    """
    config = estimator.config
    if config.task_type == "evaluator":
        return _follow(estimator, train_spec, eval_spec, evaluate)
    estimator.train(train_spec.input_fn, list(train_spec.hooks or ()), max_steps=train_spec.max_steps)
    if config.is_chief and contract.launched() and not contract.has_evaluator():
        v1.logging.info("The job has no evaluator: the chief evaluates the last checkpoint.")
        found = evaluate()
        return found["metrics"], found["exports"]
    return None, None


def _follow(estimator: Any, train_spec: Any, eval_spec: Any, evaluate: Callable[[], dict[str, Any]]) -> tuple:
    """Evaluates each new checkpoint, at most one in `throttle_secs` seconds, until the one of `max_steps`."""
    contract.report(contract.RUNNING)
    time.sleep(eval_spec.start_delay_secs)
    seen, found = None, {}
    while True:
        checkpoint = estimator.latest_checkpoint()
        if not checkpoint or checkpoint == seen:
            time.sleep(POLL_SECONDS)
            continue
        began, seen = time.monotonic(), checkpoint
        step = int(v1.train.load_variable(checkpoint, v1.GraphKeys.GLOBAL_STEP))
        final = train_spec.max_steps is not None and step >= train_spec.max_steps
        # The checkpoint from before the training is not evaluated.
        if step or final:
            found = evaluate()
        if final:
            return found["metrics"], found["exports"]
        _pause(estimator, seen, train_spec.max_steps, began + eval_spec.throttle_secs)


def _pause(estimator: Any, seen: str, max_steps: int | None, until: float) -> None:
    """Waits until the time `until`, or until the last checkpoint of the training is there."""
    while time.monotonic() < until:
        time.sleep(POLL_SECONDS)
        newest = estimator.latest_checkpoint()
        step = newest.rpartition("-")[2] if newest and newest != seen else ""
        if max_steps is not None and step.isdigit() and int(step) >= max_steps:
            return
