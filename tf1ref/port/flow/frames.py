"""Where the nodes of a graph of version 1 are: in which frame of which loop, in which branch of which condition.

A loop is a frame. Enter brings a tensor into it and Exit out of it. Each variable of the loop is a Merge of an Enter
and a NextIteration, and a Switch by the frame's LoopCond leads it to the body or to the Exit. A condition has no frame:
its Switch ops lead to one branch, its Merge ops take what came. A constant is where its control dependency is.
(White paper "Implementation of Control Flow in TensorFlow", 2017.)
"""

from tf1ref.errors import InputError

FLOW = ("Enter", "Exit", "Merge", "Switch", "NextIteration", "LoopCond")


def of(op):
    """Returns `op` without "Ref", where it is one of FLOW; else `op`."""
    plain = op.removeprefix("Ref")
    return plain if plain in FLOW else op


def kind(node):
    """Returns `of` the op of a Node."""
    return of(node.op)


class Places:
    """Of each Node of `nodes`: `frame`, "" outside of loops, and `branch`: {predicate's source: output of a Switch}.

    `nodes`: {name: Node}, each after what it reads but for NextIteration. Raises InputError where frames do not fit.
    """

    def __init__(self, nodes, where):
        self.nodes, self.where = nodes, where
        self.frame, self.branch, self.parent = {}, {}, {"": ""}
        for node in nodes.values():
            self._place(node)

    def depth(self, frame):
        """Returns how many loops `frame` is in."""
        count = 0
        while frame:
            frame, count = self.parent[frame], count + 1
        return count

    def branch_of(self, source):
        """Returns `branch` of a tensor: of its node, and what a Switch adds."""
        node = self.nodes[source[0]]
        found = self.branch[node.name]
        if kind(node) == "Switch" and not self._by_loop(node):
            return {**found, node.inputs[1]: source[1]}
        return found

    def is_loop_variable(self, node):
        """True for a Merge of an Enter and a NextIteration."""
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
        if node.weight:  # kept beside the code, wherever it is read
            frame = ""
        self.frame[node.name], self.branch[node.name] = frame, branch

    def _leaves(self, name):
        """The frame of what the node `name` gives."""
        frame = self.frame[name]
        return self.parent[frame] if kind(self.nodes[name]) == "Exit" else frame


def _common(branches):
    """What all of `branches` have."""
    first, *others = branches
    return {p: b for p, b in first.items() if all(other.get(p) == b for other in others)}
