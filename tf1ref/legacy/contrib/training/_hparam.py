"""tf.contrib.training.HParams: typed hyperparameters, which a text such as "a=1,b=[1,2]" can set."""

import contextlib
import functools
import json
import re


class HParams:
    """Hyperparameters as attributes: HParams(learning_rate=0.1, units=[3, 4]).

    Every value keeps its type. `parse("learning_rate=0.3,units=[5,6]")` and `override_from_dict` raise ValueError for a
    value of another type, and for an unknown name.

    >>> hparams = HParams(learning_rate=0.1, units=[3, 4])
    >>> hparams.parse("learning_rate=0.3,units=[5,6]").units
    [5, 6]
    """

    def __init__(self, hparam_def=None, model_structure=None, **kwargs):
        assert hparam_def is None, "TF1's message HParamDef is gone: give the hyperparameters by name"
        self._types, self._model_structure = {}, model_structure
        for name, value in kwargs.items():
            self.add_hparam(name, value)

    def add_hparam(self, name, value):
        """Adds a hyperparameter. Raises ValueError when the name exists, and for an empty list, which has no type."""
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
        """Sets a value of the same type. Raises ValueError for another type, and KeyError for an unknown name."""
        kind, many = self._types[name]
        if isinstance(value, list) != many:
            must = "pass" if many else "not pass"
            raise ValueError(f"Must {must} a list for {'multi' if many else 'single'}-valued parameter: {name}.")
        setattr(self, name, [_cast(name, kind, v) for v in value] if many else _cast(name, kind, value))

    def del_hparam(self, name):
        """Removes a hyperparameter if it exists."""
        if hasattr(self, name):
            delattr(self, name)
            del self._types[name]

    def parse(self, values):
        """Sets the values of "name=value,other=[1,2],third[1]=3". Returns the HParams."""
        found = parse_values(values, {name: kind for name, (kind, _) in self._types.items()})
        for name, value in found.items():
            if isinstance(value, dict):
                value = [value.get(index, old) for index, old in enumerate(getattr(self, name))]
            self.set_hparam(name, value)
        return self

    def override_from_dict(self, values_dict):
        """Sets the values of a dict. Returns the HParams."""
        for name, value in values_dict.items():
            self.set_hparam(name, value)
        return self

    def parse_json(self, values_json):
        """Sets the values of a JSON object. Returns the HParams."""
        return self.override_from_dict(json.loads(values_json))

    def values(self):
        """Returns {name: value}."""
        return {name: getattr(self, name) for name in self._types}

    def to_json(self, indent=None, separators=None, sort_keys=False):
        """Returns the values as a JSON object, without functions."""
        found = {name: value for name, value in self.values().items() if not callable(value)}
        return json.dumps(found, indent=indent, separators=separators, sort_keys=sort_keys)

    def get(self, key, default=None):
        """Returns a value, or `default` for an unknown name. Raises ValueError for a default of another type."""
        if key not in self._types:
            return default
        kind, many = self._types[key]
        if default is not None:
            if isinstance(default, list) != many:
                raise ValueError(f"Hparam {key} and its default {default!r}: only one of them is a list")
            for each in default if many else [default]:
                _cast(key, kind, each, f"of the default of {key}")
        return getattr(self, key)

    def __contains__(self, key):
        return key in self._types

    def __str__(self):
        """Returns the text that `parse` reads."""
        return ",".join(f"{name}={value}" for name, value in self.values().items())

    def __repr__(self):
        return f"{type(self).__name__}({sorted(self.values().items())})"


_ITEM = re.compile(r"\s*([A-Za-z][\w.]*)\s*(?:\[\s*(\d+)\s*\])?\s*=\s*(?:\[([^\]]*)\]|([^,\[]*))\s*(?:,|$)")


def parse_values(values, type_map, ignore_unknown=False):
    """Returns {name: value}, {name: [values]} and {name: {index: value}} of "a=1,b=[1,2],c[0]=3".

    type_map: {name: type}. Raises ValueError for a text of another form, an unknown name, a value of another type, and
    a name that is assigned twice.

    >>> parse_values("a=1,b=[1,2],c[0]=3", {"a": int, "b": int, "c": int})
    {'a': 1, 'b': [1, 2], 'c': {0: 3}}
    """
    found, position = {}, 0
    while position < len(values):
        match = _ITEM.match(values, position)
        if not match:
            raise ValueError(f"Could not parse hparam: malformed hyperparameter value: {values[position:]!r}")
        position = match.end()
        name, index, several, one = match.groups()
        if name not in type_map:
            if ignore_unknown:
                continue
            raise ValueError(f"Unknown hyperparameter type for {name}")
        cast = functools.partial(_parsed, name, type_map[name], values)
        if index is None:
            _take(found, name, None, values)
            words = several if several is None else [word for word in re.split("[ ,]", several) if word]
            found[name] = cast(one.strip()) if words is None else [cast(word) for word in words]
        elif several is not None:
            raise ValueError(f"Could not parse hparam {name!r}: Assignment of a list to a list index. {values}")
        else:
            _take(found, name, int(index), values)
            found.setdefault(name, {})[int(index)] = cast(one.strip())
    return found


def _take(found, name, index, values):
    """Raises ValueError when the name, or that index of it, has a value already."""
    old = found.get(name)
    if name in found and (index is None or not isinstance(old, dict) or index in old):
        shown = name if index is None or not isinstance(old, dict) else f"{name}[{index}]"
        raise ValueError(f"Multiple assignments to variable '{shown}' in {values}")


def _parsed(name, kind, values, text):
    """Returns the value that a text stands for."""
    if kind is bool:
        words = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}
        if text in words:
            return words[text]
    elif kind is type(None):
        return text
    else:
        with contextlib.suppress(TypeError, ValueError):
            return kind(text)
    raise ValueError(f"Could not parse hparam '{name}' of type '{kind.__name__}' with value '{text}' in {values}")


def _cast(name, kind, value, what="value"):
    """Returns `value` in the parameter's type. A whole number may become a float; a text or bool never a number."""
    if kind is type(None) or isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    text, number = (str, bytes), (int, float)
    fits = (isinstance(value, text) and issubclass(kind, text)) or (
        isinstance(value, int) and not isinstance(value, bool) and issubclass(kind, float)
    )
    if not fits and (issubclass(kind, (*text, *number)) or isinstance(value, (*text, *number))):
        raise ValueError(f"Could not cast hparam '{name}' of type '{kind.__name__}' from {what} {value!r}")
    return kind(value)
