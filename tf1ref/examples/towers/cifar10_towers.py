"""The CIFAR-10 network in two towers: shared variables, averaged gradients

Source: S1 874-884
TF1: a tower is a name scope on a device; get_variable with reuse gives every tower the same variables, on the CPU.
Now: the towers are calls of one object under tf.device; sharing needs no scopes.
Errata: S1 does not say what this computes. The towers' mean gradient is the gradient of the joined batch. So n towers
    do what one device does with an n-fold batch. (Each tower counts all penalties; the mean counts them once.) Here
    every step is checked against one device. Two trainings of 20 steps still diverge, because their sums round
    differently. The difference is 1e-7 at first; at a rate of 0.1 it grows to 3e-4 in the 20th step's loss.
See: Krizhevsky, One Weird Trick for Parallelizing Convolutional Neural Networks, arXiv:1404.5997
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_most, exactly
from tf1ref.data import cifar10 as data
from tf1ref.examples.convnets import _cifar10_input as pictures
from tf1ref.examples.convnets import cifar10
from tf1ref.modules import optimizers
from tf1ref.modules.moving_average import ExponentialMovingAverage

SEED = 1
STEPS = 20
DEVICES = ("/cpu:0", "/cpu:1")  # logical devices, one for each tower; in the source "/gpu:0", "/gpu:1"
JOINED_BATCH = 128
MIN_QUEUE = 2000

DISTORTION = cifar10.DISTORTION._replace(batch=JOINED_BATCH, min_queue=MIN_QUEUE)

EXPECTED = {
    "parameters": exactly(1068298),
    "steps/loss_difference": at_most(1e-6),  # compared with one device on the joined batch, with the same weights
    "steps/weights_difference": at_most(1e-6),  # after the step
}


def tower_loss(scope, images, labels):
    """Adds one tower. From the collection "losses" it takes those of its own name scope."""
    return cifar10.add_loss(cifar10.inference(images), labels, scope)


def average_gradients(tower_grads):
    """Adds the mean over the towers: [[(gradient, variable)]] to [(gradient, variable)]. The towers meet here."""
    averaged = []
    for pairs in zip(*tower_grads):
        gradients = v1.concat([v1.expand_dims(gradient, 0) for gradient, _ in pairs], 0)
        averaged.append((v1.reduce_mean(gradients, 0), pairs[0][1]))
    return averaged


def build_towers(images, labels, devices):
    """Adds a tower on each device, for its share of the batch. Returns their losses and averaged gradients."""
    with v1.device("/cpu:0"):
        shares = zip(v1.split(images, len(devices)), v1.split(labels, len(devices)))
    losses, tower_grads = [], []
    with v1.variable_scope(v1.get_variable_scope()):
        for i, (device, (image_share, label_share)) in enumerate(zip(devices, shares)):
            with v1.device(device), v1.name_scope(f"tower_{i}") as scope:
                losses.append(tower_loss(scope, image_share, label_share))
                v1.get_variable_scope().reuse_variables()
                variables = v1.trainable_variables()
                tower_grads.append(list(zip(v1.gradients(losses[-1], variables), variables)))
    with v1.device("/cpu:0"):
        return losses, average_gradients(tower_grads)


def build_one_device(images, labels):
    """Adds the same network on the joined batch, for comparison. Returns its loss and gradients."""
    with v1.variable_scope(v1.get_variable_scope(), reuse=True), v1.name_scope("joined") as scope:
        loss = tower_loss(scope, images, labels)
        return loss, v1.gradients(loss, v1.trainable_variables())


def build_step(gradients, after):
    """Adds the step on the averaged gradients, then the averages. `after`: ops that read the weights before."""
    with v1.device("/cpu:0"):
        global_step = v1.train.get_or_create_global_step()
        optimizer = v1.train.GradientDescentOptimizer(cifar10.INITIAL_LEARNING_RATE)
        with v1.control_dependencies(after):
            apply_gradients = optimizer.apply_gradients(gradients, global_step=global_step)
        averages = v1.train.ExponentialMovingAverage(cifar10.MOVING_AVERAGE_DECAY, global_step)
        with v1.control_dependencies([apply_gradients]):
            return averages.apply(v1.trainable_variables())


def build_training(images, labels, devices):
    """Adds the towers, the one device beside them, and the step."""
    losses, gradients = build_towers(images, labels, devices)
    joined_loss, joined_gradients = build_one_device(images, labels)
    # Without an order, the joined batch might be computed with the weights after the step.
    train_op = build_step(gradients, after=joined_gradients)
    return {"train": train_op, "row": [losses, [gradient for gradient, _ in gradients], joined_loss, joined_gradients]}


def build_graph():
    """Adds both towers and the step on placeholders of a joined batch to the default graph."""
    images = v1.placeholder(v1.float32, [JOINED_BATCH, cifar10.IMAGE_SIZE, cifar10.IMAGE_SIZE, 3], name="images")
    labels = v1.placeholder(v1.int32, [JOINED_BATCH], name="labels")
    losses, gradients = build_towers(images, labels, DEVICES)
    return {"images": images, "labels": labels, "losses": losses, "train": build_step(gradients, after=[])}


def as_trace(steps, names):
    """Returns the rows of [(losses, averaged gradients, one device's loss, its gradients)] as a trace.

    The trace also has the distances between the two.
    """
    losses, averaged, joined_losses, joined = zip(*steps)
    apart = [max(np.abs(a - b).max() for a, b in zip(*both)) for both in zip(averaged, joined)]
    return {
        "steps/losses": np.array(losses),
        "steps/joined_loss": np.array(joined_losses),
        "steps/loss_difference": np.abs(np.mean(losses, axis=1) - joined_losses),
        "steps/weights_difference": cifar10.INITIAL_LEARNING_RATE * np.array(apart),
        **{f"gradient/{name}": gradient for name, gradient in zip(names, averaged[0])},
    }


def train_graph(files, devices, steps):
    """Trains with a tower on each of `devices`. Returns the trace."""
    rows, trace = [], {}
    # device_count makes two logical CPUs of a session's CPU.
    config = v1.ConfigProto(device_count={"CPU": len(set(devices))})
    with v1.Graph().as_default(), v1.Session(config=config) as sess:
        v1.set_random_seed(SEED)
        images, labels, queued = pictures.distorted_inputs(files, DISTORTION)
        graph = build_training(images, labels, devices)
        variables = {v.op.name: v for v in v1.global_variables()}
        sess.run(v1.global_variables_initializer())
        trace.update({f"initial/{k}": v for k, v in sess.run(variables).items()})
        coord = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(sess, coord)
        bar = console.steps(steps)
        with coord.stop_on_exception():
            for _ in bar:
                pictures.wait_until_full(sess, queued, DISTORTION.capacity, coord)
                _, row = sess.run([graph["train"], graph["row"]])
                rows.append(row)
                bar.show(loss=np.mean(row[0]))
        coord.request_stop()
        coord.join(threads)
        trace.update({f"final/{k}": v for k, v in sess.run(variables).items()})
        trace["parameters"] = np.array(sum(v.shape.num_elements() for v in v1.trainable_variables()))
        return {**trace, **as_trace(rows, [v.op.name for v in v1.trainable_variables()])}


def run_graph(steps=STEPS):
    """The towers train. One device computes the same steps beside them."""
    with tempfile.TemporaryDirectory() as scratch:
        return train_graph(data.binary_files(scratch)[0], DEVICES, steps)


class Towers(tf.Module):
    """One network, its averages, and a step that calls it on every device."""

    def __init__(self, devices):
        super().__init__()
        self.devices = devices
        self.network = cifar10.Network()
        self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="global_step")
        self.averages = ExponentialMovingAverage(cifar10.MOVING_AVERAGE_DECAY, self.global_step)
        self.averages.create(self.network.all)
        self.optimizer = optimizers.GradientDescent(cifar10.INITIAL_LEARNING_RATE)

    def variables_by_name(self):
        """Returns {name: variable} of what the graph's Saver would save."""
        own = {v.name.partition(":")[0]: v for v in [*self.network.all, self.global_step]}
        return {**own, **self.averages.variables_by_name()}

    def loss_and_gradients(self, images, labels):
        """Returns the loss and the gradients of one tower, or of one device on the joined batch."""
        with tf.GradientTape() as tape:
            loss = self.network.losses(self.network.logits(images), labels)[-1]
        return loss, tape.gradient(loss, self.network.all)

    @tf.function
    def train(self, images, labels):
        """Makes one step. Returns the towers' losses and averaged gradients, and the joined batch's on one device."""
        losses, tower_grads = [], []
        shares = zip(tf.split(images, len(self.devices)), tf.split(labels, len(self.devices)))
        for device, (image_share, label_share) in zip(self.devices, shares):
            with tf.device(device):
                loss, gradients = self.loss_and_gradients(image_share, label_share)
            losses.append(loss)
            tower_grads.append(gradients)
        joined = self.loss_and_gradients(images, labels)
        gradients = [tf.reduce_mean(tf.stack(each), 0) for each in zip(*tower_grads)]
        self.optimizer.apply(zip(gradients, self.network.all), self.global_step)
        self.averages.apply(self.network.all)
        return losses, gradients, *joined


def make_logical_devices(count):
    """Makes `count` CPUs of one, for the whole process. This works only before TensorFlow has used the CPU.

    After that, tf.device("/cpu:1") is placed on the existing CPU. The numbers are the same, without a second device.
    """
    (cpu,) = tf.config.list_physical_devices("CPU")
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    # TensorFlow has used the CPU already.
    except RuntimeError:
        return


def train_function(files, devices, steps):
    """Trains with a tower on each of `devices`. Returns the trace."""
    tf.random.set_seed(SEED)
    inputs, towers = pictures.DistortedInputs(files, DISTORTION), Towers(devices)
    variables = towers.variables_by_name()
    trace = {f"initial/{k}": v.numpy() for k, v in variables.items()}
    rows = []
    bar = console.steps(steps)
    for _ in bar:
        row = towers.train(*inputs.next_batch())
        rows.append(tf.nest.map_structure(lambda tensor: tensor.numpy(), row))
        bar.show(loss=np.mean(rows[-1][0]))
    trace.update({f"final/{k}": v.numpy() for k, v in variables.items()})
    trace["parameters"] = np.array(sum(v.shape.num_elements() for v in towers.network.all))
    return {**trace, **as_trace(rows, list(variables))}


def run_function(steps=STEPS):
    """The same towers, the same device beside them, the same batches."""
    make_logical_devices(len(DEVICES))
    with tempfile.TemporaryDirectory() as scratch:
        return train_function(data.binary_files(scratch)[0], DEVICES, steps)
