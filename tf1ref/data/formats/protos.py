"""TensorFlow's message types without TensorFlow, whose start takes seconds. Its messages take a tenth of one.

They come from the installed TensorFlow itself, so TensorFlow takes a message that is made here.
"""

import importlib
import importlib.util
import sys
import types

from tf1ref.errors import InputError


def _module(name):
    """Imports a module below tensorflow; its packages stand empty in sys.modules meanwhile."""
    _package(name.rpartition(".")[0])
    return importlib.import_module(name)


def _package(name):
    if name in sys.modules:
        return
    parent, _, leaf = name.rpartition(".")
    if parent:
        _package(parent)
        places = [f"{place}/{leaf}" for place in sys.modules[parent].__path__]
    else:
        spec = importlib.util.find_spec(name)
        if spec is None:
            raise InputError(f"{name} is not installed: pip install tensorflow")
        places = list(spec.submodule_search_locations)
    # Its own __init__ is what must not run.
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = places


def _modules(*names):
    """Returns the modules tensorflow.<name>. TensorFlow itself stays imported or not imported, as it was."""
    if "tensorflow" in sys.modules:
        return [importlib.import_module(f"tensorflow.{name}") for name in names]
    try:
        return [_module(f"tensorflow.{name}") for name in names]
    finally:
        for name in [n for n in sys.modules if n.partition(".")[0] == "tensorflow"]:
            del sys.modules[name]


_tensor, _graph, _node, _values, _meta, _saved, _bundle, _slices, _event, _example, _state, _types, _vars = _modules(
    "core.framework.tensor_pb2",
    "core.framework.graph_pb2",
    "core.framework.node_def_pb2",
    "core.framework.attr_value_pb2",
    "core.protobuf.meta_graph_pb2",
    "core.protobuf.saved_model_pb2",
    "core.protobuf.tensor_bundle_pb2",
    "core.util.saved_tensor_slice_pb2",
    "core.util.event_pb2",
    "core.example.example_pb2",
    "python.training.checkpoint_state_pb2",
    "core.framework.types_pb2",
    "core.framework.variable_pb2",
)
GraphDef, NodeDef, AttrValue = _graph.GraphDef, _node.NodeDef, _values.AttrValue
MetaGraphDef, AssetFileDef, SavedModel = _meta.MetaGraphDef, _meta.AssetFileDef, _saved.SavedModel
BundleHeaderProto, BundleEntryProto = _bundle.BundleHeaderProto, _bundle.BundleEntryProto
SavedTensorSlices, CheckpointState = _slices.SavedTensorSlices, _state.CheckpointState
Event, Example, VariableDef, DataType = _event.Event, _example.Example, _vars.VariableDef, _types.DataType
TensorProto = _tensor.TensorProto
