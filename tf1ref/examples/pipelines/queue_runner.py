"""Threads that fill a queue: QueueRunner

Source: S3 3511-3554, S2 164-178
TF1: a QueueRunner has one thread for each enqueue op; add_queue_runner puts it into a collection, and
    start_queue_runners starts all of that collection. A runner closes its queue when its op is out of range.
Now: tf.data: Dataset.map makes the elements, prefetch fills a buffer from a thread of its own. No collection, nothing
    to start, nothing to stop; errors arrive where the elements do.
Errata: S3 stops while the queue is full of numbers that nobody takes. Here the op makes as many as are taken and then
    is out of range (count_up_to), which shows the orderly end. Five threads draw from one random op. It hands out its
    sequence one by one, but chance decides which thread enqueues first. The order may differ from run to run, but not
    the values, which are compared sorted. With one thread the order is the same, to the bit.
See: https://www.tensorflow.org/api_docs/python/tf/compat/v1/train/QueueRunner
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

SEED = 1
STEPS = 3
CAPACITY = 100
THREADS = 5

EXPECTED = {
    "final/taken": exactly(3),
    "forward/end_is_error": exactly("OutOfRangeError"),
}


def build_graph(steps=STEPS, threads=THREADS):
    """Adds the queue, its runner and the op that takes one value out to the default graph."""
    queue = v1.FIFOQueue(CAPACITY, "float", shapes=[[1]])
    made = v1.get_local_variable("made", [], v1.int32, v1.zeros_initializer())
    with v1.control_dependencies([v1.count_up_to(made, steps)]):
        enqueue_op = queue.enqueue([v1.random_normal([1], seed=SEED)])
    qr = v1.train.QueueRunner(queue, [enqueue_op] * threads)
    v1.train.add_queue_runner(qr)
    return {"out_tensor": queue.dequeue(), "size": queue.size()}


def take_all(steps, threads, trace):
    """Starts the runner's threads, takes values until it ends, and joins. Returns the values in order."""
    config = v1.ConfigProto(operation_timeout_in_ms=60000)
    values = []
    with v1.Graph().as_default(), v1.Session(config=config) as sess:
        v1.set_random_seed(SEED)
        graph = build_graph(steps, threads)
        sess.run(v1.local_variables_initializer())
        coord = v1.train.Coordinator()
        # There is one more thread than ops: it closes the queue when coord says stop.
        started = v1.train.start_queue_runners(sess=sess, coord=coord)
        try:
            while not coord.should_stop():
                values.append(sess.run(graph["out_tensor"]))
        except v1.errors.OutOfRangeError as e:
            trace["forward/end_is_error"] = type(e).__name__
        finally:
            coord.request_stop()
        coord.join(started)
    return np.array(values)


def run_graph(steps=STEPS):
    """One thread, then five. Without coord the runners end with the process, and errors are only in its log."""
    trace = {}
    trace["steps/values"] = take_all(steps, 1, trace)
    values = take_all(steps, THREADS, trace)
    trace["final/taken"] = len(values)
    trace["final/sorted"] = np.sort(values, axis=0)
    return {key: np.array(value) for key, value in trace.items()}


def data_set(steps):
    """Returns a data set of `steps` random values, float32 [1], made ahead of their use in another thread."""
    tf.random.set_seed(SEED)
    draws = tf.data.Dataset.range(steps).map(lambda _: tf.random.normal([1], seed=SEED))
    return draws.prefetch(CAPACITY)


def run_function(steps=STEPS):
    """The iterator starts and ends the threads. It ends with StopIteration; get_next ends with OutOfRangeError."""
    values = np.array(list(data_set(steps).as_numpy_iterator()))
    trace = {"steps/values": values, "final/taken": len(values), "final/sorted": np.sort(values, axis=0)}
    iterator = iter(data_set(1))
    try:
        for _ in range(2):
            iterator.get_next()
    except tf.errors.OutOfRangeError as e:
        trace["forward/end_is_error"] = type(e).__name__
    return {key: np.array(value) for key, value in trace.items()}
