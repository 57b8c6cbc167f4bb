"""A frozen network's features, a new last layer, one file of both

Source: S3 2804-3040
TF1: import_graph_def adds somebody's frozen graph; a session runs it up to the bottleneck, once a picture, and the
    new layer is trained on the kept features; convert_variables_to_constants joins the two.
Now: a tf.function wraps the same GraphDef; the layer's variables are frozen where the trace reads them.
Errata: S3's body is Inception v3, whose file does not come with it. Here it is a small network trained on CIFAR-10 with
    S3's tensor names, so .97 and .911 are not reached. MODEL_FILE names the frozen graph of a real one. S3 splits the
    pictures at random in every run, so a run tests on what an earlier one trained on. Here the name's hash decides. S3
    keeps features by file name, so another graph or a changed picture gets the old ones. Its four globs find each file
    twice where case does not matter. It divides by zero when a class has no picture in one of the lists. None of the
    functions that it gives paths to expands the ~ at their start.
See: Donahue et al., DeCAF: A Deep Convolutional Activation Feature, arXiv:1310.1531
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import os
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_least, exactly
from tf1ref.examples.transfer import _body, _function, _inputs, _session
from tf1ref.modules import optimizers

SEED = 1
STEPS = 4000
BATCH = 100
LEARNING_RATE = 0.01
WEIGHT_DEVIATION = 0.001
VALIDATION_PERCENTAGE = 10
TEST_PERCENTAGE = 10
VALIDATE_EVERY = 100
# S3's names in Inception v3 of 2015. MobileNet has input:0 and MobilenetV1/Logits/AvgPool_1a/AvgPool:0.
JPEG_DATA_TENSOR_NAME = "DecodeJpeg/contents:0"
BOTTLENECK_TENSOR_NAME = "pool_3/_reshape:0"
# A graph that takes pictures instead of a JPEG's bytes gets (pixel - mean) / deviation.
INPUT_MEAN = 127.5
INPUT_STD = 127.5
MODEL_FILE = ""  # a frozen .pb; "": a small one trained on CIFAR-10, with S3's names
INPUT_DATA = ""  # a folder with a folder of pictures for each class; "": flower_photos
CACHE_DIR = ""  # where features are kept between runs; "": with the program's other files
PICTURE = ""  # the file to label in the end; "": the first of the test pictures

GRAPH_FILE = "output_graph.pb"
LABELS_FILE = "output_labels.txt"
LABELLED_FILE = "labelled.png"
VARIABLES = ("final_training_ops/weights", "final_training_ops/biases")

# S3 reaches .911 with Inception v3. On the 600 flower_photos of 224 x 224, MobileNet v1 .25 128 reaches .827 of 52
# test pictures and .812 of 117 validation pictures. The small network reaches .42; guessing gives .2.
EXPECTED = {
    "final/test_accuracy": at_least(0.35),
    "final/file_differs": exactly(0),
}


def prepare(folder):
    """Returns (Body, Pictures, lists, where features are kept), all checked before anything is computed."""
    cache = CACHE_DIR or os.path.join(folder, "bottleneck")
    body = _inputs.body(MODEL_FILE or _body.paths(cache)[0], JPEG_DATA_TENSOR_NAME, BOTTLENECK_TENSOR_NAME)
    found = _inputs.pictures(INPUT_DATA, folder)
    if PICTURE:
        _inputs.labelled(PICTURE, "")
    return body, found, _inputs.lists(found, VALIDATION_PERCENTAGE, TEST_PERCENTAGE), cache


def finish(trace, combined, answers, found, chosen, folder):
    """Adds the file's answers to the trace, and writes the file, the labels and the labelled picture."""
    path = PICTURE or found.paths[chosen["testing"][0]]
    answer = answers[-1]
    text = f"{found.classes[answer.argmax()]} {answer.max():.0%}"
    trace["forward/from_file"] = answers
    said, test = answers[:-1].argmax(1), trace.pop("test_answers")
    trace["final/file_differs"] = np.count_nonzero(said != test)
    right = np.concatenate([trace["final/validation_right"], test == np.array(found.labels)[chosen["testing"]]])
    trace["final/held_back_accuracy"] = right.mean()
    labels = "".join(f"{name}\n" for name in found.classes).encode()
    _inputs.write(folder, {GRAPH_FILE: combined, LABELS_FILE: labels, LABELLED_FILE: _inputs.labelled(path, text)})
    return trace


def asked(found, chosen):
    """Returns the pictures whose labels are asked of the file: those of the test, and the one to label."""
    paths = [found.paths[i] for i in chosen["testing"]]
    return [*paths, PICTURE or paths[0]]


