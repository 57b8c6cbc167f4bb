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

    distributed.run(train)    # alone, or as a task of `python -m cluster up local.yml -- python train.py`
"""

import functools
import json
import os
import signal
import sys
import threading
import time
import traceback

import tensorflow.compat.v1 as v1

from cluster import contract, description
from cluster.ending import end_in_time, leave, wait_for_end
from cluster.errors import UsageError
from cluster.ports import Ports, in_use, wait_until_listening
from tf1ref.errors import InputError

# MonitoredTrainingSession lets a worker that looks before the chief is done sleep 30 s and hides the setting.
POLL_SECONDS = 0.2
# A thread that does not stop, say a queue runner on a dead ps, holds the end so long; TF's default is 120.
STOP_GRACE_SECONDS = 2
# Closing a session can hang for ever when another task is dead: it is left to itself after this time.
CLOSE_SECONDS = 2.0
START_TIMEOUT, INTERRUPTED = 3, 130  # exit codes


class StartTimeout(Exception):
    """Another task was not there in time. The message names it and its address; the exit code is 3."""


class Task:
    """One process of a cluster, with its TensorFlow server running.

    job: "ps" or "worker"; index: its place in that job; hosts: {"ps": ["host:port", ...], "worker": [...]};
    alone: True where one process is the whole cluster, a ps and a worker; server: the v1.train.Server.
    """

    def __init__(self, hosts, job, index, start_timeout=None, operation_timeout=None, alone=False):
        """Starts the task's server; `from_environment` and `from_description` are the ways in.

        start_timeout: seconds to wait for ps processes, and for the chief to initialize the variables; None
        for the launcher's, or 120.
        operation_timeout: seconds after which any one session call raises DeadlineExceededError; None for no
        bound. It needs calls to one's own server to go through gRPC, at 15 % of the steps of a small MLP.
        Raises InputError when the port cannot be bound.
        """
        self.hosts, self.job, self.index, self.alone = hosts, job, index, alone
        self.start_timeout = contract.start_timeout() if start_timeout is None else start_timeout
        self._operation_timeout = operation_timeout
        contract.report(contract.STARTING)
        self.server = _server(json.dumps(hosts), job, index, self.config().SerializeToString())
        if not alone:
            end_in_time()

    @classmethod
    def from_environment(cls, **timeouts):
        """The task that TF_CONFIG describes; without it, a cluster of one ps and one worker in this process.

        Alone, every call makes a fresh cluster on ports of its own. InputError: TF_CONFIG cannot be used.
        """
        text = os.environ.get("TF_CONFIG")
        try:
            return cls(*contract.parse_tf_config(text), **timeouts) if text else _alone(cls, timeouts)
        except UsageError as error:
            raise InputError(str(error)) from None

    @classmethod
    def from_description(cls, path, **timeouts):
        """The task of a YAML file with ps_hosts, worker_hosts, job_name and task_id, as the source has it."""
        try:
            found = description.load(path)
        except UsageError as error:
            raise InputError(str(error)) from None
        if found.job_name is None:
            raise InputError(f"{found.path}: names no task; add job_name (ps or worker) and task_id")
        return cls(found.hosts, found.job_name, found.task_id, **timeouts)

    @property
    def is_ps(self):
        """True for a process that only holds variables: call `serve`."""
        return self.job == "ps"

    @property
    def is_chief(self):
        """True for worker 0, which initializes, restores and saves the variables for all."""
        return self.job == "worker" and self.index == 0

    @property
    def worker_count(self):
        """Number of workers."""
        return len(self.hosts["worker"])

    @property
    def target(self):
        """The server's address, as v1.Session takes it."""
        return self.server.target

    def config(self):
        """A fresh ConfigProto for this task's sessions and server.

        Its device filters let this task start while other workers are missing; without them it waits for all.
        """
        config = v1.ConfigProto(allow_soft_placement=True)
        config.device_filters.extend(["/job:ps", f"/job:{self.job}/task:{self.index}"])
        if self._operation_timeout is not None:
            config.operation_timeout_in_ms = int(1000 * self._operation_timeout)
            # Without it the time-out does not reach calls to this process's own server.
            config.rpc_options.use_rpc_for_inprocess_master = True
        return config

    def device_setter(self):
        """For v1.device (tf.device refuses it): variables round robin on the ps, all else on this worker."""
        worker = f"/job:worker/task:{self.index}"
        return v1.train.replica_device_setter(worker_device=worker, cluster=v1.train.ClusterSpec(self.hosts))

    def serve(self):
        """Holds variables until SIGTERM (exit code 0) or Ctrl-C (130). Main thread only; never returns.

        `server.join()`, TF1's way, ignores Ctrl-C and has no end.
        """
        contract.report(contract.RUNNING)
        leave(0 if wait_for_end() == signal.SIGTERM else INTERRUPTED)

    def session(
        self,
        checkpoint_dir=None,
        hooks=(),
        save_checkpoint_steps=None,
        save_checkpoint_secs=None,
        save_summaries_steps=100,
        scaffold=None,
    ):
        """MonitoredTrainingSession for this task: a v1.train.MonitoredSession; finalizes the default graph.

        The chief initializes the variables, or restores the newest checkpoint in `checkpoint_dir`, or, where
        the ps processes hold a live model already, goes on with that; the others wait until it has. With a
        `checkpoint_dir` the chief saves there every so many steps or seconds (neither given: 600 s) and at
        the end, and writes summaries. Raises StartTimeout when a ps or the chief is missing.
        """
        scaffold = scaffold or v1.train.Scaffold()
        hooks = list(hooks)
        if self.is_chief and checkpoint_dir:
            if not save_checkpoint_steps and not save_checkpoint_secs:
                save_checkpoint_secs = 600
            saving = {"save_secs": save_checkpoint_secs, "save_steps": save_checkpoint_steps}
            hooks += [
                v1.train.CheckpointSaverHook(checkpoint_dir, **saving, scaffold=scaffold),
                v1.train.SummarySaverHook(save_summaries_steps, output_dir=checkpoint_dir, scaffold=scaffold),
                v1.train.StepCounterHook(save_summaries_steps, output_dir=checkpoint_dir),
            ]
        creator = _SessionCreator(self, scaffold, checkpoint_dir)
        return v1.train.MonitoredSession(creator, hooks, stop_grace_period_secs=STOP_GRACE_SECONDS)


