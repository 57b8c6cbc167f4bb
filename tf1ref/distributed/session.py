"""The session of a cluster task: how it comes to its variables, what it tells the launcher, how it is closed."""

import functools
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow.compat.v1 as v1

from tf1ref.cluster import contract
from tf1ref.cluster.ending import before_end, wait_for_wish
from tf1ref.cluster.ports import wait_until_listening

if TYPE_CHECKING:
    from tf1ref.distributed.task import Task

# In MonitoredTrainingSession a worker that looks before the chief is done sleeps 30 s. It does not show the setting.
POLL_SECONDS = 0.2
# Closing a session can hang for ever when another task is dead. After this time it is not waited for.
CLOSE_SECONDS = 2.0
# The global step is fetched along with a call of the program, at most once in this time: steps may take 1 ms.
STEP_SECONDS = 0.5
# TensorFlow's hooks fetch the global step in every call, which costs 20 % of the steps of a small MLP.
LOOK_SECONDS = 0.1
# The collection in which TensorFlow keeps the tensor that its hooks fetch (training_util.GLOBAL_STEP_READ_KEY).
GLOBAL_STEP_READ = "global_step_read_op_cache"


class StartTimeout(Exception):
    """Another task was not there in time. The message names it and its address; the exit code is 3."""


class BySize:
    """A ps_strategy: every variable goes to the ps with the fewest bytes so far (contrib's greedy strategy)."""

    def __init__(self, count: int):
        self._bytes = [0] * count

    def __call__(self, op: Any) -> int:
        index = self._bytes.index(min(self._bytes))
        attributes = op.node_def.attr
        shape = v1.TensorShape(attributes["shape"].shape)
        # A table or a queue has no shape: it counts as one byte, so that those spread too.
        known = shape.num_elements() if "shape" in attributes and shape.is_fully_defined() else None
        self._bytes[index] += known * v1.as_dtype(attributes["dtype"].type).size if known else 1
        return index


class Session(v1.train.MonitoredSession):
    """A MonitoredSession that is not closed when the program raises, just as a killed program would leave it.

    Closing stops its queue runners, and these close their queues in the ps. In a job in step that includes the
    sync_token_q. The other workers would then end as if the training were over, and a chief that is started again
    could not go on.
    """

    def __exit__(self, exception_type, exception_value, traceback):
        if leaves_open(exception_type):
            return False
        return super().__exit__(exception_type, exception_value, traceback)


def leaves_open(exception_type: type[BaseException] | None) -> bool:
    """True where a monitored session that is left by this exception is not to be closed (see Session)."""
    return exception_type not in (None, v1.errors.OutOfRangeError, StopIteration)


class Seldom(v1.train.SessionRunHook):
    """Shows a hook that watches the global step one call in LOOK_SECONDS. The hook acts at most that much too late."""

    def __init__(self, hook: v1.train.SessionRunHook):
        self._hook, self._next, self._looks = hook, 0.0, False
        self.begin, self.after_create_session, self.end = hook.begin, hook.after_create_session, hook.end

    def before_run(self, run_context: v1.train.SessionRunContext) -> v1.train.SessionRunArgs | None:
        """See SessionRunHook."""
        self._looks = time.monotonic() >= self._next
        if not self._looks:
            return None
        self._next = time.monotonic() + LOOK_SECONDS
        return self._hook.before_run(run_context)

    def after_run(self, run_context: v1.train.SessionRunContext, run_values: v1.train.SessionRunValues) -> None:
        """See SessionRunHook."""
        if self._looks:
            self._hook.after_run(run_context, run_values)


class Progress(v1.train.SessionRunHook):
    """Tells the launcher the global step and how many were made here, and whether the task is inside a session call."""

    def begin(self) -> None:
        """See SessionRunHook."""
        # This is the tensor that TensorFlow's hooks fetch. Another tensor would be another set of fetches, for which
        # the processes first make executors. That costs as much as 20 steps.
        reads = v1.get_collection(GLOBAL_STEP_READ)
        self._step = reads[0] if reads else v1.train.get_global_step()
        self._seen, self._made, self._next = None, 0, 0.0

    def after_create_session(self, session: v1.Session, coord: v1.train.Coordinator) -> None:
        """See SessionRunHook."""
        self._seen = None if self._step is None else session.run(self._step)
        contract.report(contract.RUNNING, self._seen, self._made)

    def before_run(self, run_context: v1.train.SessionRunContext) -> v1.train.SessionRunArgs | None:
        """See SessionRunHook."""
        contract.note(contract.CALLING, self._seen, self._made)
        if self._step is None or time.monotonic() < self._next:
            return None
        self._next = time.monotonic() + STEP_SECONDS
        return v1.train.SessionRunArgs(self._step)

    def after_run(self, run_context: v1.train.SessionRunContext, run_values: v1.train.SessionRunValues) -> None:
        """See SessionRunHook."""
        self._made += 1
        self._seen = self._seen if run_values.results is None else run_values.results
        contract.note(contract.RUNNING, self._seen, self._made)

    def end(self, session: v1.Session) -> None:
        """See SessionRunHook."""
        contract.report(contract.ENDING, self._seen, self._made)


