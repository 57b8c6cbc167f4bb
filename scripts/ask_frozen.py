"""Asks a frozen digit classifier and the session it came from about the test digits: they must answer alike.

ask_frozen.py FILE.pb CHECKPOINT_FOLDER. Exit code 1 when one bit differs.
"""
# ruff: noqa: E402 - what TensorFlow reads from the environment is set, and its banner held back, before it is imported

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # it computes what is constant another way: equal but for the last bits

from tf1ref import console

console.import_tensorflow()

import numpy as np
import tensorflow.compat.v1 as v1

from tf1ref import catalog
from tf1ref.data import mnist
from tf1ref.examples.mnist._pixels import less_255

BATCH = 1000


def answers(graph, digits, restore=None):
    """The logits (n, 10) that a graph with the tensors x:0 and y:0 gives for pictures (n, 28, 28, 1)."""
    with v1.Session(graph=graph) as sess:
        if restore:
            restore(sess)
        parts = (digits[i : i + BATCH] for i in range(0, len(digits), BATCH))
        return np.concatenate([sess.run("y:0", feed_dict={"x:0": part}) for part in parts])


def main(frozen, folder):
    """Prints both accuracies; returns 0 when the logits are equal to the bit."""
    test = mnist.read_data_sets(dtype=np.uint8, reshape=False).test
    digits = less_255(test.images)
    with v1.Graph().as_default() as from_file, open(frozen, "rb") as file:
        v1.import_graph_def(v1.GraphDef.FromString(file.read()), name="")
    with v1.Graph().as_default() as from_code:
        catalog.load("distributed.async_mnist").build_graph()
        saver = v1.train.Saver()
    logits = answers(from_file, digits)
    expected = answers(from_code, digits, lambda sess: saver.restore(sess, v1.train.latest_checkpoint(folder)))
    accuracy = np.mean(logits.argmax(1) == test.labels)
    kind = "MNIST" if test.source == "files" else "generated digits, not MNIST"
    print(f"test accuracy {accuracy:.4f} on {test.num_examples} digits ({kind})")
    different = int(np.sum(logits != expected))
    print(f"frozen graph against session: {different} of {logits.size} logits differ")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
