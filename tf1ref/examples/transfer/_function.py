"""A Body in a tf.function, and a traced function as a frozen graph."""

import tensorflow as tf

from tf1ref.examples.transfer import _inputs


def add_body(body, jpeg, mean, deviation):
    """Returns the features (1, size) that `body` has for a JPEG's bytes.

    Call it inside a tf.function, which wraps the body's graph.
    """
    given = jpeg
    if body.side:
        decoded = tf.io.decode_jpeg(jpeg, channels=3)
        resized = tf.raw_ops.ResizeArea(images=tf.cast(decoded, tf.float32)[tf.newaxis], size=body.side)  # (1, h, w, 3)
        given = (resized - mean) / deviation
    (features,) = tf.graph_util.import_graph_def(body.graph_def, {body.jpeg: given}, [body.bottleneck])
    return tf.reshape(tf.cast(features, tf.float32), [1, body.size])  # -> (1, size)


def extractor(function):
    """Returns a function (path, bytes) of a picture that calls `function` on the bytes."""

    def extract(path, data):
        try:
            return function(tf.constant(data)).numpy()
        except tf.errors.InvalidArgumentError as error:
            raise _inputs.undecodable(path, error) from error

    return extract


def frozen(concrete):
    """Returns the GraphDef of a concrete function, with its variables' values where it reads them."""
    handles = {id(v.handle): v for v in concrete.variables}
    variables = {}
    for placeholder, handle in zip(concrete.inputs[-len(concrete.captured_inputs) :], concrete.captured_inputs):
        variables[placeholder.op.name] = handles[id(handle)]
    graph_def = concrete.graph.as_graph_def()
    kept = [node for node in graph_def.node if node.name not in variables]
    for node in kept:
        if node.op == "ReadVariableOp":
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(variables[node.input[0]].numpy()))
            node.op = "Const"
            del node.input[:]
    del graph_def.node[:]
    graph_def.node.extend(kept)
    return graph_def
