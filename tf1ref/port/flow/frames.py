"""Where the nodes of a version 1 graph are: in which loop's frame, and in which branch of which condition.

A loop is a frame. Enter brings a tensor into it and Exit out of it. Each variable of the loop is a Merge of an Enter
and a NextIteration. A Switch by the frame's LoopCond leads it to the body or to the Exit. A condition has no frame: its
Switch ops lead to one branch, and its Merge ops take what arrives. A constant is where its control dependency is.
(White paper "Implementation of Control Flow in TensorFlow", 2017.)
"""

from tf1ref.errors import InputError

FLOW = ("Enter", "Exit", "Merge", "Switch", "NextIteration", "LoopCond")


def of(op):
    """Returns `op` without "Ref" when it is one of FLOW, and any other `op` as it is."""
    plain = op.removeprefix("Ref")
    return plain if plain in FLOW else op


def kind(node):
    """Returns the op of a Node, without "Ref" when it is one of FLOW."""
    return of(node.op)


def inside(node_defs):
    """Returns the names of the NodeDefs that a Switch leads to within its loop or branch."""
    readers, ops = {}, {node.name: of(node.op) for node in node_defs}
    for node in node_defs:
        for name in node.input:
            readers.setdefault(name.partition(":")[0], []).append(node)
    found, stack = set(), [name for name, op in ops.items() if op == "Switch"]
    while stack:
        for node in readers.get(stack.pop(), ()):
            looped = any(ops.get(name.partition(":")[0]) == "NextIteration" for name in node.input)
            ends = ops[node.name] == "Exit" or (ops[node.name] == "Merge" and not looped)
            if node.name not in found and not ends:
                found.add(node.name)
                stack.append(node.name)
    return found


class Places:
    """The places of each Node. `frame`: "" outside of loops. `branch`: {predicate's source: output of a Switch}.

    nodes: {name: Node}, each after what it reads, except for NextIteration. Raises InputError for frames that do not
    fit.
    """

    def __init__(self, nodes, where):
        self.nodes, self.where = nodes, where
        self.frame, self.branch, self.parent = {}, {}, {"": ""}
        for node in nodes.values():
            self._place(node)

    def depth(self, frame):
        """Returns how many loops contain `frame`."""
        count = 0
        while frame:
            frame, count = self.parent[frame], count + 1
        return count

    def branch_of(self, source):
        """Returns the `branch` of a tensor: that of its node, and what a Switch adds."""
        node = self.nodes[source[0]]
        found = self.branch[node.name]
        if kind(node) == "Switch" and not self._by_loop(node):
            return {**found, node.inputs[1]: source[1]}
        return found

    def is_loop_variable(self, node):
        """Returns True for a Merge of an Enter and a NextIteration."""
        return sorted(kind(self.nodes[name]) for name, _ in node.inputs) == ["Enter", "NextIteration"]

    def _by_loop(self, switch):
        return kind(self.nodes[switch.inputs[1][0]]) == "LoopCond"

    def _place(self, node):
        before = [s for s in node.inputs if s[0] in self.frame]
        frames = [self._leaves(name) for name in [s[0] for s in before] + node.control if name in self.frame]
        frame = max(frames, key=self.depth, default="")
        branches = [self.branch_of(source) for source in before]
        if kind(node) == "Merge" and len(before) > 1:
            branch = _common(branches)
        else:
            branches += [self.branch[name] for name in node.control if name in self.branch]
            branch = {p: b for one in branches for p, b in one.items()}
        if kind(node) == "Enter":
            name = node.attrs["frame_name"].s.decode(errors="replace")
            if self.parent.setdefault(name, frame) != frame:
                raise InputError(f"{self.where}: damaged: the loop {name} is entered from two others")
            frame = name
        if kind(node) == "Exit":
            branch = {p: b for p, b in branch.items() if self.frame[p[0]] != frame}
        # It is kept beside the code, wherever it is read.
        if node.weight:
            frame = ""
        self.frame[node.name], self.branch[node.name] = frame, branch

    def _leaves(self, name):
        """Returns the frame of the outputs of the node `name`."""
        frame = self.frame[name]
        return self.parent[frame] if kind(self.nodes[name]) == "Exit" else frame


def _common(branches):
    """Returns what all of `branches` have in common."""
    first, *others = branches
    return {p: b for p, b in first.items() if all(other.get(p) == b for other in others)}
