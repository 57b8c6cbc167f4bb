"""How Keras 3's optimizer of the same name differs from TF1's: what differs, how far it leads, and what mends it.

Both train one layer on the flowers of iris, from the same weights. TF1's side are the kernels in tf1ref.modules,
which equal v1.train's to the bit.
"""
# ruff: noqa: E402 - Keras is told its backend, and TensorFlow's banner held back, before they are imported

import argparse
import dataclasses
import inspect
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tf1ref import console

console.import_tensorflow()

import keras
import numpy as np
import tensorflow as tf

from tf1ref.data import iris
from tf1ref.modules import optimizers as tf1
from tf1ref.modules import optimizers_adaptive as adaptive

STEPS = 100
SEED = 1
DEVIATION = 0.1
FALL = (50, 0.01)  # the step before which the rate falls, and to what, in the case where it does
# Raw data have inputs of any scale. Gradients as small as those of the last one are where an epsilon shows.
SCALES = (1, 1, 1, 1e-5)
# Settings that Keras calls otherwise.
WORDS = {"decay": "rho", "beta1": "beta_1", "beta2": "beta_2", "use_nesterov": "nesterov"}
LEGEND = """\
way: how far TF1 moved a weight. same: the gap where Keras gets TF1's settings. own: with the
defaults of each; both get what has none in TF1 (rate: Keras' default). left: of own, Keras mended."""
COLUMNS = ("TF1 (Keras 3)", "What differs in Keras 3", ">way", ">same", ">own", "mended by", ">left")


@dataclasses.dataclass(frozen=True)
class Case:
    """One row: two optimizers, and what they are given, in TF1's words.

    `needed` has no default in TF1: both always get it. `defaults` are TF1's: Keras gets them, too, where the
    settings are the same. To mend Keras as it comes: settings `given`, and slots `filled` with a number before the
    first step; where the `rate_falls` the slots named in `filled` are multiplied by that factor when it does.
    """

    name: str
    tf1: type
    keras: type
    differs: str
    needed: dict
    defaults: dict = dataclasses.field(default_factory=dict)
    mended_by: str = ""
    given: dict = dataclasses.field(default_factory=dict)
    filled: dict = dataclasses.field(default_factory=dict)
    rate_falls: bool = False


def default(keras_class, setting):
    """Keras' default, as text."""
    return f"{inspect.signature(keras_class).parameters[setting].default:g}".replace("e-0", "e-")


def momentum_cases():
    """Yields the cases of SGD; Keras keeps the velocity times the rate, TF1 multiplies by the rate at each step."""
    sgd = keras.optimizers.SGD
    rate = f" (rate: {default(sgd, 'learning_rate')})"
    momentum = {"learning_rate": 0.1, "momentum": 0.9}
    nesterov = {**momentum, "use_nesterov": True}
    fall = {"mended_by": "velocity * new rate / old rate", "filled": {"momentum": FALL[1] / 0.1}, "rate_falls": True}
    within = "the rate is inside the velocity"
    yield Case("GradientDescent (SGD)", tf1.GradientDescent, sgd, "nothing" + rate, {"learning_rate": 0.1})
    yield Case("Momentum (SGD)", tf1.Momentum, sgd, f"{within}, which matters only when the rate changes", momentum)
    yield Case(
        "Momentum, rate / 10 half-way", tf1.Momentum, sgd, f"{within}, which keeps the old one", momentum, **fall
    )
    yield Case("Nesterov (SGD)", tf1.Momentum, sgd, f"{within}, which matters only when the rate changes", nesterov)


def rate(keras_class):
    return f" (rate: {default(keras_class, 'learning_rate')})"


def epsilon(keras_class, tf1_default):
    return f"epsilon {default(keras_class, 'epsilon')}, {tf1_default} in TF1; "


