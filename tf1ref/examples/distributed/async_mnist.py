"""LeNet-5 on parameter servers: between-graph, asynchronous

Source: S0 2329-2640
TF1: ClusterSpec lists all tasks, and every process starts a Server as one of them. A ps calls join(). Each worker
    builds the same graph. replica_device_setter puts its variables on the ps and all else on the worker. In
    MonitoredTrainingSession worker 0, the chief, initializes and saves; the others wait for it. Then the workers' steps
    interleave in any order, and all workers count one global_step.
Now: the same step as a tf.function. One worker alone is deterministic, and there the two halves are equal. What several
    asynchronous workers reach differs from run to run in both worlds.
Errata: S0 runs global_variables_initializer in its monitored session. That wipes what other workers learned, or what a
    checkpoint held. It draws weights with deviation 1 and puts relu6 on the logits, and so LeNet stays at 9.8 %. Here
    the deviation is .1, and the logits have no activation. Its rate of .99 then diverges; here it is .02. Its
    placeholders take any batch, but its reshape only one size. Its session has no device filters, so it waits for all
    workers. It gives a file where a folder of checkpoints is asked for. A worker that comes before the chief sleeps 30
    s, and a ps never ends. TF1 itself does both; a launcher's tasks avoid them. Its batches are drawn with numpy's
    global random state, so that all workers draw the same batches once it is seeded. Here each worker has a generator
    of its own. S0 prints every 100 steps in its loop; hooks.py leaves that to hooks. (x_train - 255) / 255 wraps uint8
    to (x + 1) % 256 / 255 (see mnist/_pixels.py). This program does the same.
See: Dean et al., Large Scale Distributed Deep Networks, NIPS 2012
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import os
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_least
from tf1ref.data import mnist
from tf1ref.examples.distributed._tasks import run_tasks
from tf1ref.examples.mnist._pixels import less_255
from tf1ref.modules import checkpoints, optimizers, schedules

SEED = 1
STEPS = 1000
BATCH_SIZE = 500
SIDE = 28
CONV1_DEEP = 32
CONV2_DEEP = 64
CONV_SIZE = 5
FC_SIZE = 512
NUM_LABELS = 10
WEIGHT_DEVIATION = 0.1
L2_RATE = 0.00005
LEARNING_RATE = 0.02
LEARNING_RATE_DECAY = 0.9
DECAY_STEPS = 5000
SAVE_EVERY = 200

NODES = (SIDE // 4) ** 2 * CONV2_DEEP

EXPECTED = {"final/test_accuracy": at_least(0.97)}  # S0 prints no figure; a single-process LeNet of S0 passes .97


def read_data():
    """MNIST as uint8 pictures (n, 28, 28, 1) and one-hot labels (n, 10)."""
    return mnist.read_data_sets(one_hot=True, dtype=np.uint8, reshape=False, seed=SEED)


def batches(data, task_index):
    """Yields one worker's batches, each drawn from the whole set without repeats in itself; the next may repeat it."""
    random = np.random.default_rng(SEED + task_index)
    while True:
        picked = random.choice(data.num_examples, BATCH_SIZE, replace=False)
        yield less_255(data.images[picked]), data.labels[picked]


def parts(data):
    """Yields all of a data set in file order: 10,000 pictures at once would take gigabytes."""
    for i in range(0, data.num_examples, 1000):
        yield less_255(data.images[i : i + 1000]), data.labels[i : i + 1000]


def add_layer_variables(shape, number):
    """Adds a layer's weights and biases, and its L2 loss to the collection `losses`."""
    start = v1.random_normal_initializer(stddev=WEIGHT_DEVIATION, seed=number)
    weights = v1.get_variable(f"layer{number}/weights", shape, initializer=start)
    start = v1.random_normal_initializer(stddev=WEIGHT_DEVIATION, seed=number + 10)
    biases = v1.get_variable(f"layer{number}/biases", shape[-1:], initializer=start)
    v1.add_to_collection("losses", L2_RATE * v1.reduce_sum(v1.square(weights)))
    return weights, biases


