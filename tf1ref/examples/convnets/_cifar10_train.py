"""cifar10_train.py of the tutorial: the loop, with examples per second, summaries and checkpoints."""

import os
import time
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.examples.convnets import _cifar10_input as pictures
from tf1ref.modules import checkpoints

MODEL_NAME = "model.ckpt"


class Schedule(NamedTuple):
    """How often, in steps, the speed is measured, summaries are written (0: never) and a checkpoint is saved."""

    log: int
    summary: int
    checkpoint: int


class Log:
    """The steps of a run: their progress, with the loss and examples per second, and their rows in the trace."""

    def __init__(self, steps, schedule, batch):
        self.steps, self.schedule, self.batch = steps, schedule, batch
        self.rows = {}

    def __iter__(self):
        bar = console.steps(self.steps)
        since, speed = time.monotonic(), float("nan")
        for step in bar:
            yield step
            if (step + 1) % self.schedule.log == 0:
                speed = self.schedule.log * self.batch / (time.monotonic() - since)
                since = time.monotonic()
            bar.show(loss=self.rows["loss"][-1], examples_per_second=speed)

    def add(self, values):
        """Adds one step's values, {name: number or array}."""
        for name, value in values.items():
            self.rows.setdefault(name, []).append(value)

    def trace(self):
        """Returns the rows under `steps/`."""
        return {f"steps/{name}": np.array(values) for name, values in self.rows.items()}

    def saves_after(self, step):
        """Returns True when a checkpoint follows `step`: after so many steps each, and after the last one."""
        return (step + 1) % self.schedule.checkpoint == 0 or step + 1 == self.steps


def picture(trace, layers, labels):
    """Returns a figure of loss and sparsity over the steps, and of ten pictures of the first batch with `labels`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplot_mosaic([["loss"] * 5, ["sparsity"] * 5, list("01234"), list("56789")])
    axes["loss"].plot(trace["steps/loss"], linewidth=0.8)
    axes["loss"].set(ylabel="total loss")
    for layer in layers:
        axes["sparsity"].plot(trace[f"steps/{layer}"], linewidth=0.8, label=layer)
    axes["sparsity"].set(xlabel="step", ylabel="sparsity")
    axes["sparsity"].legend(fontsize=8, ncol=len(layers))
    for i, image in enumerate(trace["images"][:10]):
        # The picture is standardized. Its grey levels are shown from the least to the greatest.
        low, high = image.min(), image.max()
        axes[str(i)].imshow((image - low) / (high - low), interpolation="nearest")
        axes[str(i)].set_title(labels[i], fontsize=8)
        axes[str(i)].axis("off")
    return figure


def train_graph(build, log, folder, seed):
    """Trains what `build` adds to a graph on what its queues hold. Writes files to `folder`. Returns the trace.

    build() returns "train", "shown" {name: tensor of every step}, "first" {trace key: tensor of the first step},
    "summary", "queued" and "capacity". An error of a thread that fills the queues is raised; of several, the first one.
    """
    trace = {}
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(seed)
        graph = build()
        variables = {v.op.name: v for v in v1.global_variables()}
        trace["parameters"] = np.array(sum(v.shape.num_elements() for v in v1.trainable_variables()))
        saver, writer = v1.train.Saver(), v1.summary.FileWriter(folder, sess.graph)
        sess.run(v1.global_variables_initializer())
        trace.update({f"initial/{k}": v for k, v in sess.run(variables).items()})
        coord = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(sess, coord)
        # join raises the error that stopped the first thread, and this may be that thread.
        with coord.stop_on_exception():
            for step in log:
                pictures.wait_until_full(sess, graph["queued"], graph["capacity"], coord)
                first = graph["first"] if step == 0 else {}
                summary = [graph["summary"]] if log.schedule.summary > 0 and step % log.schedule.summary == 0 else []
                _, shown, first, summary = sess.run([graph["train"], graph["shown"], first, summary])
                log.add(shown)
                trace.update(first)
                for each in summary:
                    writer.add_summary(each, step)
                if log.saves_after(step):
                    saver.save(sess, os.path.join(folder, MODEL_NAME), global_step=step + 1)
        coord.request_stop()
        coord.join(threads)
        writer.close()
        trace.update({f"final/{k}": v for k, v in sess.run(variables).items()})
    return {**trace, **log.trace()}


def train_function(training, inputs, log, folder):
    """Trains `training` on the batches of `inputs`. Writes the same files to `folder`. Returns the same trace.

    training.train(images, labels) returns {name: tensor of every step} and the gradients, in the order of
    training.network.all. training.variables_by_name() is what a checkpoint holds.
    """
    variables = training.variables_by_name()
    trace = {f"initial/{k}": v.numpy() for k, v in variables.items()}
    trace["parameters"] = np.array(sum(v.shape.num_elements() for v in training.network.all))
    with tf.summary.create_file_writer(os.fspath(folder)).as_default():
        for step in log:
            images, labels = inputs.next_batch()
            # This is False itself and not a tensor, so that the step is traced without summaries, in half the time.
            summarize = log.schedule.summary > 0 and tf.constant(step % log.schedule.summary == 0)
            with tf.summary.record_if(summarize):
                tf.summary.image("images", images, step)
            shown, gradients = training.train(images, labels, summarize)
            log.add({name: tensor.numpy() for name, tensor in shown.items()})
            if step == 0:
                trace["images"] = images.numpy()
                trace.update({f"gradient/{k}": g.numpy() for k, g in zip(variables, gradients)})
            if log.saves_after(step):
                checkpoints.save(folder, MODEL_NAME, variables, global_step=step + 1)
    trace.update({f"final/{k}": v.numpy() for k, v in variables.items()})
    return {**trace, **log.trace()}


def write_summaries(step, layers, losses, rate, gradients):
    """Writes what the graph's merge_all writes, except for the pictures."""
    for name, layer in layers:
        tf.summary.histogram(f"{name}/activations", layer, step)
        tf.summary.scalar(f"{name}/sparsity", tf.nn.zero_fraction(layer), step)
    for name, loss, average in losses:
        tf.summary.scalar(f"{name}_raw", loss, step)
        tf.summary.scalar(f"{name}_average", average, step)
    tf.summary.scalar("learning_rate", rate, step)
    for gradient, variable in gradients:
        name = variable.name.partition(":")[0]
        tf.summary.histogram(f"{name}/values", variable, step)
        tf.summary.histogram(f"{name}/gradients", gradient, step)
