"""Calls of functions that TensorFlow 2 still has, with arguments that it no longer takes or understands differently.

Signatures are read from TensorFlow's source files, like the names in resolver.py.
"""

import ast
import functools

from tf1ref.compat.names import sources

# The name and the positions of the arguments are the same, but the meaning is not: what to write in TensorFlow 2.
REREAD = {
    "nn.dropout": "tf.nn.dropout(x, rate=1 - keep_prob): the second argument is now the share that is dropped",
}


def changed(path, call):
    """Returns what to write instead of the ast.Call of `tf.<path>` in TensorFlow 2, or None where the call is valid.

    path: a name that resolver.in_python knows.

    >>> call = ast.parse("tf.nn.dropout(x, 0.5)", mode="eval").body
    >>> changed("nn.dropout", call)
    'tf.nn.dropout(x, rate=1 - keep_prob): the second argument is now the share that is dropped'
    """
    keywords = {k.arg for k in call.keywords if k.arg}
    # TensorFlow 1.13 had `rate`, too.
    if path in REREAD and "rate" not in keywords:
        return REREAD[path]
    if path == "concat" and call.args and _is_integer(call.args[0]):
        return "tf.concat(values, axis): the axis came first before 1.0"
    if path == "split" and len(call.args) == 3 and _is_integer(call.args[0]):
        return "tf.split(value, number, axis): the axis came first before 1.0"
    if path.endswith("cross_entropy_with_logits") and len(call.args) > 1:
        return f"tf.{path}(labels=..., logits=...): logits came first before 1.0"
    not_taken = strange(path, call)
    return f"tf.compat.v1.{path}: TensorFlow 2's takes no {', '.join(not_taken)}" if not_taken else None


def strange(path, call):
    """Returns the keywords of an ast.Call of `tf.<path>` that TensorFlow 2's function does not take."""
    keywords = {k.arg for k in call.keywords if k.arg}
    known = _parameters(path) if keywords else None
    return sorted(keywords - known) if known else []


def moves_arguments(path, new, call):
    """Returns whether an ast.Call of `tf.<path>` fails or changes its meaning under the new name `tf.<new>`."""
    if new.startswith("compat.v1."):
        return False
    return bool(strange(new, call)) or (len(call.args) > 1 and f"tf.{path}" in _reordered())


@functools.cache
def _reordered():
    """Returns the functions whose arguments have another order in TensorFlow 2. The table is TensorFlow's own."""
    file = sources.tensorflow_folder() / "tools" / "compatibility" / "reorders_v2.py"
    for node in sources.tree(file).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reorders":
            return frozenset(ast.literal_eval(node.value))
    return frozenset()


def _is_integer(node):
    return isinstance(node, ast.Constant) and type(node.value) is int


@functools.cache
def _parameters(path):
    """Returns the parameter names of the function tf.<path> in TensorFlow 2, or None when they are not known."""
    root = sources.tensorflow_folder()
    *folders, name = path.split(".")
    places = [root / "__init__.py", root.joinpath("_api", "v2", *folders, "__init__.py")]
    for place in places[1:] if folders else places[:1]:
        for node in sources.tree(place).body if place.is_file() else ():
            for alias in node.names if isinstance(node, ast.ImportFrom) else ():
                if (alias.asname or alias.name) == name:
                    return _of_function(root.joinpath(*node.module.split(".")[1:]).with_suffix(".py"), alias.name)
    return None


def _of_function(file, name):
    for node in sources.tree(file).body if file.is_file() else ():
        if isinstance(node, ast.FunctionDef) and node.name == name:
            taken = node.args
            # An alias that a decorator adds reaches **kwargs or is listed in the decorator. `deprecated_args` lists
            # it.
            if taken.kwarg or any("deprecat" in ast.unparse(d) for d in node.decorator_list):
                return None
            return {a.arg for a in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)}
    return None
