"""One hidden layer on parameter servers: between-graph, synchronous

Source: S2 255-297
TF1: ClusterSpec, Server, replica_device_setter and MonitoredTrainingSession as in async_mnist.py. With
    SyncReplicasOptimizer the workers' gradients meet in accumulators on the ps; the chief's queue runner applies their
    mean and hands every worker a token, without which it does not begin the next step.
Now: each worker's gradients come from a call of one tf.function, and their mean is taken in worker order: bit for bit
    the same. In a cluster a ClusterCoordinator gives these calls to any worker that is free. That changes no bit.
Errata: S2 names SyncReplicasOptimizer without a program. By default it begins with one token for each worker, so that
    one worker can contribute twice to a step: here num_tokens=0. Accumulators add in the order of arrival. That makes
    no difference for two workers, and 5e-8 for three. With FIXED_ORDER every worker has a queue of its own, and the
    chief adds in worker order, which is exact for any number. A worker that waits for a token when the chief has ended
    would wait for ever, so the chief closes the tokens' queue. A worker that comes before the chief's variables sleeps
    30 s in MonitoredTrainingSession, which hides its session manager's recovery_wait_secs.
See: Chen et al., Revisiting Distributed Synchronous SGD, arXiv:1604.00981
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import contextlib
import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_least
from tf1ref.cluster import contract
from tf1ref.data import mnist
from tf1ref.examples.distributed import _tasks
from tf1ref.modules import checkpoints, optimizers

SEED = 1
STEPS = 300
WORKERS = 2  # alone, in threads; under a launcher the description says how many
FIXED_ORDER = False
BATCH_SIZE = 100  # a worker's; one step learns from WORKERS batches
HIDDEN = 100
WEIGHT_DEVIATION = 0.1
LEARNING_RATE = 0.5
SAVE_EVERY = 100
STOP_SECONDS = 1  # in seconds: the chief's queue runner waits for gradients that nobody sends any more; TF1 has 120

EXPECTED = {"final/test_accuracy": at_least(0.93)}  # S2 prints nothing; softmax regression stays at .92


def add_layer(inputs, size, number):
    """Adds inputs * weights + biases."""
    start = v1.truncated_normal_initializer(stddev=WEIGHT_DEVIATION, seed=number)
    weights = v1.get_variable(f"layer{number}/weights", [inputs.shape[1], size], initializer=start)
    biases = v1.get_variable(f"layer{number}/biases", [size], initializer=v1.zeros_initializer())
    return v1.matmul(inputs, weights) + biases


def build_graph():
    """Adds the network, its loss and its accuracy to the default graph."""
    global_step = v1.train.get_or_create_global_step()
    x = v1.placeholder(v1.float32, [None, 784], name="x")
    y_ = v1.placeholder(v1.float32, [None, 10], name="y_")
    y = v1.identity(add_layer(v1.nn.relu(add_layer(x, HIDDEN, 1)), 10, 2), name="y")
    loss = v1.reduce_mean(v1.nn.softmax_cross_entropy_with_logits_v2(labels=y_, logits=y))
    variables = v1.trainable_variables()
    gradients = list(zip(v1.gradients(loss, variables), variables))
    first = {"forward/y": y, **{f"gradient/{v.op.name}": gradient for gradient, v in gradients}}
    correct = v1.equal(v1.argmax(y, 1), v1.argmax(y_, 1))
    accuracy = v1.reduce_mean(v1.cast(correct, v1.float32), name="accuracy")
    training = {"loss": loss, "step": global_step, "gradients": gradients, "first": first}
    return {"x": x, "y_": y_, "y": y, "accuracy": accuracy, **training}


class CloseTokens(v1.train.SessionRunHook):
    """The chief's last act: who waits for a token then, or comes later, gets OutOfRangeError, which ends its loop."""

    def __init__(self, queues):
        self._queues = queues

    def begin(self):
        """Adds the ops that close the queues."""
        self._close = [queue.close() for queue in self._queues]

    def end(self, session):
        """Closes the queues."""
        session.run(self._close)


class SyncReplicas(v1.train.SyncReplicasOptimizer):
    """At the end the chief's queue runner still waits for gradients; here the session's close is no error to it."""

    def get_chief_queue_runner(self):
        """Returns the queue runner, for which the end of the session is not an error."""
        runner, ends = super().get_chief_queue_runner(), (v1.errors.OutOfRangeError, v1.errors.CancelledError)
        return v1.train.QueueRunner(runner.queue, runner.enqueue_ops, queue_closed_exception_types=ends)


def add_sync_replicas(graph, task_index, worker_count):
    """Adds the step on the mean of all workers' gradients; returns it, its hook, and the queue of tokens."""
    optimizer = v1.train.GradientDescentOptimizer(LEARNING_RATE)
    sync = SyncReplicas(optimizer, worker_count, total_num_replicas=worker_count)
    train_op = sync.apply_gradients(graph["gradients"], global_step=graph["step"])
    hook = sync.make_session_run_hook(task_index == 0, num_tokens=0)
    return train_op, [hook], [sync.get_chief_queue_runner().queue]


