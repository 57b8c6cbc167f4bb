"""Where each name of TensorFlow comes from today. `exec` loads and `check` reports this one answer.

World 1 is TensorFlow 1.0 to 1.15 and the names before it. World 2 is TensorFlow 2.0 to 2.15 on Keras 2.
Nothing is imported here.
"""

import functools
from typing import NamedTuple

from tf1ref.compat.names import facts, sources, table

V1_API, V2_API = "tensorflow._api.v2.compat.v1", "tensorflow._api.v2"
# Modules of TensorFlow outside its public API, by the path under which programs import them.
BESIDE = ("python", "core", "compiler", "lite", "tools", "tsl", "security")
# In TensorFlow 2 these four belong to Keras.
KERAS_MODULES = ("losses", "metrics", "optimizers", "initializers")


class Origin(NamedTuple):
    """The attribute `name` of the importable `module`.

    An Origin without a name is the module itself. One without a module only leads to other names.
    """

    module: str = ""
    name: str = ""

    @property
    def is_value(self):
        """Returns whether this is not a module. Names below a value are attributes, which Python looks up."""
        return bool(self.name)


@functools.cache
def resolve(path, world=1):
    """Returns the Origin of `tf.<path>` under `tf1ref exec`, or None where it is missing.

    path: dotted, without `tensorflow.`. Raises InputError when no TensorFlow is installed.

    >>> resolve("contrib.layers.fully_connected")
    Origin(module='tf1ref.legacy.contrib.layers', name='fully_connected')
    >>> resolve("nn.relu")
    Origin(module='tensorflow._api.v2.compat.v1.nn', name='relu')
    """
    sources.tensorflow_folder()
    if path == "":
        return Origin(V1_API if world == 1 else "tensorflow")
    for start, other in (("compat.v1", 1), ("compat.v2", 2)):
        if within(path, start):
            return resolve(path[len(start) + 1 :], other)
    if world == 2:
        return _second(path)
    return _first(path)


def _first(path):
    exact = _exact(path)
    if exact:
        return exact
    if (rest := in_keras(path)) is not None:
        return keras(rest, 1) or _above_keras(path)
    parent, _, name = path.rpartition(".")
    above = resolve(parent, 1) if parent else None
    if above and above.is_value:
        return above
    found = (_member(above, name) if above and above.module and above != plain(parent, 1) else None) or plain(path, 1)
    if not found and path.startswith("contrib."):
        found = _inner(path) or renamed(path)
    if not found and within(path, "python"):
        found = _gone_inside(path)
    return found or (Origin() if facts.leads_on(path) or _leads_to_renamed(path) else None)


def _exact(path):
    module, _, name = path.rpartition(".")
    if module in table.INNER:
        public = ".".join(filter(None, (table.INNER[module], name)))
        path = public if public in table.FUNCTIONS or public in table.RENAMED else path
    if path in table.FUNCTIONS:
        return _function(table.FUNCTIONS[path])
    if path in table.MODULES and not (within(path, "keras") and has_keras()):
        return Origin(f"tf1ref.legacy.{table.MODULES[path]}")
    if path in table.PACKAGES:
        return _walk(table.PACKAGES[path], "")
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        if (new := table.RENAMED.get(".".join(parts[:length]))) is not None:
            return resolve(".".join([new, *parts[length:]]), 1)
    return None


def _function(place):
    """Returns the Origin of a function of tf1ref.legacy, as the table has it."""
    module, _, name = place.rpartition(".")
    return Origin(f"tf1ref.legacy.{module}", name)


def _second(path):
    first = path.partition(".")[0]
    if path in table.SECOND:
        return _function(table.SECOND[path])
    if (rest := in_keras(path)) is not None:
        return keras(rest, 2) or _above_keras(path)
    if first in KERAS_MODULES:
        return keras(path, 2)
    found = plain(path, 2)
    if not found and first == "estimator":
        found = resolve(path, 1)
    return found or (_gone_inside(path) if first == "python" else None)


def keras(rest, world):
    """Returns the Origin of `keras.<rest>` in tf_keras, which is Keras 2, or None."""
    for start, home in table.DATA_SETS.items():
        if within(rest, start):
            return _walk(home, rest[len(start) + 1 :])
    if not has_keras():
        return None
    for root in (f"tf_keras.api._v{world}.keras", "tf_keras.src"):
        if found := _walk(root, rest):
            return found
    # Longer names come first.
    for old, places in sorted(table.OLD_KERAS.items(), reverse=True):
        for place in places if within(rest, old) else ():
            if found := keras(".".join(filter(None, (place, rest[len(old) + 1 :]))), world):
                return found
    return None


def _above_keras(path):
    """Returns the Origin of a module that only leads to a place of Keras, such as contrib.keras.python, or None."""
    return Origin() if has_keras() and any(within(root, path) for root in table.KERAS) else None


def has_keras():
    """Returns whether tf_keras is installed."""
    return sources.folder("tf_keras") is not None


