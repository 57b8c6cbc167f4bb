"""A small trained network of the project's own, used when no other is given. It knows CIFAR-10's ten classes.

It has the names that the sources ask for: DecodeJpeg/contents and pool_3/_reshape as in Inception v3 of 2015, and fc7
as in S2's VGG.
"""

import functools
import hashlib
import os
import tempfile

import tensorflow.compat.v1 as v1

from tf1ref import console, files
from tf1ref.data import cifar10

SEED = 1
STEPS = 300
BATCH_SIZE = 64
PICTURES = 10_000  # one of CIFAR-10's files
SIDE = 32
DEPTHS = (16, 32, 64)
FC = 64
CLASSES = 10
LEARNING_RATE = 0.003

GRAPH = "small_graph.pb"
CHECKPOINT = "small_vgg"
SUFFIXES = (".meta", ".index", ".data-00000-of-00001")


def paths(folder):
    """Returns (the frozen graph's path, the checkpoint's prefix), in a folder below `folder`.

    The network is trained first when the folder has none.
    """
    images, labels = _pictures()
    made_of = repr((SEED, STEPS, BATCH_SIZE, DEPTHS, FC, LEARNING_RATE)).encode()
    digest = hashlib.sha256(made_of + images.tobytes() + labels.tobytes()).hexdigest()[:16]
    folder = os.path.join(folder, f"small-{digest}")
    names = [GRAPH, *(CHECKPOINT + suffix for suffix in SUFFIXES)]
    if not all(os.path.exists(os.path.join(folder, name)) for name in names):
        os.makedirs(folder, exist_ok=True)
        for name, data in _trained().items():
            files.write(os.path.join(folder, name), data)
    return os.path.join(folder, GRAPH), os.path.join(folder, CHECKPOINT)


def build_graph():
    """Adds the network to the default graph: from pictures (n, 32, 32, 3), -1 to 1, to logits (n, 10)."""
    images = v1.placeholder(v1.float32, [None, SIDE, SIDE, 3], name="images")
    net, depth = images, 3
    for number, wide in enumerate(DEPTHS, 1):
        with v1.variable_scope(f"conv{number}"):
            start = v1.glorot_uniform_initializer(seed=number)
            weights = v1.get_variable("weights", [3, 3, depth, wide], initializer=start)
            biases = v1.get_variable("biases", [wide], initializer=v1.zeros_initializer())
            net = v1.nn.relu(v1.nn.conv2d(net, weights, [1, 1, 1, 1], "SAME") + biases)
        if number < len(DEPTHS):
            net = v1.nn.max_pool(net, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
        depth = wide
    pool = v1.reduce_mean(net, [1, 2], keepdims=True, name="pool_3")  # (n, h, w, depth) -> (n, 1, 1, depth)
    pool = v1.reshape(pool, [-1, depth], name="pool_3/_reshape")  # (n, 1, 1, depth) -> (n, depth)
    fc7 = v1.nn.relu(_dense(pool, "fc7", depth, FC, seed=5), name="fc7")
    logits = _dense(fc7, "fc8", FC, CLASSES, seed=6)
    return {"images": images, "pool": pool, "fc7": fc7, "logits": logits}


def with_jpeg(network):
    """Returns the GraphDef of a frozen `network`, changed so that it takes a JPEG's bytes.

    The pictures that it took before are its tensor Mul.
    """
    with v1.Graph().as_default() as graph:
        jpeg = v1.placeholder(v1.string, [], name="DecodeJpeg/contents")
        decoded = v1.cast(v1.image.decode_jpeg(jpeg, channels=3), v1.float32)
        small = v1.image.resize_area(v1.expand_dims(decoded, 0), [SIDE, SIDE])  # (h, w, 3) -> (1, 32, 32, 3)
        images = v1.multiply(small - 127.5, 1 / 127.5, name="Mul")
        v1.import_graph_def(network, name="", input_map={"images:0": images})
        return graph.as_graph_def()


def _dense(x, scope, inputs, outputs, seed):
    with v1.variable_scope(scope + "_layer"):
        start = v1.glorot_uniform_initializer(seed=seed)
        weights = v1.get_variable("weights", [inputs, outputs], initializer=start)
        return v1.matmul(x, weights) + v1.get_variable("biases", [outputs], initializer=v1.zeros_initializer())


def _pictures():
    images, labels, *_ = cifar10.load()
    return images[:PICTURES], labels[:PICTURES]


# This takes seconds. The halves of a comparison, and all its controls, share the result.
@functools.cache
def _trained():
    """Returns {file name: bytes} of the frozen graph and the checkpoint with its meta graph."""
    images, labels = _pictures()
    with tempfile.TemporaryDirectory() as folder, v1.Graph().as_default() as graph, v1.Session() as sess:
        v1.set_random_seed(SEED)
        net = build_graph()
        saver, prefix = v1.train.Saver(), os.path.join(folder, CHECKPOINT)
        # This is the network without the training ops.
        saver.export_meta_graph(prefix + ".meta")
        y_ = v1.placeholder(v1.int64, [None], name="labels")
        cross_entropy = v1.nn.sparse_softmax_cross_entropy_with_logits(logits=net["logits"], labels=y_)
        loss = v1.reduce_mean(cross_entropy)
        train = v1.train.AdamOptimizer(LEARNING_RATE).minimize(loss)
        sess.run(v1.global_variables_initializer())
        for step in console.steps(STEPS):
            chosen = [(step * BATCH_SIZE + i) % len(labels) for i in range(BATCH_SIZE)]
            sess.run(train, {net["images"]: images[chosen] / 127.5 - 1.0, y_: labels[chosen]})
        outputs = [net[name].op.name for name in ("pool", "fc7", "logits")]
        network = v1.graph_util.convert_variables_to_constants(sess, graph.as_graph_def(), outputs)
        saver.save(sess, prefix, write_meta_graph=False, write_state=False)
        written = {GRAPH: with_jpeg(network).SerializeToString(deterministic=True)}
        for suffix in SUFFIXES:
            with open(prefix + suffix, "rb") as file:
                written[CHECKPOINT + suffix] = file.read()
    return written
