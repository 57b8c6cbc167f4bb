"""tf.contrib.slim.queues: queue runners that stop at the end of a block."""

import contextlib

import tensorflow.compat.v1 as v1

__all__ = ["QueueRunners"]


@contextlib.contextmanager
def QueueRunners(session):
    """Starts the graph's queue runners and yields their threads. At the end it stops them and waits for them.

    Raises ValueError for a session that is None.
    """
    if session is None:
        raise ValueError("Session should not be None")
    coordinator = v1.train.Coordinator()
    threads = v1.train.start_queue_runners(session, coordinator)
    try:
        yield threads
    finally:
        coordinator.request_stop()
        coordinator.join(threads, stop_grace_period_secs=120)
