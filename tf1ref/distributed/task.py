"""The inside of one task of a ps/worker cluster: its server, its device setter, its session, its orderly end.

The variables live in the ps processes: a session does not own them, and closing it leaves them as they are.
Every worker builds the same graph (between-graph replication) and talks to the same variables by name.

    from tf1ref import distributed

    def train(task):
        with v1.Graph().as_default(), v1.device(task.device_setter()):
            train_op = build()
            with task.session(hooks=[v1.train.StopAtStepHook(last_step=1000)]) as session:
                while not session.should_stop():
                    session.run(train_op)

    distributed.run(train)    # alone, or as a task of `python -m tf1ref.cluster up local.yml -- python train.py`
"""

import functools
import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

import tensorflow.compat.v1 as v1

from tf1ref.cluster import contract, fields
from tf1ref.cluster.ending import end_in_time, leave, wait_for_end
from tf1ref.cluster.ports import Ports, in_use
from tf1ref.distributed.session import (
    BySize,
    LastCheckpoint,
    Progress,
    Seldom,
    Session,
    SessionCreator,
    StartTimeout,
    open_everywhere,
)
from tf1ref.errors import InputError

# An evaluator gives up when nothing is saved for this long: twice the time between two saves by default.
CHECKPOINT_SECONDS = 1200
# How long the end waits for threads that do not stop, such as a queue runner on a dead ps. TF waits 120 seconds.
STOP_GRACE_SECONDS = 2
INTERRUPTED = 130  # exit code


