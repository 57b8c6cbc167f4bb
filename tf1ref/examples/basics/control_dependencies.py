"""Control dependencies: first this, then that, without data between them

Source: S2 119-122, 147-147, 156-157, S3 762-772
TF1: ops without a path between them run in any order; control_dependencies adds the missing edge.
Now: inside tf.function whatever has an effect runs in the order of its lines, and runs even if nobody uses it.
Errata: S2's second factorial fetches the variable beside the printing op. That read depends on nothing, so it may come
    before the multiplication. The variable has to be read inside the block, as here.
    S2 counts in int32, which holds 12! at most; int64 goes to 20!.
    S2 announces a random start of x and writes 9.
See: https://www.tensorflow.org/guide/function
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

STEPS = 4
X_START = 9.0
INCREMENT = 1.0
W_START = 8.0
RATE = 0.5
DECAY = 0.99

EXPECTED = {
    "steps/factorial": exactly([1, 2, 6, 24]),
    "steps/x": exactly([[10.0], [11.0], [12.0], [13.0]]),
    "steps/x_y": exactly([[0.0], [11.0], [24.0], [39.0]]),
}


def build_graph():
    """Adds the factorial, the accumulator and one training step tied together in two ways to the default graph."""
    product = v1.Variable(1, dtype=v1.int64, name="product")
    n = v1.placeholder(v1.int64, [], name="n")
    with v1.control_dependencies([v1.assign(product, v1.multiply(product, n))]):
        factorial = product.read_value()
    x = v1.get_variable("input_x", [1], initializer=v1.constant_initializer(X_START))
    y = v1.placeholder(v1.float32, name="y")
    with v1.control_dependencies([v1.assign(x, v1.add(x, INCREMENT))]):
        # An op that was made before the block would not wait; only ops that are created here do. x is read anew.
        x_after = v1.identity(x)
        x_y = v1.multiply(x, y, name="x_y")
    w = v1.Variable(W_START, name="w")
    average = v1.Variable(0.0, trainable=False, name="average")
    step = v1.assign_sub(w, RATE * w)
    with v1.control_dependencies([step]):
        averaging = v1.assign(average, DECAY * average + (1.0 - DECAY) * w)
    with v1.control_dependencies([step, averaging]):
        train_no_op = v1.no_op(name="train")
    return {
        "n": n,
        "factorial": factorial,
        "y": y,
        "x": x_after,
        "x_y": x_y,
        "w": w,
        "average": average,
        # group runs all of them in no order. The lines above make the average follow w.
        "train_group": v1.group(step, averaging),
        "train_no_op": train_no_op,
    }


def run_graph(steps=STEPS):
    """One run of x_y updates x and multiplies. Without the edge it would take two runs, or luck."""
    trace = {key: [] for key in ("steps/factorial", "steps/x", "steps/x_y", "steps/w", "steps/average")}
    with v1.Graph().as_default(), v1.Session() as sess:
        g = build_graph()
        sess.run(v1.global_variables_initializer())
        for i in range(steps):
            trace["steps/factorial"].append(sess.run(g["factorial"], {g["n"]: i + 1}))
            x, x_y = sess.run([g["x"], g["x_y"]], {g["y"]: float(i)})
            trace["steps/x"].append(x)
            trace["steps/x_y"].append(x_y)
            nothing = sess.run(g["train_group"] if i % 2 else g["train_no_op"])
            # group and no_op have an effect, but no value.
            assert nothing is None
            trace["steps/w"].append(sess.run(g["w"]))
            trace["steps/average"].append(sess.run(g["average"]))
    return {key: np.array(value) for key, value in trace.items()}


class Model(tf.Module):
    """A model whose effects happen in the order of its lines."""

    def __init__(self):
        super().__init__()
        self.product = tf.Variable(1, dtype=tf.int64, name="product")
        self.x = tf.Variable([X_START], name="input_x")
        self.w = tf.Variable(W_START, name="w")
        self.average = tf.Variable(0.0, trainable=False, name="average")

    @tf.function
    def factorial(self, n):
        """Multiplies by n; returns the new product, an int64 scalar."""
        self.product.assign(tf.multiply(self.product, n))
        return self.product.read_value()

    @tf.function
    def accumulate(self, y):
        """Adds to x, then multiplies; returns both, of shape [1]."""
        self.x.assign(tf.add(self.x, INCREMENT))
        return self.x.read_value(), tf.multiply(self.x, y)

    @tf.function
    def train(self):
        """Makes one step of w and of its average. Nobody fetches these two lines, but they run."""
        self.w.assign_sub(RATE * self.w)
        self.average.assign(DECAY * self.average + (1.0 - DECAY) * self.w)


def run_function(steps=STEPS):
    """A function that returns nothing does what group and no_op did."""
    trace = {key: [] for key in ("steps/factorial", "steps/x", "steps/x_y", "steps/w", "steps/average")}
    model = Model()
    for i in range(steps):
        trace["steps/factorial"].append(model.factorial(tf.constant(i + 1, tf.int64)).numpy())
        x, x_y = model.accumulate(tf.constant(float(i)))
        trace["steps/x"].append(x.numpy())
        trace["steps/x_y"].append(x_y.numpy())
        model.train()
        trace["steps/w"].append(model.w.numpy())
        trace["steps/average"].append(model.average.numpy())
    return {key: np.array(value) for key, value in trace.items()}
