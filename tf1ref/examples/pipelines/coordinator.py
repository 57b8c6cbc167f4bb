"""Threads that stop together: Coordinator

Source: S3 3478-3510, S2 164-177
TF1: a Coordinator is passed to every thread. should_stop tells them to end, request_stop may be called by any of
    them, join waits and raises the first error a thread reported. Threads may share a session, which is thread-safe.
Now: tf.train.Coordinator is still there; variables and tf.functions are thread-safe. tf.data has threads of its own.
Errata: S3 sleeps a second a round whatever happens; wait_for_stop ends the pause when the stop comes. S3's workers draw
    from numpy's one random state, so that another thread stops every time. Here each draws from its own state, and all
    wait for the end of the round: the same worker stops in the same round. S2 says that join reports the error of a
    thread. It does so only for threads that hand it over, as those under stop_on_exception do.
See: https://www.tensorflow.org/api_docs/python/tf/compat/v1/train/Coordinator
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import threading

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

SEED = 4
WORKERS = 5
STOP_ONE_IN = 10  # S3: np.random.rand() < 0.1
PAUSE = 10  # in ms; the source sleeps for a second
# In ms: join waits this long for a thread that does not listen.
GRACE = 300

EXPECTED = {
    "final/alive": exactly([False] * 5),
    "final/should_stop": exactly(True),
    "forward/first_error": exactly("ValueError: worker 2"),
    "forward/deaf_thread_is_error": exactly("RuntimeError"),
}


def my_loop(coord, worker_id, meet, work, log):
    """Runs one worker, the source's MyLoop.

    meet: a Barrier. work: a function that does one round. log: gets who stopped, and when.
    """
    random = np.random.RandomState(SEED + worker_id)
    rounds, stop = 0, False
    while not stop:
        if random.randint(STOP_ONE_IN) == 0:
            log.append((rounds, worker_id))
            coord.request_stop()
        else:
            work(worker_id)
            coord.wait_for_stop(PAUSE / 1000)
        rounds += 1
        meet.wait()
        stop = coord.should_stop()
        # Nobody requests a stop of the next round before all have looked.
        meet.wait()


def stopping(coord, work):
    """Runs the workers until one of them stops all. Returns which one in which round, and which threads still live."""
    meet, log = threading.Barrier(WORKERS, timeout=30), []
    arguments = [(coord, i, meet, work, log) for i in range(WORKERS)]
    threads = [threading.Thread(target=my_loop, args=each) for each in arguments]
    for thread in threads:
        thread.start()
    coord.join(threads)
    return sorted(log), [thread.is_alive() for thread in threads]


def failing(coord):
    """Lets worker 2 fail while the others wait. Returns the error that join raises."""

    def fail(worker_id):
        with coord.stop_on_exception():
            if worker_id == 2:
                raise ValueError(f"worker {worker_id}")
            coord.wait_for_stop(30)

    threads = [threading.Thread(target=fail, args=(i,)) for i in range(WORKERS)]
    for thread in threads:
        thread.start()
    try:
        coord.join(threads)
    except ValueError as e:
        return f"{type(e).__name__}: {e}"


def deaf(coord):
    """Runs a thread that never asks should_stop. Returns the name of the error that join raises for it."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait, args=(30,))
    thread.start()
    coord.request_stop()
    try:
        coord.join([thread], stop_grace_period_secs=GRACE / 1000)
    except RuntimeError as e:
        return type(e).__name__
    finally:
        end.set()
        thread.join()


def build_graph():
    """Adds a counter for each worker, and the ops that count one round, to the default graph."""
    rounds = [v1.get_variable(f"rounds_{i}", [], v1.int32, v1.zeros_initializer()) for i in range(WORKERS)]
    return {"rounds": rounds, "count": [v1.assign_add(each, 1) for each in rounds]}


def run_graph():
    """Five threads run ops in one session. A join waits 120 s unless another time is given."""
    trace = {}
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        trace["initial/rounds"] = sess.run(graph["rounds"])
        coord = v1.train.Coordinator()
        trace["forward/stopped"], trace["final/alive"] = stopping(coord, lambda i: sess.run(graph["count"][i]))
        trace["final/should_stop"] = coord.should_stop()
        trace["final/rounds"] = sess.run(graph["rounds"])
        trace["forward/first_error"] = failing(v1.train.Coordinator())
        trace["forward/deaf_thread_is_error"] = deaf(v1.train.Coordinator())
    return {key: np.array(value) for key, value in trace.items()}


class Counters(tf.Module):
    """A counter for each worker."""

    def __init__(self):
        super().__init__()
        self.rounds = [tf.Variable(0, name=f"rounds_{i}") for i in range(WORKERS)]

    @tf.function
    def count(self, worker_id):
        """Counts one round of a worker. It is traced once for each worker, whichever thread calls."""
        self.rounds[worker_id].assign_add(1)


def run_function():
    """Five threads call one tf.function."""
    trace, counters = {}, Counters()
    trace["initial/rounds"] = [v.numpy() for v in counters.rounds]
    coord = tf.train.Coordinator()
    trace["forward/stopped"], trace["final/alive"] = stopping(coord, counters.count)
    trace["final/should_stop"] = coord.should_stop()
    trace["final/rounds"] = [v.numpy() for v in counters.rounds]
    trace["forward/first_error"] = failing(tf.train.Coordinator())
    trace["forward/deaf_thread_is_error"] = deaf(tf.train.Coordinator())
    return {key: np.array(value) for key, value in trace.items()}
