"""A queue that shuffles: RandomShuffleQueue

Source: S2 160-163, S3 3448-3454
TF1: dequeue takes an element at random. min_after_dequeue elements stay in the queue until it is closed, so that
    there is something to choose from: a dequeue that would leave fewer waits.
Now: tf.queue.RandomShuffleQueue is the same kernel, and equal seeds take the elements out in the same order.
    Dataset.shuffle hands out one of a buffer of its own and puts the next element in its place, with other random
    numbers: the same elements in another order. They are compared sorted.
Errata: none; both sources name the class without a program. The mixing is as good as the queue is full.
See: https://www.tensorflow.org/api_docs/python/tf/queue/RandomShuffleQueue
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

SEED = 1
COUNT = 20
MIN_AFTER_DEQUEUE = 5

EXPECTED = {
    "steps/size": exactly([19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5]),
    "final/sorted": exactly(list(range(20))),
    "forward/order_differs": exactly(True),
    "forward/empty_and_closed_is_error": exactly("OutOfRangeError"),
}


def build_graph():
    """Adds the queue and the ops that fill, empty and close it to the default graph."""
    q = v1.RandomShuffleQueue(COUNT, MIN_AFTER_DEQUEUE, v1.int32, shapes=[[]], seed=SEED, name="shuffle_queue")
    return {
        "init": q.enqueue_many([v1.range(COUNT)]),
        "x": q.dequeue(),
        "rest": q.dequeue_many(MIN_AFTER_DEQUEUE),  # () -> (MIN_AFTER_DEQUEUE,)
        "size": q.size(),
        "close": q.close(),
    }


def run_graph():
    """Empties the queue down to its minimum. The rest comes out once the queue is closed."""
    # The time-out (in ms) is for a program with a mistake: a dequeue below the minimum would wait for ever.
    config = v1.ConfigProto(operation_timeout_in_ms=10000)
    trace = {"steps/dequeued": [], "steps/size": []}
    with v1.Graph().as_default(), v1.Session(config=config) as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        sess.run(graph["init"])
        for _ in range(COUNT - MIN_AFTER_DEQUEUE):
            trace["steps/dequeued"].append(sess.run(graph["x"]))
            trace["steps/size"].append(sess.run(graph["size"]))
        sess.run(graph["close"])
        trace["final/rest"] = sess.run(graph["rest"])
        try:
            sess.run(graph["x"])
        except v1.errors.OutOfRangeError as e:
            trace["forward/empty_and_closed_is_error"] = type(e).__name__
    every = np.concatenate([trace["steps/dequeued"], trace["final/rest"]])
    trace["forward/order_differs"] = not np.array_equal(every, np.arange(COUNT))
    trace["final/sorted"] = np.sort(every)
    return {key: np.array(value) for key, value in trace.items()}


class Shuffling(tf.Module):
    """The queue as an object, filled when it is made."""

    def __init__(self):
        super().__init__()
        self.q = tf.queue.RandomShuffleQueue(COUNT, MIN_AFTER_DEQUEUE, [tf.int32], shapes=[[]], seed=SEED)
        self.q.enqueue_many([tf.range(COUNT)])

    @tf.function
    def dequeue(self):
        """Takes one element out and returns it, an int32 scalar."""
        return self.q.dequeue()


def run_function():
    """The order comes from the queue itself. The shuffled data set has the same elements in another order."""
    tf.random.set_seed(SEED)
    trace = {"steps/dequeued": [], "steps/size": []}
    queue = Shuffling()
    for _ in range(COUNT - MIN_AFTER_DEQUEUE):
        trace["steps/dequeued"].append(queue.dequeue().numpy())
        trace["steps/size"].append(queue.q.size().numpy())
    queue.q.close()
    trace["final/rest"] = queue.q.dequeue_many(MIN_AFTER_DEQUEUE).numpy()
    try:
        queue.q.dequeue()
    except tf.errors.OutOfRangeError as e:
        trace["forward/empty_and_closed_is_error"] = type(e).__name__
    shuffled = tf.data.Dataset.range(COUNT, output_type=tf.int32).shuffle(MIN_AFTER_DEQUEUE, seed=SEED)
    every = np.array(list(shuffled.as_numpy_iterator()))
    trace["forward/order_differs"] = not np.array_equal(every, np.arange(COUNT))
    trace["final/sorted"] = np.sort(every)
    return {key: np.array(value) for key, value in trace.items()}