def adaptive_cases():
    """Yields the cases of Adagrad, Adadelta and Adam."""
    ours, theirs = adaptive, keras.optimizers
    none = f"epsilon {default(theirs.Adagrad, 'epsilon')} inside the root, none in TF1: little beside 0.1 there"
    accumulator = {"initial_accumulator_value": 0.1}
    mend = {"mended_by": "epsilon=0", "given": {"epsilon": 0.0}}
    yield Case(
        "Adagrad",
        ours.Adagrad,
        theirs.Adagrad,
        none + rate(theirs.Adagrad),
        {"learning_rate": 0.1},
        accumulator,
        **mend,
    )
    mend = {"mended_by": "epsilon=1e-8", "given": {"epsilon": 1e-8}}
    settings = {"learning_rate": 0.001, "rho": 0.95, "epsilon": 1e-8}
    differs = epsilon(theirs.Adadelta, "1e-8") + "inside the roots in both"
    yield Case("Adadelta", ours.Adadelta, theirs.Adadelta, differs, {}, settings, **mend)
    settings = {"learning_rate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    differs = epsilon(theirs.Adam, "1e-8") + "outside the root in both"
    yield Case("Adam", tf1.Adam, theirs.Adam, differs, {}, settings, **mend)


def more_adaptive_cases():
    """Yields the cases of RMSProp and Ftrl."""
    ours, theirs = adaptive, keras.optimizers
    mend = {
        "mended_by": "velocity = 1 at first, epsilon=1e-10",
        "given": {"epsilon": 1e-10},
        "filled": {"velocity": 1.0},
    }
    settings = {"decay": 0.9, "momentum": 0.0, "epsilon": 1e-10}
    differs = (
        "the mean square starts at 0, at 1 in TF1; " + epsilon(theirs.RMSprop, "1e-10") + "inside the root in both"
    )
    # A rate of 0.01 would make the last steps jump about: rounding alone would part the two.
    needed = {"learning_rate": 0.001}
    yield Case(
        "RMSProp (RMSprop)", ours.RMSProp, theirs.RMSprop, differs + rate(theirs.RMSprop), needed, settings, **mend
    )
    centered, differs = {**needed, "centered": True}, "as RMSProp; the mean gradient starts at 0 in both"
    yield Case("RMSProp, centered", ours.RMSProp, theirs.RMSprop, differs, centered, settings, **mend)
    settings = {"initial_accumulator_value": 0.1, "learning_rate_power": -0.5, "l1_regularization_strength": 0.0}
    yield Case("Ftrl", ours.Ftrl, theirs.Ftrl, "nothing" + rate(theirs.Ftrl), {"learning_rate": 0.1}, settings)


def start():
    """Kernel (4, 3) and bias (3,). float64, so that what parts the two is the formula and not the rounding."""
    random = np.random.RandomState(SEED)
    return [random.normal(0, DEVIATION, shape) for shape in ((4, 3), (3,))]


@tf.function
def gradients(kernel, bias):
    """The gradients of the mean cross entropy of all 150 flowers."""
    x, labels = iris.load()
    with tf.GradientTape() as tape:
        tape.watch([kernel, bias])
        logits = tf.matmul(tf.constant(x * SCALES), kernel) + bias
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    return tape.gradient(loss, [kernel, bias])


def train_tf1(case):
    """The weights after STEPS steps with TF1's optimizer."""
    optimizer = case.tf1(**case.needed)
    variables = [tf.Variable(value, name=name) for name, value in zip(("kernel", "bias"), start())]
    optimizer.create(variables)
    for step in range(STEPS):
        if case.rate_falls and step == FALL[0]:
            optimizer.learning_rate = FALL[1]
        optimizer.apply(zip(gradients(*(v.read_value() for v in variables)), variables))
    return [v.numpy() for v in variables]


def own_defaults(case):
    """Keras' defaults of the settings that TF1 has defaults for, in TF1's words."""
    parameters = inspect.signature(case.keras).parameters
    return {name: parameters[WORDS.get(name, name)].default for name in case.defaults}


def train_keras(case, settings, mended=False):
    """The weights after STEPS steps with Keras' optimizer: the case's needed settings and these, mended or not.

    TF1 hands Python's numbers to its kernels as float32, whatever the variable is; here Keras gets those.
    """
    settings = {**case.needed, **settings, **(case.given if mended else {})}
    rounded = {k: float(np.float32(v)) if isinstance(v, float) else v for k, v in settings.items()}
    optimizer = case.keras(**{WORDS.get(k, k): v for k, v in rounded.items()})
    variables = [keras.Variable(value, dtype="float64", name=name) for name, value in zip(("kernel", "bias"), start())]
    optimizer.build(variables)
    filled = case.filled.items() if mended else ()
    slots = [(slot, value) for name, value in filled for slot in optimizer.variables if slot.path.endswith(name)]
    for slot, value in slots if not case.rate_falls else ():
        slot.assign(keras.ops.full_like(slot, value))

    @tf.function  # a step takes a tenth of the time
    def apply():
        optimizer.apply(gradients(*(v.value for v in variables)), variables)

    for step in range(STEPS):
        if case.rate_falls and step == FALL[0]:
            optimizer.learning_rate = FALL[1]
            for slot, factor in slots:
                slot.assign(slot * factor)
        apply()
    return [v.numpy() for v in variables]


def gap(one, other):
    """The largest absolute difference of a weight, as text."""
    largest = max(np.abs(a - b).max() for a, b in zip(one, other))
    return f"{largest:.2g}" if largest >= 1e-12 or not largest else "<1e-12"


def row(case):
    """The cells of one case under COLUMNS."""
    reached = train_tf1(case)
    same, own = train_keras(case, case.defaults), train_keras(case, own_defaults(case))
    left = gap(reached, train_keras(case, own_defaults(case), mended=True)) if case.mended_by else ""
    way = gap(reached, start())
    return case.name, case.differs, way, gap(reached, same), gap(reached, own), case.mended_by, left


def markdown(rows):
    """The table as lines of Markdown."""
    yield "| " + " | ".join(column.lstrip(">") for column in COLUMNS) + " |"
    yield "|" + "|".join("---:" if column.startswith(">") else "---" for column in COLUMNS) + "|"
    for cells in rows:
        yield "| " + " | ".join(cells) + " |"


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--markdown", metavar="FILE", help="writes the table of docs/reference/optimizers.md there, too"
    )
    options = parser.parse_args()
    rows = [row(case) for case in (*momentum_cases(), *adaptive_cases(), *more_adaptive_cases())]
    if options.markdown:
        Path(options.markdown).write_text("\n".join(markdown(rows)) + "\n")
    console.table(COLUMNS, rows, f"Keras {keras.__version__} beside TF1: gaps of the weights after {STEPS} steps")
    console.say(LEGEND)


if __name__ == "__main__":
    main()
