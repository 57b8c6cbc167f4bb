"""Finds what only eager execution allows: t.numpy(), and a loop over a data set. Runs nothing."""

import ast


def sign(nodes, origin):
    """Returns the first such place as the program writes it, or "".

    nodes: the nodes of a program, as ast.walk yields them. origin: a function that returns the dotted path of
    TensorFlow that a chain of attributes stands for, or None.
    """
    made = _made(nodes, origin)
    for node in nodes:
        if isinstance(node, ast.Call) and not node.args and isinstance(node.func, ast.Attribute):
            if node.func.attr == "numpy" and _source(node.func.value, made, origin) is not None:
                return f"{ast.unparse(node.func)}()"
        elif isinstance(node, (ast.For, ast.comprehension)):
            path = _source(node.iter, made, origin)
            if path is not None and path.startswith("data."):
                return f"for ... in {ast.unparse(node.iter)}"
    return ""


def _made(nodes, origin):
    """Returns {name: path of the function of TensorFlow that made its value}. A name with other values is left out."""
    assigned = [node for node in nodes if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    made = {}
    for node in sorted(assigned, key=lambda each: each.lineno):
        name, path = node.targets[0].id, _source(node.value, made, origin)
        if path is None:
            made.pop(name, None)
        else:
            made[name] = path
    return made


def _source(node, made, origin):
    """Returns the path of the function of TensorFlow whose result an expression is computed from, or None."""
    todo = [node]  # the operands of a long sum nest deeper than Python's recursion
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Call):
            if path := origin(node.func):
                return path
            # A method, such as batch of a data set, gives what its object is.
            todo += [node.func.value] if isinstance(node.func, ast.Attribute) else []
        elif isinstance(node, (ast.Subscript, ast.Attribute)):
            todo.append(node.value)
        elif isinstance(node, ast.BinOp):
            todo += [node.right, node.left]
        elif isinstance(node, ast.Name) and (path := made.get(node.id)) is not None:
            return path
    return None
