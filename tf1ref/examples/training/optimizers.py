"""Thirteen optimizers by hand: each kernel of v1.train beside its formula

Source: S4 2061-2285, S2 300-312
TF1: minimize() adds one kernel a variable, and the slots it keeps; the same rule in plain ops stands beside it.
Now: modules.optimizers apply the same kernels in a tf.function; tape.gradient gives what the rules start from.
Errata: S4's Adagrad twice adds g_t^2 t times for the sum of g_tau^2. Its Adam has V_step-1 for V_t-1. No rule has an
    epsilon: a first gradient of 0 gives 0 / 0. SGDM weighs the gradient by 1 - beta, Momentum by 1, so the rates differ
    (sgdm). No first values: TF1's are 1 for V, 0.1 in Adagrad. Times are of one run. S2's AdagradDAO is AdagradDA.
See: Ruder, An Overview of Gradient Descent Optimization Algorithms, arXiv:1609.04747
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import about, at_most, exactly
from tf1ref.modules import optimizers, optimizers_adaptive

STEPS = 50
START = (2.0, -1.5, 0.8, -0.3)
MINIMUM = (1.0, -0.5, 0.03, 0.0)  # the minimum of a bowl; l1 makes 0 of what is near it
SLOPES = (1.0, 3.0, 0.5, 2.0)
RATES = {
    "gradient_descent": 0.1, "momentum": 0.02, "nesterov": 0.02, "sgdm": 0.2, "adagrad": 0.5, "adagrad_da": 0.5,
    "adadelta": 1.0, "adam": 0.1, "rmsprop": 0.05, "rmsprop_centered": 0.05, "ftrl": 0.5, "proximal": 0.1,
    "proximal_adagrad": 0.5}  # fmt: skip
MOMENTUM = 0.9
RMSPROP_MOMENTUM = 0.5
DECAY = 0.9
RHO = 0.95
BETA1 = 0.9
BETA2 = 0.999
EPSILONS = {"adam": 1e-8, "adadelta": 1e-8, "rmsprop": 1e-10}
ACCUMULATOR = 0.1
POWER = -0.5
L1 = 0.1
L2 = 0.02
PENALTIES = {"l1_regularization_strength": L1, "l2_regularization_strength": L2}
RMSPROP = {"decay": DECAY, "momentum": RMSPROP_MOMENTUM, "epsilon": EPSILONS["rmsprop"]}
SLOTS = {  # {rule: {slot: its initial value}}, besides w
    "momentum": {"accum": 0.0}, "nesterov": {"accum": 0.0}, "sgdm": {"accum": 0.0}, "adagrad": {"accum": ACCUMULATOR},
    "adagrad_da": {"total": 0.0, "squares": ACCUMULATOR}, "adadelta": {"accum": 0.0, "moves": 0.0},
    "adam": {"m": 0.0, "v": 0.0}, "rmsprop": {"rms": 1.0, "move": 0.0}, "ftrl": {"accum": ACCUMULATOR, "linear": 0.0},
    "rmsprop_centered": {"rms": 1.0, "mean": 0.0, "move": 0.0}, "proximal_adagrad": {"accum": ACCUMULATOR}}  # fmt: skip
# Adam's kernel computes 1 - 0.999 in float32, which is 1.3e-5 less than 0.001. The formula takes Python's value.
EXPECTED = {f"final/{rule}/gap": at_most(1e-5 if rule == "adam" else 1e-6) for rule in RATES}
# l1 and l2 move the proximal rules' minimum for good; Ftrl holds its l1 against the sum of all steps: it fades.
EXPECTED["final/proximal_adagrad/w"] = about([0.9 / 1.02, -1.4 / 3.02, 0.0, 0.0], 1e-5)
EXPECTED["final/ftrl/w"] = about(MINIMUM, 1e-5)
EXPECTED["final/zeros"] = exactly([0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 2, 2])


def finished(trace, rows):
    """Returns the trace with the rows of all steps, the gaps between kernel and formula, and the zeros of each."""
    for rule in RATES:
        for kind in ("loss", "w", "by_hand"):
            trace[f"steps/{rule}/{kind}"] = np.array([np.asarray(row[kind][rule]) for row in rows])
        w, by_hand = trace[f"steps/{rule}/w"], trace[f"steps/{rule}/by_hand"]
        trace[f"final/{rule}/w"], trace[f"final/{rule}/by_hand"] = w[-1], by_hand[-1]
        trace[f"final/{rule}/gap"] = np.abs(w - by_hand).max()
    return trace | {"final/zeros": np.array([np.count_nonzero(trace[f"final/{rule}/w"] == 0) for rule in RATES])}


def kernels_in_graph(step):
    """Returns {rule: its v1.train optimizer}."""
    rate, train = RATES, v1.train
    return {
        "gradient_descent": train.GradientDescentOptimizer(rate["gradient_descent"]),
        "momentum": train.MomentumOptimizer(rate["momentum"], MOMENTUM),
        "nesterov": train.MomentumOptimizer(rate["nesterov"], MOMENTUM, use_nesterov=True),
        "sgdm": train.MomentumOptimizer(rate["sgdm"] * (1 - MOMENTUM), MOMENTUM),
        "adagrad": train.AdagradOptimizer(rate["adagrad"], ACCUMULATOR),
        "adagrad_da": train.AdagradDAOptimizer(rate["adagrad_da"], step, ACCUMULATOR, **PENALTIES),
        "adadelta": train.AdadeltaOptimizer(rate["adadelta"], RHO, EPSILONS["adadelta"]),
        "adam": train.AdamOptimizer(rate["adam"], BETA1, BETA2, EPSILONS["adam"]),
        "rmsprop": train.RMSPropOptimizer(rate["rmsprop"], **RMSPROP),
        "rmsprop_centered": train.RMSPropOptimizer(rate["rmsprop_centered"], centered=True, **RMSPROP),
        "ftrl": train.FtrlOptimizer(rate["ftrl"], POWER, ACCUMULATOR, **PENALTIES),
        "proximal": train.ProximalGradientDescentOptimizer(rate["proximal"], **PENALTIES),
        "proximal_adagrad": train.ProximalAdagradOptimizer(rate["proximal_adagrad"], ACCUMULATOR, **PENALTIES),
    }


def formula_in_graph(rule, w, g, slots, t):
    """Returns [w, slot, ...] after step t. `g`: the gradient. `slots`: their values before the step."""
    rate, square, root = RATES[rule], v1.square(g), v1.sqrt
    if rule == "gradient_descent":
        return [w - rate * g]
    if rule in ("momentum", "nesterov", "sgdm"):
        accum = MOMENTUM * slots[0] + ((1 - MOMENTUM) * g if rule == "sgdm" else g)
        return [w - rate * (g + MOMENTUM * accum if rule == "nesterov" else accum), accum]
    if rule == "adagrad":
        return [w - rate * g / root(slots[0] + square), slots[0] + square]
    if rule == "adadelta":
        accum = RHO * slots[0] + (1 - RHO) * square
        move = g * root(slots[1] + EPSILONS[rule]) / root(accum + EPSILONS[rule])
        return [w - rate * move, accum, RHO * slots[1] + (1 - RHO) * v1.square(move)]
    if rule == "adam":
        m, v = BETA1 * slots[0] + (1 - BETA1) * g, BETA2 * slots[1] + (1 - BETA2) * square
        rate *= root(1 - v1.pow(BETA2, t)) / (1 - v1.pow(BETA1, t))
        return [w - rate * m / (root(v) + EPSILONS[rule]), m, v]
    if rule in ("rmsprop", "rmsprop_centered"):
        means = [DECAY * slot + (1 - DECAY) * new for slot, new in zip(slots[:-1], (square, g))]
        variance = means[0] - v1.square(means[1]) if rule == "rmsprop_centered" else means[0]
        move = RMSPROP_MOMENTUM * slots[-1] + rate * g / root(variance + EPSILONS["rmsprop"])
        return [w - move, *means, move]
    return sparse_formula_in_graph(rule, w, g, slots, t)


def sparse_formula_in_graph(rule, w, g, slots, t):
    """Returns [w, slot, ...] of the rules that make zeros: l1 moves a value towards 0, but not beyond."""
    rate, clip = RATES[rule], v1.clip_by_value  # x - clip(x, -by, by) is x, moved towards 0 by `by`
    if rule in ("proximal", "proximal_adagrad"):
        accum = [slot + v1.square(g) for slot in slots]
        rate = rate / v1.sqrt(accum[0]) if accum else rate
        w -= rate * g
        return [(w - clip(w, -rate * L1, rate * L1)) / (1 + rate * L2), *accum]
    if rule == "adagrad_da":  # the old w is in none of its terms
        total, squares = slots[0] + g, slots[1] + v1.square(g)
        return [-rate * (total - clip(total, -L1 * t, L1 * t)) / (v1.sqrt(squares) + L2 * t * rate), total, squares]
    accum = slots[0] + v1.square(g)  # ftrl
    linear = slots[1] + g - (v1.pow(accum, -POWER) - v1.pow(slots[0], -POWER)) / rate * w
    return [(clip(linear, -L1, L1) - linear) / (v1.pow(accum, -POWER) / rate + 2 * L2), accum, linear]


def build_graph():
    """Adds two bowls for each rule: the kernel moves in one, the formula in the other."""

    def loss_of(w):
        return 0.5 * v1.reduce_sum(v1.constant(SLOPES) * v1.square(w - v1.constant(MINIMUM)))  # (4,) -> ()

    step = v1.train.create_global_step()
    t = v1.cast(step + 1, v1.float32)
    ends = {"train": [], "loss": {}, "w": {}, "by_hand": {}, "slots": {}}
    for rule, kernel in kernels_in_graph(step).items():
        with v1.variable_scope(rule):
            w = v1.get_variable("w", initializer=v1.constant(START))
            hand = [v1.get_variable("by_hand/w", initializer=v1.constant(START))]
            for slot, value in SLOTS.get(rule, {}).items():
                hand.append(v1.get_variable(f"by_hand/{slot}", initializer=v1.fill([len(START)], value)))
        ends["loss"][rule] = loss_of(w)
        ends["train"].append(kernel.minimize(ends["loss"][rule], var_list=[w]))
        values = [variable.read_value() for variable in hand]
        new = formula_in_graph(rule, values[0], v1.gradients(loss_of(values[0]), values[0])[0], values[1:], t)
        with v1.control_dependencies(new):
            ends["train"] += [v1.assign(variable, value) for variable, value in zip(hand, new)]
        ends["w"][rule], ends["by_hand"][rule] = w, hand[0]
        ends["slots"].update({kernel.get_slot(w, s).op.name: kernel.get_slot(w, s) for s in kernel.get_slot_names()})
    ends["gradient"] = v1.gradients(ends["loss"]["adam"], ends["w"]["adam"])[0]  # at first every rule's
    with v1.control_dependencies(ends["train"]):
        ends["train"] = v1.assign_add(step, 1)
    return ends


def run_graph(steps=STEPS):
    """One Session.run trains all of them. A second one reads the values."""
    rows = []
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = build_graph()
        sess.run(v1.global_variables_initializer())
        trace = {"initial/w": sess.run(graph["w"]["adam"]), "gradient/w": sess.run(graph["gradient"])}
        bar = console.steps(steps)
        for _ in bar:
            losses, _ = sess.run([graph["loss"], graph["train"]])
            rows.append({"loss": losses, **sess.run({"w": graph["w"], "by_hand": graph["by_hand"]})})
            bar.show(adam=losses["adam"], ftrl=losses["ftrl"])
        trace.update({f"slots/{name}": value for name, value in sess.run(graph["slots"]).items()})
    return finished(trace, rows)


def kernels(step):
    """Returns {rule: the optimizer of ours that applies the same kernel}."""
    rate, more = RATES, optimizers_adaptive
    return {
        "gradient_descent": optimizers.GradientDescent(rate["gradient_descent"]),
        "momentum": optimizers.Momentum(rate["momentum"], MOMENTUM),
        "nesterov": optimizers.Momentum(rate["nesterov"], MOMENTUM, use_nesterov=True),
        "sgdm": optimizers.Momentum(rate["sgdm"] * (1 - MOMENTUM), MOMENTUM),
        "adagrad": more.Adagrad(rate["adagrad"], ACCUMULATOR),
        "adagrad_da": more.AdagradDA(rate["adagrad_da"], step, ACCUMULATOR, **PENALTIES),
        "adadelta": more.Adadelta(rate["adadelta"], RHO, EPSILONS["adadelta"]),
        "adam": optimizers.Adam(rate["adam"], BETA1, BETA2, EPSILONS["adam"]),
        "rmsprop": more.RMSProp(rate["rmsprop"], **RMSPROP),
        "rmsprop_centered": more.RMSProp(rate["rmsprop_centered"], **RMSPROP, centered=True),
        "ftrl": more.Ftrl(rate["ftrl"], POWER, ACCUMULATOR, **PENALTIES),
        "proximal": more.ProximalGradientDescent(rate["proximal"], **PENALTIES),
        "proximal_adagrad": more.ProximalAdagrad(rate["proximal_adagrad"], ACCUMULATOR, **PENALTIES),
    }


def formula(rule, w, g, slots, t):
    """Returns [w, slot, ...] after step t, as in the graph."""
    rate, square, root = RATES[rule], tf.square(g), tf.sqrt
    if rule == "gradient_descent":
        return [w - rate * g]
    if rule in ("momentum", "nesterov", "sgdm"):
        accum = MOMENTUM * slots[0] + ((1 - MOMENTUM) * g if rule == "sgdm" else g)
        return [w - rate * (g + MOMENTUM * accum if rule == "nesterov" else accum), accum]
    if rule == "adagrad":
        return [w - rate * g / root(slots[0] + square), slots[0] + square]
    if rule == "adadelta":
        accum = RHO * slots[0] + (1 - RHO) * square
        move = g * root(slots[1] + EPSILONS[rule]) / root(accum + EPSILONS[rule])
        return [w - rate * move, accum, RHO * slots[1] + (1 - RHO) * tf.square(move)]
    if rule == "adam":
        m, v = BETA1 * slots[0] + (1 - BETA1) * g, BETA2 * slots[1] + (1 - BETA2) * square
        rate *= root(1 - tf.pow(BETA2, t)) / (1 - tf.pow(BETA1, t))
        return [w - rate * m / (root(v) + EPSILONS[rule]), m, v]
    if rule in ("rmsprop", "rmsprop_centered"):
        means = [DECAY * slot + (1 - DECAY) * new for slot, new in zip(slots[:-1], (square, g))]
        variance = means[0] - tf.square(means[1]) if rule == "rmsprop_centered" else means[0]
        move = RMSPROP_MOMENTUM * slots[-1] + rate * g / root(variance + EPSILONS["rmsprop"])
        return [w - move, *means, move]
    return sparse_formula(rule, w, g, slots, t)


def sparse_formula(rule, w, g, slots, t):
    """Returns [w, slot, ...] of the rules that make zeros, as in the graph."""
    rate, clip = RATES[rule], tf.clip_by_value  # x - clip(x, -by, by) is x, moved towards 0 by `by`
    if rule in ("proximal", "proximal_adagrad"):
        accum = [slot + tf.square(g) for slot in slots]
        rate = rate / tf.sqrt(accum[0]) if accum else rate
        w -= rate * g
        return [(w - clip(w, -rate * L1, rate * L1)) / (1 + rate * L2), *accum]
    if rule == "adagrad_da":
        total, squares = slots[0] + g, slots[1] + tf.square(g)
        return [-rate * (total - clip(total, -L1 * t, L1 * t)) / (tf.sqrt(squares) + L2 * t * rate), total, squares]
    accum = slots[0] + tf.square(g)
    linear = slots[1] + g - (tf.pow(accum, -POWER) - tf.pow(slots[0], -POWER)) / rate * w
    return [(clip(linear, -L1, L1) - linear) / (tf.pow(accum, -POWER) / rate + 2 * L2), accum, linear]


class Bowls(tf.Module):
    """One w for each rule that its kernel changes, and one (with slots) that its formula changes."""

    def __init__(self):
        super().__init__()
        self.global_step = tf.Variable(0, dtype=tf.int64, name="global_step")
        self.kernels = kernels(self.global_step)
        self.w = {rule: tf.Variable(START, name=f"{rule}/w") for rule in RATES}
        self.hands = {rule: [tf.Variable(START, name=f"{rule}/by_hand/w")] for rule in RATES}
        for rule, kernel in self.kernels.items():
            kernel.create([self.w[rule]])
            for slot, value in SLOTS.get(rule, {}).items():
                self.hands[rule].append(tf.Variable(tf.fill([len(START)], value), name=f"{rule}/by_hand/{slot}"))

    def loss_and_gradient(self, w):
        """Returns the height of the bowl at w, and its slope there."""
        with tf.GradientTape() as tape:
            tape.watch(w)
            loss = 0.5 * tf.reduce_sum(tf.constant(SLOPES) * tf.square(w - tf.constant(MINIMUM)))  # (4,) -> ()
        return loss, tape.gradient(loss, w)

    @tf.function
    def train(self):
        """Makes one step of all. Returns {"loss": {rule: before it}, "w": {rule: after it}, "by_hand": the same}."""
        row, t = {"loss": {}, "w": {}, "by_hand": {}}, tf.cast(self.global_step + 1, tf.float32)
        for rule, kernel in self.kernels.items():
            row["loss"][rule], gradient = self.loss_and_gradient(self.w[rule])
            kernel.apply([(gradient, self.w[rule])])
            w, *slots = [variable.read_value() for variable in self.hands[rule]]
            new = formula(rule, w, self.loss_and_gradient(w)[1], slots, t)
            for variable, value in zip(self.hands[rule], new):
                variable.assign(value)
            row["w"][rule], row["by_hand"][rule] = self.w[rule].read_value(), new[0]
        self.global_step.assign_add(1)
        return row


def run_function(steps=STEPS):
    """One call trains all of them and returns the values. Its lines run in their order."""
    rows, bowls = [], Bowls()
    trace = {"initial/w": bowls.w["adam"].numpy(), "gradient/w": bowls.loss_and_gradient(bowls.w["adam"])[1].numpy()}
    bar = console.steps(steps)
    for _ in bar:
        rows.append(bowls.train())
        bar.show(adam=rows[-1]["loss"]["adam"], ftrl=rows[-1]["loss"]["ftrl"])
    slots = {name: slot for kernel in bowls.kernels.values() for name, slot in kernel.slots.items()}
    return finished(trace | {f"slots/{name}": slot.numpy() for name, slot in slots.items()}, rows)


def plot(trace):
    """Returns a figure of how each kernel goes down, and of its distance from the formula."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, rule in enumerate(RATES):
        left.semilogy(trace[f"steps/{rule}/loss"], "--" if i > 9 else "-", label=rule)
    left.set(xlabel="step", ylabel="loss", title="Down one bowl")
    left.legend(fontsize=7)
    right.barh(list(RATES), [float(trace[f"final/{rule}/gap"]) for rule in RATES])
    right.set(title="Kernel and formula: largest gap")
    return figure
