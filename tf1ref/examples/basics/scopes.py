"""Scopes: what variables and ops are called, and how a name shares them

Source: S2 130-146, S3 1227-1287
TF1: variable_scope prefixes variables and ops, name_scope only what is not made by get_variable.
Now: tf.name_scope prefixes ops and tf.Variable alike; sharing by name is a dict (`Store`), or simply an object.
Errata: S3 names the constant, not the variable: tf.Variable(tf.constant(..., name="v")) is called Variable.
    S3's 'Variable_16:0' is the seventeenth such name of a notebook; in a new graph it is 'Variable:0'.
    S3 lists tf.ones_initialize; it is tf.ones_initializer. S2 writes variable_score for variable_scope.
    S2's nested program has lost its indentation. Here every block lies inside the one before it, except for variable2.
See: https://www.tensorflow.org/api_docs/python/tf/compat/v1/variable_scope
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import exactly

SEED = 1
A = 1.0
B = 2.0
D = 4.0
E = 5.0
INHERITED = 0.3
OWN = 0.2
N = 9.0
V = 1.0

EXPECTED = {
    "names/nested": exactly(
        ["g:0", "name1/variable1/a:0", "variable1/b:0", "name1/variable1/Add:0"]
        + ["name1/d:0", "variable1/e:0", "name1/Add:0", "variable2/h:0", "variable2/i:0"]
        + ["variable2/variable3/j:0", "variable2/k:0", "variable2/name2/variable3/variable2/Variable:0"]
        + ["variable2/name2/variable3/variable2/Add_1:0"]
    ),
    "forward/nested": exactly([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 0.3, 0.2, 0.3, 0.3, 0.3, 9.0, 0.8]),
    "names/shared_code": exactly(["op1/weight:0", "op1/Mul:0", "op2/weight:0", "op2/Mul:0"]),
    "names/v": exactly(["Variable:0", "foo1/foo2/v:0", "foo1/foo2/v:0"]),
    "forward/errors": exactly(["ValueError", "ValueError"]),
}


def error_of(call, *arguments, **options):
    """Returns the class name of the error that `call` raises, or "" when it returns."""
    try:
        call(*arguments, **options)
    except Exception as e:
        return type(e).__name__
    return ""


def nested():
    """Adds S2's nested scopes to the default graph; returns its thirteen tensors and variables in order."""
    with v1.name_scope("name1") as name1:
        # get_variable ignores name scopes: the name is g, not name1/g.
        g = v1.get_variable("g", [1], initializer=v1.constant_initializer(0.0))
        with v1.variable_scope("variable1"):
            a = v1.Variable(A, name="a")
            b = v1.get_variable("b", shape=[1], initializer=v1.constant_initializer(B))
            c = v1.add(a, b)
            # name1 is the string "name1/". Its slash jumps back to that scope instead of nesting deeper.
            with v1.name_scope(name1):
                d = v1.Variable(D, name="d")
                e = v1.get_variable("e", shape=[1], initializer=v1.constant_initializer(E))
                f = v1.add(d, e)
    inherited = v1.constant_initializer(INHERITED)
    with v1.variable_scope("variable2", initializer=inherited) as variable2, v1.name_scope("name2"):
        h = v1.get_variable("h", [1])
        i = v1.get_variable("i", [1], initializer=v1.constant_initializer(OWN))
        with v1.variable_scope("variable3"):
            j = v1.get_variable("j", [2])
            # A scope object jumps back for variables (variable2/k), but its ops still nest deeper.
            with v1.variable_scope(variable2):
                k = v1.get_variable("k", [1])
                n = v1.Variable(N)
                r = v1.add(v1.add(i, j[0]), k)
    return [g, a, b, c, d, e, f, h, i, j, k, n, r]


def weighted(seed):
    """Adds one piece of model code, whose names begin with the scope in which it is called."""
    weight = v1.get_variable("weight", [1], initializer=v1.random_normal_initializer(seed=seed))
    bias = v1.get_variable("bias", [1], initializer=v1.random_normal_initializer(seed=seed + 1))
    return weight, v1.multiply(weight[0], bias[0])


def get_v(name, reuse=None, variable="v"):
    """Calls get_variable(variable) inside variable_scope(name, reuse), which creates it or finds it.

    Raises ValueError where the scope's rules do not allow it.
    """
    with v1.variable_scope(name, reuse=reuse):
        return v1.get_variable(variable, shape=[1], initializer=v1.constant_initializer(V))


def build_graph():
    """Adds all of the source's scopes to the default graph."""
    with v1.variable_scope("op1"):
        op1 = weighted(SEED)
    with v1.variable_scope("op2"):
        op2 = weighted(SEED + 2)
    unnamed = v1.Variable(v1.constant(V, shape=[1], name="v"))
    with v1.variable_scope("foo1"):
        created = get_v("foo2")
    return {
        "nested": nested(),
        "shared_code": [*op1, *op2],
        "v": [unnamed, created, get_v("", reuse=True, variable="foo1/foo2/v")],
        "auto": get_v("foo1/foo2", reuse=v1.AUTO_REUSE),
        "errors": [
            error_of(get_v, "foo1/foo2"),
            error_of(get_v, "foo1", reuse=True, variable="new"),
        ],
    }