def add_fixed_order(graph, task_index, worker_count):
    """As add_sync_replicas, from queues: a worker puts its gradients in its own, and waits for its own token."""
    optimizer = v1.train.GradientDescentOptimizer(LEARNING_RATE)
    gradients, variables = zip(*graph["gradients"])
    types, shapes = [g.dtype for g in gradients], [v.shape for v in variables]
    others = range(1, worker_count)
    with v1.device("/job:ps/task:0"):
        parts = {i: v1.FIFOQueue(1, types, shapes, shared_name=f"gradients_{i}") for i in others}
        tokens = {i: v1.FIFOQueue(1, v1.int64, [()], shared_name=f"tokens_{i}") for i in others}
    if task_index > 0:
        with v1.control_dependencies([parts[task_index].enqueue(gradients)]):
            return tokens[task_index].dequeue(), [], []
    # Stacked, because the graph optimizer would reorder a chain of additions by the names of what is added.
    means = [v1.reduce_mean(v1.stack(each), 0) for each in zip(gradients, *(parts[i].dequeue() for i in others))]
    apply_gradients = optimizer.apply_gradients(zip(means, variables), global_step=graph["step"])
    with v1.control_dependencies([apply_gradients]):
        step = graph["step"].read_value()
        return v1.group(step, *[queue.enqueue(step) for queue in tokens.values()]), [], list(tokens.values())


def train_graph(sess, graph, train_op, data, bar, trace):
    """A worker's loop, in step with the others. It fills `trace`, because closed tokens end it without a return."""
    variables = {f"initial/{v.op.name}": v for v in [graph["step"], *v1.trainable_variables()]}
    # Past the hooks: a look is no step.
    trace.update(sess.run_step_fn(lambda step_context: step_context.session.run(variables)))
    losses = trace["steps/loss"] = []
    while not sess.should_stop():
        xs, ys = data.next_batch(BATCH_SIZE)
        fetches = [train_op, graph["loss"], {} if losses else graph["first"]]
        _, loss, first = sess.run(fetches, feed_dict={graph["x"]: xs, graph["y_"]: ys})
        losses.append(loss)
        trace.update(first)
        bar.reached(len(losses), loss=loss)


def run_worker(cluster, target, task_index, data, steps, folder):
    """Builds a worker's graph and trains in a session of its server, `target`. Returns its trace."""
    is_chief, worker = task_index == 0, f"/job:worker/task:{task_index}"
    config = v1.ConfigProto(allow_soft_placement=True, device_filters=["/job:ps", worker])
    with v1.Graph().as_default(), v1.device(v1.train.replica_device_setter(worker_device=worker, cluster=cluster)):
        v1.set_random_seed(SEED)
        graph = build_graph()
        add = add_fixed_order if FIXED_ORDER else add_sync_replicas
        train_op, hooks, tokens = add(graph, task_index, cluster.num_tasks("worker"))
        hooks.append(v1.train.StopAtStepHook(last_step=steps))
        if is_chief:
            hooks.append(CloseTokens(tokens))
        else:
            missing = v1.report_uninitialized_variables(v1.global_variables())
            manager = v1.train.SessionManager(ready_op=missing, recovery_wait_secs=0.2)
            manager.wait_for_session(target, config).close()
        times = {"save_checkpoint_steps": SAVE_EVERY, "stop_grace_period_secs": STOP_SECONDS}
        session = v1.train.MonitoredTrainingSession(target, is_chief, folder, hooks=hooks, config=config, **times)
        trace = {}
        with session as sess, console.steps(steps) as bar:
            train_graph(sess, graph, train_op, data, bar, trace)
    return {key: np.array(value) for key, value in trace.items()}


def evaluate_graph(test, folder):
    """What the checkpoint answers in a graph of this process alone: no device, no cluster."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        v1.train.Saver().restore(sess, v1.train.latest_checkpoint(folder))
        trace = sess.run({f"final/{v.op.name}": v for v in v1.global_variables()})
        feed = {graph["x"]: test.images, graph["y_"]: test.labels}
        trace["final/test_accuracy"] = sess.run(graph["accuracy"], feed)
    return trace


def run_task(hosts, job_name, task_index, steps, folder):
    """The program of every task. Returns a worker's trace; the chief's has what its last checkpoint answers, too.

    Raises RuntimeError when the tokens ended before the last step did.
    """
    cluster = v1.train.ClusterSpec(hosts)
    server = v1.train.Server(cluster, job_name=job_name, task_index=task_index)
    if job_name == "ps":
        server.join()  # It holds variables, accumulators and tokens until it is ended.
    data = mnist.read_data_sets(one_hot=True, seed=SEED + task_index)
    trace = run_worker(cluster, server.target, task_index, data.train, steps, folder)
    if task_index == 0:
        trace.update(evaluate_graph(data.test, folder))
        if trace["final/global_step"] < steps:
            raise RuntimeError(f"training ended at step {trace['final/global_step']}, not {steps}")
    return trace


def run_graph(steps=STEPS, out=None):
    """Runs the task that TF_CONFIG names, or a ps and WORKERS workers in threads. The chief's files go to `out`."""
    with tempfile.TemporaryDirectory() as scratch:
        return _tasks.run_tasks(lambda *place: run_task(*place, steps, out or scratch), WORKERS, awaited=WORKERS)


