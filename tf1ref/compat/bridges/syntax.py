"""Rewrites a program's calls and operators so that they go through helpers, where an object lost something.

The cases are `int(a)`, `float(a)` and `"%f" % a` of an array or eager tensor with one element, which NumPy 2.4 refuses;
methods that classes lost (methods.py); and Python 2's `/` of integers. Results of arithmetic have the types of
NumPy 1 (promotion.py). Lines and columns do not change.
"""

import ast
import builtins
import copy

import numpy as np

from tf1ref.compat.bridges import methods, promotion

NUMBERS, SUM = {"int": "_tf1ref_int", "float": "_tf1ref_float"}, {"sum": "_tf1ref_sum"}
PERCENT, DIVIDE, ATTRIBUTE = "_tf1ref_percent", "_tf1ref_divide", "_tf1ref_attribute"
LEFT, RIGHT, KEPT = "_tf1ref_left", "_tf1ref_right", "_tf1ref_kept"
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
LONG = 100  # operations in a row: a program wrote these, of texts mostly, and each helper makes them nest deeper
# No operand of NumPy's arithmetic is one of these.
TEXTS_AND_LISTS = (ast.JoinedStr, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp)


def taught(tree, divides=False):
    """Changes an ast.Module in place and returns it. divides: `/` divides integers as in Python 2."""
    _install()
    bound = _bound(tree)
    sums = SUM if promotion.NEEDED and "*" not in bound else {}  # numpy and pylab have a sum of their own
    builtin = {*NUMBERS, *sums} - bound
    return _Change(builtin, methods.wanted(_imported(tree)), divides).visit(tree)


def _bound(tree):
    bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    bound |= {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    bound |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    return bound | {n.asname or n.name for n in ast.walk(tree) if isinstance(n, ast.alias)}


def _imported(tree):
    """Returns the top-level packages that a file imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


class _Change(ast.NodeTransformer):
    def __init__(self, builtin, attributes, divides):
        self.builtin, self.attributes, self.divides = builtin, attributes, divides

    def visit_Call(self, node):
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in self.builtin:
            one = len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], ast.Starred)
            node.func.id = (SUM | NUMBERS if one else SUM).get(node.func.id, node.func.id)
        return node

    def visit_Attribute(self, node):
        self.generic_visit(node)
        if node.attr not in self.attributes or not isinstance(node.ctx, ast.Load):
            return node
        return _call(ATTRIBUTE, [node.value, ast.copy_location(ast.Constant(node.attr), node)], node)

    def visit_BinOp(self, node):
        # The first operand of a long sum is as deep as the sum has terms: deeper than Python's recursion.
        chain = [node]
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
        found = self.visit(chain[-1].left)
        for each in reversed(chain):
            each.left, each.right = found, self.visit(each.right)
            found = self._operation(each, len(chain) < LONG)
        return found

    def _operation(self, node, promotes):
        if isinstance(node.op, ast.Mod) and not _is_number(node.left):
            return _call(PERCENT, [node.left, node.right], node)
        if self.divides and isinstance(node.op, ast.Div):
            return _call(DIVIDE, [node.left, node.right], node)
        if promotes and _may_promote(node.op, node.left, node.right):
            if isinstance(node.left, (ast.Name, ast.Constant)):
                node.right = _call(RIGHT, [node.left, node.right], node)
            else:
                node.left, node.right = _call(LEFT, [node.left, node.right], node), _call(KEPT, [], node)
        return node

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        read = _read(node.target)
        if self.divides and isinstance(node.op, ast.Div) and isinstance(read, ast.Name):
            return ast.copy_location(ast.Assign([node.target], _call(DIVIDE, [read, node.value], node)), node)
        if read is not None and _may_promote(node.op, node.value):
            node.value = _call(RIGHT, [read, node.value], node)
        return node


def _may_promote(op, *operands):
    """Returns whether an operation of these nodes may be one of NumPy's. Between constants it is Python's."""
    if not promotion.NEEDED or not isinstance(op, ARITHMETIC) or any(isinstance(n, TEXTS_AND_LISTS) for n in operands):
        return False
    constants = [n.value for n in operands if isinstance(n, ast.Constant)]
    return not any(isinstance(value, (str, bytes)) for value in constants) and len(constants) < 2


def _read(target):
    """Returns a target of an assignment as an expression, or None where to read it might do something."""
    plain = (ast.Name, ast.Constant)
    parts = [target.value] if isinstance(target, ast.Attribute) else []
    parts = [target.value, target.slice] if isinstance(target, ast.Subscript) else parts
    if not all(isinstance(part, plain) for part in parts):
        return None
    read = copy.copy(target)
    read.ctx = ast.Load()
    return read


def _call(helper, arguments, node):
    name = ast.copy_location(ast.Name(helper, ast.Load()), node)
    return ast.copy_location(ast.Call(name, arguments, []), node)


def _is_number(node):
    return isinstance(node, ast.Constant) and not isinstance(node.value, str)


def _install():
    """Puts the helpers where every file of the program finds them."""
    helpers = {theirs: _of_one(getattr(builtins, name)) for name, theirs in NUMBERS.items()}
    helpers |= {PERCENT: percent, DIVIDE: divide, ATTRIBUTE: methods.attribute, SUM["sum"]: promotion.total}
    helpers |= {LEFT: promotion.left, RIGHT: promotion.right, KEPT: promotion.kept}
    for name, helper in helpers.items():
        setattr(builtins, name, helper)


def _of_one(number):
    def of(value):
        return number(_item(value))

    return of


def _item(value):
    """Returns the element of an array, an eager tensor or a variable with one element. Any other value is kept."""
    array = value
    if callable(getattr(value, "numpy", None)) and hasattr(value, "get_shape"):
        try:
            array = value.numpy()
        except NotImplementedError:  # a variable in a graph
            return value
    return array.item() if isinstance(array, np.ndarray) and array.size == 1 else value


def percent(left, right):
    """Computes `left % right`, where `left` may be a text and `right` may hold arrays of one element."""
    if not isinstance(left, str):
        return left % promotion.right(left, right)
    try:
        return left % right
    except TypeError:
        if isinstance(right, tuple):
            return left % tuple(map(_item, right))
        return left % _item(right)


def divide(left, right):
    """Computes Python 2's `left / right`: for integers, also in arrays and tensors, the result is rounded down."""
    left, right = promotion.as_before(left, right)
    if all(map(_is_whole, (left, right))):
        return left // right
    return left / right


def _is_whole(value):
    if isinstance(value, (int, np.integer)):
        return True
    dtype = getattr(value, "dtype", None)
    if isinstance(value, np.ndarray):
        return dtype.kind in "iub"
    return bool(getattr(dtype, "is_integer", False)) and dtype is not None and hasattr(value, "graph")
