"""A dataset of a graph as statements of tf.data, and the functions that it maps and filters by."""

import functools
import re

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import answers, constants, effects, graphs
from tf1ref.artifacts.models import Ready
from tf1ref.errors import InputError, one_line
from tf1ref.port import calls, layout, literals, names, patterns, reading
from tf1ref.port.classes import classes
from tf1ref.port.program import reach, training
from tf1ref.port.tree import tree

# {op: the function that makes a dataset}, and {op: the method of one}. Inputs: (name, keyword or "", default).
MADE = {
    "TensorDataset": ("tf.data.Dataset.from_tensors", []),
    "TensorSliceDataset": ("tf.data.Dataset.from_tensor_slices", []),
    "RangeDataset": ("tf.data.Dataset.range", [("start", "", None), ("stop", "", None), ("step", "", 1)]),
}
# Those that a file is opened as, in the function of a `flat_map` or `interleave`.
FILES = {
    "TextLineDataset": ("tf.data.TextLineDataset", [("compression_type", "compression_type", b"")]),
    "TFRecordDataset": ("tf.data.TFRecordDataset", [("compression_type", "compression_type", b"")]),
}
OPENS = {
    "FlatMapDataset": ("flat_map", []),
    "InterleaveDataset": (
        "interleave",
        [("cycle_length", "cycle_length", None), ("block_length", "block_length", 1)],
    ),
}
METHODS = {
    "MapDataset": ("map", []),
    "ParallelMapDatasetV2": ("map", [("num_parallel_calls", "num_parallel_calls", None)]),
    "FilterDataset": ("filter", []),
    "ShuffleDataset": ("shuffle", [("buffer_size", "", None)]),
    "RepeatDataset": ("repeat", [("count", "", -1)]),
    "BatchDatasetV2": ("batch", [("batch_size", "", None), ("drop_remainder", "drop_remainder", False)]),
    "PrefetchDataset": ("prefetch", [("buffer_size", "", None)]),
    "TakeDataset": ("take", [("count", "", None)]),
    "SkipDataset": ("skip", [("count", "", None)]),
    "CacheDataset": ("cache", [("filename", "", b"")]),
}
PASSES = ("OptionsDataset", "ModelDataset")
FUNCTIONS = {"MapDataset": "f", "ParallelMapDatasetV2": "f", "FilterDataset": "predicate"}
AUTOTUNED = ("num_parallel_calls", "buffer_size")  # where -1 stands for tf.data.AUTOTUNE
CALLED = re.compile(r"__inference_Dataset_[a-z_]+?_(\w+?)_\d+")  # how TensorFlow names the function of a dataset


class Unknown(Exception):
    """A part of a pipeline is not ported. The message says which, and why."""


