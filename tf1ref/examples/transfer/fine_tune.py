"""A network from its meta graph, cut at fc7, with a new last layer

Source: S2 246-246, S3 1655-1690
TF1: import_meta_graph brings the whole graph back, get_tensor_by_name finds where to go on, stop_gradient keeps the
    optimizer from what lies before: the new layer alone is trained. Without it everything is.
Now: the network is an object with the variables' names, restored by them; what is trained is what the tape's
    gradients are asked for, and stop_gradient is the same op.
Errata: S2 imports the graph and never restores it, so its weights would be random. It takes dimension 3 of fc7, which
    exists only where fc7 is a convolution, and matmul then refuses fc7. Here fc7 is (n, 64) and its size is dimension
    1. S2 stops before the training op; the rates and steps are this program's own. S2's file vgg.meta does not come
    with it. Here it is a small network of the project's own, trained on CIFAR-10.
See: Yosinski et al., How Transferable Are Features in Deep Neural Networks?, arXiv:1411.1792
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_least, exactly
from tf1ref.examples.transfer import _body, _inputs
from tf1ref.modules import checkpoints, optimizers

SEED = 1
# In half of them the body is not trained.
STEPS = 400
BATCH_SIZE = 32
NUM_OUTPUTS = 2
WEIGHT_DEVIATION = 0.05
BIAS_START = 0.05
HEAD_RATE = 0.001
TUNING_RATE = 0.0001  # ten times slower, to keep what the body knows
TENSOR = "fc7:0"
IMAGES = "images:0"
TEST_PERCENTAGE = 20
# A folder of class folders, of which the first two are told apart. "" takes flower_photos.
INPUT_DATA = ""

BODY = [f"{layer}/{part}" for layer in ("conv1", "conv2", "conv3", "fc7_layer") for part in ("weights", "biases")]
HEAD = ["new_head/weights", "new_head/biases"]

# S2 and S3 print no figure for this. The figures show what stop_gradient does, and that training helps. On the
# daisies and dandelions of the 600 flower_photos, the head alone reaches .848 of 46, and .870 after tuning.
EXPECTED = {
    "final/body_gradients_with_stop": exactly(0),
    "final/body_moved_by_head": exactly(0),
    "final/head_accuracy": at_least(0.6),
    "final/tuned_accuracy": at_least(0.6),
}


def read_pictures(folder):
    """Returns (x, y, training indices, test indices): float32 (n, 32, 32, 3) from -1 to 1, int64 (n,) of 0 and 1."""
    found = _inputs.pictures(INPUT_DATA, folder)
    both = [i for i, label in enumerate(found.labels) if label < NUM_OUTPUTS]
    found = found._replace(paths=[found.paths[i] for i in both], labels=[found.labels[i] for i in both])
    found = found._replace(classes=found.classes[:NUM_OUTPUTS])
    chosen = _inputs.lists(found, 0, TEST_PERCENTAGE)
    x = np.stack([_inputs.pixels(path, _body.SIDE) for path in found.paths])
    return x, np.array(found.labels, np.int64), chosen["training"], chosen["testing"]


def moved(before, after):
    """Returns how many of the body's numbers differ."""
    return sum(int(np.count_nonzero(before[name] != after[name])) for name in BODY)


def add_head(fc7):
    """Adds the new layer on top of fc7: logits (n, 2)."""
    with v1.variable_scope("new_head", reuse=v1.AUTO_REUSE):
        start = v1.truncated_normal_initializer(stddev=WEIGHT_DEVIATION, seed=1)
        weights = v1.get_variable("weights", [fc7.shape[1], NUM_OUTPUTS], initializer=start)
        biases = v1.get_variable("biases", [NUM_OUTPUTS], initializer=v1.constant_initializer(BIAS_START))
    return v1.matmul(fc7, weights) + biases


def add_training(phase, logits, y_, rate):
    """Adds the loss of `logits`, its gradients for the variables it depends on, and the training op with its slots.

    Both phases train the head: each phase's Adam bears its name, so that the slots are told apart.
    """
    loss = v1.reduce_mean(v1.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=y_))
    optimizer = v1.train.AdamOptimizer(rate, name=phase)
    pairs = [pair for pair in optimizer.compute_gradients(loss, v1.trainable_variables()) if pair[0] is not None]
    train = optimizer.apply_gradients(pairs)
    slots = {s.op.name: s for _, v in pairs for s in (optimizer.get_slot(v, "m"), optimizer.get_slot(v, "v"))}
    return {"loss": loss, "gradients": {v.op.name: g for g, v in pairs}, "train": train, "slots": slots}


