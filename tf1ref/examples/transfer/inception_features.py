"""Features of all pictures in one .npz, a classifier, a label on a picture

Source: S0 1533-1877
TF1: three programs: a frozen graph run over every picture; a network of two layers, its losses in a collection,
    saved; import_meta_graph and get_tensor_by_name find input and answer of the saved one again.
Now: three functions; a tf.Module is restored by its variables' names, and called.
Errata: S0's body is Inception v3, whose file does not come with it. Here it is a small network trained on CIFAR-10 with
    S0's tensor names. INCEPTION_V3_PB_FILE names the frozen graph of a real one. S0 validates on batches of all
    pictures, on which it trains, too. Here a list is kept back, by the names' hash. To predict, S0 divides by 9.333495,
    its own pictures' largest feature. Here the .npz has the smallest and the largest. S0's code states the number of
    pictures (3670), the number of features and the order of the classes. Its comment says .96 every 100 steps for what
    is .7 every 1000. leaky_relu on the last layer is S0's; it is kept, because S0 asks for its tensor. The three
    shuffles "with the same state" set the state to what it already is.
See: Szegedy et al., Rethinking the Inception Architecture, arXiv:1512.00567
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
from tf1ref.examples.transfer import _body, _function, _inputs, _session
from tf1ref.modules import checkpoints, optimizers, schedules

SEED = 1
STEPS = 20000
BATCH_SIZE = 500
HIDDEN = 512
LEARNING_RATE = 0.9
DECAY_STEPS = 1000
DECAY_RATE = 0.7
REGULARIZATION_RATE = 0.000005
LEAK = 0.2
EVALUATE_EVERY = 500
VALIDATION_PERCENTAGE = 10
TEST_PERCENTAGE = 10
# S0's names in Inception v3 of 2015. MobileNet has input:0 and MobilenetV1/Logits/AvgPool_1a/AvgPool:0.
JPEG_DATA_TENSOR_NAME = "DecodeJpeg/contents:0"
BOTTLENECK_TENSOR_NAME = "pool_3/_reshape:0"
# A graph that takes pictures instead of a JPEG's bytes gets (pixel - mean) / deviation.
INPUT_MEAN = 127.5
INPUT_STD = 127.5
INCEPTION_V3_PB_FILE = ""  # a frozen .pb; "": a small one trained on CIFAR-10, with S0's names
IMG_FILE = ""  # a folder with a folder of pictures for each class; "": flower_photos
CACHE_DIR = ""  # where features are kept between runs; "": with the program's other files
PICTURE = ""  # the file to label in the end; "": the first of the test pictures

OUTPUT_FILE = "dataset_inception_v3_feature_01.npz"
MODEL_FILE = "model.ckpt"
LABELLED_FILE = "labelled.png"
VARIABLES = ("layer1/weights", "layer1/biases", "layer2/weights", "layer2/biases")

# S0 prints no figure.
EXPECTED = {"final/train_accuracy": at_least(0.5), "final/test_accuracy": at_least(0.3)}


def prepare(folder):
    """Returns (Body, Pictures, lists, the picture to label, where features are kept).

    All of them are checked before anything is computed.
    """
    cache = CACHE_DIR or os.path.join(folder, "bottleneck")
    path = INCEPTION_V3_PB_FILE or _body.paths(cache)[0]
    body = _inputs.body(path, JPEG_DATA_TENSOR_NAME, BOTTLENECK_TENSOR_NAME)
    found = _inputs.pictures(IMG_FILE, folder)
    chosen = _inputs.lists(found, VALIDATION_PERCENTAGE, TEST_PERCENTAGE)
    picture = PICTURE or found.paths[chosen["testing"][0]]
    _inputs.labelled(picture, "")
    return body, found, chosen, picture, cache


def finish(trace, answer, found, picture, folder):
    """Adds the picture's class to the trace and writes the picture with its name on it."""
    trace["final/answer"] = answer
    _inputs.write(folder, {LABELLED_FILE: _inputs.labelled(picture, found.classes[answer])})
    return trace


def add_layer(x, in_size, out_size, scope, seed):
    """Adds leaky_relu(x * weights + biases), and the weights' penalty to the collection of losses."""
    with v1.name_scope(scope):
        weights = v1.Variable(v1.random_normal([in_size, out_size], seed=seed), name="weights")
        biases = v1.Variable(v1.random_normal([1, out_size], seed=seed + 1), name="biases")
    v1.add_to_collection("losses", REGULARIZATION_RATE * v1.reduce_sum(v1.square(weights)))
    return v1.nn.leaky_relu(v1.matmul(x, weights) + biases, LEAK)