class LastCheckpoint(v1.train.SessionRunHook):
    """Saves once more when the process is asked to end, by SIGTERM (preemption) or Ctrl-C."""

    def __init__(self, saver: v1.train.CheckpointSaverHook):
        self._saver = saver

    def after_create_session(self, session: v1.Session, coord: v1.train.Coordinator) -> None:
        """See SessionRunHook."""
        before_end(functools.partial(self._save, session))

    def _save(self, session: v1.Session) -> None:
        # This runs in a thread of its own, and a new thread executes eagerly unless it is in a graph.
        with session.graph.as_default():
            self._saver.end(session)

    def end(self, session: v1.Session) -> None:
        """See SessionRunHook."""
        before_end(None)


class SessionCreator(v1.train.SessionCreator):
    """Makes the raw session, at the start and again after a ps was lost and came back."""

    def __init__(self, task: "Task", scaffold: v1.train.Scaffold, checkpoint_dir: str | None):
        self._task, self._scaffold, self._checkpoint_dir = task, scaffold, checkpoint_dir

    def create_session(self) -> v1.Session:
        """Returns a session on initialized variables."""
        contract.report(contract.STARTING)
        _wait_for(self._task, "ps")
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
        session.run = functools.partial(_run, session)
        if not self._task.alone:
            session.close = functools.partial(_close, session)
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
        """Returns a session on the model that the ps processes hold, or None when they hold no variables.

        A chief that was started again must not restore, because that would roll the others back to the checkpoint.
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
            chief = next(job for job in (*contract.CHIEFS, "worker") if task.hosts.get(job))
            what = f"{chief} 0 at {task.hosts[chief][0]}: has not initialized the variables"
            raise StartTimeout(f"{what} after {task.start_timeout:g} s; start it") from None


def open_everywhere(task: "Task") -> v1.Session:
    """Returns a v1.Session whose ops may be on any task of the cluster, once all of them are there."""
    for job in task.hosts:
        _wait_for(task, job)
    session = v1.Session(task.target, config=v1.ConfigProto(allow_soft_placement=True))
    contract.report(contract.RUNNING)
    if not task.alone:
        session.close = functools.partial(_close, session)
    return session


def _wait_for(task: "Task", job: str) -> None:
    """Returns when every task of `job` accepts connections. TensorFlow itself would wait for ever, and silently."""
    limit = time.monotonic() + task.start_timeout
    for index, address in enumerate(task.hosts[job]):
        host, _, port = address.rpartition(":")
        if problem := wait_until_listening(host, int(port), limit - time.monotonic()):
            raise StartTimeout(f"{job} {index} at {address}: {problem} after {task.start_timeout:g} s; start it")


def _run(session, fetches, feed_dict=None, options=None, run_metadata=None):
    # MonitoredSession gives every call its RunOptions, which are nearly always empty. Without them TensorFlow saves
    # 2 to 4 % of the steps of a small MLP.
    options = options if options is not None and options.ListFields() else None
    return type(session).run(session, fetches, feed_dict, options, run_metadata)


def _close(session: v1.Session) -> None:
    close_in_time(functools.partial(type(session).close, session))


def close_in_time(close: Callable[[], None]) -> None:
    """Calls `close` of a session after a last checkpoint is saved, and waits CLOSE_SECONDS at most."""
    # A session is closed once more when it is collected. While the interpreter ends, new threads do not run, and
    # waiting for one would be the hang that this function is there to prevent.
    if sys.is_finalizing():
        return
    # When SIGTERM ends a `with session:`, closing it would cancel the save of the last checkpoint.
    wait_for_wish()
    _expect_cancelled_runners()
    closing = threading.Thread(target=close, daemon=True)
    closing.start()
    closing.join(CLOSE_SECONDS)


@functools.cache  # once a process
def _expect_cancelled_runners():
    """Keeps a queue runner from printing a traceback when its session is closed while it works on a ps."""
    before = threading.excepthook

    def show(arguments):
        runner = arguments.thread is not None and arguments.thread.name.startswith("QueueRunnerThread")
        if not (runner and issubclass(arguments.exc_type, v1.errors.CancelledError)):
            before(arguments)

    threading.excepthook = show
