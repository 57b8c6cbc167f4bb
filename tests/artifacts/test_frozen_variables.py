"""Every way a variable travels to the op that reads it, frozen and compared with the session."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import answers, constants, graphs
from tf1ref.artifacts.graph.graphs import Graph, bare
from tf1ref.errors import InputError

W = np.array([1.0, 2.0, 3.0], np.float32)
TABLE = np.arange(8.0, dtype=np.float32).reshape(4, 2)


def variable(value=W, name="w"):
    return v1.get_variable(name, initializer=value)


def read():
    return variable() * 2.0, {}, W * 2


def read_directly():
    return variable().read_value(), {}, W


def cond():
    w, u, p = variable(), variable(W + 1, "u"), v1.placeholder(tf.bool, [], name="p")
    return v1.cond(p, lambda: w * 2.0, lambda: u + 1.0), {"p:0": False}, W + 2


def loop():
    w = variable()
    return v1.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a + w), [0, tf.zeros(3)])[1], {}, 3 * W


def cond_in_loop():
    w, p = variable(), v1.placeholder(tf.bool, [], name="p")
    step = lambda i, a: (i + 1, v1.cond(p, lambda: a + w, lambda: a))  # noqa: E731
    return v1.while_loop(lambda i, a: i < 3, step, [0, tf.zeros(3)])[1], {"p:0": True}, 3 * W


def lookup():
    ids = v1.placeholder(tf.int32, [None], name="ids")
    return v1.nn.embedding_lookup(variable(TABLE), ids), {"ids:0": [3, 1]}, TABLE[[3, 1]]


def lookup_in_cond():
    table, p = variable(TABLE), v1.placeholder(tf.bool, [], name="p")
    found = v1.cond(p, lambda: v1.nn.embedding_lookup(table, [2]), lambda: tf.zeros([1, 2]))
    return found, {"p:0": True}, TABLE[[2]]


def lookup_in_loop():
    table = variable(TABLE)
    step = lambda i, a: (i + 1, a + v1.nn.embedding_lookup(table, i))  # noqa: E731
    return v1.while_loop(lambda i, a: i < 3, step, [0, tf.zeros(2)])[1], {}, TABLE[:3].sum(0)


def gather_nd():
    return tf.gather_nd(variable(TABLE), [[1, 1], [3, 0]]), {}, np.array([3, 6], np.float32)


def shape_of():
    return tf.shape(variable(TABLE)) * 1, {}, np.array([4, 2], np.int32)


def initialized():
    w = variable()
    return v1.cond(v1.is_variable_initialized(w), w.read_value, lambda: tf.zeros(3)), {}, W


def initialized_in_cond():
    w, p = variable(), v1.placeholder(tf.bool, [], name="p")
    known = v1.cond(p, lambda: tf.cast(v1.is_variable_initialized(w), tf.float32), lambda: tf.constant(7.0))
    return known + w, {"p:0": False}, W + 7


def functions():
    w, u = variable(), variable(W + 1, "u")
    inner = tf.function(lambda x: x + u)
    outer = tf.function(lambda x: inner(x) * w)
    return outer(tf.ones(3)) + outer(tf.zeros(3)), {}, (2 * W + 3) * W


def switch_case():
    w, i = variable(), v1.placeholder(tf.int32, [], name="i")
    return tf.switch_case(i, [lambda: w.read_value(), lambda: w * 2.0]), {"i:0": 0}, W


def two_types():
    w, h = variable(), variable(W.astype(np.float64), "h")
    both = tf.function(lambda a, b: tf.cast(a, tf.float32) - tf.cast(b, tf.float32) * 2.0)
    return both(w, h) + both(h, w), {}, -2 * W


def partitioned():
    split = v1.fixed_size_partitioner(2)
    pieces = v1.get_variable("pw", [4, 2], initializer=v1.ones_initializer(), partitioner=split)
    return tf.convert_to_tensor(pieces) * 2.0, {}, np.full([4, 2], 2, np.float32)


def mapped():
    w = variable()
    return tf.map_fn(lambda x: x * w, tf.ones([2, 3])), {}, np.stack([W, W])


WAYS = [read, read_directly, cond, loop, cond_in_loop, lookup, lookup_in_cond, lookup_in_loop, gather_nd]
WAYS += [shape_of, initialized, initialized_in_cond, functions, switch_case, two_types, partitioned, mapped]


@pytest.fixture(params=["control flow v2", "control flow v1"])
def control_flow(request):
    (v1.enable_control_flow_v2 if request.param.endswith("v2") else v1.disable_control_flow_v2)()
    yield
    v1.enable_control_flow_v2()


def graph_of(way, resource):
    """Returns the graph pruned to y, its variables' values, the feed, the session's answer and numpy's."""
    with v1.Graph().as_default() as graph, v1.variable_scope("", use_resource=resource), v1.Session() as sess:
        tensor, feed, expected = way()
        tf.identity(tensor, name="y")
        sess.run(v1.global_variables_initializer())
        graph_def = Graph(bare(graph.as_graph_def())).pruned(["y"])
        values = {v.op.name: sess.run(v.read_value()) for v in v1.global_variables()}
    return graph_def, {n.name: values[n.name] for n in constants.variables(graph_def)}, feed, expected


