"""What `exec` does for a program that is one task of a ps/worker cluster, whatever APIs it uses.

TensorFlow 1's own behaviour leaves a job idle or blocked. A worker that looks for the model too early sleeps for 30
s.
A session waits for every worker of the cluster, and `server.join()` never returns. A chief that is started again
takes the others back to the checkpoint. The end of a session waits 120 s for its threads.
tf1ref.distributed avoids all of this, and here the classic APIs avoid it, too.
"""

import atexit
import contextlib
import functools
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from tf1ref.cluster import contract, ending
from tf1ref.compat import cluster_sessions as sessions

# Seconds between two looks of a worker that waits for the chief, as in tf1ref.distributed.
POLL_SECONDS = 0.2

_say: Callable[[str], None] = print


def install(say: Callable[[str], None]) -> None:
    """Makes the next tf.train.Server of a cluster in this process one that the launcher can watch.

    A program without such a server is not changed. say: a function that takes notes of one line.
    """
    global _say
    from tensorflow.python.training import server_lib

    _say = say
    plain_init, plain_join = server_lib.Server.__init__, server_lib.Server.join

    @functools.wraps(plain_init)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        plain_init(self, *args, **kwargs)
        _settle(self)

    @functools.wraps(plain_join)
    def join(self: Any) -> None:
        if sessions.here is None or threading.current_thread() is not threading.main_thread():
            return plain_join(self)
        contract.report(contract.SERVING)
        ending.leave(0 if ending.wait_for_end() == signal.SIGTERM else 128 + signal.SIGINT)

    server_lib.Server.__init__, server_lib.Server.join = init, join


def leave(code: object) -> None:
    """Ends the process with `code` as sys.exit does. A task of a cluster ends at once, without closing its sessions."""
    if sessions.here is not None:
        # What the program registered for its end may itself wait for another task.
        tidying = threading.Thread(target=atexit._run_exitfuncs, daemon=True)
        tidying.start()
        tidying.join(sessions.STOP_SECONDS)
    ending.leave(code)


def _settle(server: Any) -> None:
    """Notes the place of a new server. The first server in a cluster of several tasks sets up everything else."""
    definition = server.server_def
    hosts = {job.name: [address for _, address in sorted(job.tasks.items())] for job in definition.cluster.job}
    if sum(map(len, hosts.values())) < 2 or definition.job_name not in contract.KNOWN_JOBS:
        return
    first = sessions.here is None
    is_chief = contract.is_chief(hosts, definition.job_name, definition.task_index)
    sessions.here = sessions.Place(definition.job_name, definition.task_index, server.target, is_chief)
    if first:
        contract.report(contract.STARTING)
        ending.end_in_time()
        _look_often()
        _attach_to_live_models()
        sessions.watch()


def _look_often() -> None:
    from tensorflow.python.training import coordinator, session_manager

    plain = session_manager.SessionManager.__init__

    @functools.wraps(plain)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        plain(self, *args, **kwargs)
        self._recovery_wait_secs = min(self._recovery_wait_secs, POLL_SECONDS)

    session_manager.SessionManager.__init__ = init
    plain_join = coordinator.Coordinator.join

    @functools.wraps(plain_join)
    def join(self: Any, threads: Any = None, stop_grace_period_secs: float = 120, **kwargs: Any) -> None:
        plain_join(self, threads, min(stop_grace_period_secs, sessions.STOP_SECONDS), **kwargs)

    coordinator.Coordinator.join = join


def _attach_to_live_models() -> None:
    """Keeps a chief that was started again from restoring, since that would take the others back to the checkpoint."""
    from tensorflow.python.training import session_manager

    manager = session_manager.SessionManager
    plain_prepare, plain_wait = manager.prepare_session, manager.wait_for_session

    @functools.wraps(plain_prepare)
    def prepare(self: Any, master: Any, *args: Any, **kwargs: Any) -> Any:
        with _managing(master):
            config = kwargs.get("config", args[6] if len(args) > 6 else None)
            live = _live(self, master, config) if sessions.is_here(master) else None
            return live or plain_prepare(self, master, *args, **kwargs)

    @functools.wraps(plain_wait)
    def wait(self: Any, master: Any, *args: Any, **kwargs: Any) -> Any:
        with _managing(master):
            return plain_wait(self, master, *args, **kwargs)

    manager.prepare_session, manager.wait_for_session = prepare, wait


@contextlib.contextmanager
def _managing(master: Any) -> Iterator[None]:
    """Marks sessions that TensorFlow itself makes to look for a model, so that they do not count as the program's."""
    if sessions.is_here(master):
        contract.report(contract.STARTING)
    sessions.managed.now = True
    try:
        yield
    finally:
        sessions.managed.now = False


def _live(manager: Any, master: Any, config: Any) -> Any:
    """Returns a session on the model that the ps processes hold, or None when they hold none."""
    import tensorflow.compat.v1 as v1

    with manager._graph.as_default():
        held = [v for v in v1.global_variables() if "/job:ps" in v.device]
    if not held or manager._ready_op is None:
        return None
    session = v1.Session(master, graph=manager._graph, config=config)
    # Where no local_init_op waits for the model, `ready_op` says whether it is there.
    there, _ = manager._model_ready_for_local_init(session)
    if there:
        manager._try_run_local_init_op(session)
        there, _ = manager._model_ready(session)
    if there:
        _say("the ps processes hold a live model: the chief goes on with it")
        return session
    session.close()
    return None