def build_graph(prefix=None):
    """Imports the meta graph into the default graph and adds the new layer, with and without stop_gradient."""
    with tempfile.TemporaryDirectory() as scratch:
        saver = v1.train.import_meta_graph((prefix or _body.paths(scratch)[1]) + ".meta")
    graph = v1.get_default_graph()
    x, fc7 = graph.get_tensor_by_name(IMAGES), graph.get_tensor_by_name(TENSOR)
    y_ = v1.placeholder(v1.int64, [None], name="new_labels")
    stopped, logits = add_head(v1.stop_gradient(fc7)), add_head(fc7)
    correct = v1.equal(v1.argmax(v1.nn.softmax(logits), 1), y_)
    return {
        "saver": saver,
        "x": x,
        "y_": y_,
        "fc7": fc7,
        "head": add_training("head", stopped, y_, HEAD_RATE),
        "tune": add_training("tune", logits, y_, TUNING_RATE),
        "accuracy": v1.reduce_mean(v1.cast(correct, v1.float32)),
        "variables": {v.op.name: v for v in v1.trainable_variables() if v.op.name in BODY + HEAD},
    }


def phase_graph(sess, graph, phase, steps, pictures, random):
    """Runs `steps` steps of one of the two training ops. Returns its part of the trace."""
    x, y, training, testing = pictures
    losses, trace = [], {}
    bar = console.steps(steps)
    for i in bar:
        batch = random.choice(training, BATCH_SIZE)
        feed = {graph["x"]: x[batch], graph["y_"]: y[batch]}
        if i == 0:
            gradients = sess.run(graph[phase]["gradients"], feed)
            trace |= {f"gradient/{phase}/{k}": v for k, v in gradients.items() if k in BODY + HEAD}
        losses.append(sess.run([graph[phase]["train"], graph[phase]["loss"]], feed)[1])
        bar.show(loss=losses[-1])
    feed = {graph["x"]: x[testing], graph["y_"]: y[testing]}
    trace[f"final/{phase}_accuracy"] = sess.run(graph["accuracy"], feed)
    trace |= {f"slots/{k}": v for k, v in sess.run(graph[phase]["slots"]).items()}
    return trace | {f"steps/{phase}_loss": np.array(losses)}


