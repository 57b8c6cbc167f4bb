"""Writes a model that answers as each kind of artifact: SavedModel, checkpoint, GraphDef, event file, ONNX."""

import contextlib
import dataclasses
import functools
import gc
import importlib.util
import operator
import re
from collections import Counter

import tensorflow as tf
import tensorflow.compat.v1 as v1
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.framework.variable_pb2 import VariableDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.eager import context
from tensorflow.python.ops.resource_variable_ops import ResourceVariable
from tensorflow.python.util import deprecation

from tf1ref.artifacts import CheckFailed
from tf1ref.artifacts.convert import files as convert_files
from tf1ref.artifacts.formats import messages, weights
from tf1ref.artifacts.freeze import bytes as freeze_bytes
from tf1ref.artifacts.graph import answers, constants, graphs, held
from tf1ref.artifacts.graph.shapes import shape_of
from tf1ref.artifacts.models import Ready
from tf1ref.data.formats import records
from tf1ref.errors import InputError, one_line

NAME = "model.ckpt"
STATE = f'model_checkpoint_path: "{NAME}"\nall_model_checkpoint_paths: "{NAME}"\n'
EVENTS = "brain.Event:2"


def keys(ends):
    """Returns {key: tensor name} with keys that can name arguments: the last part of a name, if no other has it."""
    found = {}
    for key, name in ends.items():
        words = [re.sub(r"\W", "_", word) for word in (key.split(":")[0].rsplit("/", 1)[-1], key)]
        words = [w if w[:1].isalpha() else f"t_{w}" for w in words]
        found[next((w for w in words if w not in found), graphs.free(words[-1], found))] = name
    return found


def frozen(ready):
    """Returns the GraphDef of a models.Ready with constants for its variables."""
    return constants.frozen(ready, ready.values)


def pb(ready):
    """Returns the bytes of a frozen GraphDef, in pieces. The same model gives the same bytes."""
    return freeze_bytes.pieces(ready.but(constants.without_values(ready, ready.values)), ready.values)


def pbtxt(ready):
    """Returns a frozen GraphDef as text."""
    text = text_format.MessageToString(frozen(ready)).encode()
    if len(text) > messages.MOST_TEXT:
        raise InputError(f"{ready.where}: {len(text):,} bytes as text, which no reader takes: convert to pb")
    return text


def events(ready):
    """Returns an event file that shows the frozen graph in TensorBoard."""
    start = v1.Event(file_version=EVENTS)
    return b"".join(records.framed(e.SerializeToString()) for e in (start, v1.Event(graph_def=b"".join(pb(ready)))))


def onnx(ready):
    """Returns an ONNX model, which tf2onnx makes. Raises InputError when it is not installed, or refuses."""
    needs_tf2onnx()
    import tf2onnx

    ends = list(ready.inputs.values()), list(ready.outputs.values())
    try:
        model, _ = tf2onnx.convert.from_graph_def(frozen(ready), input_names=ends[0], output_names=ends[1])
    # The other package may raise anything.
    except Exception as e:
        raise InputError(f"{ready.where}: tf2onnx cannot convert it: {one_line(e)}") from e
    return model.SerializeToString()


def needs_tf2onnx():
    """Raises InputError when tf2onnx is not installed."""
    if importlib.util.find_spec("tf2onnx") is None:
        raise InputError("ONNX is written by tf2onnx, which is not installed: pip install tf2onnx")


def saved_model(ready, folder, trainable=()):
    """Writes a SavedModel with the signature serving_default, for sessions and for tf.saved_model.load."""
    with _session(ready, trainable) as (sess, graph), convert_files.writing(folder):
        builder = v1.saved_model.Builder(str(folder))
        fed = {key: graph.get_tensor_by_name(name) for key, name in keys(ready.inputs).items()}
        lower = Counter(op.name.lower() for op in graph.get_operations())
        fetched = {key: _value(graph, name, lower) for key, name in keys(ready.outputs).items()}
        inputs, outputs = (
            {key: v1.saved_model.build_tensor_info(end) for key, end in ends.items()} for ends in (fed, fetched)
        )
        method = v1.saved_model.PREDICT_METHOD_NAME
        signature = v1.saved_model.build_signature_def(inputs, outputs, method)
        starts = [graph.get_operation_by_name(name) for name in ready.starts]
        builder.add_meta_graph_and_variables(
            sess,
            [v1.saved_model.SERVING],
            {v1.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY: signature},
            assets_collection=[graph.get_tensor_by_name(f"{name}:0") for name in ready.files],
            main_op=tf.group(*starts) if starts else None,
        )
        builder.save()
        if ready.files:
            _without_paths(folder / "saved_model.pb", ready.files)


def _without_paths(path, names):
    """Empties the Consts `names`, which hold the paths of assets. Loading sets them to the new places."""
    model = SavedModel.FromString(path.read_bytes())
    for node in model.meta_graphs[0].graph_def.node:
        if node.name in names:
            constants.constant(node, node.name, b"", tf.string.as_datatype_enum)
    path.write_bytes(model.SerializeToString(deterministic=True))


def check_loads(folder, where):
    """Loads the SavedModel `folder` in a session and by tf.saved_model.load. Raises CheckFailed when that fails."""
    try:
        with v1.Graph().as_default() as graph, v1.Session(graph=graph) as sess:
            v1.saved_model.load(sess, [v1.saved_model.SERVING], str(folder))
        del sess
        with context.eager_mode(), _undeprecated():
            tf.saved_model.load(str(folder))
    except (tf.errors.OpError, ValueError, TypeError, KeyError, RuntimeError) as e:
        raise CheckFailed(f"{where}: what was written does not load: {one_line(e)}: convert to pb") from e
    finally:
        # What was loaded holds the weights, in circles of references. The search takes seconds for 100,000 nodes.
        if any(folder.glob("variables/*")):
            gc.collect()


