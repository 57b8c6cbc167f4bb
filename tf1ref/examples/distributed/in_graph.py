"""One client, its ops pinned to the tasks of a cluster: in-graph replication

Source: S2 255-297
TF1: every task starts a Server of the ClusterSpec. Worker 0, the client, builds one graph for the whole cluster: it
    pins a variable to a ps and ops to workers. Tensors travel between them over gRPC. The other tasks need no program
    of their own: they call join() and compute what is placed on them.
Now: the same function on one machine. tf.distribute's ParameterServerStrategy is the heir of this form: it has one
    coordinator, and workers that only serve. But its ClusterCoordinator gives a function to any worker that is free, so
    that nothing can be pinned.
Errata: S2 lets two workers assign to x in one run without an order, so that every result is possible. Here the second
    assignment follows the first. S2 draws x without a seed. x falls to 1e-7 in the third of its hundred rounds and to 0
    in the sixth, so it prints .2 and .5 almost from the beginning. S2's client connects to a third worker, which has no
    ops. Here the client is worker 0. S2's servers never end. S2 calls the workers' job `work`, and tells a process its
    task by --job_name and --task_index. Here TF_CONFIG says it, which `tf1ref launch` sets.
See: Abadi et al., TensorFlow: A System for Large-Scale Machine Learning, arXiv:1605.08695
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import exactly
from tf1ref.examples.distributed._tasks import run_tasks

SEED = 1
STEPS = 100
WORKERS = 2  # alone; under a launcher the description says how many, two at the least
SIZE = 1_000_000
DIVISOR = 10.0
SCALE_1 = 0.1
SHIFT_1 = 0.2
SCALE_2 = 0.4
SHIFT_2 = 0.5
SHOWN = 4

EXPECTED = {"final/y": exactly(np.full(SIZE, 0.2)), "final/y2": exactly(np.full(SIZE, 0.5))}


def start():
    """The numbers that x begins with: float32 (SIZE,) from 0 to 1."""
    return np.random.RandomState(SEED).rand(SIZE).astype(np.float32)


def build_graph():
    """Adds x on a ps and the two workers' ops, the second after the first, to the default graph."""
    with v1.device("/job:ps/task:0"):
        x = v1.Variable(start(), name="x")
    with v1.device("/job:worker/task:1"):
        op_x = v1.assign(x, v1.multiply(x, x))
        with v1.control_dependencies([op_x]):
            y = v1.add(v1.multiply(x, SCALE_1), SHIFT_1, name="y")
    with v1.device("/job:worker/task:0"), v1.control_dependencies([y]):
        op_x1 = v1.assign(x, v1.div(x, DIVISOR))
        with v1.control_dependencies([op_x1]):
            y2 = v1.add(v1.multiply(x, SCALE_2), SHIFT_2, name="y2")
    return {"x": x, "y": y, "y2": y2}


def compute_graph(target, steps):
    """The client's rounds, in a session of its own server, `target`. Returns the trace."""
    rows = {"steps/y": [], "steps/y2": []}
    with v1.Graph().as_default():
        graph = build_graph()
        # Without device filters: it waits until every task of the cluster is there.
        with v1.Session(target) as sess:
            sess.run(v1.global_variables_initializer())
            trace = {"initial/x": sess.run(graph["x"])}
            for step in console.steps(steps):
                y, y2 = sess.run([graph["y"], graph["y2"]])
                if step == 0:
                    trace.update({"forward/y": y, "forward/y2": y2})
                rows["steps/y"].append(y[:SHOWN])
                rows["steps/y2"].append(y2[:SHOWN])
            trace.update({"final/x": sess.run(graph["x"]), "final/y": y, "final/y2": y2})
    return {**trace, **{key: np.array(values) for key, values in rows.items()}}


def run_task(hosts, job_name, task_index, steps):
    """The program of every task: all but worker 0 only serve. Returns the trace."""
    cluster = v1.train.ClusterSpec(hosts)
    server = v1.train.Server(cluster, job_name=job_name, task_index=task_index)
    if (job_name, task_index) != ("worker", 0):
        server.join()
    return compute_graph(server.target, steps)


def run_graph(steps=STEPS):
    """As a task of a cluster (TF_CONFIG says which), or alone: then a ps and WORKERS workers, each in a thread."""
    return run_tasks(lambda *place: run_task(*place, steps), WORKERS)


class Program(tf.Module):
    """The same variable and the same round on one machine; assignments keep the order in which they are written."""

    def __init__(self):
        super().__init__()
        self.x = tf.Variable(start(), name="x")

    def variables_by_name(self):
        """What the graph's Saver would save."""
        return {"x": self.x}

    @tf.function
    def step(self):
        """One round; returns y and y2."""
        self.x.assign(tf.multiply(self.x, self.x))
        y = tf.add(tf.multiply(self.x, SCALE_1), SHIFT_1)
        self.x.assign(tf.divide(self.x, DIVISOR))
        y2 = tf.add(tf.multiply(self.x, SCALE_2), SHIFT_2)
        return y, y2


def run_function(steps=STEPS):
    """No cluster: what it computes, computed here."""
    program, rows = Program(), {"steps/y": [], "steps/y2": []}
    trace = {"initial/x": program.x.numpy()}
    for step in console.steps(steps):
        y, y2 = (tensor.numpy() for tensor in program.step())
        if step == 0:
            trace.update({"forward/y": y, "forward/y2": y2})
        rows["steps/y"].append(y[:SHOWN])
        rows["steps/y2"].append(y2[:SHOWN])
    trace.update({"final/x": program.x.numpy(), "final/y": y, "final/y2": y2})
    return {**trace, **{key: np.array(values) for key, values in rows.items()}}