class Network(tf.Module):
    """The same four variables; a worker's gradients and the common step are functions of their own."""

    def __init__(self):
        super().__init__()

        def layer(shape, number):
            weights = tf.random.truncated_normal(shape, stddev=WEIGHT_DEVIATION, seed=number)
            biases = tf.Variable(tf.zeros(shape[1:]), name=f"layer{number}/biases")
            return tf.Variable(weights, name=f"layer{number}/weights"), biases

        self.layer1, self.layer2 = layer([784, HIDDEN], 1), layer([HIDDEN, 10], 2)
        self.all = [*self.layer1, *self.layer2]
        self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="global_step")
        self.optimizer = optimizers.GradientDescent(LEARNING_RATE)

    def variables_by_name(self):
        """What the graph's Saver would save."""
        return {v.name.partition(":")[0]: v for v in [self.global_step, *self.all]}

    def logits(self, x):
        """(n, 784) to (n, 10)."""
        hidden = tf.nn.relu(tf.matmul(x, self.layer1[0]) + self.layer1[1])
        return tf.matmul(hidden, self.layer2[0]) + self.layer2[1]

    @tf.function
    def forward_and_back(self, x, y_):
        """What one worker computes in a step: its logits, its loss and its gradients."""
        with tf.GradientTape() as tape:
            y = self.logits(x)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y))
        return y, loss, tape.gradient(loss, self.all)

    @tf.function
    def apply_mean(self, gradients):
        """The common step; gradients: a list a worker, in worker order."""
        means = [tf.reduce_mean(tf.stack(each), 0) for each in zip(*gradients)]
        self.optimizer.apply(zip(means, self.all), self.global_step)

    @tf.function
    def accuracy(self, x, y_):
        """The share of right answers."""
        correct = tf.equal(tf.argmax(self.logits(x), 1), tf.argmax(y_, 1))
        return tf.reduce_mean(tf.cast(correct, tf.float32))


def connect():
    """The ClusterCoordinator of the cluster in TF_CONFIG, whose worker 0 this is; other tasks serve. Alone: None."""
    if not (here := _tasks.place()):
        return None
    hosts, job, index = here
    # Now's name for worker 0 is chief, and the workers are counted without it.
    job, index = (job, index) if job == "ps" else ("worker", index - 1) if index else ("chief", 0)
    cluster = tf.train.ClusterSpec({"ps": hosts["ps"], "worker": hosts["worker"][1:], "chief": hosts["worker"][:1]})
    if job != "chief":
        tf.distribute.Server(cluster, job_name=job, task_index=index, protocol="grpc").join()
    contract.report(contract.STARTING)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(cluster, task_type=job, task_id=0, rpc_layer="grpc")
    coordinator = tf.distribute.coordinator.ClusterCoordinator(tf.distribute.ParameterServerStrategy(resolver))
    contract.report(contract.RUNNING)
    return coordinator


def train_function(network, steps, workers, coordinator):
    """Every worker's batch, in turn or scheduled, then the step on their mean. Returns worker 0's trace."""
    trace, losses, bar = {}, [], console.steps(steps)
    for step in bar:
        batches = [data.train.next_batch(BATCH_SIZE) for data in workers]
        batches = [(tf.constant(xs), tf.constant(ys, tf.float32)) for xs, ys in batches]
        if coordinator:
            found = coordinator.fetch([coordinator.schedule(network.forward_and_back, batch) for batch in batches])
        else:
            found = [network.forward_and_back(*batch) for batch in batches]
        network.apply_mean([gradients for _, _, gradients in found])
        y, loss, gradients = found[0]
        if step == 0:
            names = list(network.variables_by_name())[1:]
            trace = {"forward/y": y, **{f"gradient/{name}": g for name, g in zip(names, gradients)}}
        losses.append(np.asarray(loss))
        bar.show(loss=losses[-1])
    return {**trace, "steps/loss": np.array(losses)}


def run_function(steps=STEPS, out=None):
    """One process, no server; or worker 0 of a cluster, which coordinates what the other workers compute."""
    tf.random.set_seed(SEED)
    coordinator = connect()
    workers = [mnist.read_data_sets(one_hot=True, seed=SEED + index) for index in range(WORKERS)]
    with coordinator.strategy.scope() if coordinator else contextlib.nullcontext():
        network = Network()
    variables, test = network.variables_by_name(), workers[0].test
    trace = {f"initial/{name}": variable.numpy() for name, variable in variables.items()}
    trace.update(train_function(network, steps, workers, coordinator))
    if out:
        checkpoints.save(os.fspath(out), "model.ckpt", variables, global_step=steps)
    trace.update({f"final/{name}": variable.numpy() for name, variable in variables.items()})
    trace["final/test_accuracy"] = network.accuracy(tf.constant(test.images), tf.constant(test.labels, tf.float32))
    return {key: np.asarray(value) for key, value in trace.items()}