class Task:
    """One process of a cluster, with its TensorFlow server running.

    job: "ps", "worker" or "chief". index: its place in that job. hosts: {"ps": ["host:port", ...], "worker": [...]}.
    alone: True where one process is the whole cluster, a ps and a worker. server: the v1.train.Server.
    """

    def __init__(
        self,
        hosts: dict[str, list[str]],
        job: str,
        index: int,
        start_timeout: float | None = None,
        operation_timeout: float | None = None,
        alone: bool = False,
    ):
        """Starts the task's server. Programs call `from_environment` or `from_description` instead.

        start_timeout: seconds to wait for ps processes, and for the chief to initialize the variables. None is the
        launcher's number, or 120 without a launcher.
        operation_timeout: seconds after which a session call raises DeadlineExceededError. With None a call may
        take any time. With a number, calls to the task's own server go through gRPC, which costs 15 % of the steps of
        a small MLP.
        Raises InputError when the port cannot be bound, and for a cluster without a ps.
        """
        if not hosts.get("ps"):
            raise InputError("the cluster has no ps; the variables of tf1ref.distributed live in ps processes")
        self.hosts, self.job, self.index, self.alone = hosts, job, index, alone
        self.start_timeout = contract.start_timeout() if start_timeout is None else start_timeout
        self._operation_timeout = operation_timeout
        contract.report(contract.STARTING)
        self.server = _server(json.dumps(hosts), job, index, self.config().SerializeToString())
        if not alone:
            end_in_time()

    @classmethod
    def from_environment(cls, **timeouts: Any) -> "Task":
        """Returns the task that TF_CONFIG describes. Without TF_CONFIG, a ps and a worker start in this process.

        Then every call makes a fresh cluster on ports of its own. Raises InputError when TF_CONFIG cannot be used.
        """
        text = os.environ.get("TF_CONFIG")
        try:
            return cls(*contract.parse_tf_config(text), **timeouts) if text else alone(1, timeouts)[0]
        except InputError as error:
            raise InputError(str(error)) from None

    @classmethod
    def from_description(cls, path: str, **timeouts: Any) -> "Task":
        """Returns the task of a YAML file with ps_hosts, worker_hosts, job_name and task_id."""
        try:
            found = fields.load(path)
        except InputError as error:
            raise InputError(str(error)) from None
        if found.job_name is None or found.task_id is None:
            raise InputError(f"{found.path}: names no task; add job_name (ps or worker) and task_id")
        return cls(found.hosts, found.job_name, found.task_id, **timeouts)

    @property
    def is_ps(self) -> bool:
        """True for a process that only holds variables: call `serve`."""
        return self.job == "ps"

    @property
    def is_chief(self) -> bool:
        """True for the chief, else worker 0, which initializes, restores and saves the variables for all."""
        return contract.is_chief(self.hosts, self.job, self.index)

    @property
    def checkpoint_dir(self) -> str | None:
        """The folder that was given to the launcher for the job's checkpoints, or None."""
        return os.environ.get(contract.CHECKPOINT_DIR)

    @property
    def worker_count(self) -> int:
        """Number of workers, with the chief."""
        return sum(len(addresses) for job, addresses in self.hosts.items() if job != "ps")

    @property
    def target(self) -> str:
        """The server's address, as v1.Session takes it."""
        return self.server.target

    def config(self) -> v1.ConfigProto:
        """A fresh ConfigProto for this task's sessions and server.

        Its device filters let this task start while other workers are missing; without them it waits for all.
        """
        config = v1.ConfigProto(allow_soft_placement=True)
        config.device_filters.extend(["/job:ps", f"/job:{self.job}/task:{self.index}"])
        if self._operation_timeout is not None:
            config.operation_timeout_in_ms = int(1000 * self._operation_timeout)
            # Without this the time-out has no effect on calls to this process's own server.
            config.rpc_options.use_rpc_for_inprocess_master = True
        return config

    def device_setter(self, by_size: bool = False) -> Callable[[Any], str]:
        """Returns what v1.device takes to put variables on the ps and all else on this worker. tf.device refuses it.

        Variables go to the ps tasks in turn. With by_size each goes to the ps that holds the fewest bytes so far.
        Both ways, every worker that builds the same graph gets the same places.
        """
        strategy = BySize(len(self.hosts["ps"])) if by_size else None
        worker, cluster = f"/job:{self.job}/task:{self.index}", v1.train.ClusterSpec(self.hosts)
        return v1.train.replica_device_setter(worker_device=worker, cluster=cluster, ps_strategy=strategy)

    def serve(self) -> NoReturn:
        """Holds variables until SIGTERM (exit code 0) or Ctrl-C (130). Main thread only; never returns.

        A worker that serves computes what the chief's graph has placed on it (in-graph replication). TF1's way,
        `server.join()`, ignores Ctrl-C and never returns.
        """
        contract.report(contract.SERVING)
        leave(0 if wait_for_end() == signal.SIGTERM else INTERRUPTED)

    def whole_session(self) -> v1.Session:
        """Returns a v1.Session whose ops may be on any task, as in-graph replication needs it.

        The other workers call `serve`. Raises StartTimeout when one of them is missing.
        """
        return open_everywhere(self)

    def checkpoints(self, last_step: int) -> Iterator[str]:
        """Yields the paths of the job's checkpoints as they come, up to that of `last_step`.

        It is for a worker that evaluates. It passes over those that come faster than they are taken. Raises
        StartTimeout after CHECKPOINT_SECONDS without one.
        """
        contract.report(contract.RUNNING)
        for path in v1.train.checkpoints_iterator(self.checkpoint_dir, timeout=CHECKPOINT_SECONDS):
            yield path
            if int(path.rpartition("-")[2]) >= last_step:
                return
        raise StartTimeout(f"{self.checkpoint_dir}: no new checkpoint in {CHECKPOINT_SECONDS} s; is the chief alive?")

    def session(
        self,
        checkpoint_dir: str | None = None,
        hooks: Iterable[v1.train.SessionRunHook] = (),
        save_checkpoint_steps: int | None = None,
        save_checkpoint_secs: float | None = None,
        save_summaries_steps: int = 100,
        scaffold: v1.train.Scaffold | None = None,
    ) -> v1.train.MonitoredSession:
        """Returns this task's MonitoredTrainingSession, a v1.train.MonitoredSession. It finalizes the default graph.

        The chief goes on with the model that the ps processes hold. Without one it restores the newest checkpoint in
        `checkpoint_dir`, or initializes the variables. The others wait until it has. With a `checkpoint_dir` the chief
        saves there at the end, and every `save_checkpoint_steps` or `save_checkpoint_secs` (600 s when neither is
        given), up to .1 s late. It writes summaries there, too. None is the folder that was given to the launcher, if
        any. A launcher is told the global step. Raises StartTimeout when a ps or the chief is missing. When SIGTERM or
        Ctrl-C asks the chief to end, it saves once more.

        When the program raises inside the session, the session is not closed. The queues of a job in step then stay
        open for the others, and for this task when it is started again.
        """
        checkpoint_dir = checkpoint_dir or self.checkpoint_dir
        scaffold = scaffold or v1.train.Scaffold()
        hooks = list(hooks)
        if self.is_chief and checkpoint_dir:
            if not save_checkpoint_steps and not save_checkpoint_secs:
                save_checkpoint_secs = 600
            saving = {"save_secs": save_checkpoint_secs, "save_steps": save_checkpoint_steps}
            watching = (
                v1.train.CheckpointSaverHook(checkpoint_dir, **saving, scaffold=scaffold),
                v1.train.SummarySaverHook(save_summaries_steps, output_dir=checkpoint_dir, scaffold=scaffold),
                v1.train.StepCounterHook(save_summaries_steps, output_dir=checkpoint_dir),
            )
            hooks += map(Seldom, watching)
            hooks.append(LastCheckpoint(watching[0]))
        if os.environ.get(contract.PROGRESS):
            hooks.append(Progress())
        creator = SessionCreator(self, scaffold, checkpoint_dir)
        kind = v1.train.MonitoredSession if self.alone else Session
        return kind(creator, hooks, stop_grace_period_secs=STOP_GRACE_SECONDS)


@functools.cache  # a port can be bound once, so a second Task of this process uses the same server
def _server(cluster: str, job: str, index: int, config: bytes) -> v1.train.Server:
    hosts = json.loads(cluster)
    port = int(hosts[job][index].rpartition(":")[2])
    if problem := in_use(port):
        raise InputError(f"{job} {index} cannot listen on port {port}: {problem}; end what has it first")
    return v1.train.Server(hosts, job, index, config=v1.ConfigProto.FromString(config))


def alone(workers: int, timeouts: dict[str, Any]) -> list[Task]:
    """Starts a ps and `workers` workers in this process; returns the workers' tasks."""
    ports = Ports()
    try:
        picked = [f"localhost:{ports.pick()}" for _ in range(workers + 1)]
        hosts = {"ps": picked[:1], "worker": picked[1:]}
        # TensorFlow never stops a server: the ps's lives on in its threads, with the workers'.
        Task(hosts, "ps", 0, **timeouts, alone=True)
        return [Task(hosts, "worker", index, **timeouts, alone=True) for index in range(workers)]
    finally:
        ports.close()
