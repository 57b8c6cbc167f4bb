"""Calls that name something TensorFlow 2 still has, with arguments that it no longer takes or reads otherwise.

Signatures are read from TensorFlow's source files, like the names in resolver.py.
"""

import ast
import functools

from tf1ref.compat.names import sources

# Same name, same arguments by position, another meaning: what to write in TensorFlow 2.
REREAD = {
    "nn.dropout": "tf.nn.dropout(x, rate=1 - keep_prob): the second argument is what is dropped now",
}


def changed(path, call):
    """Returns what replaces the ast.Call of `tf.<path>` in TensorFlow 2, or None when the call is right as it is.

    path: one that resolver.in_python knows.
    """
    keywords = {k.arg for k in call.keywords if k.arg}
    if path in REREAD and "rate" not in keywords:  # 1.13 had `rate` too
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
    """Whether an ast.Call of `tf.<path>` means something else, or nothing, as one of its new name `tf.<new>`."""
    if new.startswith("compat.v1."):
        return False
    return bool(strange(new, call)) or (len(call.args) > 1 and f"tf.{path}" in _reordered())


@functools.cache
def _reordered():
    """Returns the functions whose arguments stand in another order in TensorFlow 2: TensorFlow's own table."""
    file = sources.tensorflow_folder() / "tools" / "compatibility" / "reorders_v2.py"
    for node in sources.tree(file).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reorders":
            return frozenset(ast.literal_eval(node.value))
    return frozenset()


def _is_integer(node):
    return isinstance(node, ast.Constant) and type(node.value) is int


@functools.cache
def _parameters(path):
    """Returns the parameter names of tf.<path> (a function) in TensorFlow 2, or None where they cannot be told."""
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
            # Aliases that a decorator adds are taken by **kwargs or listed in it; `deprecated_args` lists them.
            if taken.kwarg or any("deprecat" in ast.unparse(d) for d in node.decorator_list):
                return None
            return {a.arg for a in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)}
    return None
