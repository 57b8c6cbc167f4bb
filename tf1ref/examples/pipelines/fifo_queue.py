"""A queue that feeds itself: first in, first out

Source: S3 3448-3477
TF1: a queue is a node with state; enqueue and dequeue are ops, and one run can do both.
Now: tf.queue.FIFOQueue is an object; inside tf.function its ops keep the order of the lines.
Errata: S3 prints "1" for the third value, which is the op x + 1 of the dequeued 0. Both numbers are right.
    To dequeue from the source's queue before its init would wait for ever. Here a time-out shows it.
See: https://www.tensorflow.org/api_docs/python/tf/queue/FIFOQueue
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

STEPS = 5
CAPACITY = 2
START = (0, 10)
INCREMENT = 1

EXPECTED = {
    "steps/dequeued": exactly([0, 10, 1, 11, 2]),
    "forward/closed_queue_is_error": exactly("OutOfRangeError"),
}


def build_graph():
    """Adds the queue, its first two values and the self-feeding step to the default graph."""
    q = v1.FIFOQueue(CAPACITY, v1.int32, name="fifo_queue")
    x = q.dequeue(name="dequeue")
    return {
        "init": q.enqueue_many((list(START),)),
        "x": x,
        "q_inc": q.enqueue([x + INCREMENT]),
        "size": q.size(),
        "close": q.close(cancel_pending_enqueues=True),
    }


def run_graph(steps=STEPS):
    """The queue lives in the session's resources. x and q_inc in one run dequeue once, not twice."""
    # A queue that nobody fills blocks a run for ever. The time-out (in ms) raises DeadlineExceededError instead.
    config = v1.ConfigProto(operation_timeout_in_ms=10000)
    trace = {"steps/dequeued": [], "steps/size": []}
    with v1.Graph().as_default(), v1.Session(config=config) as sess:
        graph = build_graph()
        sess.run(graph["init"])
        for _ in range(steps):
            value, _ = sess.run([graph["x"], graph["q_inc"]])
            trace["steps/dequeued"].append(value)
            trace["steps/size"].append(sess.run(graph["size"]))
        # dequeue_many needs a queue with declared shapes, and the source's has none.
        trace["final/left"] = [sess.run(graph["x"]) for _ in range(CAPACITY)]
        sess.run(graph["close"])
        try:
            sess.run(graph["x"])
        except v1.errors.OutOfRangeError as e:
            trace["forward/closed_queue_is_error"] = type(e).__name__
    return {key: np.array(value) for key, value in trace.items()}


class SelfFeeding(tf.Module):
    """A FIFO queue and the step that takes one value out and puts its successor in."""

    def __init__(self):
        super().__init__()
        self.q = tf.queue.FIFOQueue(CAPACITY, [tf.int32])
        self.q.enqueue_many([tf.constant(START)])

    @tf.function
    def step(self):
        """Returns the value taken out, an int32 scalar."""
        x = self.q.dequeue()
        self.q.enqueue(x + INCREMENT)
        return x


def run_function(steps=STEPS):
    """The queue lives as long as the object that holds it."""
    trace = {"steps/dequeued": [], "steps/size": []}
    queue = SelfFeeding()
    for _ in range(steps):
        trace["steps/dequeued"].append(queue.step().numpy())
        trace["steps/size"].append(queue.q.size().numpy())
    trace["final/left"] = [queue.q.dequeue().numpy() for _ in range(CAPACITY)]
    queue.q.close(cancel_pending_enqueues=True)
    try:
        queue.q.dequeue()
    except tf.errors.OutOfRangeError as e:
        trace["forward/closed_queue_is_error"] = type(e).__name__
    return {key: np.array(value) for key, value in trace.items()}