def build_graph(body=None, n_classes=5):
    """Adds the frozen body and the new layer twice: on kept features, to train it, and on the body's own."""
    if body is None:
        with tempfile.TemporaryDirectory() as scratch:
            body = _inputs.body(MODEL_FILE or _body.paths(scratch)[0], JPEG_DATA_TENSOR_NAME, BOTTLENECK_TENSOR_NAME)
    jpeg, bottleneck = _session.add_body(body, INPUT_MEAN, INPUT_STD)
    bottleneck_input = v1.placeholder(v1.float32, [None, body.size], name="BottleneckInputPlaceholder")
    ground_truth_input = v1.placeholder(v1.float32, [None, n_classes], name="GroundTruthInput")
    with v1.name_scope("final_training_ops"):
        start = v1.truncated_normal([body.size, n_classes], stddev=WEIGHT_DEVIATION, seed=1)
        weights = v1.Variable(start, name="weights")
        biases = v1.Variable(v1.zeros([n_classes]), name="biases")
        logits = v1.matmul(bottleneck_input, weights) + biases
    final_tensor = v1.nn.softmax(v1.matmul(bottleneck, weights) + biases, name="final_result")
    cross_entropy = v1.nn.softmax_cross_entropy_with_logits_v2(logits=logits, labels=ground_truth_input)  # -> (n,)
    cross_entropy_mean = v1.reduce_mean(cross_entropy)
    optimizer = v1.train.GradientDescentOptimizer(LEARNING_RATE)
    gradients = optimizer.compute_gradients(cross_entropy_mean, [weights, biases])
    with v1.name_scope("evaluation"):
        answer = v1.argmax(logits, 1)  # (n, n_classes) -> (n,)
        correct_prediction = v1.equal(answer, v1.argmax(ground_truth_input, 1))
        evaluation_step = v1.reduce_mean(v1.cast(correct_prediction, v1.float32))
    return {
        "jpeg": jpeg,
        "bottleneck": bottleneck,
        "bottleneck_input": bottleneck_input,
        "ground_truth": ground_truth_input,
        "final": final_tensor,
        "loss": cross_entropy_mean,
        "gradients": dict(zip(VARIABLES, [gradient for gradient, _ in gradients])),
        "train": optimizer.apply_gradients(gradients),
        "answer": answer,
        "accuracy": evaluation_step,
        "variables": dict(zip(VARIABLES, [weights, biases])),
    }


def train_graph(sess, graph, vectors, found, chosen, steps):
    """Trains the new layer on kept features. Returns the trace."""
    random, labels = np.random.RandomState(SEED), np.array(found.labels)
    truth = np.eye(len(found.classes), dtype=np.float32)[labels]

    def feed(indices):
        return {graph["bottleneck_input"]: vectors[indices], graph["ground_truth"]: truth[indices]}

    trace = {f"initial/{k}": v for k, v in sess.run(graph["variables"]).items()}
    losses, validation = [], []
    bar = console.steps(steps)
    for i in bar:
        training = feed(_inputs.batch(random, labels, chosen["training"], BATCH))
        if i == 0:
            trace |= {f"gradient/{k}": v for k, v in sess.run(graph["gradients"], training).items()}
        losses.append(sess.run([graph["train"], graph["loss"]], training)[1])
        if i % VALIDATE_EVERY == 0 or i + 1 == steps:
            sample = feed(_inputs.batch(random, labels, chosen["validation"], BATCH))
            validation.append(sess.run(graph["accuracy"], sample))
        bar.show(loss=losses[-1], validation=validation[-1])
    trace |= {f"final/{k}": v for k, v in sess.run(graph["variables"]).items()}
    validated = sess.run(graph["answer"], feed(chosen["validation"]))
    trace["final/validation_right"] = validated == labels[chosen["validation"]]
    trace["final/test_accuracy"] = sess.run(graph["accuracy"], feed(chosen["testing"]))
    trace["test_answers"] = sess.run(graph["answer"], feed(chosen["testing"]))
    return trace | {"steps/loss": np.array(losses), "validation_accuracy": np.array(validation)}


