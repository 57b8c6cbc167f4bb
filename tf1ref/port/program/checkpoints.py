"""Writes how a Trainer saves and restores checkpoints: by the names under which the program's own Saver has them."""

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import constants, graphs
from tf1ref.port import layout, literals

SAVED = """
# Variables that have another name in checkpoints.
"""
NAME, KEY = 'v.name.removesuffix(":0")', "SAVED.get(name, name)"
METHODS = '''
    def saved(self):
        """Returns the variables by their names in a checkpoint."""
        {body}

    def save(self, prefix):
        """Writes a checkpoint that the Saver of {program} reads, too."""
        found = self.saved()
        tf.raw_ops.SaveV2(
            prefix=str(prefix),
            tensor_names=list(found),
            shape_and_slices=[""] * len(found),
            tensors=[tf.convert_to_tensor(v) for v in found.values()],
        )

    def restore(self, prefix):
        """Reads a checkpoint of {program} or of save().

        Returns the names that it lacks.
        """
        checkpoint, found = tf.train.load_checkpoint(str(prefix)), self.saved()
        there = [name for name in found if checkpoint.has_tensor(name)]
        for name in there:
            found[name].assign(checkpoint.get_tensor(name))
        return sorted(found.keys() - set(there))
'''


def renamed(recording):
    """Returns {variable: its name in checkpoints} of the program's first Saver, where the two differ."""
    graph_def = v1.MetaGraphDef.FromString(recording.graphs[recording.steps[0].graph]).graph_def
    nodes = {node.name: node for node in graph_def.node}
    for node in graph_def.node:
        if node.op not in ("SaveV2", "SaveSlices"):
            continue
        _, keys, parts, *read = (i for i in node.input if i[0] != "^")
        keys, parts = _texts(nodes, keys), _texts(nodes, parts)
        found = {_variable(nodes, source): key for source, key, part in zip(read, keys, parts) if not part}
        return {variable: key for variable, key in found.items() if variable not in ("", key)}
    return {}


def text(program, names):
    """Returns (lines for the head of the file, lines of the methods). `names`: those that renamed() finds."""
    if not names:
        body = f"return {{{NAME}: v for v in self.variables}}"
        return [], METHODS.format(body=body, program=program).rstrip("\n").split("\n")
    found = ", ".join(f"{literals.quoted(k)}: {literals.quoted(v)}" for k, v in names.items())
    body = f"named = {{{NAME}: v for v in self.variables}}\n        return {{{KEY}: v for name, v in named.items()}}"
    lines = [*SAVED.rstrip("\n").split("\n"), *layout.statement(f"SAVED = {{{found}}}")]
    return lines, METHODS.format(body=body, program=program).rstrip("\n").split("\n")


def _texts(nodes, source):
    node = nodes[graphs.tensor(source)[0]]
    if node.op != "Const":
        return []
    return [x.decode(errors="replace") for x in tf.make_ndarray(node.attr["value"].tensor).flat]


def _variable(nodes, source):
    """Returns the name of the variable that is saved, or "" for another tensor."""
    node = nodes[graphs.tensor(source)[0]]
    while node.op in ("Identity", "RefIdentity", "ReadVariableOp"):
        node = nodes[graphs.tensor(node.input[0])[0]]
    return node.name if node.op in constants.VARIABLES else ""
