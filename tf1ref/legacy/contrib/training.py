"""tf.contrib.training.HParams: a bag of typed hyperparameters, with the text form of the command line."""

import json
import re


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