class Writer:
    """Writes a dataset as statements. `arguments`: {argument: array} of what is too large to be written out."""

    def __init__(self, source, feeds, words, taken):
        self.source, self.feeds, self.words, self.taken = source, feeds, words, taken
        self.functions, self.statements, self.arguments, self.seed = [], [], {}, None

    def text(self, name):
        """Returns the lines of the functions of a dataset, and of the one called `name` that makes it."""
        step = self.words[0] if len(self.words) == 1 else f"({', '.join(self.words)})"
        lines = [line for function in self.functions for line in ["", "", *function]]
        lines += ["", "", *layout.statement(f"def {name}({', '.join(self.arguments)}):")]
        lines += [f'    """Returns the dataset from which the program took its batches: {step} for a step."""']
        if self.seed is not None:
            lines.append(f"    tf.random.set_seed({self.seed})")
        for statement in self.statements:
            lines += layout.statement(statement, 1)
        return [*lines, "    return dataset"]

    def write(self, op):
        """Writes the dataset that `op` gives."""
        if op.type in PASSES:
            self.write(op.inputs[0].op)
        elif op.type in MADE:
            self.statements.append(f"dataset = {self._made(op)}")
        elif op.type in METHODS:
            self.write(op.inputs[0].op)
            method, inputs = METHODS[op.type]
            words = [self._function(op)] if op.type in FUNCTIONS else []
            words += self._inputs(op, inputs)
            words += self._seeds(op) if op.type == "ShuffleDataset" else []
            self.statements.append(f"dataset = dataset.{method}({', '.join(words)})")
        elif op.type in OPENS:
            self._opened(op)
        else:
            raise Unknown(f"{op.name} ({op.type})")

    def _opened(self, op):
        """Writes a dataset of what is in files, each opened by the function of `op`."""
        inner = self._opening(op)
        function, inputs = FILES[inner.type]
        words, source = self._inputs(inner, inputs), op.inputs[0].op
        if op.type == "FlatMapDataset" and source.type == "TensorSliceDataset":
            files = self._component(source.inputs[0], "filenames", literals.plain)
            self.statements.append(f"dataset = {function}({', '.join([files, *words])})")
            return
        self.write(source)
        method, inputs = OPENS[op.type]
        opened = f"lambda file: {function}({', '.join(['file', *words])})" if words else function
        self.statements.append(f"dataset = dataset.{method}({', '.join([opened, *self._inputs(op, inputs)])})")

    def _opening(self, op):
        """Returns the op by which the function of `op` opens the file that it is given. Raises Unknown for others."""
        graph = self.source.function(op.get_attr("f").name, [tf.TensorShape([])])
        inner = graph.outputs[0].op
        while inner.type in ("Identity", *PASSES):
            inner = inner.inputs[0].op
        if not inner.inputs:
            raise Unknown(f"{op.name} ({op.type}) of {inner.type}")
        name, found = inner.inputs[0], inner
        # tf.data.TextLineDataset itself is a flat_map over one name.
        if inner.type == "FlatMapDataset" and name.op.type == "TensorSliceDataset":
            name, found = name.op.inputs[0], self._opening(inner)
        while name.op.type in ("Identity", "Reshape"):
            name = name.op.inputs[0]
        if found.type not in FILES or name is not graph.inputs[0]:
            raise Unknown(f"{op.name} ({op.type}) of something else than files")
        return found

    def _made(self, op):
        function, inputs = MADE[op.type]
        if inputs:
            return f"{function}({', '.join(self._inputs(op, inputs))})"
        called = self.source.recording.names[self.source.recording.steps[0].graph]
        same = len(op.inputs) == len(self.words)
        found = []
        for i, tensor in enumerate(op.inputs):
            word = called.get(tensor.name) or (self.words[i] if same else f"component_{i}")
            write = functools.partial(literals.constant, kind=tensor.dtype)
            found.append(self._component(tensor, names.identifier(word), write))
        text = ", ".join(found)
        return f"{function}({text})" if len(found) == 1 else f"{function}(({text}))"

    def _component(self, tensor, word, write):
        """Returns the text of a tensor that a dataset holds: what `write` makes of a short one, else an argument."""
        value = self.feeds[tensor.name] if tensor.name in self.feeds else self._value(tensor)
        if tensor.op.type != "Placeholder" and literals.short(value):
            return write(value)
        word = names.free(word, set(self.arguments))
        self.arguments[word] = value
        return word

    def _value(self, tensor):
        """Returns the value of a tensor that depends on constants alone. Raises Unknown for any other."""
        ops = {op.name: op for op in tensor.graph.get_operations()}
        needed = [ops[name].node_def for name in sorted(reach.ancestors([tensor.op.name], ops))]
        others = [n.name for n in needed if n.op in (*constants.VARIABLES, "Placeholder") or "seed" in n.attr]
        graph = graphs.Graph(v1.GraphDef(node=needed, versions=tensor.graph.graph_def_versions), self.source.where)
        try:
            effects.check(graph, trust=False)
            if not others:
                return np.asarray(answers.Model(graph, [tensor.name]).answers({})[tensor.name])
        except (InputError, answers.Refused, tf.errors.OpError) as e:
            others = [one_line(e)]
        raise Unknown(f"it depends on {others[0]}")

    def _inputs(self, op, inputs):
        # Lists of inputs are empty: they are what a function reads from outside.
        arguments = [a.name for a in calls.definition(op.type).input_arg if not a.type_list_attr]
        tensors, found = dict(zip(arguments, op.inputs)), []
        for name, keyword, default in inputs:
            value = self._value(tensors[name])
            if default is not None and not value.ndim and value.item() == default:
                continue
            if not literals.short(value):
                raise Unknown(f"{name} of {op.name} is long")
            text = "tf.data.AUTOTUNE" if name in AUTOTUNED and value == -1 else literals.plain(value)
            found.append(f"{keyword}={text}" if keyword else text)
        return found

    def _seeds(self, op):
        """Returns the arguments by which a shuffle draws as it did: of the graph and of the op."""
        seed, own = (int(self._value(t)) for t in op.inputs[2:4])
        if self.seed not in (None, seed):
            raise Unknown(f"{op.name} has another seed of its graph")
        self.seed = seed
        once = [] if op.get_attr("reshuffle_each_iteration") else ["reshuffle_each_iteration=False"]
        return [f"seed={own}", *once]

    def _function(self, op):
        """Writes the function of a `map` or `filter`; returns its name."""
        function = op.get_attr(FUNCTIONS[op.type]).name
        shapes = [tf.TensorShape(s) for s in op.inputs[0].op.get_attr("output_shapes")]
        graph = self.source.function(function, shapes)
        called = CALLED.fullmatch(function)
        name = names.free(names.local(called[1] if called else op.name), self.taken)
        count = len(graph.inputs)
        words = self.words if count == len(self.words) else [f"x{i + 1}" for i in range(count)] if count > 1 else ["x"]
        inputs = dict(zip(words, (t.name for t in graph.inputs)))
        outputs = {str(i): t.name for i, t in enumerate(graph.outputs)}
        python = [o.name for o in graph.get_operations() if o.type in training.PYTHON]
        if python:
            raise Unknown(f"{python[0]} is a Python function")
        kept = graphs.Graph(graph.as_graph_def(), function)
        effects.check(kept, trust=True)
        ready = Ready(kept.graph_def, function, [], {}, inputs, outputs)
        self.functions.append(_lines(name, words, op, reading.program(ready, literals.short)))
        return name


def _lines(name, words, op, program):
    """Returns the lines of a function that computes a Program of the arguments `words`."""
    patterns.found(program)
    if any(node.weight for node in program.nodes.values()):
        raise Unknown(f"its function {name} holds an array")
    _, made = classes(tree(program), program, {source: word for word, source in program.inputs.items()})
    (written,) = made.members
    body, results = written.methods["__call__"]
    said = "whether the dataset keeps it" if op.type == "FilterDataset" else "what the dataset has in its place"
    lines = layout.statement(f"def {name}({', '.join(words)}):")
    lines.append(f'    """Takes an element; returns {said}."""')
    for i, s in enumerate(body):
        lines += layout.statement(made.filled(s.text), 1 + s.indent, made.comment(i))
    return [*lines, *layout.statement(f"return {', '.join(made.filled(text) for text in results.values())}", 1)]
