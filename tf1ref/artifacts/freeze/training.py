"""Batch norms that train: where they are on the way to the outputs, and how they become those of inference.

In training mode a batch norm takes the batch's mean and variance, and an update moves the averages that inference uses.
Following this update finds the variables, so names do not matter. A graph that was exported without its updates has
none; there the names beside gamma and beta tell.
"""

import re

import tensorflow as tf

from tf1ref.artifacts.freeze import branches as freeze_branches
from tf1ref.artifacts.graph import constants, graphs
from tf1ref.artifacts.graph.definitions import BATCH_NORM
from tf1ref.artifacts.graph.graphs import tensor
from tf1ref.artifacts.graph.repairs import listed
from tf1ref.artifacts.graph.shapes import attr
from tf1ref.artifacts.graph.summaries import MOMENTS
from tf1ref.errors import InputError

FLAG = re.compile(r".*(train|phase)", re.I)
FLAGS = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")
UPDATES = re.compile(r"Assign(Sub|Add)?(Variable(Op)?)?")
# Ops that lie between the moments and the update of their averages.
BETWEEN = re.compile(r"Identity|Sub|Mul|Add|AddV2|Neg|Cast|Squeeze|Reshape|Switch|Merge|RealDiv|StopGradient")
HANDLES = ("Identity", "Switch", "RefSwitch", "Enter", "RefEnter", "ReadVariableOp", "Cast")
NAMES = (r"(moving|running|pop|population|mov)_mean", r"(moving|running|pop|population|mov)_var(iance)?")
FAR = 12  # the most ops in between


def check(graph, outputs, needed):
    """Returns warnings about batch norms of a graphs.Graph that train when `outputs` are computed.

    needed: names of the nodes that are kept. Raises InputError for a batch norm that has averages, which it should use.
    """
    if not any(_trains(n) for n in graphs.all_nodes(graph.graph_def)):
        return []
    graph_def = freeze_branches.taken(graph.graph_def)
    training = _training(graph_def, freeze_branches.live_nodes(graph_def, outputs) & needed)
    guarded, nodes = _guarded(graph_def, outputs), _Nodes(graph_def)
    always = [n for n in training if n.name not in guarded]
    held = [n for n in always if n.name in nodes.by_name and nodes.averages(n)]
    if held:
        raise InputError(
            f"{graph.where}: the outputs need batch norms in training mode ({_some(held)}), which normalise with the "
            "batch's own mean: say --strip-training to use their moving averages, or freeze the graph built with "
            "is_training False"
        )
    flags = sorted({flag for n in training for flag in guarded.get(n.name, ()) if flag})
    own = [n for n in always if BATCH_NORM.fullmatch(n.op)]
    notes = [f"batch norms train where {', '.join(flags)} says so: feed it, or --strip-training"] if flags else []
    return notes + ([f"batch norms without moving averages ({_some(own)}): answers depend on the batch"] if own else [])


def stripped(graph, outputs):
    """Returns a graphs.Graph as inference runs it for `outputs`. Its notes list each change.

    Flags of training are off, branches that they switch off are removed, and batch norms use their moving averages.
    Raises InputError for a batch norm that trains and has no averages.
    """
    graph_def = graphs.copy(graph.graph_def)
    flags = {name: False for name in _booleans(graph_def) if FLAG.match(name)}
    for turned_off in _guarded(graph_def, outputs).values():
        flags = {**turned_off, **flags}
    for node in graph_def.node:
        if flags.get(node.name) is not None:
            _make_constant(node, flags[node.name])
    notes = [f"{name} is {value}" for name, value in flags.items() if name]
    graph_def = freeze_branches.taken(graph_def)
    done, lacking = _use_averages(graph_def, outputs)
    if lacking:
        raise InputError(
            f"{graph.where}: no moving averages are kept for the batch norms {_some(lacking)}: they cannot but train; "
            "freeze without --strip-training if that is what they are for"
        )
    notes += [f"batch norms that now use their moving averages: {_some(done)}"] if done else []
    return graphs.Graph(graph_def, graph.where, notes or ["nothing of training is on the way to the outputs"])


def _use_averages(graph_def, outputs):
    """Rewrites the batch norms in place. Returns (those that now use averages, those that have none)."""
    nodes, done, lacking = _Nodes(graph_def), [], []
    for node in _training(graph_def, freeze_branches.live_nodes(graph_def, outputs)):
        averages = nodes.averages(node) if node.name in nodes.by_name else ()
        if averages:
            nodes.use(node, averages)
            done.append(node)
        elif BATCH_NORM.fullmatch(node.op):
            lacking.append(node)
    return done, lacking


def _guarded(graph_def, outputs):
    """Returns {batch norm: {flag: value}} for those that train in one branch only.

    With that value they do not train.
    """
    found = {n.name: {flag: False} for n, flag in freeze_branches.inner_nodes(graph_def) if _trains(n)}
    flags = _booleans(graph_def)
    names = {n.name for n in _training(graph_def, freeze_branches.live_nodes(graph_def, outputs))} if flags else set()
    for flag in flags:
        for value in (False, True):
            for norm in names - freeze_branches.live_nodes(graph_def, outputs, {flag: value}):
                found.setdefault(norm, {}).setdefault(flag, value)
    return found


