"""Runs ops of the registry on a path to a file, in every string they take: FOLDER SEED OTHER OP...

Those that compute get paths in FOLDER, then each OP, which need not compute, one in the folder OTHER. Prints
"touched OP" for what the kernel saw opened or made there, "ran OP" for what gave an answer. An op that ends the process
ends a fork of it.
"""

import itertools
import os
import random
import signal
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path.insert(0, os.path.dirname(__file__))

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.core.framework import attr_value_pb2, op_def_pb2, types_pb2
from tensorflow.python.client import pywrap_tf_session
from watching import Watch

from tf1ref.artifacts.graph import effects, registry

OTHERS = 40  # ops without a string, drawn at random
MOST = 100  # ops that one fork asks
SECONDS = 20  # one op may take so long
SKIPPED = ("resource", "variant", "func")


def strings(op):
    """True for an op that takes a string that could be a path."""
    return any(a.type == types_pb2.DT_STRING for a in op.input_arg) or any(
        a.type in ("string", "list(string)") and not a.HasField("allowed_values") for a in op.attr
    )


def value_of(argument, path):
    """The AttrValue for an attribute of an op, an AttrDef: `path` where it takes any text, else its default or 1."""
    value = attr_value_pb2.AttrValue()
    if argument.type == "string" and not argument.HasField("allowed_values"):
        value.s = path
    elif argument.type == "list(string)" and not argument.HasField("allowed_values"):
        value.list.s.append(path)
    elif argument.HasField("default_value"):
        value.CopyFrom(argument.default_value)
    elif argument.type in SIMPLE:
        SIMPLE[argument.type](value, argument)
    else:
        raise ValueError(argument.type)
    return value


def first_type(argument):
    """The first type that an attribute allows, float32 where it allows all."""
    allowed = argument.allowed_values.list.type
    return allowed[0] if allowed else types_pb2.DT_FLOAT


SIMPLE = {
    "type": lambda value, a: setattr(value, "type", first_type(a)),
    "list(type)": lambda value, a: value.list.type.append(types_pb2.DT_STRING),
    "int": lambda value, a: setattr(value, "i", max(a.minimum, 1)),
    "list(int)": lambda value, a: value.list.i.append(1),
    "shape": lambda value, a: value.shape.SetInParent(),
    "list(shape)": lambda value, a: value.list.shape.add(),
    "float": lambda value, a: setattr(value, "f", 1.0),
    "bool": lambda value, a: setattr(value, "b", True),
    "string": lambda value, a: setattr(value, "s", a.allowed_values.list.s[0]),
}


def constant(graph_def, name, kind, path, rank):
    """Adds a Const of a DataType number: ones, `path` where it is text, of `rank` dimensions of size 1."""
    dtype = tf.as_dtype(kind)
    if dtype in (tf.resource, tf.variant):
        raise ValueError(dtype.name)
    text = dtype == tf.string
    array = np.full([1] * rank, path if text else 1, object if text else None)
    node = graph_def.node.add(name=name, op="Const")
    node.attr["dtype"].type = kind
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array, dtype))
    return node.name


def made(op, path, text_rank, rank):
    """A GraphDef with one node of `op`; raises ValueError for what cannot be made."""
    graph_def = v1.GraphDef()
    node = graph_def.node.add(name="y", op=op.name)
    for a in op.attr:
        node.attr[a.name].CopyFrom(value_of(a, path))
    for number, a in enumerate(op.input_arg):
        if a.is_ref:
            raise ValueError("ref")
        listed = list(node.attr[a.type_list_attr].list.type) if a.type_list_attr else None
        kinds = [a.type or node.attr[a.type_attr].type] if listed is None else listed
        for kind in kinds * (node.attr[a.number_attr].i if a.number_attr else 1):
            size = text_rank if kind == types_pb2.DT_STRING else rank
            node.input.append(constant(graph_def, f"i{number}_{len(node.input)}", kind, path, size))
    return graph_def


def run(graph_def):
    """Runs the node y."""
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.import_graph_def(graph_def, name="")
        sess.run(sess.graph.get_operation_by_name("y"), options=v1.RunOptions(timeout_in_ms=300))


def computing(ops, seed):
    """Returns the OpDefs that compute: all that take a string, and some of the others."""
    found = [op for op in ops if registry.table()[op.name].decision == "computes" and not op.name.startswith("_")]
    others = [op for op in found if not strings(op)]
    return [op for op in found if strings(op)] + random.Random(seed).sample(others, min(OTHERS, len(others)))


def answers(op, path, text_rank, rank):
    """True where one op gives an answer on a path."""
    try:
        graph_def = made(op, path.encode(), text_rank, rank)
        if registry.table()[op.name].decision == "computes" and effects.decision(graph_def.node[0]) != "computes":
            return False
        run(graph_def)
    except (ValueError, TypeError, KeyError, OverflowError, tf.errors.OpError):
        return False
    return True


def asked(op, folder, watch):
    """Runs one op on what is there and on what is not, as scalars or vectors; prints what came of it."""
    ran = touched = False
    for name in ("secret.txt", "hit"):
        path = os.path.join(folder, name)
        ran = any(answers(op, path, *ranks) for ranks in itertools.product((0, 1), (0, 1)))
        touched = bool(watch.seen()) or touched
        if not ran:  # it takes neither, so one path is enough
            break
    print(f"at {op.name}\n" + f"ran {op.name}\n" * ran + f"touched {op.name}\n" * touched, end="", flush=True)


def forked(left, folder):
    """Asks the OpDefs `left` in forks, each as long as no op ends it."""
    watch = Watch(folder)
    while left:
        here, there = os.pipe()
        child = os.fork()
        if not child:
            for op in left[:MOST]:
                signal.alarm(SECONDS)  # ends the fork: a kernel that spins cannot be interrupted
                os.write(there, b".")
                asked(op, folder, watch)
            os._exit(0)
        os.waitpid(child, 0)
        os.close(there)
        left = left[len(os.read(here, MOST)) :]
        os.close(here)


if __name__ == "__main__":
    ops = op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())).op
    forked(computing(ops, int(sys.argv[2])), sys.argv[1])
    forked([op for op in ops if op.name in sys.argv[4:]], sys.argv[3])