class _SessionCreator(v1.train.SessionCreator):
    """Makes the raw session, at the start and again after a ps was lost and came back."""

    def __init__(self, task, scaffold, checkpoint_dir):
        self._task, self._scaffold, self._checkpoint_dir = task, scaffold, checkpoint_dir

    def create_session(self):
        _wait_for_ps(self._task)
        scaffold = self._scaffold
        scaffold.finalize()
        manager = v1.train.SessionManager(
            local_init_op=scaffold.local_init_op,
            local_init_feed_dict=scaffold.local_init_feed_dict,
            ready_op=scaffold.ready_op,
            ready_for_local_init_op=scaffold.ready_for_local_init_op,
            graph=v1.get_default_graph(),
            recovery_wait_secs=POLL_SECONDS,
        )
        session = self._lead(manager) if self._task.is_chief else self._follow(manager)
        if not self._task.alone:
            session.close = functools.partial(_close, session)
        contract.report(contract.RUNNING)
        return session

    def _lead(self, manager):
        return self._attached() or manager.prepare_session(
            self._task.target,
            init_op=self._scaffold.init_op,
            saver=self._scaffold.saver,
            checkpoint_dir=self._checkpoint_dir,
            config=self._task.config(),
            init_feed_dict=self._scaffold.init_feed_dict,
            init_fn=self._scaffold.init_fn,
        )

    def _attached(self):
        """Returns a session on the model the ps processes hold, or None when they hold none.

        A chief that was started again must not restore: it would roll the others back to the checkpoint.
        """
        if self._task.alone:
            return None
        session = v1.Session(self._task.target, config=self._task.config())
        if session.run(self._scaffold.ready_for_local_init_op).size:
            session.close()
            return None
        session.run(self._scaffold.local_init_op, feed_dict=self._scaffold.local_init_feed_dict)
        v1.logging.info("The ps processes hold a live model: going on with it.")
        return session

    def _follow(self, manager):
        task = self._task
        try:
            return manager.wait_for_session(task.target, task.config(), max_wait_secs=task.start_timeout)
        except v1.errors.DeadlineExceededError:
            what = f"worker 0 at {task.hosts['worker'][0]}: has not initialized the variables"
            raise StartTimeout(f"{what} after {task.start_timeout:g} s; start it") from None


def run(program, **timeouts):
    """Runs `program(task)` as this process's task, and ends the process. Never returns.

    A ps serves; `program` is not called. Exit codes: 0; 1 with a traceback when `program` raises; 2 when
    TF_CONFIG cannot be used; 3 when another task was not there in time; 130 after Ctrl-C, 143 after SIGTERM;
    what `program` gave to sys.exit.
    """
    try:
        task = Task.from_environment(**timeouts)
        if task.is_ps:
            task.serve()
        program(task)
        code = 0
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except InputError as error:
        code = _complain(error, 2)
    except StartTimeout as error:
        code = _complain(error, START_TIMEOUT)
    except BaseException:
        traceback.print_exc()
        code = 1
    leave(code)


def _complain(error, code):
    print(f"tf1ref: error: {error}", file=sys.stderr)
    return code


@functools.cache  # a port can be bound once: a second Task of this process uses the same server
def _server(hosts, job, index, config):
    hosts = json.loads(hosts)
    port = int(hosts[job][index].rpartition(":")[2])
    if problem := in_use(port):
        raise InputError(f"{job} {index} cannot listen on port {port}: {problem}; end what has it first")
    return v1.train.Server(hosts, job, index, config=v1.ConfigProto.FromString(config))


def _alone(cls, timeouts):
    ports = Ports()
    try:
        hosts = {"ps": [f"localhost:{ports.pick()}"], "worker": [f"localhost:{ports.pick()}"]}
        # TensorFlow never stops a server: the ps's lives on in its threads, with the worker's.
        cls(hosts, "ps", 0, **timeouts, alone=True)
        return cls(hosts, "worker", 0, **timeouts, alone=True)
    finally:
        ports.close()


def _wait_for_ps(task):
    """Returns when every ps accepts connections. TensorFlow itself would wait for ever, and silently."""
    limit = time.monotonic() + task.start_timeout
    for index, address in enumerate(task.hosts["ps"]):
        host, _, port = address.rpartition(":")
        if problem := wait_until_listening(host, int(port), limit - time.monotonic()):
            raise StartTimeout(f"ps {index} at {address}: {problem} after {task.start_timeout:g} s; start it")


def _close(session):
    # A session is closed once more when it is collected. While the interpreter ends, no new thread runs:
    # waiting for one would be the very hang that this function is there to prevent.
    if sys.is_finalizing():
        return
    closing = threading.Thread(target=type(session).close, args=(session,), daemon=True)
    closing.start()
    closing.join(CLOSE_SECONDS)