def _booleans(graph_def):
    """Returns the placeholders that take a bool."""
    number = tf.bool.as_datatype_enum
    return [n.name for n in graph_def.node if n.op in FLAGS and attr(n, "dtype").type == number]


def _make_constant(node, value):
    del node.input[:]
    node.op = "Const"
    node.attr.clear()
    node.attr["dtype"].type = tf.bool.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))


def _training(graph_def, live):
    """Returns the NodeDefs that normalize with the batch's mean, in the graph and in the functions that it calls."""
    return [n for n in freeze_branches.reached(graph_def, live) if _trains(n)]


def _trains(node):
    if BATCH_NORM.fullmatch(node.op):
        # The default is to train.
        return attr(node, "is_training").b or "is_training" not in node.attr
    return node.op == "Mean" and bool(MOMENTS.fullmatch(node.name))


def _some(nodes):
    return listed({"": [n.name for n in nodes]}).strip(" ()")


class _Nodes:
    """A graph's nodes by name, and the readers of each."""

    def __init__(self, graph_def):
        self.graph_def = graph_def
        self.by_name = {n.name: n for n in graph_def.node}
        self.readers = {}
        for node in graph_def.node:
            for reference in node.input:
                if reference[0] != "^":
                    self.readers.setdefault(tensor(reference), []).append(node)

    def averages(self, norm):
        """Returns the names of the variables with the averages of mean and variance, or ()."""
        found = [self._updated(t) for t in self.moments(norm)]
        if not all(found):
            found = self._beside(norm)
        return tuple(found) if all(found) else ()

    def moments(self, norm):
        """Returns the tensors of the batch's own mean and variance."""
        if BATCH_NORM.fullmatch(norm.op):
            return (norm.name, 1), (norm.name, 2)
        variance, mean = norm.name, norm.name.removesuffix("variance") + "mean"
        squeezed = [
            next((r.name for r in self.readers.get((n, 0), ()) if r.op == "Squeeze"), n) for n in (mean, variance)
        ]
        return (squeezed[0], 0), (squeezed[1], 0)

    def use(self, norm, averages):
        """Lets `norm` read the variables `averages` in place of the batch's own moments."""
        reads = [self._read(name, norm) for name in averages]
        if BATCH_NORM.fullmatch(norm.op):
            norm.input[3:5] = reads
            norm.attr["is_training"].b = False
            return
        for moment, read in zip(self.moments(norm), reads):
            for reader in self.readers.get(moment, ()):
                reader.input[:] = [read if i[0] != "^" and tensor(i) == moment else i for i in reader.input]

    def _read(self, name, norm):
        variable = self.by_name[name]
        if variable.op != "VarHandleOp":
            return name
        read = self.graph_def.node.add(name=graphs.free(f"{norm.name}/{name}/read", self.by_name), op="ReadVariableOp")
        read.input.append(name)
        read.attr["dtype"].type = variable.attr["dtype"].type
        self.by_name[read.name] = read
        return read.name

    def _updated(self, start):
        """Returns the variable that an update moves towards the tensor `start`, or ""."""
        found, seen, layer = {}, {start}, [start]
        for _ in range(FAR):
            following = []
            for source in layer:
                for node in self.readers.get(source, ()):
                    if UPDATES.fullmatch(node.op) and tensor(node.input[0]) != source:
                        found[self._variable(node.input[0])] = None
                    elif BETWEEN.fullmatch(node.op):
                        following += [t for t in ((node.name, 0), (node.name, 1)) if t not in seen]
                        seen.update(following)
            layer = following
        names = [n for n in found if n and not re.search(r"(biased|local_step)(_\d+)?$", n)]
        return names[0] if len(names) == 1 else ""

    def _variable(self, reference):
        """Returns the variable that a tensor is, or is read from, or ""."""
        for _ in range(FAR):
            node = self.by_name.get(tensor(reference)[0])
            if node is None or node.op in constants.VARIABLES:
                return node.name if node is not None else ""
            if node.op not in HANDLES or not node.input:
                return ""
            reference = node.input[0]
        return ""

    def _beside(self, norm):
        """Returns the variables beside gamma and beta, or in the norm's scope, that have names of averages."""
        scopes = [self._variable(i).rpartition("/")[0] for i in norm.input[1:3]] if len(norm.input) > 2 else []
        scopes.append(re.sub(r"(^|/)moments(_\d+)?$", "", norm.name.rpartition("/")[0]))
        variables = [n.name for n in constants.variables(self.graph_def)]
        for scope in dict.fromkeys(filter(None, scopes)):
            found = [
                next((n for n in variables if re.fullmatch(re.escape(scope) + "/" + name, n)), "") for name in NAMES
            ]
            if all(found):
                return found
        return [""]