@functools.cache
def plain(path, version):
    """Returns the Origin of `tf.<path>` (version 2) or `tf.compat.v1.<path>` (version 1) in plain TensorFlow, or
    None.

    Names of Keras are not included, nor are tf.layers and tf.nn.rnn_cell, which Keras 3 removed.
    """
    first = path.partition(".")[0]
    if version == 1:
        found = None if within(path, "layers") or within(path, "nn.rnn_cell") else _walk(V1_API, path)
    elif sources.is_module(f"{V2_API}.{first}"):
        found = _walk(V2_API, path)
    else:
        found = Origin("tensorflow", first) if first in sources.names("tensorflow") - set(BESIDE) else None
    return found or (_walk("tensorflow", path) if first in BESIDE else None)


def in_python(path, world):
    """Returns whether plain TensorFlow 2 has `tf.<path>` with the meaning that it has in `world`.

    >>> in_python("nn.relu", 1), in_python("Session", 1)
    (True, False)
    """
    for start, version in (("compat.v1", 1), ("compat.v2", 2)):
        if within(path, start):
            rest = path[len(start) + 1 :]
            return rest == "" or plain(rest, version) is not None
    first, _, rest = path.partition(".")
    if path == "":
        return True
    if first == "keras" or first in KERAS_MODULES:
        below = rest if first == "keras" else path
        return world == 2 and (not below or _walk("keras._tf_keras.keras", below) is not None)
    return in_keras(path) is None and plain(path, 2) is not None


def in_keras(path):
    """Returns what of `path` lies below Keras, at any of the places where TensorFlow had it, or None.

    >>> in_keras("contrib.keras.layers.Dense"), in_keras("keras"), in_keras("layers.Dense")
    ('layers.Dense', '', None)
    """
    root = next((root for root in table.KERAS if within(path, root)), None)
    return None if root is None else path[len(root) + 1 :]


def _walk(module, path):
    """Returns the Origin of the attribute `path` of a module, or None. Submodules need not be imported yet."""
    origin = Origin(module) if sources.is_module(module) else None
    for part in path.split(".") if path else ():
        if origin is None or origin.is_value:
            return origin
        origin = _member(origin, part)
    return origin


def _member(origin, name):
    child = f"{origin.module}.{name}"
    if sources.is_module(child):
        return Origin(child)
    if (home := sources.homes(origin.module).get(name)) and sources.is_module(home):
        return Origin(home)
    if name in sources.names(origin.module) or (not name.startswith("_") and sources.makes_names(origin.module)):
        return Origin(origin.module, name)
    return None


def _inner(path):
    """Resolves a file inside contrib: `contrib.P.python.a.b.name` is `name` in contrib.P, or in its part b."""
    package = ".".join(path.split(".")[:2])
    if not within(path, f"{package}.python") or resolve(package, 1) is None:
        return None
    below = path.split(".")[3:]
    for start in range(len(below)):
        found = resolve(".".join([package, *below[start:]]), 1)
        if found:
            return found
    return resolve(package, 1) if facts.is_module(path) else None


def renamed(path):
    """Returns the Origin of the new name of `path` in TensorFlow's own table of renames, or None."""
    new = facts.renames().get(path)
    if new is None:
        return None
    return resolve(new, 1) if within(new, "compat.v1") or within(new, "keras") else plain(new, 2)


def _leads_to_renamed(path):
    start = f"{path}."
    return path.startswith("contrib.") and any(renamed(old) for old in facts.renames() if old.startswith(start))


def _gone_inside(path):
    """Resolves a name that moved inside tensorflow.python, or whose module was removed, to where it is today."""
    parent, _, name = path.rpartition(".")
    module = f"tensorflow.{parent}"
    if facts.is_module(path):
        return Origin()
    if not (sources.is_module(module) or facts.is_module(parent)):
        above = resolve(parent, 1) if parent else None
        return above if above and above.is_value else None
    package = module if sources.is_package(module) else module.rpartition(".")[0]
    defined = sources.definers(package, name) if sources.is_module(package) else ()
    if len(defined) == 1:
        return Origin(defined[0], name)
    offered = _offered().get(name, ())
    chosen = [m for m in defined if m in offered] or list(offered)
    if chosen:
        return Origin(chosen[0], offered[chosen[0]])
    return resolve(f"estimator.{name}", 1) if within(path, "python.estimator") else None


@functools.cache
def _offered():
    """Returns {public name: {module: name in it}} of TensorFlow's version 1 API."""
    found = {}
    for module in sources.below(V1_API):
        for public, home, name in sources.imported(module):
            if home.startswith("tensorflow.python."):
                found.setdefault(public, {})[home] = name
    return found


def within(path, place):
    """Returns whether `path` is `place` or lies below it.

    >>> within("contrib.layers", "contrib"), within("contribution", "contrib")
    (True, False)
    """
    return path == place or path.startswith(place + ".")
