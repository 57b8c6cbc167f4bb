"""Runs ops of the registry on a path to a file, in every string they take: FOLDER DECISION SEED.

Prints "touched OP" for what the kernel saw opened or made in FOLDER, "ran OP" for what gave an answer. An op that ends
the process ends a fork of it.
"""

import itertools
import os
import random
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path.insert(0, os.path.dirname(__file__))

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.core.framework import op_def_pb2, types_pb2
from tensorflow.python.client import pywrap_tf_session
from watching import Watch

from tf1ref.artifacts.graph import effects, registry

OTHERS = 150  # ops without a string, drawn at random
MOST = 100  # ops that one fork asks
SKIPPED = ("resource", "variant", "func")


def strings(op):
    """True for an op that takes a string that could be a path."""
    return any(a.type == types_pb2.DT_STRING for a in op.input_arg) or any(
        a.type in ("string", "list(string)") and not a.HasField("allowed_values") for a in op.attr
    )


def made(op, path, text_rank, rank):
    """A GraphDef with one node of `op`; raises ValueError for what cannot be made."""
    graph_def = v1.GraphDef()
    node = graph_def.node.add(name="y", op=op.name)
    for a in op.attr:
        value = node.attr[a.name]
        if a.type == "string" and not a.HasField("allowed_values"):
            value.s = path
        elif a.type == "list(string)" and not a.HasField("allowed_values"):
            value.list.s.append(path)
        elif a.HasField("default_value"):
            value.CopyFrom(a.default_value)
        elif a.type == "type":
            value.type = a.allowed_values.list.type[0] if a.HasField("allowed_values") else types_pb2.DT_FLOAT
        elif a.type == "list(type)":
            value.list.type.append(types_pb2.DT_STRING)
        elif a.type == "int":
            value.i = max(a.minimum, 1)
        elif a.type == "list(int)":
            value.list.i.append(1)
        elif a.type == "shape":
            value.shape.SetInParent()
        elif a.type == "list(shape)":
            value.list.shape.add()
        elif a.type == "float":
            value.f = 1.0
        elif a.type == "bool":
            value.b = True
        elif a.type == "string":
            value.s = a.allowed_values.list.s[0]
        else:
            raise ValueError(a.type)
    for number, a in enumerate(op.input_arg):
        if a.is_ref:
            raise ValueError("ref")
        kinds = (
            list(node.attr[a.type_list_attr].list.type) if a.type_list_attr else [a.type or node.attr[a.type_attr].type]
        )
        for kind in kinds * (node.attr[a.number_attr].i if a.number_attr else 1):
            dtype = tf.as_dtype(kind)
            if dtype in (tf.resource, tf.variant):
                raise ValueError(dtype.name)
            text = dtype == tf.string
            array = np.full([1] * (text_rank if text else rank), path if text else 1, object if text else None)
            constant = graph_def.node.add(name=f"i{number}_{len(node.input)}", op="Const")
            constant.attr["dtype"].type = kind
            constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array, dtype))
            node.input.append(constant.name)
    return graph_def


def run(graph_def):
    """Runs the node y."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.import_graph_def(graph_def, name="")
        sess.run(sess.graph.get_operation_by_name("y"), options=v1.RunOptions(timeout_in_ms=300))


def chosen(decision, seed):
    """Returns the OpDefs with that decision: all that take a string, and some of the others."""
    ops = op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())).op
    found = [op for op in ops if registry.table()[op.name].decision == decision and not op.name.startswith("_")]
    others = [op for op in found if not strings(op)]
    return [op for op in found if strings(op)] + random.Random(seed).sample(others, min(OTHERS, len(others)))


def asked(op, folder, watch):
    """Runs one op on what is there and on what is not, as scalars and as vectors; prints what came of it."""
    ran = touched = False
    for name, text_rank, rank in itertools.product(("secret.txt", "hit"), (0, 1), (0, 1)):
        try:
            graph_def = made(op, os.path.join(folder, name).encode(), text_rank, rank)
            if registry.table()[op.name].decision != "computes" or effects.decision(graph_def.node[0]) == "computes":
                run(graph_def)
                ran = True
        except (ValueError, TypeError, KeyError, OverflowError, tf.errors.OpError):
            pass
        touched = bool(watch.seen()) or touched
    print(f"at {op.name}\n" + f"ran {op.name}\n" * ran + f"touched {op.name}\n" * touched, end="", flush=True)


def main(folder, decision, seed):
    """Asks the ops with that decision in forks, each as long as no op ends it."""
    watch, left = Watch(folder), chosen(decision, seed)
    while left:
        here, there = os.pipe()
        child = os.fork()
        if not child:
            for op in left[:MOST]:
                os.write(there, b".")
                asked(op, folder, watch)
            os._exit(0)
        os.waitpid(child, 0)
        os.close(there)
        left = left[len(os.read(here, MOST)) :]
        os.close(here)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
