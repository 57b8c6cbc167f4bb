"""Writes the input pipeline of a program: a function that makes the tf.data.Dataset from which its batches came."""

from dataclasses import dataclass

import tensorflow.compat.v1 as v1
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

from tf1ref.artifacts.graph import graphs
from tf1ref.errors import InputError, one_line
from tf1ref.port import names, porting
from tf1ref.port.program.pipelines.datasets import Unknown, Writer

OWN = ("Model", "Trainer", "dataset", "main", "recorded")  # names that train.py has of its own
NEXT = ("IteratorGetNext", "IteratorV2GetNext")


@dataclass
class Pipeline:
    """The function `name` as `lines`. `arguments`: {argument: the array that the program gave}.

    elements: the tensors of an element, each an argument of a step or not. positions: {id of a Run: which element}.
    """

    name: str
    lines: list
    arguments: dict
    elements: list
    positions: dict


def found(made):
    """Returns (the Pipelines from which the steps of a programs.Made take their inputs, a note for each other one)."""
    wanted = {name.partition(":")[0] for name in made.training.inputs}
    gets = [n for n in sorted(wanted) if n in made.training.nodes and made.training.nodes[n].op in NEXT]
    if not gets:
        return [], []
    pipelines, notes, taken, source = [], [], set(OWN), None
    for name in gets:
        try:
            source = source or _Source(made)
            pipelines.append(source.pipeline(name, taken))
        except (Unknown, InputError) as e:
            why = f"the pipeline before {porting.plain(name)} is not ported: {one_line(e)}"
            notes.append(f"{why}: a step takes its batches as arguments")
    return pipelines, notes


class _Source:
    """The graph in which a program has its datasets."""

    def __init__(self, made):
        self.made, self.recording, self.where = made, made.recording, made.recording.program
        number = self.recording.steps[0].graph
        graph_def = v1.MetaGraphDef.FromString(self.recording.graphs[number]).graph_def
        self.runs = [run for run in self.recording.runs if run.graph == number]
        self.library = {f.signature.name: f for f in graph_def.library.function}
        self.graph = graphs.Graph(graph_def, self.where).imported()
        self.ops = {op.name: op for op in self.graph.get_operations()}

    def pipeline(self, name, taken):
        """Returns the Pipeline of the op `name`, which takes elements. Raises Unknown."""
        get = self.ops[name]
        iterator = get.inputs[0].op
        feeds, since = {}, 0
        if iterator.type == "OneShotIterator":
            factory = self.function(iterator.get_attr("dataset_factory").name, [])
            dataset = factory.outputs[0].op
        elif iterator.type in ("Iterator", "IteratorV2"):
            dataset, feeds, since = self._initialized(iterator)
        else:
            raise Unknown(f"{iterator.name} ({iterator.type})")
        elements, own = [t.name for t in get.outputs], set(self.made.words.values())
        words = [self.made.words.get(t) or names.free(f"x{i + 1}", own) for i, t in enumerate(elements)]
        writer = Writer(self, feeds, words, taken)
        writer.write(dataset)
        word = names.free("batches", taken)
        return Pipeline(word, writer.text(word), writer.arguments, elements, self._positions(name, since))

    def _initialized(self, iterator):
        """Returns (the op of the dataset that an iterator had in the first step, its feeds, since which run)."""
        makers = {op.name: op for op in iterator.outputs[0].consumers() if op.type == "MakeIterator"}
        found = None
        for i, run in enumerate(self.runs):
            if run.trains and found:
                return found
            for name in makers.keys() & self._reached(run):
                found = makers[name].inputs[0].op, run.feeds, i + 1
        raise Unknown(f"{iterator.name} has no dataset before the first step")

    def _positions(self, name, since):
        """Returns {id of a Run: which element of the pipeline it took}, until the iterator starts anew."""
        taken, count = {}, 0
        for i, run in enumerate(self.runs):
            reached = self._reached(run)
            if i >= since and any(self.ops[n].type == "MakeIterator" for n in reached):
                break
            if name in reached and i >= since:
                taken[id(run)], count = count, count + 1
        return taken

    def _reached(self, run):
        """Returns the names of the ops that a Run needs. What a step took is recorded beside what it was fed."""
        ops = self.ops
        fed = {n for n in run.feeds if not (run.trains and ops[n.partition(":")[0]].type in NEXT)}
        found, stack = set(), [n.partition(":")[0] for n in [*run.targets, *run.fetches] if n not in fed]
        while stack:
            name = stack.pop()
            if name in ops and name not in found:
                found.add(name)
                stack += [t.op.name for t in ops[name].inputs if t.name not in fed]
                stack += [o.name for o in ops[name].control_inputs]
        return found

    def function(self, name, shapes):
        """Returns the graph of a function. Raises Unknown when it reads tensors from outside."""
        definition = self.library.get(name)
        if definition is None or len(definition.signature.input_arg) != len(shapes):
            raise Unknown(f"its function {porting.plain(name)} reads tensors from outside")
        with self.graph.as_default():
            return function_def_to_graph(definition, shapes)
