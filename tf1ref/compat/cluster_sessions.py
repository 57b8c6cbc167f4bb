"""The sessions of a task of a cluster: device filters, a close that ends in time, and steps for the launcher.

clusters.py sets this up when the program has a server; `here` says which.
"""

import contextlib
import functools
import re
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tf1ref.cluster import contract, ending

# In seconds: how long a closing session and its threads are waited for, and how often the global step is read. The
# values are those of tf1ref.distributed.
STOP_SECONDS, STEP_SECONDS = 2.0, 0.5
DEVICE = re.compile(r"/job:(?P<job>\w+)(?:/replica:\d+)?(?:/task:(?P<task>\d+))?")


class Place(NamedTuple):
    """This process in its cluster, from the moment it has a server. target: the server's address, which sessions
    take.
    """

    job: str
    index: int
    target: str
    is_chief: bool


here: Place | None = None
# `now` is true in a thread while TensorFlow itself looks for a model in a session.
managed = threading.local()


def watch() -> None:
    """Changes TensorFlow's sessions in this process from now on."""
    _watch_sessions()
    _watch_monitored_sessions()
    _watch_supervisors()


def is_here(target: Any) -> bool:
    """Returns whether `target`, the target of a session, is this process's server."""
    target = target.decode() if isinstance(target, bytes) else target
    return here is not None and target == here.target


def _watch_sessions() -> None:
    """Adds device filters, a close that ends in time, and calls that the launcher sees to sessions on this cluster."""
    from tensorflow.python.client import session

    base = session.BaseSession
    plain_init, plain_run, plain_close = base.__init__, base.run, base.close

    @functools.wraps(plain_init)
    def init(self: Any, target: Any = "", graph: Any = None, config: Any = None) -> None:
        if is_here(target):
            self._tf1ref_managed = getattr(managed, "now", False)
            config = _filtered(config, graph)
        plain_init(self, target, graph, config)

    @functools.wraps(plain_run)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        # The managers of sessions in TensorFlow are watched themselves, and they know the global step.
        if getattr(self, "_tf1ref_managed", False):
            return plain_run(self, *args, **kwargs)
        if not hasattr(self, "_tf1ref_managed"):
            # This session belongs to the process alone.
            contract.note(contract.RUNNING)
            return plain_run(self, *args, **kwargs)
        return _counted(self, plain_run, *args, **kwargs)

    @functools.wraps(plain_close)
    def close(self: Any) -> None:
        if not hasattr(self, "_tf1ref_managed"):
            return plain_close(self)
        from tf1ref.distributed.session import close_in_time

        if not self._tf1ref_managed:
            contract.report(contract.ENDING, None, getattr(self, "_tf1ref_made", 0))
        close_in_time(functools.partial(plain_close, self))

    base.__init__, base.run, base.close = init, run, close


def _counted(session: Any, run: Callable, *args: Any, **kwargs: Any) -> Any:
    """Runs a session's call that the program made itself.

    The number of such calls is all that is known of the steps.
    """
    made = getattr(session, "_tf1ref_made", 0)
    contract.note(contract.CALLING, None, made)
    found = run(session, *args, **kwargs)
    session._tf1ref_made = made + 1
    contract.note(contract.RUNNING, None, made + 1)
    return found


def _filtered(config: Any, graph: Any) -> Any:
    """Returns `config` with device filters for the ps and this task, so that no other task is waited for.

    A config that has filters is returned unchanged. So is one for a graph that is empty or places ops on another
    worker (in-graph replication).
    """
    import tensorflow.compat.v1 as v1

    assert here is not None
    if config is not None and config.device_filters:
        return config
    own = here.job, str(here.index)
    devices = {op.device for op in (graph or v1.get_default_graph()).get_operations()}
    found = {match.groups() for device in devices if (match := DEVICE.match(device))}
    elsewhere = any(job != "ps" and (job, task) != own for job, task in found)
    if not found or elsewhere:
        return config
    changed = v1.ConfigProto()
    if config is not None:
        changed.CopyFrom(config)
    changed.device_filters.extend(["/job:ps", f"/job:{here.job}/task:{here.index}"])
    return changed