def build_graph(size=64, n_classes=5):
    """Adds the classifier of features, from (n, size) to (n, n_classes), its losses and the training op."""
    global_step = v1.Variable(0, trainable=False, name="global_step")
    # S0 finds it by the name that it gets: Placeholder.
    x = v1.placeholder(v1.float32, [None, size])
    y_ = v1.placeholder(v1.float32, [None, n_classes])
    # The second one gets the name LeakyRelu_1.
    y = add_layer(add_layer(x, size, HIDDEN, "layer1", seed=1), HIDDEN, n_classes, "layer2", seed=3)
    cross_entropy = v1.nn.softmax_cross_entropy_with_logits_v2(logits=y, labels=y_)
    v1.add_to_collection("losses", v1.reduce_mean(cross_entropy))
    loss = v1.add_n(v1.get_collection("losses"))
    learning_rate = v1.train.exponential_decay(LEARNING_RATE, global_step, DECAY_STEPS, DECAY_RATE, staircase=True)
    optimizer = v1.train.GradientDescentOptimizer(learning_rate)
    gradients = optimizer.compute_gradients(loss)
    correct_prediction = v1.equal(v1.argmax(y, 1), v1.argmax(y_, 1))  # (n, n_classes) -> (n,)
    return {
        "x": x,
        "y_": y_,
        "y": y,
        "loss": loss,
        "gradients": {v.op.name: gradient for gradient, v in gradients},
        "train": optimizer.apply_gradients(gradients, global_step=global_step),
        "accuracy": v1.reduce_mean(v1.cast(correct_prediction, v1.float32)),
        "variables": {v.op.name: v for v in v1.trainable_variables()},
    }


def extract_graph(body, found, picture, cache):
    """The first program: a session runs the frozen graph on every picture, and on the one to label."""
    with v1.Graph().as_default(), v1.Session() as sess:
        jpeg, bottleneck = _session.add_body(body, INPUT_MEAN, INPUT_STD)
        extract = _session.extractor(sess, jpeg, bottleneck)
        paths = [*found.paths, picture]
        return _inputs.vectors(body, paths, cache, extract, "graph", INPUT_MEAN, INPUT_STD)


def train_graph(folder, chosen, steps):
    """The second program: it trains the classifier and saves it. Returns the trace."""
    x, y, _ = _inputs.read_features(os.path.join(folder, OUTPUT_FILE))
    random, losses, accuracies = np.random.RandomState(SEED), [], []
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        graph = build_graph(x.shape[1], y.shape[1])
        sess.run(v1.global_variables_initializer())

        def feed(indices):
            return {graph["x"]: x[indices], graph["y_"]: y[indices]}

        trace = {f"initial/{k}": v for k, v in sess.run(graph["variables"]).items()}
        bar = console.steps(steps)
        for i in bar:
            training = chosen["training"]
            batch = feed(random.choice(training, min(BATCH_SIZE, len(training)), replace=False))
            if i == 0:
                trace |= {f"gradient/{k}": v for k, v in sess.run(graph["gradients"], batch).items()}
            losses.append(sess.run([graph["train"], graph["loss"]], batch)[1])
            if i % EVALUATE_EVERY == 0:
                accuracies.append(sess.run(graph["accuracy"], feed(chosen["validation"])))
            bar.show(loss=losses[-1], validation=accuracies[-1])
        v1.train.Saver().save(sess, os.path.join(folder, MODEL_FILE))
        trace |= {f"final/{k}": v for k, v in sess.run(graph["variables"]).items()}
        trace["final/train_accuracy"] = sess.run(graph["accuracy"], feed(chosen["training"]))
        trace["final/test_accuracy"] = sess.run(graph["accuracy"], feed(chosen["testing"]))
    return trace | {"steps/loss": np.array(losses), "validation_accuracy": np.array(accuracies)}


def apply_graph(folder, features):
    """The third program: it finds input and answer of the saved graph by name.

    Returns (its output (1, n_classes), the class).
    """
    with v1.Graph().as_default() as graph, v1.Session() as sess:
        model = os.path.join(folder, MODEL_FILE)
        v1.train.import_meta_graph(model + ".meta").restore(sess, model)
        x, y = graph.get_tensor_by_name("Placeholder:0"), graph.get_tensor_by_name("LeakyRelu_1:0")
        result = sess.run(y, {x: features})
        return result, sess.run(v1.argmax(v1.nn.softmax(result), -1))[0]


