"""Turns variables into constants, in a graph and in the functions that it calls.

TensorFlow's v1.graph_util.convert_variables_to_constants (2.21) fails for some graphs. The result does not run for an
embedding lookup in a cond or a loop, a function that returns a variable, VariableShape and is-initialized.

A variable is a handle, a ref (VariableV2) or a resource (VarHandleOp). It passes through Identity, Enter, Switch, loops
and arguments of functions, up to the op that reads it. First all tensors that carry a handle are found. Then every node
that takes one is rewritten for the value.
"""

import re
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import held
from tf1ref.artifacts.graph.graphs import VARIABLES, all_nodes, copy, free, tensor, variables
from tf1ref.errors import InputError

REFS = ("Variable", "VariableV2")
PASSES = ("Identity", "IdentityN", "Enter", "Exit", "NextIteration", "Switch", "Merge")
REF_PASSES = ("RefIdentity", "RefEnter", "RefExit", "RefNextIteration", "RefSwitch", "RefMerge")
WRITES = re.compile(r"(Resource)?(Sparse)?(Assign|Apply|Scatter|StridedSliceAssign|CountUpTo)\w*|DestroyResourceOp")
IS_INITIALIZED = ("VarIsInitializedOp", "IsVariableInitialized")
LOOPS = ("While", "StatelessWhile")
BRANCHES = ("If", "StatelessIf", "Case", "StatelessCase")
CALLS = (*LOOPS, *BRANCHES, "PartitionedCall", "StatefulPartitionedCall")
# make_tensor_proto makes a number of up to three bytes of each element. TensorFlow reads plain bytes of them, too.
SHORT_FLOATS = ("float16", "bfloat16")

# {op that reads a resource: (the op for a value, its attribute for the dtype, the attributes that both have)}.
READERS = {
    "ReadVariableOp": ("Identity", "T", ()),
    "VariableShape": ("Shape", "T", ("out_type",)),
    "ResourceGather": ("GatherV2", "Tparams", ("Tindices", "batch_dims")),
    "ResourceGatherNd": ("GatherNd", "Tparams", ("Tindices",)),
}


@dataclass(frozen=True)
class Handle:
    """A tensor that carries a variable: its value has the type `dtype` (a DataType number)."""

    dtype: int
    ref: bool


def frozen(graph, values):
    """Returns the GraphDef of a graphs.Graph with a Const in place of each variable. `values`: {node name: array}.

    Raises InputError when something writes to a variable, or needs the variable instead of its value.
    """
    result = without_values(graph, values)
    for node in result.node:
        if node.name in values and "value" not in node.attr:
            constant(node, node.name, values[node.name], node.attr["dtype"].type)
        elif held.is_held(node):
            held.fill(node)
    return result


def without_values(graph, names):
    """Returns the GraphDef of a graphs.Graph with a Const without a value in place of each variable of `names`.

    Raises InputError as `frozen` does.
    """
    graph_def, made = graph.graph_def, {}
    library = {f.signature.name: f for f in graph_def.library.function}
    handles = {(n.name, 0): Handle(n.attr["dtype"].type, n.op in REFS) for n in variables(graph_def)}
    nodes = _Body(graph_def.node, handles, _Functions(library, made, graph.where)).nodes
    result = v1.GraphDef(versions=graph_def.versions)
    for node in nodes:
        if node.name in names:
            result.node.add(name=node.name, op="Const").attr["dtype"].type = node.attr["dtype"].type
        else:
            result.node.append(node)
    library.update((f.signature.name, f) for f in made.values())
    if library:
        result.library.function.extend(library[name] for name in sorted(library))
    left = [n.name for n in all_nodes(result) if n.op in VARIABLES]
    if left:
        raise InputError(f"{graph.where}: variables made inside a function cannot be frozen: {', '.join(left)}")
    return result