def run_graph(steps=STEPS):
    """Trains the head first, then everything. The variables are the same ones throughout."""
    with tempfile.TemporaryDirectory() as folder, v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        pictures, random = read_pictures(folder), np.random.RandomState(SEED)
        prefix = _body.paths(folder)[1]
        graph = build_graph(prefix)
        sess.run(v1.global_variables_initializer())
        graph["saver"].restore(sess, prefix)
        trace = {"forward/fc7": sess.run(graph["fc7"], {graph["x"]: pictures[0][:4]})}
        initial = sess.run(graph["variables"])
        trace |= phase_graph(sess, graph, "head", steps - steps // 2, pictures, random)
        between = sess.run(graph["variables"])
        trace |= phase_graph(sess, graph, "tune", steps // 2, pictures, random)
        final = sess.run(graph["variables"])
    stopped = [key for key in trace if key.startswith("gradient/head/") and key.split("/", 2)[2] in BODY]
    return summary(trace, initial, between, final, len(stopped))


def summary(trace, initial, between, final, stopped):
    """Adds the weights at three times to the trace, and what stop_gradient kept unchanged."""
    trace |= {f"initial/{k}": v for k, v in initial.items()}
    trace |= {f"between/{k}": v for k, v in between.items()}
    trace |= {f"final/{k}": v for k, v in final.items()}
    trace["final/tuned_accuracy"] = trace.pop("final/tune_accuracy")
    trace["final/body_gradients_with_stop"] = stopped
    trace["final/body_moved_by_head"] = moved(initial, between)
    trace["final/body_moved_by_tuning"] = moved(between, final)
    return trace


class Network(tf.Module):
    """The body up to fc7, and the new layer. The variables are named as in the two graphs."""

    def __init__(self):
        super().__init__()
        shapes, depth = [], 3
        for wide in _body.DEPTHS:
            shapes += [[3, 3, depth, wide], [wide]]
            depth = wide
        shapes += [[depth, _body.FC], [_body.FC]]
        self.body = [tf.Variable(tf.zeros(shape), name=name) for name, shape in zip(BODY, shapes)]
        start = tf.random.truncated_normal([_body.FC, NUM_OUTPUTS], stddev=WEIGHT_DEVIATION, seed=1)
        self.head = [
            tf.Variable(start, name=HEAD[0]),
            tf.Variable(tf.fill([NUM_OUTPUTS], BIAS_START), name=HEAD[1]),
        ]
        rates = {"head": HEAD_RATE, "tune": TUNING_RATE}
        self.optimizers = {phase: optimizers.Adam(rate, name=phase) for phase, rate in rates.items()}
        self.optimizers["head"].create(self.head)
        self.optimizers["tune"].create(self.body + self.head)

    def variables_by_name(self):
        """Returns {name in the graph: variable}."""
        return dict(zip(BODY + HEAD, self.body + self.head))

    @tf.function
    def fc7(self, x):
        """Turns pictures (n, 32, 32, 3) into (n, 64)."""
        net = x
        for number in range(len(_body.DEPTHS)):
            weights, biases = self.body[2 * number : 2 * number + 2]
            net = tf.nn.relu(tf.nn.conv2d(net, weights, 1, "SAME") + biases)
            if number + 1 < len(_body.DEPTHS):
                net = tf.nn.max_pool2d(net, 2, 2, "SAME")
        pool = tf.reduce_mean(net, [1, 2])  # (n, h, w, 64) -> (n, 64)
        return tf.nn.relu(tf.matmul(pool, self.body[-2]) + self.body[-1])

    def logits(self, fc7):
        """Turns fc7 (n, 64) into (n, 2)."""
        return tf.matmul(fc7, self.head[0]) + self.head[1]

    @tf.function
    def loss_and_gradients(self, x, y_, phase):
        """Returns the loss before a step, and its gradients for all variables: None before stop_gradient."""
        with tf.GradientTape() as tape:
            fc7 = self.fc7(x)
            logits = self.logits(tf.stop_gradient(fc7) if phase == "head" else fc7)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=y_))
        return loss, tape.gradient(loss, self.body + self.head)

    @tf.function
    def train(self, x, y_, phase):
        """Makes one step. Returns the loss before it."""
        loss, gradients = self.loss_and_gradients(x, y_, phase)
        self.optimizers[phase].apply(zip(gradients, self.body + self.head))
        return loss

    @tf.function
    def accuracy(self, x, y_):
        """Returns the share of right answers."""
        correct = tf.equal(tf.argmax(tf.nn.softmax(self.logits(self.fc7(x))), 1), y_)
        return tf.reduce_mean(tf.cast(correct, tf.float32))


def phase_function(network, phase, steps, pictures, random):
    """Runs `steps` steps of one of the two trainings. Returns its part of the trace."""
    x, y, training, testing = pictures
    losses, trace = [], {}
    bar = console.steps(steps)
    for i in bar:
        batch = random.choice(training, BATCH_SIZE)
        xs, ys = tf.constant(x[batch]), tf.constant(y[batch])
        if i == 0:
            gradients = zip(BODY + HEAD, network.loss_and_gradients(xs, ys, phase)[1])
            trace |= {f"gradient/{phase}/{k}": g.numpy() for k, g in gradients if g is not None}
        losses.append(network.train(xs, ys, phase).numpy())
        bar.show(loss=losses[-1])
    trace[f"final/{phase}_accuracy"] = network.accuracy(tf.constant(x[testing]), tf.constant(y[testing])).numpy()
    trace |= {f"slots/{k}": v.numpy() for k, v in network.optimizers[phase].slots.items()}
    return trace | {f"steps/{phase}_loss": np.array(losses)}


def run_function(steps=STEPS):
    """The checkpoint is restored by names. No graph comes with it."""
    with tempfile.TemporaryDirectory() as folder:
        pictures, random = read_pictures(folder), np.random.RandomState(SEED)
        tf.random.set_seed(SEED)
        network = Network()
        checkpoints.restore(_body.paths(folder)[1], dict(zip(BODY, network.body)))

    def values():
        return {k: v.numpy() for k, v in network.variables_by_name().items()}

    trace, initial = {"forward/fc7": network.fc7(tf.constant(pictures[0][:4])).numpy()}, values()
    trace |= phase_function(network, "head", steps - steps // 2, pictures, random)
    between = values()
    trace |= phase_function(network, "tune", steps // 2, pictures, random)
    stopped = [key for key in trace if key.startswith("gradient/head/") and key.split("/", 2)[2] in BODY]
    return summary(trace, initial, between, values(), len(stopped))
