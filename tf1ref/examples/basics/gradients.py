"""Gradients: symbols in the graph, or a tape that listens

Source: S4 663-696, S3 936-948, 4072-4080
TF1: tf.gradients adds the ops of the derivative to the graph; stop_gradient cuts a path.
Now: GradientTape records what runs under it; inside tf.function the derivative is traced along with the rest.
Errata: none found.
See: https://www.tensorflow.org/guide/autodiff
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

W = 3.0
U = 2.0
FACTOR = 10.0
# The weight of the loss when it comes from outside: TF1's grad_ys, the tape's output_gradients.
WEIGHT = 0.25
# S3 clips the gradients of the language model, all together, to this norm.
MAX_GRAD_NORM = 5.0
GRADIENTS = ("square", "second", "weighted", "summed", "both", "stopped", "big", "clipped")

EXPECTED = {
    "gradient/square": exactly(6.0),
    "gradient/second": exactly(2.0),
    "gradient/clipped": exactly([3.0, 4.0]),
    "forward/global_norm": exactly(50.0),
}


def build_graph():
    """Adds functions of two variables and their gradients to the default graph."""
    w, u = v1.Variable(W, name="w"), v1.Variable(U, name="u")
    square = v1.pow(w, 2)
    (first,) = v1.gradients(square, [w])
    (second,) = v1.gradients(first, [w])
    stopped = w * u + v1.stop_gradient(w * w) * u
    # These two gradients (3 and 4 times FACTOR) have the common norm 5 times FACTOR.
    big = v1.gradients(FACTOR * (w * 3.0 + u * 4.0), [w, u])
    clipped, norm = v1.clip_by_global_norm(big, MAX_GRAD_NORM)
    (unconnected,) = v1.gradients(v1.stop_gradient(square), [w])
    return {
        "w": w,
        "square": first,
        "second": second,
        "weighted": v1.gradients(square, [w], grad_ys=v1.constant(WEIGHT))[0],
        # A list of targets is summed: d(w^2 + w u) / dw.
        "summed": v1.gradients([square, w * u], [w])[0],
        "both": v1.gradients(w * u, [w, u]),
        "stopped": v1.gradients(stopped, [w, u]),
        "big": big,
        "clipped": clipped,
        "norm": norm,
        "unconnected": unconnected,
    }


def run_graph():
    """A gradient is a tensor that can be fetched. Where there is no path it is None, which cannot be fetched."""
    with v1.Graph().as_default(), v1.Session() as sess:
        g = build_graph()
        sess.run(v1.global_variables_initializer())
        trace = {f"gradient/{key}": sess.run(g[key]) for key in GRADIENTS}
        trace["forward/global_norm"] = sess.run(g["norm"])
        trace["forward/unconnected_is_none"] = g["unconnected"] is None
        # Zero instead of None, for those who ask for it.
        zero = v1.gradients(v1.constant(1.0), [g["w"]], unconnected_gradients=v1.UnconnectedGradients.ZERO)
        trace["gradient/zero"] = sess.run(zero)[0]
    return {key: np.array(value) for key, value in trace.items()}


class Model(tf.Module):
    """Two variables; every trainable variable that is read under a tape is watched by itself."""

    def __init__(self):
        super().__init__()
        self.w = tf.Variable(W, name="w")
        self.u = tf.Variable(U, name="u")
        self.unconnected = 0

    @tf.function
    def squares(self):
        """Returns gradients of w^2: first, second (a tape under a tape), weighted, and of a sum with w u."""
        w, u = self.w, self.u
        # persistent: this tape is asked more than once; a plain one forgets after the first time.
        with tf.GradientTape(persistent=True) as outer:
            with tf.GradientTape() as inner:
                square = tf.pow(w, 2)
            first = inner.gradient(square, w)
            targets = [square, w * u]
        second = outer.gradient(first, w)
        weighted = outer.gradient(square, w, output_gradients=tf.constant(WEIGHT))
        return {"square": first, "second": second, "weighted": weighted, "summed": outer.gradient(targets, w)}

    @tf.function
    def pairs(self):
        """Returns gradients by w and u: of w u, of an expression with stop_gradient, and of one that is clipped."""
        w, u = self.w, self.u
        with tf.GradientTape(persistent=True) as tape:
            product = w * u
            stopped = w * u + tf.stop_gradient(w * w) * u
            loss = FACTOR * (w * 3.0 + u * 4.0)
        big = tape.gradient(loss, [w, u])
        clipped, norm = tf.clip_by_global_norm(big, MAX_GRAD_NORM)
        both, stopped = tape.gradient(product, [w, u]), tape.gradient(stopped, [w, u])
        return {"both": both, "stopped": stopped, "big": big, "clipped": clipped}, norm

    @tf.function
    def without_path(self):
        """Leaves in `unconnected` what the tape says of a stopped value (None); returns the zero asked for."""
        with tf.GradientTape(persistent=True) as tape:
            stopped = tf.stop_gradient(tf.pow(self.w, 2))
        self.unconnected = tape.gradient(stopped, self.w)
        return tape.gradient(stopped, self.w, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def run_function():
    """Gradients are returned from the function like any other result."""
    model = Model()
    squares, (pairs, norm) = model.squares(), model.pairs()
    trace = {f"gradient/{key}": value.numpy() for key, value in squares.items()}
    trace |= {f"gradient/{key}": [g.numpy() for g in value] for key, value in pairs.items()}
    trace["gradient/zero"] = model.without_path().numpy()
    trace["forward/unconnected_is_none"] = model.unconnected is None
    trace["forward/global_norm"] = norm.numpy()
    return {key: np.array(value) for key, value in trace.items()}