class _Body:
    """Rewrites the nodes of a graph or a function.

    sources: {(name, index): Handle} of variables or arguments. handles: those of every tensor that carries one.
    renamed: {old reference: new one} for bodies of functions, where outputs have names instead of numbers.
    """

    def __init__(self, nodes, sources, functions):
        self.sources, self.functions = sources, functions
        self.renamed, self.names = {}, {node.name for node in nodes}
        self.handles = _spread(nodes, sources)
        self.nodes = []
        for node in nodes:
            data = [(i, tensor(r)) for i, r in enumerate(node.input) if r[0] != "^"]
            taken = {i: self.handles[t] for i, t in data if t in self.handles}
            self.nodes += self.rewritten(node, taken) if taken else [node]

    def rewritten(self, node, taken):
        """Returns the nodes that replace `node`. `taken`: {input index: Handle}."""
        handle = next(iter(taken.values()))
        if WRITES.fullmatch(node.op):
            raise InputError(
                f"{self.functions.where}: the outputs need {node.name} ({node.op}), which writes to "
                "a variable: choose outputs before it"
            )
        if node.op in IS_INITIALIZED:
            self.renamed[f"{node.name}:is_initialized:0"] = f"{node.name}:output:0"
            return self.constant(node.name, True, tf.bool, node, handle)
        if node.op in REF_PASSES or (node.op in PASSES and not handle.ref):
            return [_passing(node, taken)]
        if handle.ref:
            # All other ops that take a ref take its value.
            return [node]
        if node.op in READERS:
            return self.reader(node, handle)
        if node.op in CALLS or node.op in self.functions.library:
            return [self.functions.call(node, {i: h.dtype for i, h in taken.items()})]
        raise InputError(
            f"{self.functions.where}: the outputs need {node.name} ({node.op}), which needs a variable and "
            "not its value: choose outputs before it"
        )

    def reader(self, node, handle):
        op, dtype, shared = READERS[node.op]
        self.renamed[f"{node.name}:value:0"] = f"{node.name}:output:0"
        result = v1.NodeDef(name=node.name, op=op, input=node.input)
        result.attr[dtype].type = handle.dtype
        for name in shared:
            if name in node.attr:
                result.attr[name].CopyFrom(node.attr[name])
        if op != "GatherV2":
            return [result]
        name = free(f"{node.name}/axis", self.names)
        self.renamed[name] = f"{name}:output:0"
        result.attr["Taxis"].type = tf.int32.as_datatype_enum
        result.input.insert(2, name)
        return [*self.constant(name, node.attr["batch_dims"].i, tf.int32, node, handle), result]

    def constant(self, name, value, dtype, node, handle):
        """Returns a Const in the same frame as input 0 of `node`.

        In a loop's frame or a branch of v1 control flow, a constant without an input from inside is outside.
        """
        result = v1.NodeDef()
        constant(result, name, value, dtype.as_datatype_enum)
        if tensor(node.input[0]) in self.sources:
            return [result]
        alive = v1.NodeDef(name=free(f"{name}/alive", self.names), op="Identity", input=node.input[:1])
        alive.attr["T"].type = handle.dtype
        result.input.append(f"^{alive.name}")
        return [alive, result]


