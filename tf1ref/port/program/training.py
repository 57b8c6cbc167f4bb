"""What recorded training steps consist of: their losses, the gradients, and their use."""

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.graph import constants, graphs, repairs
from tf1ref.errors import InputError
from tf1ref.port import names, reading
from tf1ref.port.flow.frames import FLOW
from tf1ref.port.program import averages, branches, evaluations, reach, summaries
from tf1ref.port.program.steps import Gradient, Step, Training

FED = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")
PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
# What a Trainer has besides its steps.
OWN = {"model", "restore", "save", "saved", "summarize"}


def training(recording, whole=True):
    """Returns the Training of a recording. whole: with evaluations, and with what is fetched of gradients and writes.

    Raises InputError for a program that trains in an unknown way. The message has an op and its line.
    """
    runs, number = recording.steps, recording.steps[0].graph
    if any(run.graph != number for run in runs):
        raise InputError(f"{recording.path}: {recording.program} trains in more than one graph: not ported yet")
    meta = v1.MetaGraphDef.FromString(recording.graphs[number])
    wanted = {name.partition(":")[0]: None for run in recording.runs if run.graph == number
              for name in [*run.targets, *run.fetches, *run.feeds]}  # fmt: skip
    there = {node.name for node in meta.graph_def.node}
    calls = [call for call in recording.gradients[number] if set(_of(call)) <= there]
    wanted.update((name.partition(":")[0], None) for call in calls for name in _all(call))
    repaired = repairs.repaired(meta.graph_def, [name for name in wanted if name in there], recording.path)
    graph = _shaped(repaired.imported(), meta.graph_def)
    branches.brought_out(graph)
    where = Where(recording, number, {node.name: _task(node.device) for node in meta.graph_def.node})
    ops = {op.name: op for op in graph.get_operations()}
    parts = Parts(ops, calls, where)
    kinds = {}
    for run in runs:
        kinds.setdefault(parts.writes(run), []).append(run)
    steps = [parts.step(found, whole) for found in kinds.values()]
    nodes = {name: reading.of_op(op, recording.path) for name, op in ops.items()}
    result = Training(graph.as_graph_def(), steps, nodes=nodes)
    if whole:
        result.evaluations = evaluations.found(recording, parts, steps)
    taken = set(names.MODULE) | OWN
    for step in steps:
        step.name = names.free(_method(step.runs[0], result, recording.names[number]), taken)
    return result


def _of(call):
    """Returns the names of the ops to which a recorded call of tf.gradients refers."""
    return [name.partition(":")[0] for name in _all(call)]


def _all(call):
    return [*call["ys"], *call["xs"], *(name for names_ in call["gradients"] for name in names_)]


def _method(run, found, called):
    """Returns the name of the method for the step of a Run. Of several steps, it says what the program runs."""
    if found.trains and len(found.steps) == 1:
        return "step"
    target = next((t for t in [*run.targets, *run.fetches]), "")
    word = names.identifier(called.get(target) or target.partition(":")[0]).lower()
    return f"step_{word}" if found.trains else word


def _shaped(graph, recorded):
    """Returns `graph` with the shapes that the program knew, since gradients are built by them."""
    shapes = {node.name: node.attr["_output_shapes"].list.shape for node in recorded.node}
    for op in graph.get_operations():
        for tensor, shape in zip(op.outputs, shapes.get(op.name, ())):
            tensor.set_shape(tf.TensorShape(shape))
    return graph


def _task(device):
    """Returns (job, task) of a device, of which a program that is no cluster has one."""
    spec = tf.DeviceSpec.from_string(device)
    return (spec.job or "localhost", spec.task or 0)


class Where:
    """Tells where in the program an op was made, and where it runs. `tasks`: {op name: (job, task)}."""

    def __init__(self, recording, graph, tasks):
        self.recording, self.lines, self.tasks = recording, recording.lines[graph], tasks

    def refused(self, op, reason):
        """Returns the InputError that names `op` (its name and type) and its line."""
        line = self.lines.get(op.name)
        at = f"{line[0]}:{line[1]}: " if line else ""
        return InputError(f"{at}{op.name} ({op.type}): {reason}")


