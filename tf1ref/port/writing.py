"""Writes model.py: the text of a Program as TensorFlow 2 code, and the arrays that lie beside it."""

import re
from dataclasses import dataclass, field

import numpy as np

from tf1ref.port import layout, literals, names, patterns, raw
from tf1ref.port.classes import BITS, ODD, classes
from tf1ref.port.expressions import DROPOUT
from tf1ref.port.tree import tree

HEAD = '''"""{title}{more}"""

{imports}import tensorflow as tf
'''
MORE = """

The weights lie in weights.npz beside this file, by the names that they had in the graph.
"""
IMPORTS = """from pathlib import Path

import numpy as np
"""
FILE = """
WEIGHTS = Path(__file__).with_name("weights.npz")
"""
SEEDED = """
{name} = 0  # seed of random ops; 0 draws other numbers in each process
"""
# The arguments may be in the next line.
CALLED = re.compile(r"(?<![\w.])variable\(")
VARIABLE = '''

def variable(arrays, name):
    """Returns the variable `name` of the graph with its value."""
    return tf.Variable(arrays[name], name=name)
'''


@dataclass
class Start:
    """How variables get their first values: the lines of initial_values(), their names, and the seed of tf.random.

    The seed is None when nothing is drawn.
    """

    lines: list = field(default_factory=list)
    names: set = field(default_factory=set)
    seed: int | None = None


def arguments(program):
    """Returns {key of an input: the name of its argument in model.py}."""
    taken = set()
    return {key: names.free(names.identifier(key), taken) for key in program.inputs}


def model(program, title, inside=False, start=None):
    """Returns (text of model.py, {name: array} of weights.npz). `title`: the first line, one sentence.

    inside: it is called inside another tf.function, and returns a dict even for one output.
    start: the Start of variables that need no array.
    """
    patterns.found(program)
    given = arguments(program)
    inputs = {program.inputs[key]: word for key, word in given.items()}
    shared, model_class = classes(tree(program), program, inputs)
    start = start or Start()
    kept = {name: array for name, array in arrays(program).items() if name not in start.names}
    lines = list(start.lines)
    for made in shared:
        lines += ["", "", *_class(made)]
    seed = next((n.attrs["seed"].i for n in program.every().values() if n.op == DROPOUT), None)
    lines += ["", "", *_model(program, model_class, given, inside, _arrays(start, kept, seed))]
    head = HEAD.format(title=title, more=MORE if kept else "", imports=IMPORTS if kept else "") + FILE * bool(kept)
    if any(raw.unseeded(node) for node in program.every().values()):
        head += SEEDED.format(name=raw.UNSEEDED)
    if any(CALLED.search(line) for line in lines):
        head += VARIABLE
    return head + "\n".join(lines) + "\n", kept


def arrays(program):
    """Returns {name: array} of the weights, in types that an npz has."""
    found = {}
    for node in program.nodes.values():
        if node.weight:
            value = node.value
            if node.dtypes[0] in ODD:
                value = np.frombuffer(value.tobytes(), BITS[value.dtype.itemsize].as_numpy_dtype).reshape(value.shape)
            found[node.name] = value
    return found


def _arrays(start, kept, seed):
    """Returns the statements by which a Model gets its arrays. seed: that of its dropouts, or None."""
    lines = [] if seed is None else ["        # Dropout draws with this seed.", f"        tf.random.set_seed({seed})"]
    if not start.names:
        return [*lines, "        arrays = np.load(WEIGHTS) if arrays is None else arrays"]
    values = "initial_values()" if start.seed is None else "tf.function(initial_values)()"
    lines += ["        if arrays is None:"]
    if start.seed is not None:
        lines += [f"            tf.random.set_seed({start.seed})"] * (seed is None)
        lines += ["            # A new function draws from the start."]
    return [*lines, "            arrays = " + (f"{{**np.load(WEIGHTS), **{values}}}" if kept else values)]


def _class(made):
    first = made.members[0]
    scopes = [member.module.scope for member in made.members]
    parameters = ["self", "arrays", "scope", *made.parameters]
    lines = [f"class {made.name}(tf.Module):"]
    lines += layout.statement(_docstring(scopes), 1) + [""]
    lines += [*layout.statement(f"def __init__({', '.join(parameters)}):", 1), "        super().__init__()"]
    lines += [f"        self.{name} = {name}" for name in made.arguments]
    lines += _statements(made, first.init)
    lines += ["", *layout.statement(f"def __call__({', '.join(['self', *first.parameters])}):", 1)]
    lines += _statements(made, first.body, commented=True)
    return lines + layout.statement(f"return {made.filled(first.result)}", 2)


def _docstring(scopes):
    """Returns a docstring with the scopes of a class, as text that cannot end the docstring."""
    shown = [literals.quoted(s)[1:-1].replace('"', "'") for s in scopes]
    words = ", ".join(shown[:2]) + (f", ... ({len(shown)} scopes)" if len(shown) > 2 else "")
    text = f'"""The scope{"s" * (len(shown) > 1)} {words}."""'
    return (
        text if len(text) < layout.WIDTH - 4 else f'"""{len(shown)} scope{"s" * (len(shown) > 1)} of one structure."""'
    )


def _statements(made, statements, commented=False, first=0):
    lines = []
    for i, s in enumerate(statements, first):
        lines += layout.statement(made.filled(s.text), 2 + s.indent, made.comment(i) if commented else "")
    return lines


def _model(program, made, given, inside, arrays_):
    (written,) = made.members
    lines = ["class Model(tf.Module):", '    """The whole graph, from its inputs to its outputs."""', ""]
    if written.init:
        lines += ["    def __init__(self, arrays=None):", "        super().__init__()"]
        lines += [*arrays_, *_statements(made, written.init), ""]
    first = 0
    for method, part in program.by_method().items():
        words = {given[key]: program.kind(source) for key, source in part.inputs.items()}
        called, shared = not inside or method in program.public, program.shared and method == program.shared.name
        lines += signature(words) if called else []
        lines += layout.statement(f"def {method}({', '.join(['self', *words])}):", 1)
        lines += _said(method, called, shared)
        body, results = written.methods[method]
        lines += _statements(made, body, method == "__call__" or shared, first)
        first += len(body)
        results = {key: made.filled(text) for key, text in results.items()}
        if shared or (len(results) == 1 and called):
            lines += [*layout.statement(f"return {', '.join(results.values())}", 2), ""]
            continue
        found = [f"{literals.quoted(key)}: {text}" for key, text in results.items()]
        lines += [*layout.statement(f"return {{{', '.join(found)}}}", 2), ""]
    return lines[:-1]


def _said(method, called, shared):
    """Returns the lines of the docstring of a method."""
    if method == "__call__":
        return []
    step = f"What the step {method.removeprefix('forward_')} needs of the model."
    said = "What the other methods start from." if shared else "An evaluation: changes nothing." if called else step
    return [f'        """{said}"""']


def signature(kinds):
    """Returns the lines of the decorator of a method. `kinds`: {argument: (DType, TensorShape)}."""
    specs = [
        f'tf.TensorSpec({literals.shape(shape)}, {literals.dtype(kind)}, name="{word}")'
        for word, (kind, shape) in kinds.items()
    ]
    return layout.statement(f"@tf.function(input_signature=[{', '.join(specs)}])", 1)
