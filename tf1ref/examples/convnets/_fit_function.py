"""The same training by tf.function. The network is an object, and the step is its method."""

import os
import tempfile

import tensorflow as tf

from tf1ref import console
from tf1ref.examples.convnets import _fit
from tf1ref.modules import checkpoints, optimizers

PICTURES = tf.TensorSpec([None, 32, 32, 3], tf.float32)
LABELS = tf.TensorSpec([None], tf.int32)


class Network(tf.Module):
    """The base class. A subclass makes its layers with `add`, and calls them in `logits(x, training)`."""

    def __init__(self):
        super().__init__()
        self.layers = []

    def add(self, layer, depth):
        """Makes a layer's variables for inputs of that many channels; returns the layer."""
        self.layers.append(layer.create(depth))
        return layer

    def variables_by_name(self):
        """Returns {checkpoint name: variable}, with the graph's names in the graph's order."""
        return {name: variable for layer in self.layers for name, variable in layer.variables_by_name().items()}

    def penalties(self):
        """Returns the terms of the loss besides the cross entropy."""
        return []


class Training(tf.Module):
    """A network and its optimizer."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.trained = [v for v in network.variables_by_name().values() if v.trainable]
        self.optimizer = optimizers.Adam(epsilon=_fit.ADAM_EPSILON)
        self.optimizer.create(self.trained)

    @tf.function(input_signature=[PICTURES, LABELS])
    def train(self, x, y_):
        """Makes one step. Returns the loss and the accuracy before it, and the gradients."""
        with tf.GradientTape() as tape:
            logits = self.network.logits(x, True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y_, logits=logits)
            loss = tf.add_n([tf.reduce_mean(losses), *self.network.penalties()])
        gradients = self.optimizer.minimize(tape, loss, self.trained)
        right = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), y_)
        return loss, tf.reduce_mean(tf.cast(right, tf.float32)), gradients

    @tf.function(input_signature=[PICTURES, LABELS])
    def test(self, x, y_):
        """Returns every picture's loss (n,), and whether its answer is right (n,)."""
        logits = self.network.logits(x, False)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y_, logits=logits)
        return losses, tf.equal(tf.argmax(logits, 1, output_type=tf.int32), y_)

    @tf.function(input_signature=[])
    def penalty(self):
        """Returns the loss besides the cross entropy."""
        penalties = self.network.penalties()
        return tf.add_n(penalties) if penalties else tf.constant(0.0)


def train(training, plan, steps, path):
    """Trains, and tests after each epoch and at the end. Writes the weights with the least loss to `path`."""
    history, names = _fit.History(), training.network.variables_by_name()
    batches, test = _fit.data(plan, steps)
    if os.path.exists(f"{path}.index"):
        checkpoints.restore(path, names)
    trace = {f"initial/{name}": variable.numpy() for name, variable in names.items()}
    bar = console.steps(steps)
    for step in bar:
        loss, accuracy, gradients = training.train(*(tf.constant(array) for array in next(batches)))
        history.steps.append((loss.numpy(), accuracy.numpy()))
        bar.show(loss=loss, accuracy=accuracy)
        if step == 0:
            by_variable = zip(training.trained, gradients)
            trace.update({f"gradient/{v.name.partition(':')[0]}": gradient.numpy() for v, gradient in by_variable})
        if (step + 1) % plan.epoch == 0 or step + 1 == steps:
            best = history.validated(*evaluate(training, test), training.penalty())
            if best:
                checkpoints.save(os.path.dirname(path), os.path.basename(path), names)
    return trace | history.trace()


def evaluate(training, batches):
    """Returns every picture's loss and whether its answer is right, two lists."""
    losses, correct = [], []
    for batch in batches:
        each = training.test(*(tf.constant(array) for array in batch))
        losses.extend(each[0].numpy())
        correct.extend(each[1].numpy())
    return losses, correct


def run(make_network, plan, steps, out):
    """Trains the network that `make_network()` returns; returns the trace."""
    tf.random.set_seed(plan.seed)
    training = Training(make_network())
    with tempfile.TemporaryDirectory() as scratch:
        trace = train(training, plan, steps, os.path.join(out or scratch, f"{plan.name}.ckpt"))
    names = training.network.variables_by_name()
    trace.update({f"final/{name}": variable.numpy() for name, variable in names.items()})
    slots = training.optimizer.variables_by_name()
    trace.update({f"slots/{name}": variable.numpy() for name, variable in slots.items()})
    shapes = [(variable.shape.as_list(), variable.trainable) for variable in names.values()]
    return trace | _fit.counts([s for s, trained in shapes if trained], [s for s, trained in shapes if not trained])