class Parts:
    """Divides the runs of a graph into model, gradients and updates. `calls`: recorded ones of tf.gradients."""

    def __init__(self, ops, calls, where):
        self.ops, self.where, self.initial = ops, where, where.recording.initial
        self.calls, self.known = [], {}
        for call in calls:
            xs = [x for x in call["xs"] if ops[x].type in constants.VARIABLES]
            if len(xs) != len(call["xs"]):
                # A gradient with respect to a tensor is part of a model.
                continue
            tensors = {}
            for x, found in zip(xs, call["gradients"]):
                parts = ("",) if len(found) == 1 else (".values", ".indices")
                tensors.update((graphs.tensor(name), (x, part)) for name, part in zip(found, parts))
            self.calls.append((call, Gradient(call["ys"], xs, tensors)))
            self.known.update(dict.fromkeys((name for name, _ in tensors), len(self.calls) - 1))

    def writes(self, run):
        """Returns the names of the ops by which a run writes."""
        return frozenset(name for name in self.reached(run, ()) if reach.WRITES.fullmatch(self.ops[name].type))

    def reached(self, run, ends):
        """Returns the names of the ops that a run needs; `ends` need nothing."""
        start = [n.partition(":")[0] for n in [*run.targets, *run.fetches]]
        return reach.ancestors([n for n in start if n in self.ops], self.ops, ends=ends)

    def step(self, runs, whole):
        """Returns the Step that `runs` make, without its name. whole: with what they fetch of gradients and writes."""
        gradients = self._gradients(set().union(*(self.reached(run, self.known) for run in runs)))
        # What waits for no gradient may be before them: the averages of a batch normalization.
        reached = set().union(*(self.reached(run, ()) for run in runs))
        losses = [loss for gradient in gradients for loss in gradient.losses]
        inputs = self._inputs(runs, reached)
        late = self._late(reached, runs) if whole else {}
        forward, updates = self._split(reached, runs, losses, {graphs.tensor(n) for n in inputs}, late)
        found = summaries.of(self.ops, [n for run in runs for n in run.fetches])
        shown = [s for s in found if s.kind and (s.variable in self.initial or s.tensor in forward)]
        unshown = [s.tag for s in found if s not in shown]
        return Step("", gradients, forward, updates, inputs, runs, shown, unshown, late)

    def _late(self, reached, runs):
        """Returns {tensor: None} of what `runs` fetch that is computed of gradients, or of what was written.

        Which write comes last, where there are two to one variable, is a race: what follows them is left out.
        """
        writes = [name for name in reached if reach.WRITES.fullmatch(self.ops[name].type)]
        variables = [self.ops[name].inputs[0].op.name for name in writes]
        races = [name for name, variable in zip(writes, variables) if variables.count(variable) > 1]
        starts = {*self.known, *writes, *self._waiting(reached, writes)}
        after = reach.descendants(starts, self.ops) - reach.descendants(races, self.ops)
        found = dict.fromkeys(name for run in runs for name in run.fetches)
        ops = {name: self.ops.get(name.partition(":")[0]) for name in found}
        return {
            name: None
            for name, op in ops.items()
            if op is not None and op.name in after and op.outputs[0].dtype != tf.string and op.type not in FLOW
        }

    def _waiting(self, reached, writes):
        """Returns the names of the ops that read a variable after one of `writes`, for which they wait.

        An Identity of a reference copies nothing: what reads it reads the variable.
        """
        written = {}
        for name in writes:
            written.setdefault(self.ops[name].inputs[0].op.name, set()).add(name)
        readers = [self.ops[name] for name in reached if name not in writes and self.ops[name].control_inputs]
        found = []
        for op in readers:
            read = {t.op.inputs[0].op.name if reach.is_read(t.op) else t.op.name for t in op.inputs} & written.keys()
            ancestors = reach.ancestors([op.name], self.ops) if read else set()
            if any(written[variable] & ancestors for variable in read):
                found.append(op.name)
        return found

    def _gradients(self, reached):
        found = []
        for number in dict.fromkeys(self.known[name] for name in self.ops if name in reached and name in self.known):
            call, gradient = self.calls[number]
            if call["started"]:
                raise self.where.refused(self.ops[_of(call)[0]], "gradients that start from others are not ported yet")
            used = {source: of for source, of in gradient.tensors.items() if source[0] in reached}
            trained = [v for v in gradient.trained if v in {variable for variable, _ in used.values()}]
            found.append(Gradient(gradient.losses, trained, used))
        return found

    def _split(self, reached, runs, losses, fed, after):
        """Returns ({tensors of the forward pass that are needed}, [Nodes of the updates, in order])."""
        ops = self.ops
        before = reach.ancestors([graphs.tensor(loss)[0] for loss in losses], ops, control=False, ends=self.known)
        draws = {n for n, op in ops.items() if op.type in FED or {"seed", "seed2"} <= set(op.node_def.attr)}
        starts = {name for name, _ in fed}
        model = before | reach.descendants(starts | draws, ops)
        writes = [name for name in reached if reach.WRITES.fullmatch(ops[name].type)]
        late = {*self.known, *writes}
        model -= reach.descendants(late | (set(self._waiting(reached, writes)) - before), ops)
        self._check_branches(writes)
        self._check_tasks(reached, writes)
        fetched = [n for run in runs for n in run.fetches]
        fetched += [s.tensor for s in summaries.of(ops, fetched) if s.kind and not s.variable]
        chains = averages.chains(ops, reached, writes, before | {n.partition(":")[0] for n in fetched})
        model -= set().union(*chains.values())
        ends = [*writes, *(name.partition(":")[0] for name in after)]
        kept = reach.ancestors(ends, ops, control=False, ends=self.known) - set(self.known)
        flow = [n for n in kept - model if ops[n].type.removeprefix("Ref") in FLOW]
        # This includes a rate that a condition chooses.
        model |= reach.ancestors(flow, ops, control=False, ends=self.known)
        kept -= model
        wanted = [name for name in ops if name in kept]
        forward = dict.fromkeys(losses)
        fetched = [n for n in fetched if n.partition(":")[0] in model - summaries.asking(ops, starts)]
        forward.update(dict.fromkeys(n for n in fetched if ops[n.partition(":")[0]].outputs[0].dtype != tf.string))
        nodes = {}
        for name in wanted:
            nodes[name] = reading.of_op(ops[name], self.where.recording.path)
            for t in ops[name].inputs:
                if t.op.name in model and t.op.type not in constants.VARIABLES and not reach.is_read(t.op):
                    if t.op.type == "Const":
                        nodes.setdefault(t.op.name, reading.of_op(t.op, self.where.recording.path))
                    elif graphs.tensor(t.name) not in fed:
                        forward[t.name] = None
        needed = reach.ancestors([n.partition(":")[0] for n in forward], ops, control=False) | nodes.keys()
        python = next((ops[n] for n in ops if n in needed and ops[n].type in PYTHON), None)
        if python is not None and python.name not in starts:
            raise self.where.refused(python, "calls Python, which no graph holds: not ported")
        reading.fold(nodes)
        return forward, self._ordered(nodes, chains)

    def _check_tasks(self, reached, writes):
        """Raises InputError for an op that reads a variable of another task after a write.

        What is sent to it may be a copy of before.
        """
        tasks = self.where.tasks
        for name in [n for n in self.ops if n in reached] if len(set(tasks.values())) > 1 else ():
            op, apart = self.ops[name], {}
            for t in op.inputs if name not in writes else ():
                variable = t.op.inputs[0].op.name if reach.is_read(t.op) else t.op.name
                if tasks.get(variable) != tasks.get(name):
                    apart |= {w: variable for w in writes if self.ops[w].inputs[0].op.name == variable}
            late = apart and apart.keys() & reach.ancestors([name], self.ops)
            if late and op.type != "ReadVariableOp":
                reason = f"reads {apart[min(late)]} from another task after a write: what arrives there is a race"
                raise self.where.refused(op, reason)

    def _check_branches(self, writes):
        for name in writes:
            if self.ops[name].inputs[0].op.type.endswith("Switch"):
                raise self.where.refused(self.ops[name], "writes to a variable within a branch: not ported yet")

    def _ordered(self, nodes, chains):
        """Returns the nodes, each after those on which it depends.

        Where the order is free, reads come before writes. chains: those of averages.chains().
        """
        ops = self.ops
        needs = {
            name: {t.op.name for t in ops[name].inputs if t.op.name in nodes}
            | {o for c in ops[name].control_inputs for o in self._through(c, nodes)}
            for name in nodes
        }
        averages.after_each_other(ops, chains, needs)
        # A chain is written just before its write.
        ranks = {name: 2 for names_ in chains.values() for name in names_}
        ranks |= {name: 1 if name in chains else 3 for name in nodes if reach.WRITES.fullmatch(ops[name].type)}
        waiting, done, found = list(nodes), set(), []
        while waiting:
            free = [name for name in waiting if needs[name] <= done]
            if not free:
                raise self.where.refused(ops[waiting[0]], "is in a loop of updates: not ported yet")
            name = min(free, key=lambda n: ranks.get(n, 0))
            waiting.remove(name)
            done.add(name)
            found.append(nodes[name])
        return found

    def _through(self, op, nodes):
        """Returns which of `nodes` a control dependency on `op` waits for."""
        return {name for name in reach.ancestors([op.name], self.ops, ends=self.known) if name in nodes}

    def _inputs(self, runs, reached):
        """Returns the names of the fed tensors that `runs` read. They may not read all that an iterator gives."""
        found = {name: graphs.tensor(name) for run in runs for name in run.feeds}
        fetched = {name for run in runs for name in run.fetches}

        def is_read(name, op, index):
            readers = self.ops[op].outputs[index].consumers() if op in reached else ()
            return name in fetched or any(reader.name in reached for reader in readers)

        return [name for name, (op, index) in found.items() if is_read(name, op, index)]