@dataclass
class _Functions:
    """The functions of a graph: `library` {name: FunctionDef}, and those `made` to take values."""

    library: dict
    made: dict
    where: str
    names: set = field(default_factory=set)

    def call(self, node, arguments):
        """Returns the call `node` of functions made for `arguments` {input index: dtype}."""
        node = copy(node)
        first = 1 if node.op in BRANCHES else 0
        parameters = {i - first: dtype for i, dtype in arguments.items()}
        if node.op in self.library:
            node.op = self.function(node.op, parameters)
            return node
        for attribute in node.attr.values():
            for called in [*([attribute.func] if attribute.HasField("func") else []), *attribute.list.func]:
                called.name = self.function(called.name, parameters)
        types = node.attr["T" if node.op in LOOPS else "Tin"].list.type
        for i, dtype in parameters.items():
            types[i] = dtype
        if node.op in LOOPS:
            # A handle is a scalar, but its value is not.
            node.attr.pop("output_shapes", None)
        return node

    def function(self, name, parameters):
        """Returns the name of function `name` that takes values for `parameters` {index: dtype}."""
        key = name, tuple(sorted(parameters.items()))
        if key not in self.made:
            function = copy(self.library[name])
            # Variables of two types may be passed to one function. The first type keeps its name; others get their
            # own.
            if name in self.names:
                function.signature.name = free(f"{name}_frozen", self.library.keys() | self.names)
            self.names.update((name, function.signature.name))
            self.made[key] = function
            self.fill(function, parameters)
        return self.made[key].signature.name

    def fill(self, function, parameters):
        """Rewrites `function` in place for values."""
        inputs = function.signature.input_arg
        for i, dtype in parameters.items():
            _retype(inputs[i], dtype)
            function.arg_attr.pop(i, None)
            function.resource_arg_unique_id.pop(i, None)
            shapes = function.attr["_input_shapes"].list.shape if "_input_shapes" in function.attr else ()
            # The recorded shape is that of the handle, a scalar.
            if i < len(shapes):
                shapes[i].Clear()
                shapes[i].unknown_rank = True
        sources = {(inputs[i].name, 0): Handle(dtype, False) for i, dtype in parameters.items()}
        body = _Body(list(function.node_def), sources, self)
        del function.node_def[:]
        function.node_def.extend(body.nodes)
        for node in function.node_def:
            node.input[:] = [body.renamed.get(i, i) for i in node.input]
        for output in function.signature.output_arg:
            reference = function.ret[output.name]
            function.ret[output.name] = body.renamed.get(reference, reference)
            if tensor(reference) in body.handles:
                _retype(output, body.handles[tensor(reference)].dtype)


def _spread(nodes, sources):
    readers = {}
    for node in nodes:
        for i, reference in enumerate(node.input):
            if reference[0] != "^":
                readers.setdefault(tensor(reference), []).append((node, i))
    handles, stack = dict(sources), list(sources)
    while stack:
        source = stack.pop()
        for node, i in readers.get(source, ()):
            new = [(node.name, out) for out in _passed_on(node, i, handles[source].ref)]
            new = [t for t in new if t not in handles]
            handles.update((t, handles[source]) for t in new)
            stack += new
    return handles


def _passed_on(node, i, ref):
    """Returns the outputs of `node` that carry the handle which it takes as input `i`."""
    if node.op in ("RefSwitch", *([] if ref else ["Switch"])):
        return (0, 1) if i == 0 else ()
    if ref:
        return (0,) if node.op in REF_PASSES else ()
    if node.op in ("IdentityN", *LOOPS):
        return (i,)
    return (0,) if node.op in PASSES else ()


def _passing(node, taken):
    node = copy(node)
    node.op = node.op.removeprefix("Ref")
    for i, handle in taken.items():
        if node.op == "IdentityN":
            node.attr["T"].list.type[i] = handle.dtype
        else:
            node.attr["T"].type = handle.dtype
    return node


def _retype(argument, dtype):
    argument.type = dtype
    argument.ClearField("handle_data")
    argument.ClearField("experimental_full_type")


def constant(node, name, value, dtype):
    """Turns the new NodeDef `node` into a Const, in place. A copy would copy the weights once more."""
    node.name, node.op = name, "Const"
    node.attr["dtype"].type = dtype
    array = np.asarray(value)
    if array.size > 1 and array.dtype.name in SHORT_FLOATS:
        proto = node.attr["value"].tensor
        proto.dtype, proto.tensor_content = dtype, array.tobytes()
        proto.tensor_shape.CopyFrom(tf.TensorShape(array.shape).as_proto())
    else:
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, dtype))
