"""tf.contrib.training: HParams, and the strategies by which replica_device_setter spreads variables over ps tasks."""

import hashlib
import json
import re
from collections.abc import Callable

import numpy as np
import tensorflow.compat.v1 as v1


class HParams:
    """Hyperparameters as attributes: HParams(learning_rate=0.1, units=[3, 4]).

    Every value keeps its type: `parse("learning_rate=0.3,units=[5,6]")` and `override_from_dict` raise ValueError for
    another one, and for a name that is not there.
    """

    def __init__(self, **kwargs):
        self._types = {}
        for name, value in kwargs.items():
            self.add_hparam(name, value)

    def add_hparam(self, name, value):
        """Adds one. Raises ValueError where the name is taken, or an empty list leaves the type open."""
        if getattr(self, name, None) is not None:
            raise ValueError(f"Hyperparameter name is reserved: {name}")
        if isinstance(value, (list, tuple)):
            if not value:
                raise ValueError(f"Multi-valued hyperparameters cannot be empty: {name}")
            self._types[name] = (type(value[0]), True)
        else:
            self._types[name] = (type(value), False)
        setattr(self, name, value)

    def set_hparam(self, name, value):
        """Gives one another value of its own type. Raises ValueError, or KeyError for an unknown name."""
        kind, many = self._types[name]
        if isinstance(value, (list, tuple)) != many:
            raise ValueError(f"{name} is {'a list' if many else 'one value'}, not {value!r}")
        setattr(self, name, [_cast(name, kind, v) for v in value] if many else _cast(name, kind, value))

    def del_hparam(self, name):
        """Removes one, if it is there."""
        if hasattr(self, name):
            delattr(self, name)
            del self._types[name]

    def parse(self, values):
        """Sets what "name=value,other=[1,2],third[1]=3" says; returns itself."""
        for name, index, value in _parsed(values):
            if name not in self._types:
                raise ValueError(f"Unknown hyperparameter: {name}")
            kind, many = self._types[name]
            if index is not None:
                getattr(self, name)[index] = _cast(name, kind, value)
            else:
                self.set_hparam(name, value if not many or isinstance(value, list) else [value])
        return self

    def override_from_dict(self, values_dict):
        """Sets what a dict says; returns itself."""
        for name, value in values_dict.items():
            self.set_hparam(name, value)
        return self

    def parse_json(self, values_json):
        """Sets what a JSON object says; returns itself."""
        return self.override_from_dict(json.loads(values_json))

    def values(self):
        """Returns {name: value}."""
        return {name: getattr(self, name) for name in self._types}

    def to_json(self, indent=None, separators=None, sort_keys=False):
        """Returns the values as a JSON object, functions left out."""
        found = {name: value for name, value in self.values().items() if not callable(value)}
        return json.dumps(found, indent=indent, separators=separators, sort_keys=sort_keys)

    def get(self, key, default=None):
        """Returns a value, or `default` where the name is not there."""
        return getattr(self, key, default) if key in self._types else default

    def __contains__(self, key):
        return key in self._types

    def __repr__(self):
        return f"HParams({', '.join(f'{name}={value!r}' for name, value in sorted(self.values().items()))})"


def _parsed(values):
    """Yields (name, index or None, text or list of texts) of "a=1,b=[1,2],c[0]=3". Raises ValueError."""
    position = 0
    item = re.compile(r"\s*([A-Za-z][\w.]*)(?:\[(\d+)\])?\s*=\s*(?:\[([^\]]*)\]|([^,\[]*))\s*(?:,|$)")
    while position < len(values):
        match = item.match(values, position)
        if not match:
            raise ValueError(f"Malformed hyperparameter value: {values[position:]!r}")
        name, index, several, one = match.groups()
        value = one.strip() if several is None else [word.strip() for word in several.split(",")]
        yield name, None if index is None else int(index), value
        position = match.end()


def _cast(name, kind, value):
    if kind is bool:
        words = {"true": True, "1": True, "false": False, "0": False}
        found = value if isinstance(value, bool) else words.get(str(value).lower())
        if found is None:
            raise ValueError(f"Could not parse hparam {name} as bool: {value!r}")
        return found
    if kind is type(None) or callable(value):
        return value
    if kind is int and isinstance(value, (float, bool)) or (kind in (int, float) and isinstance(value, bool)):
        raise ValueError(f"Could not cast hparam {name} of type {kind.__name__} from value {value!r}")
    try:
        return kind(value)
    except (TypeError, ValueError) as e:
        raise ValueError(f"Could not cast hparam {name} of type {kind.__name__} from value {value!r}") from e


class GreedyLoadBalancingStrategy:
    """A ps_strategy: each op goes to the ps task with the smallest load so far, `load_fn(op)` being its own.

    num_tasks: number of ps tasks; the first of equals is taken. load_fn: returns a number, such as byte_size_load_fn.
    """

    def __init__(self, num_tasks: int, load_fn: Callable[[v1.Operation], float]):
        self._load_fn, self._loads = load_fn, np.zeros(num_tasks)

    def __call__(self, op: v1.Operation) -> int:
        task = int(np.argmin(self._loads))
        self._loads[task] += self._load_fn(op)
        return task


class RandomStrategy:
    """A ps_strategy: each op goes to the ps task that the MD5 sum of its name and `seed` says: the same everywhere."""

    def __init__(self, num_ps_tasks: int, seed: int = 0):
        self._num_tasks, self._seed = num_ps_tasks, seed

    def __call__(self, op: v1.Operation) -> int:
        digest = hashlib.md5(f"{op.name}_{self._seed}".encode(), usedforsecurity=False)
        return int(digest.hexdigest(), 16) % self._num_tasks


def byte_size_load_fn(op: v1.Operation) -> int:
    """Returns the bytes that a variable's values take.

    Raises ValueError for a shape that is not fully known, and for an op that is no variable: its outputs, one tensor,
    have the shape, or, of a resource variable, its attributes.
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