def run_graph():
    """A name that is made twice, and reuse of a name that nobody made, both raise ValueError."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(SEED)
        g = build_graph()
        sess.run(v1.global_variables_initializer())
        trace = {f"names/{key}": [x.name for x in g[key]] for key in ("nested", "shared_code", "v")}
        trace["forward/nested"] = np.concatenate([np.ravel(x) for x in sess.run(g["nested"])])
        trace["forward/shared_code"] = np.concatenate([np.ravel(x) for x in sess.run(g["shared_code"])])
        trace["forward/same"] = [g["v"][1] is g["v"][2], g["v"][1] is g["auto"], g["v"][0] is g["v"][1]]
        trace["forward/v"] = sess.run(g["v"])
    trace["forward/errors"] = g["errors"]
    return {key: np.array(value) for key, value in trace.items()}


class Store(tf.Module):
    """get_variable as a dict from full names to variables, with TF1's rules for reuse."""

    def __init__(self):
        super().__init__()
        self.by_name = {}

    def get(self, name, initial=None, reuse=False):
        """Creates `name` from the callable `initial`, or finds it. reuse: False, True, or "auto" for either.

        Raises ValueError for a second creation and for the reuse of what does not exist.
        """
        if name in self.by_name and not reuse:
            raise ValueError(f"Variable {name} already exists")
        if name not in self.by_name:
            if reuse is True:
                raise ValueError(f"Variable {name} does not exist")
            # In the names of TF2 a slash is an ordinary character.
            self.by_name[name] = tf.Variable(initial(), name=name)
        return self.by_name[name]


def constant(value, size=1):
    """Returns an initializer of `size` times `value`."""
    return lambda: tf.fill([size], value)


class Nested(tf.Module):
    """S2's nested scopes. The variables are made once, outside; the ops get their names in the function."""

    def __init__(self, store):
        super().__init__()
        self.g, self.b = store.get("g", constant(0.0)), store.get("variable1/b", constant(B))
        with tf.name_scope("name1"):
            with tf.name_scope("variable1"):
                self.a = tf.Variable(A, name="a")
            self.d = tf.Variable(D, name="d")
        self.e = store.get("variable1/e", constant(E))
        self.h, self.i = store.get("variable2/h", constant(INHERITED)), store.get("variable2/i", constant(OWN))
        self.j = store.get("variable2/variable3/j", constant(INHERITED, 2))
        self.k = store.get("variable2/k", constant(INHERITED))
        with tf.name_scope("variable2/name2/variable3/variable2"):
            self.n = tf.Variable(N)
        self.op_names = []

    @tf.function
    def sums(self):
        """Returns c, f and r, and leaves their names in `op_names`."""
        with tf.name_scope("name1"), tf.name_scope("variable1"):
            c = tf.add(self.a, self.b)
            with tf.name_scope("name1/"):
                f = tf.add(self.d, self.e)
        with tf.name_scope("variable2/name2/variable3/variable2"):
            r = tf.add(tf.add(self.i, self.j[0]), self.k)
        self.op_names.extend([c.name, f.name, r.name])
        return c, f, r


class Weighted(tf.Module):
    """One piece of model code, with one object for every use of it."""

    def __init__(self, store, scope, seed):
        super().__init__()
        self.scope = scope
        self.weight = store.get(f"{scope}/weight", lambda: tf.random.normal([1], seed=seed))
        self.bias = store.get(f"{scope}/bias", lambda: tf.random.normal([1], seed=seed + 1))
        self.op_name = None

    @tf.function
    def product(self):
        """Returns weight * bias, a scalar; leaves the op's name in `op_name`."""
        with tf.name_scope(self.scope):
            result = tf.multiply(self.weight[0], self.bias[0])
        self.op_name = result.name
        return result


def run_function():
    """No scope decides about reuse. Whoever holds the object has the variable."""
    tf.random.set_seed(SEED)
    store = Store()
    shared = []
    for model in (Weighted(store, "op1", SEED), Weighted(store, "op2", SEED + 2)):
        product = model.product()
        shared += [(model.weight.name, model.weight), (model.op_name, product)]
    n = Nested(store)
    c, f, r = n.sums()
    values = [n.g, n.a, n.b, c, n.d, n.e, f, n.h, n.i, n.j, n.k, n.n, r]
    # A value has no name. The names of c, f and r were written down while tracing.
    named = [x.name for x in values if isinstance(x, tf.Variable)]
    for place, op_name in zip((3, 6, 12), n.op_names):
        named.insert(place, op_name)
    v = [tf.Variable(tf.constant(V, shape=[1])), store.get("foo1/foo2/v", constant(V))]
    v.append(store.get("foo1/foo2/v", reuse=True))
    auto = store.get("foo1/foo2/v", constant(V), reuse="auto")
    trace = {
        "names/nested": named,
        "names/shared_code": [name for name, _ in shared],
        "names/v": [x.name for x in v],
        "forward/nested": np.concatenate([np.ravel(x.numpy()) for x in values]),
        "forward/shared_code": np.concatenate([np.ravel(x.numpy()) for _, x in shared]),
        "forward/same": [v[1] is v[2], v[1] is auto, v[0] is v[1]],
        "forward/v": [x.numpy() for x in v],
        "forward/errors": [
            error_of(store.get, "foo1/foo2/v", constant(V)),
            error_of(store.get, "foo1/new", reuse=True),
        ],
    }
    return {key: np.array(value) for key, value in trace.items()}
