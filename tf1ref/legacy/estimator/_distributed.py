"""An Estimator as one task of a ps/worker cluster, which TF_CONFIG describes.

The rules are those of TensorFlow 1.15. The chief and the workers build the same graph, with its variables on the ps,
and train one model. Only the chief saves. An evaluator is outside of the cluster and follows the checkpoints.
Two rules are added. In a cluster without a chief, worker 0 is the chief; 1.15 refuses such a cluster. When a launcher
has started no evaluator, the chief evaluates the last checkpoint itself.
"""

import contextlib
import functools
import json
import os
import time
from collections.abc import Callable
from typing import Any

import tensorflow.compat.v1 as v1

from tf1ref.cluster import contract
from tf1ref.errors import InputError

POLL_SECONDS = 1.0  # seconds between two looks of the evaluator at the folder


def place() -> dict[str, Any]:
    """Returns RunConfig's values for this process: task_type, task_id, is_chief, master, cluster_spec and the counts.

    Raises ValueError for a TF_CONFIG that cannot be used.
    """
    alone = {
        "task_type": "worker", "task_id": 0, "is_chief": True, "master": "", "evaluation_master": "",
        "cluster_spec": v1.train.ClusterSpec({}), "num_ps_replicas": 0, "num_worker_replicas": 1,
        "global_id_in_cluster": 0,
    }  # fmt: skip
    try:
        if not json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster"):
            return alone
        hosts, job, index = contract.parse_tf_config(os.environ["TF_CONFIG"])
    except (ValueError, AttributeError, InputError) as error:
        raise ValueError(str(error)) from None
    if job == "evaluator":
        outside = {"task_type": job, "task_id": index, "is_chief": False, "num_worker_replicas": 0}
        return {**alone, **outside, "global_id_in_cluster": None}
    workers = [name for name in (*contract.CHIEFS, "worker") if name in hosts]
    order = [*workers, "ps"]
    before = order[: order.index(job)]
    single = sum(map(len, hosts.values())) == 1
    return {
        "task_type": job,
        "task_id": index,
        "is_chief": contract.is_chief(hosts, job, index),
        "master": "" if single else f"grpc://{hosts[job][index]}",
        "evaluation_master": "",
        "cluster_spec": v1.train.ClusterSpec(hosts),
        "num_ps_replicas": len(hosts.get("ps", ())),
        "num_worker_replicas": sum(len(hosts[name]) for name in workers),
        "global_id_in_cluster": sum(len(hosts[name]) for name in before) + index,
    }


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
    estimator: Any, train_spec: Any, eval_spec: Any, evaluate: Callable[[bool], dict[str, Any]]
) -> tuple[Any, Any]:
    """Does this task's part of train_and_evaluate.

    evaluate(final): evaluates the last checkpoint, exports it, and returns the metrics. Returns the metrics and exports
    in the task that evaluates, and (None, None) in the others.
    """
    config = estimator.config
    if config.task_type == "evaluator":
        return _follow(estimator, train_spec, eval_spec, evaluate)
    estimator.train(train_spec.input_fn, list(train_spec.hooks or ()), max_steps=train_spec.max_steps)
    if config.is_chief and contract.launched() and not contract.has_evaluator():
        v1.logging.info("The job has no evaluator: the chief evaluates the last checkpoint.")
        found = evaluate(True)
        return found["metrics"], found["exports"]
    return None, None


def _follow(estimator: Any, train_spec: Any, eval_spec: Any, evaluate: Callable[[bool], dict[str, Any]]) -> tuple:
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
            found = evaluate(final)
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
