"""The sine series that four programs learn, and their picture. Source: S3 4169-4199."""

import numpy as np

from tf1ref.errors import InputError

TIME_STEPS = 10
TRAINING_EXAMPLES = 10000
TESTING_EXAMPLES = 1000
SAMPLE_GAP = 0.01


def windows(seq):
    """Returns (x (n, 10), y (n,)), float32, of a series: ten values in a row, and the value after them.

    n is len(seq) - 11, since the notes leave out the last pair. Raises InputError for a series without a pair.
    """
    count = len(seq) - TIME_STEPS - 1
    if count < 1:
        raise InputError(f"a series of {len(seq)} values: give {TIME_STEPS + 2} or more, {TIME_STEPS} make one input")
    x = [seq[i : i + TIME_STEPS] for i in range(count)]
    y = [seq[i + TIME_STEPS] for i in range(count)]
    return np.array(x, np.float32), np.array(y, np.float32)


def data():
    """Returns (train_x (9989, 10), train_y, test_x (989, 10), test_y): sin from 0 to 100, and from there to 110."""
    train_end = TRAINING_EXAMPLES * SAMPLE_GAP
    test_end = (TRAINING_EXAMPLES + TESTING_EXAMPLES) * SAMPLE_GAP
    train = np.sin(np.linspace(0, train_end, num=TRAINING_EXAMPLES))
    test = np.sin(np.linspace(train_end, test_end, num=TESTING_EXAMPLES))
    return (*windows(train), *windows(test))


def picture(prediction, title):
    """Returns a figure of the predictions (989,) of the test series beside the real values. It needs matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    axis.plot(prediction, label="prediction")
    axis.plot(data()[3], label="real y", linewidth=0.8)
    axis.set(title=title, xlabel="example", ylabel="sin")
    axis.legend()
    return figure
