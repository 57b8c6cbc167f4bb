"""int(array) and float(array) of one element, which NumPy took back in 2.4, in the file that `exec` runs.

NumPy's own arrays cannot be taught again, so the calls are: `int(x)` and `float(x)` of a program that leaves these
names alone become calls of the functions here. Lines and columns stay what they are.
"""

import ast
import builtins

import numpy as np

NAMES = {"int": "_tf1ref_int", "float": "_tf1ref_float"}


def taught(tree):
    """Changes the calls in an ast.Module; returns it."""
    bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    bound |= {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    bound |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    bound |= {n.asname or n.name for n in ast.walk(tree) if isinstance(n, ast.alias)}
    for node in ast.walk(tree):
        if _of_one_argument(node) and node.func.id in NAMES.keys() - bound:
            node.func.id = NAMES[node.func.id]
    for name, theirs in NAMES.items():
        setattr(builtins, theirs, _of_one(getattr(builtins, name)))
    return tree


def _of_one_argument(node):
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and len(node.args) == 1
        and not isinstance(node.args[0], ast.Starred)
        and not node.keywords
    )


def _of_one(number):
    def of(value):
        return number(value.item() if isinstance(value, np.ndarray) and value.size == 1 else value)

    return of
