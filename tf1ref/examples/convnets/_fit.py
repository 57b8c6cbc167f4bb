"""What S4's six networks on CIFAR-10 share: pictures, counts, and the picture of a training.

S4 trains by Keras' fit(). The two loops that replace it are in _fit_graph.py and _fit_function.py.
"""

from typing import NamedTuple

import numpy as np

from tf1ref.data import cifar10

CLASSES = 10
# These are the numbers of Keras' Adam. TF1's epsilon is 1e-8. The rate is .001 in both.
ADAM_EPSILON = 1e-7
EVALUATED_AT_ONCE = 200


class Plan(NamedTuple):
    """How a network is trained: pictures per step, steps per epoch, the checkpoint's name, the seed.

    short: pictures per step in a run of less than an epoch, which proves equality and teaches nothing. Tests have four
    times as many.
    """

    batch_size: int
    short: int
    epoch: int
    name: str
    seed: int


class Pictures(NamedTuple):
    """uint8 images (n, 32, 32, 3) and their labels (n,)."""

    images: np.ndarray
    labels: np.ndarray

    def part(self, which):
        """Returns the chosen images as float32 from 0 to 1, and their labels, int32."""
        return self.images[which].astype(np.float32) / 255, self.labels[which].astype(np.int32)


def data(plan, steps):
    """Returns an endless iterator of training batches, and a list of test batches.

    Each epoch has a new order. Its last batch has what is left, as in Keras' fit().
    """
    train_images, train_labels, test_images, test_labels = cifar10.load()
    size, count = (plan.short, 4 * plan.short) if steps < plan.epoch else (plan.batch_size, len(test_labels))
    test = Pictures(test_images[:count], test_labels[:count])
    parts = [test.part(slice(start, start + EVALUATED_AT_ONCE)) for start in range(0, count, EVALUATED_AT_ONCE)]
    return _shuffled(Pictures(train_images, train_labels), size, plan.seed), parts


def _shuffled(pictures, size, seed):
    random = np.random.RandomState(seed)
    while True:
        order = random.permutation(len(pictures.labels))
        for start in range(0, len(order), size):
            yield pictures.part(order[start : start + size])


def counts(trained, others):
    """Returns the parameter counts of two lists of shapes, under S4's three names."""
    trainable, fixed = (sum(int(np.prod(shape)) for shape in shapes) for shapes in (trained, others))
    return {
        "parameters/total": np.array(trainable + fixed),
        "parameters/trainable": np.array(trainable),
        "parameters/not_trainable": np.array(fixed),
    }


class History:
    """What fit() returns: loss and accuracy of each step, and those of the test pictures after each epoch."""

    def __init__(self):
        self.steps, self.validation = [], []

    def validated(self, losses, correct, penalty):
        """Notes one evaluation: every picture's loss, and whether it was right.

        Returns whether it is the best so far.
        """
        now = float(np.mean(losses, dtype=np.float64)) + float(penalty), float(np.mean(correct, dtype=np.float64))
        self.validation.append((len(self.steps), *now))
        return now[0] == min(loss for _, loss, _ in self.validation)

    def trace(self):
        """Returns all of it by key."""
        (loss, accuracy), (after, test_loss, test_accuracy) = zip(*self.steps), zip(*self.validation)
        return {
            "steps/loss": np.array(loss),
            "steps/accuracy": np.array(accuracy),
            "validation/step": np.array(after),
            "validation/loss": np.array(test_loss),
            "validation/accuracy": np.array(test_accuracy),
            "final/validation_accuracy": np.array(test_accuracy[-1]),
        }


def plot(trace, name):
    """Returns a figure of two panels, as in S4: accuracy and loss, of the training and of the tests.

    For the training it shows the mean since the test before.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle(f"{name} on CIFAR-10: test accuracy {trace['final/validation_accuracy']:.2%}")
    steps = trace["validation/step"]
    for axis, what in zip(figure.subplots(1, 2), ("accuracy", "loss")):
        training = [np.mean(part) for part in np.split(trace[f"steps/{what}"], steps[:-1])]
        axis.plot(steps, training, "o-", label="training")
        axis.plot(steps, trace[f"validation/{what}"], "s-", label="test")
        axis.set(xlabel="step", ylabel=what)
        axis.grid(alpha=0.3)
        axis.legend()
    return figure
