"""Queue runners that end properly: started together, stopped together, and the first error is the one raised.

When a runner's thread fails, TF1 closes its queue, and the consumer sees only OutOfRangeError: "queue is closed and
has insufficient elements". The cause (a missing file, a corrupt record, a local variable nobody initialized) lies
with the Coordinator, which gives it to the caller of join(). A queue that nobody feeds blocks Session.run for ever.
"""

import contextlib

import tensorflow.compat.v1 as v1

WAIT_SECONDS = 60.0
GRACE_SECONDS = 30.0
QUEUES = ("FIFOQueueV2", "RandomShuffleQueueV2", "PaddingFIFOQueueV2", "PriorityQueueV2")


class Runners:
    """The running threads of a session. `coord`: their Coordinator; `threads`: those that feed and close queues."""

    def __init__(self, sess, wait_seconds):
        self.coord = v1.train.Coordinator()
        self.threads = []
        self._closers = []
        self._sess = sess
        self._seconds = wait_seconds
        # Per run, not operation_timeout_in_ms: that would also end a runner which waits because its queue is full.
        self._options = v1.RunOptions(timeout_in_ms=max(1, round(wait_seconds * 1000)))

    def start(self):
        """Starts a thread for each enqueue op of the graph's queue runners."""
        graph = self._sess.graph
        if not graph.finalized:
            unfed = [op for op in graph.get_operations() if op.type in QUEUES and op.name not in enqueue_ops(graph)]
            with graph.as_default():
                self._closers = [v1.raw_ops.QueueCloseV2(handle=op.outputs[0]) for op in unfed]
        if enqueue_ops(graph):  # TF warns when a graph has no enqueue op
            self.threads = v1.train.start_queue_runners(self._sess, self.coord)

    def stop(self):
        """Stops and joins the threads. Raises the first error that one of them has reported."""
        self.coord.request_stop()
        # A runner closes its own queue. One that waits for a queue without a runner would wait on.
        for closer in self._closers if self.threads else ():
            with contextlib.suppress(v1.errors.OpError, RuntimeError):  # closed already, or the session is
                self._sess.run(closer)
        self.coord.join(self.threads, GRACE_SECONDS)

    def run(self, fetches, feed_dict=None):
        """Runs Session.run for a bounded time.

        Raises DeadlineExceededError with the name of the queue that stays empty.
        """
        try:
            return self._sess.run(fetches, feed_dict, options=self._options)
        except v1.errors.DeadlineExceededError as e:
            if self.coord.should_stop():
                raise
            message = f"no answer within {self._seconds:g} s: {waiting_for(self._sess.graph, fetches)}"
            raise v1.errors.DeadlineExceededError(e.node_def, e.op, message) from e


@contextlib.contextmanager
def running(sess, wait_seconds=WAIT_SECONDS):
    """Starts the queue runners of the session's graph, yields Runners, and stops and joins all threads at the end.

    OutOfRangeError ends the body. With it a pipeline of num_epochs says that its data are through. If a runner's
    failure caused it, that runner's error is raised instead. Of several errors the first one is raised, a runner's or
    the body's own. At the end every queue of the graph that took part is closed. Raises RuntimeError when a thread is
    still alive GRACE_SECONDS after the stop.
    """
    runners = Runners(sess, wait_seconds)
    coord = runners.coord
    try:
        runners.start()
        yield runners
    except v1.errors.OutOfRangeError:
        pass  # the end of the data, or what a runner's failure looks like from here: join knows
    except BaseException as e:
        if isinstance(e, Exception) and coord.should_stop():
            runners.stop()  # raises what a runner had reported before
        else:
            with contextlib.suppress(Exception):  # the body's error came first
                runners.stop()
        raise
    runners.stop()


def enqueue_ops(graph):
    """Returns {name of a queue's op: names of the enqueue ops that the graph's queue runners run for it}."""
    ops = {}
    for runner in graph.get_collection(v1.GraphKeys.QUEUE_RUNNERS):
        ops.setdefault(runner.queue.queue_ref.op.name, []).extend(op.name for op in runner.enqueue_ops)
    return ops


def waiting_for(graph, fetches):
    """Says in words which queue keeps `fetches` waiting: one that no runner feeds, else those that are fed."""
    feeding = enqueue_ops(graph)
    todo = [graph.as_graph_element(fetch) for fetch in v1.nest.flatten(fetches)]
    seen, fed, unfed = set(), [], []
    while todo:
        op = todo.pop()
        op = getattr(op, "op", op)
        if op.name in seen:
            continue
        seen.add(op.name)
        todo += [*op.inputs, *op.control_inputs]
        if op.type in QUEUES:
            todo += [graph.get_operation_by_name(name) for name in feeding.get(op.name, ())]
            (fed if op.name in feeding else unfed).append(op.name)
    if unfed:
        return f"no queue runner feeds {', '.join(map(repr, sorted(unfed)))}: add one, or enqueue before this run"
    if fed:
        return f"nothing arrives through {', '.join(map(repr, sorted(fed)))}: are the files empty?"
    return "it waits for no queue: give it more time"