def run_graph(steps=STEPS, out=None):
    """The first session computes the features. A second one, without variables, gets the answers from the file."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.fspath(out or scratch)
        body, found, chosen, cache = prepare(folder)
        with v1.Graph().as_default() as whole, v1.Session() as sess:
            v1.set_random_seed(SEED)
            graph = build_graph(body, len(found.classes))
            extract = _session.extractor(sess, graph["jpeg"], graph["bottleneck"])
            vectors = _inputs.vectors(body, found.paths, cache, extract, "graph", INPUT_MEAN, INPUT_STD)
            sess.run(v1.global_variables_initializer())
            trace = train_graph(sess, graph, vectors, found, chosen, steps)
            frozen = v1.graph_util.convert_variables_to_constants(sess, whole.as_graph_def(), ["final_result"])
        combined = frozen.SerializeToString()
        with v1.Graph().as_default(), v1.Session() as sess:
            ends = ["JpegContents:0", "final_result:0"]
            jpeg, final = v1.import_graph_def(v1.GraphDef.FromString(combined), return_elements=ends)
            extract = _session.extractor(sess, jpeg, final)
            answers = np.concatenate([extract(path, Path(path).read_bytes()) for path in asked(found, chosen)])
        trace["forward/features"] = vectors
        return finish(trace, combined, answers, found, chosen, folder)


class Network(tf.Module):
    """The new layer's variables, and the body that they read from."""

    def __init__(self, body, n_classes):
        super().__init__()
        self.body = body
        start = tf.random.truncated_normal([body.size, n_classes], stddev=WEIGHT_DEVIATION, seed=1)
        self.weights = tf.Variable(start, name=VARIABLES[0])
        self.biases = tf.Variable(tf.zeros([n_classes]), name=VARIABLES[1])
        self.optimizer = optimizers.GradientDescent(LEARNING_RATE)

    def variables_by_name(self):
        """Returns {name in the graph: variable}."""
        return dict(zip(VARIABLES, [self.weights, self.biases]))

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def bottleneck(self, jpeg):
        """Turns a JPEG's bytes into features (1, size)."""
        return _function.add_body(self.body, jpeg, INPUT_MEAN, INPUT_STD)

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, name="JpegContents")])
    def final(self, jpeg):
        """Turns a JPEG's bytes into probabilities (1, n_classes). The file is frozen from this function's trace."""
        bottleneck = _function.add_body(self.body, jpeg, INPUT_MEAN, INPUT_STD)
        return tf.nn.softmax(self.logits(bottleneck), name="final_result")

    def logits(self, features):
        """Turns features (n, size) into (n, n_classes)."""
        return tf.matmul(features, self.weights) + self.biases

    @tf.function
    def loss_and_gradients(self, features, truth):
        """Returns the loss before a step, and its gradients."""
        with tf.GradientTape() as tape:
            cross_entropy = tf.nn.softmax_cross_entropy_with_logits(logits=self.logits(features), labels=truth)
            loss = tf.reduce_mean(cross_entropy)
        return loss, tape.gradient(loss, [self.weights, self.biases])

    @tf.function
    def train(self, features, truth):
        """Makes one step. Returns the loss before it."""
        loss, gradients = self.loss_and_gradients(features, truth)
        self.optimizer.apply(zip(gradients, [self.weights, self.biases]))
        return loss

    @tf.function
    def evaluate(self, features, truth):
        """Returns (answers (n,), the share of right ones)."""
        answer = tf.argmax(self.logits(features), 1)  # (n, n_classes) -> (n,)
        return answer, tf.reduce_mean(tf.cast(tf.equal(answer, tf.argmax(truth, 1)), tf.float32))


def train_function(network, vectors, found, chosen, steps):
    """Trains the new layer on kept features. Returns the trace."""
    random, labels = np.random.RandomState(SEED), np.array(found.labels)
    truth = np.eye(len(found.classes), dtype=np.float32)[labels]

    def given(indices):
        return tf.constant(vectors[indices]), tf.constant(truth[indices])

    trace = {f"initial/{k}": v.numpy() for k, v in network.variables_by_name().items()}
    losses, validation = [], []
    bar = console.steps(steps)
    for i in bar:
        training = given(_inputs.batch(random, labels, chosen["training"], BATCH))
        if i == 0:
            gradients = network.loss_and_gradients(*training)[1]
            trace |= {f"gradient/{k}": v.numpy() for k, v in zip(VARIABLES, gradients)}
        losses.append(network.train(*training).numpy())
        if i % VALIDATE_EVERY == 0 or i + 1 == steps:
            sample = given(_inputs.batch(random, labels, chosen["validation"], BATCH))
            validation.append(network.evaluate(*sample)[1].numpy())
        bar.show(loss=losses[-1], validation=validation[-1])
    trace |= {f"final/{k}": v.numpy() for k, v in network.variables_by_name().items()}
    validated = network.evaluate(*given(chosen["validation"]))[0].numpy()
    trace["final/validation_right"] = validated == labels[chosen["validation"]]
    answer, accuracy = network.evaluate(*given(chosen["testing"]))
    trace |= {"test_answers": answer.numpy(), "final/test_accuracy": accuracy.numpy()}
    return trace | {"steps/loss": np.array(losses), "validation_accuracy": np.array(validation)}


def run_function(steps=STEPS, out=None):
    """The other half writes the same files. Each half keeps its own features."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.fspath(out or scratch)
        body, found, chosen, cache = prepare(folder)
        tf.random.set_seed(SEED)
        network = Network(body, len(found.classes))
        extract = _function.extractor(network.bottleneck)
        vectors = _inputs.vectors(body, found.paths, cache, extract, "function", INPUT_MEAN, INPUT_STD)
        trace = train_function(network, vectors, found, chosen, steps)
        combined = _function.frozen(network.final.get_concrete_function()).SerializeToString()
        file = tf.Graph().as_graph_def()
        file.ParseFromString(combined)

        @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
        def final(jpeg):
            return tf.graph_util.import_graph_def(file, {"JpegContents:0": jpeg}, ["final_result:0"])[0]

        extract = _function.extractor(final)
        answers = np.concatenate([extract(path, Path(path).read_bytes()) for path in asked(found, chosen)])
        trace["forward/features"] = vectors
        return finish(trace, combined, answers, found, chosen, folder)