def add_cnn_layer(inputs, depth, number):
    """Adds a 5 x 5 convolution, relu6 and 2 x 2 max pooling: (n, h, w, c) to (n, h / 2, w / 2, depth)."""
    weights, biases = add_layer_variables([CONV_SIZE, CONV_SIZE, inputs.shape[3], depth], number)
    conv = v1.nn.conv2d(inputs, weights, strides=[1, 1, 1, 1], padding="SAME")
    z_out = v1.nn.relu6(v1.nn.bias_add(conv, biases))
    return v1.nn.max_pool(z_out, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")


def inference(x):
    """Adds the network: (n, 28, 28, 1) to logits (n, 10)."""
    pooled = add_cnn_layer(add_cnn_layer(x, CONV1_DEEP, 1), CONV2_DEEP, 2)
    weights, biases = add_layer_variables([NODES, FC_SIZE], 3)
    hidden = v1.nn.relu6(v1.matmul(v1.reshape(pooled, [-1, NODES]), weights) + biases)
    weights, biases = add_layer_variables([FC_SIZE, NUM_LABELS], 4)
    return v1.matmul(hidden, weights) + biases


def build_graph():
    """Adds the network, its loss, its training op and its accuracy to the default graph."""
    global_step = v1.train.get_or_create_global_step()
    x = v1.placeholder(v1.float32, [None, SIDE, SIDE, 1], name="x")
    y_ = v1.placeholder(v1.float32, [None, NUM_LABELS], name="y_")
    y = v1.identity(inference(x), name="y")
    cross_entropy = v1.nn.softmax_cross_entropy_with_logits_v2(labels=y_, logits=y)
    loss = v1.add_n([v1.reduce_mean(cross_entropy), *v1.get_collection("losses")])
    v1.summary.scalar("loss", loss)
    args = LEARNING_RATE, global_step, DECAY_STEPS, LEARNING_RATE_DECAY
    optimizer = v1.train.GradientDescentOptimizer(v1.train.exponential_decay(*args, staircase=True))
    gradients = optimizer.compute_gradients(loss)
    correct = v1.equal(v1.argmax(y, 1), v1.argmax(y_, 1))
    return {
        "x": x,
        "y_": y_,
        "y": y,
        "loss": loss,
        "step": global_step,
        "train": optimizer.apply_gradients(gradients, global_step=global_step),
        "first": {"forward/y": y, **{f"gradient/{v.op.name}": gradient for gradient, v in gradients}},
        "accuracy": v1.reduce_mean(v1.cast(correct, v1.float32), name="accuracy"),
    }


def train_graph(sess, graph, data, steps):
    """A worker's loop, until all workers together have made `steps` steps. Returns its trace."""
    # Past the hooks: a look is no step.
    variables = {f"initial/{v.op.name}": v for v in v1.global_variables()}
    trace, losses = sess.run_step_fn(lambda step_context: step_context.session.run(variables)), []
    with console.steps(steps) as bar:
        while not sess.should_stop():
            xs, ys = next(data)
            fetches = [graph["train"], graph["loss"], graph["step"], {} if losses else graph["first"]]
            _, loss, step, first = sess.run(fetches, feed_dict={graph["x"]: xs, graph["y_"]: ys})
            losses.append(loss)
            trace.update(first)
            bar.reached(step + 1, loss=loss)
    return {**trace, "steps/loss": np.array(losses)}


def evaluate_graph(data, folder):
    """What the checkpoint answers in a graph of this process alone: no device, no cluster."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        v1.train.Saver().restore(sess, v1.train.latest_checkpoint(folder))
        trace = sess.run({f"final/{v.op.name}": v for v in v1.global_variables()})
        feeds = ({graph["x"]: xs, graph["y_"]: ys} for xs, ys in parts(data))
        trace["final/test_accuracy"] = np.mean([sess.run(graph["accuracy"], feed) for feed in feeds])
    return trace


def run_task(hosts, job_name, task_index, steps, folder):
    """The program of every task. Returns a worker's trace; the chief's has what its last checkpoint answers, too."""
    cluster = v1.train.ClusterSpec(hosts)
    server = v1.train.Server(cluster, job_name=job_name, task_index=task_index)
    if job_name == "ps":
        server.join()  # It holds variables until it is ended.
    data, is_chief = read_data(), task_index == 0
    worker = f"/job:worker/task:{task_index}"
    with v1.Graph().as_default(), v1.device(v1.train.replica_device_setter(worker_device=worker, cluster=cluster)):
        v1.set_random_seed(SEED)
        graph = build_graph()
        with v1.train.MonitoredTrainingSession(
            master=server.target,
            is_chief=is_chief,
            checkpoint_dir=folder,
            save_checkpoint_steps=SAVE_EVERY,
            hooks=[v1.train.StopAtStepHook(last_step=steps)],
            config=v1.ConfigProto(allow_soft_placement=True, device_filters=["/job:ps", worker]),
        ) as sess:
            trace = train_graph(sess, graph, batches(data.train, task_index), steps)
    return {**trace, **evaluate_graph(data.test, folder)} if is_chief else trace


def run_graph(steps=STEPS, out=None):
    """As a task of a cluster (TF_CONFIG says which), or alone: then a ps and a worker, each in a thread.

    The chief writes checkpoints and summaries to `out`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        return run_tasks(lambda *place: run_task(*place, steps, out or scratch), workers=1)


class LeNet5(tf.Module):
    """The same eight variables and the same step in one process."""

    def __init__(self):
        super().__init__()

        def layer(shape, number):
            weights = tf.random.normal(shape, stddev=WEIGHT_DEVIATION, seed=number)
            biases = tf.random.normal(shape[-1:], stddev=WEIGHT_DEVIATION, seed=number + 10)
            values = {"weights": weights, "biases": biases}
            return tuple(tf.Variable(value, name=f"layer{number}/{name}") for name, value in values.items())

        self.conv1 = layer([CONV_SIZE, CONV_SIZE, 1, CONV1_DEEP], 1)
        self.conv2 = layer([CONV_SIZE, CONV_SIZE, CONV1_DEEP, CONV2_DEEP], 2)
        self.fc1 = layer([NODES, FC_SIZE], 3)
        self.fc2 = layer([FC_SIZE, NUM_LABELS], 4)
        self.all = [*self.conv1, *self.conv2, *self.fc1, *self.fc2]
        self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="global_step")
        self.optimizer = optimizers.GradientDescent(self.learning_rate)

    def learning_rate(self):
        """The rate at the present step."""
        args = LEARNING_RATE, self.global_step, DECAY_STEPS, LEARNING_RATE_DECAY
        return schedules.exponential_decay(*args, staircase=True)

    def variables_by_name(self):
        """What the graph's Saver would save."""
        return {v.name.partition(":")[0]: v for v in [self.global_step, *self.all]}

    def logits(self, x):
        """(n, 28, 28, 1) to (n, 10)."""
        for weights, biases in (self.conv1, self.conv2):
            conv = tf.nn.conv2d(x, weights, strides=[1, 1, 1, 1], padding="SAME")
            z_out = tf.nn.relu6(tf.nn.bias_add(conv, biases))
            x = tf.nn.max_pool(z_out, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")
        hidden = tf.nn.relu6(tf.matmul(tf.reshape(x, [-1, NODES]), self.fc1[0]) + self.fc1[1])
        return tf.matmul(hidden, self.fc2[0]) + self.fc2[1]

    @tf.function
    def train(self, x, y_):
        """One step. Returns the loss before it, and with it the logits and the gradients by their trace's keys."""
        with tf.GradientTape() as tape:
            y = self.logits(x)
            cross_entropy = tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y)
            layers = (self.conv1, self.conv2, self.fc1, self.fc2)
            penalties = [L2_RATE * tf.reduce_sum(tf.square(weights)) for weights, _ in layers]
            loss = tf.add_n([tf.reduce_mean(cross_entropy), *penalties])
        gradients = self.optimizer.minimize(tape, loss, self.all, self.global_step)
        names = [v.name.partition(":")[0] for v in self.all]
        return loss, {"forward/y": y, **{f"gradient/{name}": g for name, g in zip(names, gradients)}}

    @tf.function
    def accuracy(self, x, y_):
        """The share of right answers."""
        correct = tf.equal(tf.argmax(self.logits(x), 1), tf.argmax(y_, 1))
        return tf.reduce_mean(tf.cast(correct, tf.float32))


def run_function(steps=STEPS, out=None):
    """One process, no server: what the cluster computes when a single worker trains."""
    tf.random.set_seed(SEED)
    data, network, losses = read_data(), LeNet5(), []
    variables = network.variables_by_name()
    trace = {f"initial/{name}": variable.numpy() for name, variable in variables.items()}
    bar = console.steps(steps)
    for _, (xs, ys) in zip(bar, batches(data.train, task_index=0)):
        loss, first = network.train(tf.constant(xs), tf.constant(ys, tf.float32))
        if not losses:
            trace.update({key: tensor.numpy() for key, tensor in first.items()})
        losses.append(loss.numpy())
        bar.show(loss=losses[-1])
    if out:
        checkpoints.save(os.fspath(out), "model.ckpt", variables, global_step=steps)
    trace.update({f"final/{name}": variable.numpy() for name, variable in variables.items()})
    pairs = ((tf.constant(xs), tf.constant(ys, tf.float32)) for xs, ys in parts(data.test))
    trace["final/test_accuracy"] = np.mean([network.accuracy(*pair).numpy() for pair in pairs])
    return {**trace, "steps/loss": np.array(losses)}
