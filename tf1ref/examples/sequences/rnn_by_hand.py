"""A recurrent cell by hand: the state of one step is an input of the next

Source: S3 3720-3754, S4 5279-5330
TF1: the loop runs while the graph is built, so each step of the series has nodes of its own.
Now: the same loop inside a tf.function is unrolled while it is traced; numpy needs neither.
Errata: S3 starts from the state [0, 0], which gives .53704957 first and 2.59485189 in the end. What it prints,
    .23652828 and 2.35036327, comes from another start. The start that leads to its first row is solved for here
    (PRINTED_START), and both are run.
    S4 has its matrices in pictures and rounds on the way. Two things are constants here, as S4 prints them: the row of
    wxh that b picks, and the product of the rounded state with why.
See: Elman, Finding Structure in Time, doi:10.1207/s15516709cog1402_1
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

X = (1.0, 2.0)
LISTED_START = ((0.0, 0.0),)
PRINTED_START = ((0.05751135, -1.21552565),)
W_STATE = ((0.1, 0.2), (0.3, 0.4))
W_INPUT = ((0.5, 0.5),)
B_CELL = (0.1, -0.1)
W_OUTPUT = ((1.0,), (2.0,))
B_OUTPUT = 0.1

LETTERS = "abcde"
WXH_B = (-2.3, 0.8, 1.1)  # the row of wxh that the one-hot b selects
BH = (0.5, 0.3, -0.2)
HT_WHY = (-0.7, -0.6, 2.9, 0.7, -0.8)
BY = (0.0, 0.1, 0.4, -0.7, 0.1)

# S3's printed rows, then those of the start that it lists.
EXPECTED = {
    "forward/printed/before_activation": exactly([[0.24109344, -0.07470799], [1.10128204, 0.91747793]], digits=7),
    "forward/printed/state": exactly([[0.23652828, -0.07456931], [0.80095906, 0.72470211]], digits=7),
    "forward/printed/final_output": exactly([0.18738966, 2.35036327], digits=7),
    "forward/listed/state": exactly([[0.53704957, 0.37994896], [0.85317024, 0.82084082]], digits=8),
    "forward/listed/final_output": exactly([1.39694749, 2.59485189], digits=8),
    "numpy/final_output": exactly([0.18738966, 2.35036327], digits=7),
    "forward/letter/before": exactly([-1.8, 1.1, 0.9], digits=1),
    "forward/letter/state": exactly([-0.9, 0.8, 0.7], digits=1),
    "forward/letter/y": exactly([0.02, 0.02, 0.91, 0.03, 0.02], digits=2),
    "forward/letter/next": exactly(LETTERS.index("c")),
}


def by_numpy(start):
    """Returns the outputs of the steps from a state (1, 2), float64 (steps,), by S3's program."""
    state, outputs = np.array(start), []
    for x in X:
        state = np.tanh(np.dot(state, W_STATE) + x * np.array(W_INPUT) + B_CELL)
        outputs.append((np.dot(state, W_OUTPUT) + B_OUTPUT).item())
    return np.array(outputs)


def series(state):
    """Adds the steps from a state (1, 2) to the default graph; returns what each computes, by name."""
    w_state, w_input, w_output = (v1.constant(w, v1.float64) for w in (W_STATE, W_INPUT, W_OUTPUT))
    before, states, outputs = [], [], []
    for x in X:
        before.append(v1.matmul(state, w_state) + x * w_input + v1.constant(B_CELL, v1.float64))
        state = v1.tanh(before[-1])
        states.append(state)
        outputs.append(v1.matmul(state, w_output) + B_OUTPUT)
    steps = {"before_activation": v1.concat(before, 0), "state": v1.concat(states, 0)}
    return {**steps, "final_output": v1.reshape(v1.stack(outputs), [-1])}  # (steps, 1, 1) -> (steps,)


def letter():
    """Adds S4's step from b to c to the default graph."""
    before = v1.constant(WXH_B) + v1.constant(BH)
    y = v1.nn.softmax(v1.constant(HT_WHY) + v1.constant(BY))
    return {"before": before, "state": v1.tanh(before), "y": y, "next": v1.argmax(y)}


def build_graph():
    """Adds the series, whose start is fed, and the letter to the default graph, by name."""
    start = v1.placeholder(v1.float64, [1, 2], name="start")
    return {"start": start, "series": series(start), "letter": letter()}


def run_graph():
    """One run computes all steps of a series. The state passes along an edge of the graph."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        results = {
            "printed": sess.run(graph["series"], {graph["start"]: PRINTED_START}),
            "listed": sess.run(graph["series"], {graph["start"]: LISTED_START}),
            "letter": sess.run(graph["letter"]),
        }
    trace = {f"forward/{name}/{key}": v for name, values in results.items() for key, v in values.items()}
    return {**trace, "numpy/final_output": by_numpy(PRINTED_START)}


@tf.function
def steps_from(state):
    """Returns what the steps from a state (1, 2) compute, by name."""
    w_state, w_input, w_output = (tf.constant(w, tf.float64) for w in (W_STATE, W_INPUT, W_OUTPUT))
    before, states, outputs = [], [], []
    for x in X:
        before.append(tf.matmul(state, w_state) + x * w_input + tf.constant(B_CELL, tf.float64))
        state = tf.tanh(before[-1])
        states.append(state)
        outputs.append(tf.matmul(state, w_output) + B_OUTPUT)
    steps = {"before_activation": tf.concat(before, 0), "state": tf.concat(states, 0)}
    return {**steps, "final_output": tf.reshape(tf.stack(outputs), [-1])}  # (steps, 1, 1) -> (steps,)


@tf.function
def letter_step():
    """Returns S4's step from b to c."""
    before = tf.constant(WXH_B) + tf.constant(BH)
    y = tf.nn.softmax(tf.constant(HT_WHY) + tf.constant(BY))
    return {"before": before, "state": tf.tanh(before), "y": y, "next": tf.argmax(y)}


def run_function():
    """The first state is an argument, so one traced function serves both series."""
    starts = {"printed": PRINTED_START, "listed": LISTED_START}
    results = {name: steps_from(tf.constant(start, tf.float64)) for name, start in starts.items()}
    results["letter"] = letter_step()
    trace = {f"forward/{name}/{key}": v.numpy() for name, values in results.items() for key, v in values.items()}
    return {**trace, "numpy/final_output": by_numpy(PRINTED_START)}
