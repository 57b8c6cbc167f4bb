"""Freezing: a checkpoint and its graph into one .pb of constants, which is proven to answer the same."""

from dataclasses import dataclass

import tensorflow as tf
import tensorflow.compat.v1 as v1
from google.protobuf.message import DecodeError, EncodeError

from tf1ref import files
from tf1ref.artifacts import CheckFailed, answers, checkpoint, constants, effects, graphs
from tf1ref.artifacts.graphs import one_line
from tf1ref.errors import InputError


@dataclass
class Report:
    """What freeze() wrote.

    `variables`: names of those that became constants. `inputs`, `outputs`: {tensor name: shape}, None where
    unknown. `compared`: on how many sets of inputs the written file answered as the session, to the bit;
    `not_compared`: why that is none, or "".
    """

    path: str
    nodes: int
    bytes: int
    variables: list
    inputs: dict
    outputs: dict
    compared: int
    not_compared: str


def freeze(source, outputs, destination, inputs=None, force=False, trust=False):
    """Writes the part of a model that `outputs` need, with constants for variables; returns a Report.

    `source`: a checkpoint prefix, one of its files, or its folder. `outputs`: names of nodes or tensors.
    `inputs`: names of tensors that become placeholders, where a queue or an iterator was; or {name: array},
    the values to compare on. `trust`: run it although it touches files, the network or Python. The same
    source gives the same bytes. Raises InputError for what cannot be used, CheckFailed when the file answers
    otherwise than the session; `destination` is then as it was before.
    """
    destination = files.target(destination, force)
    model = checkpoint.find(source)
    graph_def, outputs, feed = _model(model, outputs, inputs)
    _check_ops(graph_def, model.where, trust)
    variables = constants.variables(graph_def)
    values = model.values(variables)
    frozen = constants.frozen(graph_def, values, model.where)
    try:
        data = frozen.SerializeToString(deterministic=True)
    except (EncodeError, ValueError) as e:
        raise InputError(f"{model.where}: more than the 2 GB one file holds: {one_line(e)}") from e
    with files.replacing(destination, data) as written:
        compared, reason = check(graph_def, values, written, outputs, feed, model.where)
    graph = graphs.imported(graph_def, model.where)
    return Report(
        path=str(destination),
        nodes=len(frozen.node),
        bytes=len(data),
        variables=[v.name for v in variables],
        inputs={t.name: _shape(t) for t in answers.placeholders(graph)},
        outputs={name: _shape(graph.get_tensor_by_name(name)) for name in outputs},
        compared=compared,
        not_compared=reason,
    )


def check(graph_def, values, written, outputs, feed=None, where=""):
    """Runs `graph_def` with `values` {variable: array} and the file `written`, on `feed` or on made inputs.

    Returns (how many sets of inputs were compared, why none was or ""). Raises CheckFailed where an answer
    differs by a bit, InputError when the graph does not run at all.
    """
    source = answers.Model(graph_def, outputs, values, where)
    try:
        reread = answers.Model(v1.GraphDef.FromString(written.read_bytes()), outputs, where=where)
    except (InputError, DecodeError) as e:
        raise CheckFailed(f"what was written is no graph: {one_line(e)}") from e
    feed = feed or {}
    guessed = [t for t in source.inputs if t.name not in feed]
    compared, reason = 0, ""
    for made in answers.inputs(guessed):
        made.update(feed)
        try:
            expected = source.answers(made)
        except answers.Refused as e:
            if not guessed:
                raise InputError(f"{where}: the outputs cannot be computed: {e}") from e
            reason = f"no answer on made inputs: {e}"
            continue
        except tf.errors.OpError as e:
            raise InputError(f"{where}: the graph does not run here: {one_line(e)}") from e
        _compare(expected, reread, made, where)
        if answers.tells_nothing(expected):
            reason = "the answers on made inputs are empty or not numbers"
        else:
            compared += 1
    return compared, "" if compared else reason


def _compare(expected, reread, feed, where):
    try:
        difference = answers.difference(expected, reread.answers(feed))
    except (answers.Refused, tf.errors.OpError) as e:
        raise CheckFailed(f"{where}: the frozen graph does not run, the session does: {one_line(e)}") from e
    if difference:
        raise CheckFailed(f"{where}: the frozen graph answers otherwise: {difference}")


def _model(model, outputs, inputs):
    """Returns the pruned graph with placeholders at `inputs`, the outputs' names, and the values to feed."""
    outputs = graphs.tensor_names(outputs, model.graph_def, model.where)
    given = dict(inputs) if isinstance(inputs, dict) else {}
    graph_def = graphs.prune(graphs.bare(model.graph_def), outputs, model.where)
    if inputs:
        names = graphs.tensor_names(inputs, graph_def, f"{model.where}: what the outputs need")
        given = dict(zip(names, given.values()))
        graph = graphs.imported(graph_def, model.where)
        tensors = [_tensor(graph, name, model.where) for name in names]
        tensors = [t for t in tensors if not t.op.type.startswith("Placeholder")]
        types = {t.name: (t.dtype.base_dtype, t.shape) for t in tensors}
        graph_def, placeholders = graphs.cut(graph_def, list(types), types)
        graph_def = graphs.prune(graph_def, [*outputs, *placeholders.values()], model.where)
        given = {placeholders.get(name, name): value for name, value in given.items()}
    graph = graphs.imported(graph_def, model.where)
    for name in outputs:
        _tensor(graph, name, model.where)
    return graph_def, outputs, given


def _tensor(graph, name, where):
    operation = graph.get_operation_by_name(name.partition(":")[0])
    if int(name.rpartition(":")[2]) >= len(operation.outputs):
        count = len(operation.outputs)
        raise InputError(f"{where}: {operation.name} ({operation.type}) has {count} outputs, no {name}")
    return graph.get_tensor_by_name(name)


def _check_ops(graph_def, where, trust):
    nodes = graphs.all_nodes(graph_def)
    state = effects.state(nodes)
    if state:
        raise InputError(
            f"{where}: the outputs need {_listed(state)}, whose state no frozen graph holds: "
            "name the tensors after it as --inputs"
        )
    outside = effects.outside(nodes)
    if outside and not trust:
        raise InputError(
            f"{where}: the outputs need ops that touch files, the network or Python: {_listed(outside)}: "
            "say --trust to run them"
        )


def _listed(found):
    return ", ".join(f"{op} ({', '.join(names[:3] + ['...'] * (len(names) > 3))})" for op, names in found.items())


def _shape(tensor):
    return tensor.shape.as_list() if tensor.shape.rank is not None else None
