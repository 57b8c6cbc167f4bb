"""Writes within a branch: the branch then gives what is written, and nothing is added otherwise."""

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import constants

ADDS = ("AssignAdd", "AssignSub", "AssignAddVariableOp", "AssignSubVariableOp")


def brought_out(graph):
    """Makes each addition to a variable that stands in a branch of the v1.Graph one after it, of 0 in the other branch.

    A moving average of a batch normalization is such an addition where a placeholder says whether it trains. x - 0 has
    the bits of x.
    """
    for op in graph.get_operations():
        switch = op.inputs[0].op if op.type in ADDS else None
        if switch is None or switch.type not in ("Switch", "RefSwitch"):
            continue
        variable, predicate = switch.inputs
        if variable.op.type not in constants.VARIABLES:
            continue
        side, value = op.inputs[0].value_index, op.inputs[1]
        with graph.as_default(), v1.control_dependencies(None), v1.name_scope(f"{op.name}_branch/"):
            nothing = tf.raw_ops.Switch(data=tf.zeros(value.shape, value.dtype), pred=predicate)[1 - side]
            merged = tf.raw_ops.Merge(inputs=[nothing, value] if side else [value, nothing]).output
        merged.set_shape(value.shape)
        op._update_input(0, variable)
        op._update_input(1, merged)