def _watch_monitored_sessions() -> None:
    from tensorflow.python.training import basic_session_run_hooks, monitored_session

    from tf1ref.distributed.session import LastCheckpoint, Progress, leaves_open

    monitored = monitored_session._MonitoredSession
    plain_init, plain_exit = monitored.__init__, monitored.__exit__

    class Together(Progress):
        """Tells the launcher the steps. The first step waits until all workers are ready for theirs."""

        def after_create_session(self, session: Any, coord: Any) -> None:
            super().after_create_session(session, coord)
            contract.wait_for_the_others()

    @functools.wraps(plain_init)
    def init(self: Any, creator: Any, hooks: Any, should_recover: bool, stop_grace_period_secs: float = 120) -> None:
        hooks = list(hooks or ())
        if is_here(getattr(creator, "_master", None)) and not any(isinstance(hook, Progress) for hook in hooks):
            savers = [hook for hook in hooks if isinstance(hook, basic_session_run_hooks.CheckpointSaverHook)]
            hooks += [*map(LastCheckpoint, savers[:1]), Together()]
        plain_init(self, creator, hooks, should_recover, min(stop_grace_period_secs, STOP_SECONDS))

    @functools.wraps(plain_exit)
    def exit(self: Any, exception_type: Any, exception_value: Any, traceback: Any) -> Any:
        if leaves_open(exception_type):
            return False
        return plain_exit(self, exception_type, exception_value, traceback)

    monitored.__init__, monitored.__exit__ = init, exit


def _watch_supervisors() -> None:
    from tensorflow.python.training import supervisor

    plain, plain_stop = supervisor.Supervisor.prepare_or_wait_for_session, supervisor.Supervisor.stop

    @functools.wraps(plain)
    def prepare(self: Any, *args: Any, **kwargs: Any) -> Any:
        session = plain(self, *args, **kwargs)
        steps = _Steps(session, self.global_step)
        session.run, self._tf1ref_steps = steps.run, steps
        if self.is_chief and self.saver is not None and self.save_path:
            saving = functools.partial(self.saver.save, session, self.save_path, global_step=self.global_step)
            ending.before_end(saving)
        contract.report(contract.RUNNING, steps.seen, 0)
        contract.wait_for_the_others()
        return session

    @functools.wraps(plain_stop)
    def stop(self: Any, *args: Any, **kwargs: Any) -> None:
        import tensorflow.compat.v1 as v1

        ending.before_end(None)
        if not hasattr(self, "_tf1ref_steps"):
            return plain_stop(self, *args, **kwargs)
        contract.report(contract.ENDING, self._tf1ref_steps.seen, self._tf1ref_steps.made)
        try:
            plain_stop(self, *args, **kwargs)
        except v1.errors.CancelledError:
            # A program that closes its session first (`with sv.prepare_or_wait_for_session(...)`) cancels the calls of
            # queue runners. Whether one is inside a call at that moment is chance, and the training is done.
            if not self._tf1ref_steps.session._closed:
                raise

    supervisor.Supervisor.prepare_or_wait_for_session, supervisor.Supervisor.stop = prepare, stop


class _Steps:
    """The `run` of a Supervisor's session. It tells the launcher the global step from time to time."""

    def __init__(self, session: Any, step: Any):
        self.session, self._plain, self._step, self._next = session, session.run, step, 0.0
        self.made = 0
        self.seen = self._look()

    def run(self, *args: Any, **kwargs: Any) -> Any:
        import tensorflow.compat.v1 as v1

        # Threads of the Supervisor save and summarize with the same session. These calls are not steps.
        if isinstance(threading.current_thread(), v1.train.LooperThread):
            return self._plain(*args, **kwargs)
        contract.note(contract.CALLING, self.seen, self.made)
        found = self._plain(*args, **kwargs)
        self.made += 1
        if time.monotonic() >= self._next:
            self.seen = self._look()
        contract.note(contract.RUNNING, self.seen, self.made)
        return found

    def _look(self) -> int | None:
        import tensorflow.compat.v1 as v1

        self._next = time.monotonic() + STEP_SECONDS
        if self._step is None:
            return None
        # A graph may have a global step that it never initializes. Then only the calls are known.
        with contextlib.suppress(v1.errors.FailedPreconditionError):
            return int(self._plain(self._step))
        return None
