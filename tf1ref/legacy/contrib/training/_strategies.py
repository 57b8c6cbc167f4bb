"""Strategies by which replica_device_setter distributes variables over ps tasks."""

import hashlib
from collections.abc import Callable

import numpy as np
import tensorflow.compat.v1 as v1


class GreedyLoadBalancingStrategy:
    """A ps_strategy: each op goes to the ps task with the smallest load so far. load_fn(op) is the load of the op.

    num_tasks: the number of ps tasks; the first of equals is taken. load_fn: returns a number; an example is
    byte_size_load_fn.
    """

    def __init__(self, num_tasks: int, load_fn: Callable[[v1.Operation], float]):
        self._load_fn, self._loads = load_fn, np.zeros(num_tasks)

    def __call__(self, op: v1.Operation) -> int:
        task = int(np.argmin(self._loads))
        self._loads[task] += self._load_fn(op)
        return task


class RandomStrategy:
    """A ps_strategy: the MD5 sum of an op's name and `seed` selects its ps task, so that all tasks agree."""

    def __init__(self, num_ps_tasks: int, seed: int = 0):
        self._num_tasks, self._seed = num_ps_tasks, seed

    def __call__(self, op: v1.Operation) -> int:
        digest = hashlib.md5(f"{op.name}_{self._seed}".encode(), usedforsecurity=False)
        return int(digest.hexdigest(), 16) % self._num_tasks


def byte_size_load_fn(op: v1.Operation) -> int:
    """Returns how many bytes the values of a variable take.

    The shape is that of the op's only output, or an attribute of the op for a resource variable. Raises ValueError for
    a shape that is not fully known, and for an op that is not a variable.
    """
    if len(op.outputs) != 1:
        raise ValueError(f"Op {op} must have a single output")
    shape, dtype = op.outputs[0].get_shape(), op.outputs[0].dtype
    if dtype == v1.resource:
        attributes = op.node_def.attr
        if "shape" not in attributes:
            raise ValueError(f"Op {op} is no variable: it has no shape")
        shape, dtype = v1.TensorShape(attributes["shape"].shape), v1.as_dtype(attributes["dtype"].type)
    shape.assert_is_fully_defined()
    return shape.num_elements() * dtype.size