@pytest.mark.parametrize("resource", [True, False], ids=["resource", "ref"])
@pytest.mark.parametrize("way", WAYS)
def test_answers_as_the_session(way, resource, control_flow):
    if way is initialized_in_cond and not resource and v1.control_flow_v2_enabled():
        pytest.skip("TensorFlow itself does not pass a ref into a function")
    graph_def, values, feed, expected = graph_of(way, resource)
    frozen = constants.frozen(Graph(graph_def, "model"), values)
    assert not [n.name for n in graphs.all_nodes(frozen) if n.op in constants.VARIABLES or "ReadVariable" in n.op]
    session = answers.Model(Graph(graph_def), ["y:0"], values).answers(feed)
    np.testing.assert_array_equal(session["y:0"], expected)
    assert answers.difference(session, answers.Model(Graph(frozen), ["y:0"]).answers(feed)) == ""


def test_batched_gather_of_a_resource():
    def way():
        ids = tf.constant([[0], [1], [1], [0]])
        handle = variable(TABLE).handle
        found = tf.raw_ops.ResourceGather(resource=handle, indices=ids, dtype=tf.float32, batch_dims=1)
        return found, {}, None

    graph_def, values, feed, _ = graph_of(way, resource=True)
    reached = answers.Model(Graph(constants.frozen(Graph(graph_def, "model"), values)), ["y:0"]).answers(feed)["y:0"]
    np.testing.assert_array_equal(reached, [[0.0], [3.0], [5.0], [6.0]])


def test_shape_of_a_resource():
    def way():
        return tf.raw_ops.VariableShape(input=variable(TABLE).handle, out_type=tf.int64), {}, None

    graph_def, values, feed, _ = graph_of(way, resource=True)
    reached = answers.Model(Graph(constants.frozen(Graph(graph_def, "model"), values)), ["y:0"]).answers(feed)["y:0"]
    assert reached.dtype == np.int64 and reached.tolist() == [4, 2]


@pytest.mark.parametrize("resource", [True, False], ids=["resource", "ref"])
def test_a_write_on_the_path_is_refused(resource):
    def way():
        with tf.control_dependencies([v1.assign_add(variable(), [1.0, 1.0, 1.0], name="count")]):
            return tf.ones(2), {}, None

    graph_def, values, _, _ = graph_of(way, resource)
    with pytest.raises(InputError, match=r"model: the outputs need .* \(Assign\w+\), which writes to a variable"):
        constants.frozen(Graph(graph_def, "model"), values)
