"""What a program's initializers give: which variables start with it, and the ops that draw it, from the same seeds."""

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.core.framework.variable_pb2 import VariableDef

from tf1ref.artifacts.graph import answers, constants, effects, graphs
from tf1ref.artifacts.models import Ready
from tf1ref.errors import InputError
from tf1ref.port import layout, literals, reading
from tf1ref.port.bodies import Body, Holes, Statement
from tf1ref.port.expressions import DRAWS
from tf1ref.port.flow.frames import of
from tf1ref.port.nodes import Node
from tf1ref.port.patterns import ADDS
from tf1ref.port.program.training import PYTHON
from tf1ref.port.writing import Start

COLLECTIONS = ("variables", "local_variables", "trainable_variables", "model_variables")
# TensorFlow takes this seed of the graph where only the op has a seed (python/framework/random_seed.py).
DEFAULT = 87654321


def initializers(recording, wanted):
    """Returns the Program whose outputs are the first values of the variables `wanted`, by name, or None.

    A variable is left out when it started with another value, such as one that was restored, and when its initializer
    holds a large constant or reads something that is not in the graph.
    """
    number = recording.steps[0].graph
    meta = v1.MetaGraphDef.FromString(recording.graphs[number])
    starts = _starts(meta)
    graph_def = _decided(meta.graph_def, starts)
    found = {name: starts[name] for name in wanted if name in starts and name in recording.initial}
    found = _computed(graph_def, found, recording)
    if not found:
        return None
    program = _program(graph_def, found, recording)
    _draws(program, recording.seeds[number])
    program.outputs = {name: source for name, source in program.outputs.items() if not _stored(program, source)}
    program.prune()
    return program if program.outputs else None


def copies(recording, wanted):
    """Returns {variable: the one of `wanted` whose first value it starts with}, such as a moving average."""
    meta = v1.MetaGraphDef.FromString(recording.graphs[recording.steps[0].graph])
    starts = _starts(meta)
    aliases = _aliases(meta.graph_def, starts)
    first = {}
    for name in wanted:
        first.setdefault(_resolved(starts.get(name, ""), aliases), name)
    sources = {name: _resolved(start, aliases) for name, start in starts.items()}
    found = {name: first[source] for name, source in sources.items() if source in first}
    initial = recording.initial
    return {a: b for a, b in found.items() if a in initial and b in initial and _same(initial[a], initial[b])}


def _same(a, b):
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def _starts(meta):
    """Returns {variable: the tensor of its first value}, as the collections of a graph have it."""
    nodes, found = {node.name: node for node in meta.graph_def.node}, {}
    for key in COLLECTIONS:
        for data in meta.collection_def[key].bytes_list.value if key in meta.collection_def else ():
            variable = VariableDef.FromString(data)
            assign = nodes.get(graphs.tensor(variable.initializer_name)[0])
            if assign is not None and len(assign.input) > 1 and "Assign" in assign.op:
                found[graphs.tensor(variable.variable_name)[0]] = assign.input[1]
    return found


def _aliases(graph_def, starts):
    """Returns {source: the tensor in its place} for reads of variables, and for branches on whether one has a value.

    In an initializer no variable has a value yet, so the branch for that case is taken.
    """
    nodes = {node.name: node for node in graph_def.node}
    undecided, found = set(), {}
    for node in graph_def.node:
        first = graphs.tensor(node.input[0])[0] if node.input else ""
        if node.op in constants.IS_INITIALIZED or (node.op == "Identity" and first in undecided):
            undecided.add(node.name)
        elif node.op in constants.REFS and node.name in starts:
            found[node.name, 0] = starts[node.name]
        elif node.op == "ReadVariableOp" and first in starts:
            found[node.name, 0] = starts[first]
        elif node.op in ("Identity", "RefIdentity") or _is_decided(nodes, node, undecided):
            found[node.name, 0] = node.input[0]
    return found


def _is_decided(nodes, node, undecided):
    """Returns True for a Switch on whether a variable has a value, and for the Merge of its two branches."""
    if of(node.op) == "Merge":
        node = nodes[graphs.tensor(node.input[0])[0]]
        while of(node.op) in ("Identity", "RefIdentity"):
            node = nodes[graphs.tensor(node.input[0])[0]]
    return of(node.op) == "Switch" and graphs.tensor(node.input[1])[0] in undecided


def _resolved(source, aliases):
    """Returns (name, index) of the tensor that stands in the place of `source`."""
    found, seen = graphs.tensor(source), set()
    while found in aliases and found not in seen:
        seen.add(found)
        found = graphs.tensor(aliases[found])
    return found


def _decided(graph_def, starts):
    """Returns a copy of `graph_def` where nothing depends on a variable or on the order of ops."""
    aliases = _aliases(graph_def, starts)
    result = graphs.bare(graph_def)
    for node in result.node:
        node.input[:] = [":".join(map(str, _resolved(i, aliases))) for i in node.input if i[0] != "^"]
    return result