@contextlib.contextmanager
def _undeprecated():
    """Keeps TensorFlow from looking for deprecated arguments, which takes a tenth of the time of loading.

    Its own deprecation.silence() stays in force when the block raises.
    """
    before = deprecation._PRINT_DEPRECATION_WARNINGS
    deprecation._PRINT_DEPRECATION_WARNINGS = False
    try:
        yield
    finally:
        deprecation._PRINT_DEPRECATION_WARNINGS = before


def _value(graph, name, lower):
    """Returns the tensor `name` in a form for the outputs of a signature.

    No function of TF2 returns a reference to a variable. tf.saved_model.load loses one of two nodes whose names differ
    in the case of letters alone, such as add and Add.
    """
    tensor = graph.get_tensor_by_name(name)
    if tensor.dtype._is_ref_dtype or lower[tensor.op.name.lower()] > 1:
        return tf.identity(tensor, name=f"{tensor.op.name}/value")
    return tensor


def checkpoint(ready, folder, trainable=()):
    """Writes a folder with a V2 checkpoint and its meta graph. Constants that were variables are variables again."""
    ready = ready if constants.variables(ready.graph_def) else thawed(ready)
    with _session(ready, trainable) as (sess, _), convert_files.writing(folder):
        folder.mkdir()
        v1.train.Saver(save_relative_paths=True).save(sess, str(folder / NAME))


def thawed(ready):
    """Returns `ready` with variables in place of the constants that were variables before it was frozen.

    Raises InputError when it has no such constants.
    """
    values = weights.constants(ready.where, ready.graph_def)
    graph_def = graphs.copy(ready.graph_def)
    for node in graph_def.node:
        if node.name in values:
            node.op = "VariableV2"
            node.attr["shape"].shape.CopyFrom(node.attr["value"].tensor.tensor_shape)
            for name in ("value", held.HELD):
                node.attr.pop(name, None)
    return Ready(graph_def, ready.where, ready.notes, values, ready.inputs, ready.outputs)


def trainable(message):
    """Returns the names of the variables that are trained according to a MetaGraphDef."""
    collections = getattr(message, "collection_def", {})
    values = collections["trainable_variables"].bytes_list.value if "trainable_variables" in collections else ()
    try:
        return {VariableDef.FromString(value).variable_name.partition(":")[0] for value in values}
    except DecodeError:
        return set()


@contextlib.contextmanager
def _session(ready, trained):
    """Yields (session, graph). The variables have their values and are in the collections where Savers look."""
    ready = _with_held(ready)
    serves = ready.seen is not None and not constants.variables(ready.graph_def)  # nothing is assigned in it
    graph = ready.seen if serves else ready.imported()
    with graph.as_default(), v1.Session(config=v1.ConfigProto(allow_soft_placement=True)) as sess:
        found = []
        for node in constants.variables(ready.graph_def):
            shape = tf.TensorShape(shape_of(node.attr["shape"].shape))
            shape = shape if shape.is_fully_defined() else ready.values[node.name].shape
            variable = _variable(graph, node, shape, node.name in trained)
            v1.add_to_collection(v1.GraphKeys.GLOBAL_VARIABLES, variable)
            if variable.trainable:
                v1.add_to_collection(v1.GraphKeys.TRAINABLE_VARIABLES, variable)
            found.append((variable.initializer, variable.initializer.inputs[1], node.name))
        try:
            answers.assign(sess, ((op, start, ready.values[name]) for op, start, name in found))
        except tf.errors.OpError as e:
            raise InputError(f"{ready.where}: the graph does not run here: {one_line(e)}") from e
        yield sess, graph
        nodes = constants.variables(ready.graph_def)
        answers.drop(sess, [answers.assignment(graph, node.name, node) for node in nodes])


def _with_held(ready):
    """Returns `ready` with a variable for each large constant, so that it does not lie in the graph."""
    large = {name: functools.partial(held.array, node) for name, node in held.variables(ready.graph_def).items()}
    there = {name: functools.partial(operator.getitem, ready.values, name) for name in ready.values}
    values = weights.Lazy({**there, **large})
    return dataclasses.replace(ready, graph_def=held.importable(ready.graph_def), values=values)


def _variable(graph, node, shape, trained):
    """Returns a Variable for the nodes of one, since an imported graph has no such objects."""
    handle, dtype = graph.get_tensor_by_name(f"{node.name}:0"), tf.as_dtype(node.attr["dtype"].type)
    start = tf.zeros(shape, dtype, name=f"{node.name}/Initializer/zeros")
    resource = handle.dtype == tf.resource
    if resource:
        assign = tf.raw_ops.AssignVariableOp(resource=handle, value=start, name=f"{node.name}/Assign")
        read = tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype, name=f"{node.name}/Read")
    else:
        assign = tf.raw_ops.Assign(ref=handle, value=start, validate_shape=False, name=f"{node.name}/Assign").op
        read = tf.identity(handle, name=f"{node.name}/snapshot")
    described = VariableDef(
        variable_name=handle.name,
        initializer_name=assign.name,
        snapshot_name=read.name,
        initial_value_name=start.name,
        is_resource=resource,
        trainable=trained,
    )
    return (ResourceVariable if resource else v1.Variable).from_proto(described)