def run_graph(steps=STEPS, out=None):
    """Each program knows only what the one before left on disk."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.fspath(out or scratch)
        body, found, chosen, picture, cache = prepare(folder)
        vectors = extract_graph(body, found, picture, cache)
        _inputs.write_features(os.path.join(folder, OUTPUT_FILE), vectors[:-1], found, chosen)
        trace = {"forward/features": vectors, **train_graph(folder, chosen, steps)}
        scaled = _inputs.read_features(os.path.join(folder, OUTPUT_FILE))[2]
        trace["final/result"], answer = apply_graph(folder, scaled(vectors[-1:]))
        return finish(trace, answer, found, picture, folder)


class Network(tf.Module):
    """Two layers, named as in the graph."""

    def __init__(self, size, n_classes):
        super().__init__()
        shapes = [size, HIDDEN], [1, HIDDEN], [HIDDEN, n_classes], [1, n_classes]
        starts = [tf.random.normal(shape, seed=seed) for seed, shape in enumerate(shapes, 1)]
        self.all = [tf.Variable(start, name=name) for start, name in zip(starts, VARIABLES)]
        self.global_step = tf.Variable(0, trainable=False, name="global_step")
        self.optimizer = optimizers.GradientDescent(self.learning_rate)

    def learning_rate(self):
        """Returns the rate at the present step."""
        return schedules.exponential_decay(LEARNING_RATE, self.global_step, DECAY_STEPS, DECAY_RATE, staircase=True)

    def variables_by_name(self):
        """Returns {name in the graph: variable}: what the Saver saves."""
        return {**dict(zip(VARIABLES, self.all)), "global_step": self.global_step}

    @tf.function
    def result(self, x):
        """Turns features (n, size) into (n, n_classes)."""
        hidden = tf.nn.leaky_relu(tf.matmul(x, self.all[0]) + self.all[1], LEAK)
        return tf.nn.leaky_relu(tf.matmul(hidden, self.all[2]) + self.all[3], LEAK)

    @tf.function
    def loss_and_gradients(self, x, y_):
        """Returns the loss before a step, and its gradients."""
        with tf.GradientTape() as tape:
            cross_entropy = tf.nn.softmax_cross_entropy_with_logits(logits=self.result(x), labels=y_)
            penalties = [REGULARIZATION_RATE * tf.reduce_sum(tf.square(w)) for w in (self.all[0], self.all[2])]
            loss = tf.add_n([*penalties, tf.reduce_mean(cross_entropy)])
        return loss, tape.gradient(loss, self.all)

    @tf.function
    def train(self, x, y_):
        """Makes one step. Returns the loss before it."""
        loss, gradients = self.loss_and_gradients(x, y_)
        self.optimizer.apply(zip(gradients, self.all), self.global_step)
        return loss

    @tf.function
    def accuracy(self, x, y_):
        """Returns the share of right answers."""
        correct_prediction = tf.equal(tf.argmax(self.result(x), 1), tf.argmax(y_, 1))  # (n, n_classes) -> (n,)
        return tf.reduce_mean(tf.cast(correct_prediction, tf.float32))


def extract_function(body, found, picture, cache):
    """The first program: a function wraps the frozen graph."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def bottleneck(jpeg):
        return _function.add_body(body, jpeg, INPUT_MEAN, INPUT_STD)

    extract = _function.extractor(bottleneck)
    paths = [*found.paths, picture]
    return _inputs.vectors(body, paths, cache, extract, "function", INPUT_MEAN, INPUT_STD)


def train_function(folder, chosen, steps):
    """The second program. The checkpoint has the same names as the graph's."""
    x, y, _ = _inputs.read_features(os.path.join(folder, OUTPUT_FILE))
    random, losses, accuracies = np.random.RandomState(SEED), [], []
    tf.random.set_seed(SEED)
    network = Network(x.shape[1], y.shape[1])
    by_name = dict(zip(VARIABLES, network.all))

    def given(indices):
        return tf.constant(x[indices]), tf.constant(y[indices])

    trace = {f"initial/{k}": v.numpy() for k, v in by_name.items()}
    bar = console.steps(steps)
    for i in bar:
        training = chosen["training"]
        batch = given(random.choice(training, min(BATCH_SIZE, len(training)), replace=False))
        if i == 0:
            gradients = network.loss_and_gradients(*batch)[1]
            trace |= {f"gradient/{k}": v.numpy() for k, v in zip(VARIABLES, gradients)}
        losses.append(network.train(*batch).numpy())
        if i % EVALUATE_EVERY == 0:
            accuracies.append(network.accuracy(*given(chosen["validation"])).numpy())
        bar.show(loss=losses[-1], validation=accuracies[-1])
    checkpoints.save(folder, MODEL_FILE, network.variables_by_name())
    trace |= {f"final/{k}": v.numpy() for k, v in by_name.items()}
    trace["final/train_accuracy"] = network.accuracy(*given(chosen["training"])).numpy()
    trace["final/test_accuracy"] = network.accuracy(*given(chosen["testing"])).numpy()
    return trace | {"steps/loss": np.array(losses), "validation_accuracy": np.array(accuracies)}


def apply_function(folder, features, n_classes):
    """The third program: another object is restored."""
    network = Network(features.shape[1], n_classes)
    checkpoints.restore(os.path.join(folder, MODEL_FILE), network.variables_by_name())
    result = network.result(tf.constant(features))
    return result.numpy(), tf.argmax(tf.nn.softmax(result), -1)[0].numpy()


def run_function(steps=STEPS, out=None):
    """The three files are the same."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.fspath(out or scratch)
        body, found, chosen, picture, cache = prepare(folder)
        vectors = extract_function(body, found, picture, cache)
        _inputs.write_features(os.path.join(folder, OUTPUT_FILE), vectors[:-1], found, chosen)
        trace = {"forward/features": vectors, **train_function(folder, chosen, steps)}
        scaled = _inputs.read_features(os.path.join(folder, OUTPUT_FILE))[2]
        trace["final/result"], answer = apply_function(folder, scaled(vectors[-1:]), len(found.classes))
        return finish(trace, answer, found, picture, folder)
