"""What the tutorial's cifar10_eval.py computes: precision@1 of every checkpoint of a training, as it appears."""

import math
import os
import time

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.errors import InputError
from tf1ref.examples.convnets import _cifar10_input as pictures
from tf1ref.modules import checkpoints

# Following ends after this many seconds without a new checkpoint.
PATIENCE = 600
POLL = 0.5  # seconds
EXAMPLES = 10_000  # all pictures of the test file


def follow(folder, last_step, get_checkpoint_state, evaluate, patience=PATIENCE):
    """Yields (step, evaluate(prefix)) of every checkpoint that `folder` lists, oldest first, until `last_step`.

    Raises InputError when none appears for `patience` seconds.
    """
    done, since = set(), time.monotonic()
    while True:
        state = get_checkpoint_state(folder)
        listed = [p for p in (state.all_model_checkpoint_paths if state else []) if p not in done]
        prefix = next((p for p in listed if os.path.exists(f"{p}.index")), None)
        if prefix:
            done.add(prefix)
            step = int(prefix.rpartition("-")[2])
            yield step, evaluate(prefix)
            if step >= last_step:
                return
            since = time.monotonic()
        elif time.monotonic() - since > patience:
            raise InputError(f"{folder}: no new checkpoint for {patience} s, none of step {last_step}: is it trained?")
        else:
            time.sleep(POLL)


def as_trace(followed, of_weights):
    """Returns the precisions that were followed, and the last one beside that of the weights without averages."""
    steps, precisions = zip(*followed)
    return {
        "evaluated_steps": np.array(steps),
        "evaluated_precision_at_1": np.array(precisions),
        "final/precision_at_1_of_weights": of_weights,
        "final/precision_at_1": precisions[-1],
    }


class GraphEvaluator:
    """The network on the test file. It is built once, and every checkpoint gets a session of its own."""

    def __init__(self, test_file, inference, batch, size, examples=EXAMPLES, averages=True):
        self.graph, self.batches = v1.Graph(), math.ceil(examples / batch)
        with self.graph.as_default():
            images, labels = pictures.inputs([test_file], batch, size)
            self.top_k = v1.nn.in_top_k(inference(images), labels, 1)
            # The decay matters only where averages are updated.
            names = v1.train.ExponentialMovingAverage(1.0).variables_to_restore() if averages else None
            self.saver = v1.train.Saver(names)
            # This sets the count of epochs.
            self.start = v1.local_variables_initializer()

    def __call__(self, prefix):
        """Returns precision@1: the share of pictures whose highest logit is the label's."""
        with v1.Session(graph=self.graph) as sess:
            sess.run(self.start)
            self.saver.restore(sess, prefix)
            coord, right = v1.train.Coordinator(), []
            with self.graph.as_default():
                threads = v1.train.start_queue_runners(sess, coord)
            # The end of the file is OutOfRangeError, which join ignores.
            with coord.stop_on_exception():
                while not coord.should_stop() and len(right) < self.batches:
                    right.append(sess.run(self.top_k))
            coord.request_stop()
            coord.join(threads)
            return np.mean(np.concatenate(right))


def follow_graph(evaluator, folder, last_step):
    """Yields (step, precision@1) and writes it as a summary into the folder `eval` beside the checkpoints."""
    with evaluator.graph.as_default():
        writer = v1.summary.FileWriter(os.path.join(folder, "eval"), evaluator.graph)
    for step, precision in follow(folder, last_step, v1.train.get_checkpoint_state, evaluator):
        value = v1.Summary.Value(tag="Precision @ 1", simple_value=precision)
        writer.add_summary(v1.Summary(value=[value]), step)
        yield step, precision
    writer.close()


def graph_evaluators(test_file, inference, batch, size, examples=EXAMPLES):
    """Returns an evaluator of the averages and one of the weights themselves."""
    return [GraphEvaluator(test_file, inference, batch, size, examples, averages) for averages in (True, False)]


def figures_graph(of_averages, of_weights, folder, last_step):
    """Follows the checkpoints; returns the trace of the precisions, from the averages and from the last weights."""
    followed = list(follow_graph(of_averages, folder, last_step))
    return as_trace(followed, of_weights(v1.train.latest_checkpoint(folder)))


class FunctionEvaluator:
    """The network on the test file; `network` has `all`, its variables, and `logits`."""

    def __init__(self, test_file, network, batch, size, examples=EXAMPLES, averages=True):
        self.network = network
        self.batches = pictures.dataset([test_file], batch, size).take(math.ceil(examples / batch))
        suffix = "/ExponentialMovingAverage" if averages else ""
        self.variables = {v.name.partition(":")[0] + suffix: v for v in network.all}

    @tf.function(reduce_retracing=True)
    def top_k(self, images, labels):
        """Returns True for every picture whose highest logit is the label's."""
        return tf.math.in_top_k(labels, self.network.logits(images), 1)

    def __call__(self, prefix):
        """Returns precision@1: the share of pictures whose highest logit is the label's."""
        checkpoints.restore(prefix, self.variables)
        return np.mean(np.concatenate([self.top_k(*batch).numpy() for batch in self.batches]))


def follow_function(evaluator, folder, last_step):
    """Yields (step, precision@1) and writes it as a summary into the folder `eval` beside the checkpoints."""
    with tf.summary.create_file_writer(os.path.join(folder, "eval")).as_default():
        for step, precision in follow(folder, last_step, tf.train.get_checkpoint_state, evaluator):
            tf.summary.scalar("Precision @ 1", precision, step)
            yield step, precision


def function_evaluators(test_file, make_network, batch, size, examples=EXAMPLES):
    """Returns an evaluator of the averages and one of the weights themselves."""
    return [FunctionEvaluator(test_file, make_network(), batch, size, examples, averages) for averages in (True, False)]


def figures_function(of_averages, of_weights, folder, last_step):
    """Follows the checkpoints; returns the trace of the precisions, from the averages and from the last weights."""
    followed = list(follow_function(of_averages, folder, last_step))
    return as_trace(followed, of_weights(tf.train.latest_checkpoint(folder)))