def _computed(graph_def, found, recording):
    """Returns those of `found` {variable: tensor} that the session computes to what was recorded, to the bit."""
    nodes = {node.name: node for node in graph_def.node}
    library = {f.signature.name: f for f in graph_def.library.function}
    tried = {name: source for name, source in found.items() if _alone(nodes, library, source)}
    if not tried:
        return {}
    ready = _ready(graph_def, tried, recording)
    try:
        reached = ready.model().answers({})
    except (answers.Refused, tf.errors.OpError, InputError):
        return {}
    return {
        name: source
        for name, source in tried.items()
        if _same(np.asarray(reached[ready.outputs[name]]), recording.initial[name])
    }


def _alone(nodes, library, source):
    """Returns True when `source` needs only ops that compute. It takes as long as what `source` needs is large."""
    wanted = graphs.before(nodes, [source])
    if not wanted <= nodes.keys():
        return False
    part = v1.GraphDef(node=[nodes[name] for name in wanted])
    part.library.function.extend(library[name] for name in graphs.called(part.node, library))
    try:
        effects.check(graphs.Graph(part), trust=False)
    except InputError:
        return False
    return not any(n.op in (*PYTHON, *graphs.VARIABLES) or n.op.startswith("Placeholder") for n in part.node)


def _ready(graph_def, found, recording):
    outputs = {name: ":".join(map(str, graphs.tensor(source))) for name, source in found.items()}
    pruned = graphs.Graph(graph_def, recording.program).pruned(outputs.values())
    return Ready(pruned, recording.program, [], {}, {}, outputs)


def _program(graph_def, found, recording):
    program = reading.program(_ready(graph_def, found, recording), literals.short)
    for node in program.nodes.values():
        if node.weight and _filled(program, node):
            node.weight = ""
    return program


def _filled(program, node):
    """Turns a constant of one repeated number, such as zeros, into a tf.fill; returns True when it is one."""
    value = node.value
    if not literals.repeated(value):
        return False
    ends = []
    for word, array in (("shape", np.int32(value.shape)), ("value", value.flat[0])):
        name = f"{node.name}/{word}"
        ends.append((name, 0))
        program.nodes = {
            name: Node(name, "Const", dtypes=[tf.as_dtype(array.dtype)], shapes=[tf.TensorShape(array.shape)],
                       value=np.asarray(array)),
            **program.nodes,
        }  # fmt: skip
    node.op, node.inputs, node.value = "Fill", ends, None
    return True


def _stored(program, source):
    """Returns True when `source` needs a constant that does not stand in the code."""
    stack, seen = [source[0]], set()
    while stack:
        node = program.nodes[stack.pop()]
        if node.weight:
            return True
        if node.name not in seen:
            seen.add(node.name)
            stack += [name for name, _ in node.inputs]
    return False


def _draws(program, seed):
    """Makes one node of each draw and its scale, as tf.random has them, when the graph's seed is `seed`."""
    seed = DEFAULT if seed is None else seed
    nodes = program.nodes
    for node in list(nodes.values()):
        if node.op not in ADDS or node.dtypes[0] != tf.float32:
            continue
        mul, shift = (nodes[s[0]] for s in node.inputs)
        draw = nodes[mul.inputs[0][0]] if mul.op == "Mul" else None
        if draw is None or draw.op not in DRAWS or draw.attrs["seed"].i != seed:
            continue
        scale = nodes[mul.inputs[1][0]]
        if draw.op == "RandomUniform":
            high = nodes[scale.inputs[0][0]] if scale.op == "Sub" and scale.inputs[1] == node.inputs[1] else None
            ends = [shift, high]
        else:
            ends = [shift, scale]
        shape = nodes[draw.inputs[0][0]]
        # A deviation may be computed. A range is the difference of its ends.
        known = (shape, *ends) if draw.op == "RandomUniform" else (shape, shift)
        if all(n is not None and n.value is not None and not n.weight for n in known):
            inputs = [(n.name, 0) for n in (shape, *ends)]
            nodes[node.name] = Node(
                node.name, DRAWS[draw.op], inputs, [], {"seed": draw.attrs["seed2"]}, node.dtypes, node.shapes
            )


def start(recording, wanted, title):
    """Returns the writing.Start of the variables `wanted` that initializers() finds. `title`: the program's name."""
    found = initializers(recording, wanted)
    return _text(found, recording.seeds[recording.steps[0].graph], title) if found else Start()


def _text(program, seed, title):
    holes, used = Holes(), {}
    for source in [*program.outputs.values(), *(s for node in program.nodes.values() for s in node.inputs)]:
        used[source] = used.get(source, 0) + 1
    body = Body(program.every(), {}, holes, used)
    for node in program.nodes.values():
        if node.value is None:
            body.add(node)
    found = [f"{literals.quoted(name)}: {body.needed(source)}" for name, source in program.outputs.items()]
    lines = ["", "", "def initial_values():"]
    lines += [f'    """Returns {{variable: its first value}}, as {title} draws them."""']
    for s in [*body.statements, Statement(f"return {{{', '.join(found)}}}")]:
        lines += layout.statement(holes.filled(s.text), 1 + s.indent)
    drawn = {node.op for node in program.every().values()} & {*DRAWS, *DRAWS.values()}
    return Start(lines, set(program.outputs), (DEFAULT if seed is None else seed) if drawn else None)
