"""The nodes of a graph that is written as code."""

from dataclasses import dataclass, field

from tf1ref.port.flow import parts

ADDS = ("Add", "AddV2")
LOOP, COND = "tf.while_loop", "tf.cond"  # Nodes of these ops hold functions


@dataclass
class Part:
    """A function inside a Node. `nodes`: {name: Node} of its own, each after what it reads.

    parameters: Nodes that stand for its arguments. results: sources. Other tensors that its nodes read are outside.
    """

    nodes: dict
    parameters: list
    results: list

    @property
    def outputs(self):
        """Returns the results in the form of a Program's outputs."""
        return dict(enumerate(self.results))

    def prune(self):
        """Leaves out the nodes that no result needs."""
        self.nodes = parts.needed(self.nodes, self.results)

    def readers(self):
        """Returns {(node name, index): [nodes that read it]}."""
        return _readers(self.nodes)


@dataclass
class Node:
    """One op. `inputs`: [(node name, output index)]. `dtypes`, `shapes`: one for each output.

    value: the array of a constant, else None. weight: the name of a variable or of a large constant, else "".
    parts: the condition and the body of a LOOP, or the two branches (true, false) of a COND. The first `own` of the
    inputs are the loop's variables, or the predicate. The others are what the parts read.
    """

    name: str
    op: str
    inputs: list = field(default_factory=list)
    control: list = field(default_factory=list)
    attrs: dict = field(default_factory=dict)
    dtypes: list = field(default_factory=list)
    shapes: list = field(default_factory=list)
    value: object = None
    weight: str = ""
    parts: list = field(default_factory=list)
    own: int = 0


@dataclass
class Shared:
    """What several methods compute: `name` of a method of its own, its outputs {word: source}, and its `nodes`."""

    name: str
    outputs: dict
    nodes: set


@dataclass
class Program:
    """A graph to write as code. `nodes`: {name: Node}, each after what it reads.

    inputs: {argument: (node name, index)}. outputs: {key: (node name, index)}. trained: weights that are variables.
    methods: {name: keys} when not all outputs are computed at once. public: those that are no part of a step.
    shared: the Shared part of the methods, or None. words: {source: how the program calls a tensor}.
    """

    nodes: dict
    inputs: dict
    outputs: dict
    trained: set = field(default_factory=set)
    methods: dict = field(default_factory=dict)
    public: set = field(default_factory=set)
    shared: Shared | None = None
    words: dict = field(default_factory=dict)

    def by_method(self):
        """Returns {name of a method: the Program of its outputs}, with the shared part first."""
        wanted = {self.shared.name: self.shared.outputs} if self.shared else {}
        for name, keys in (self.methods or {"__call__": list(self.outputs)}).items():
            wanted[name] = {key: self.outputs[key] for key in keys}
        found = {name: Program(self.nodes, self.inputs, outputs, self.trained) for name, outputs in wanted.items()}
        for part in found.values():
            part.prune()
        return found

    @property
    def overlaps(self):
        """Returns whether two methods compute a node, each for itself."""
        seen = set()
        for name, part in self.by_method().items():
            own = {n.name for n in part.nodes.values() if n.value is None} - self.fed
            own -= self.shared.nodes if self.shared and name != self.shared.name else set()
            if own & seen:
                return True
            seen |= own
        return False

    @property
    def fed(self):
        """Returns the names of the nodes that are inputs."""
        return {name for name, _ in self.inputs.values()}

    def kind(self, source):
        """Returns (DType, TensorShape) of a tensor."""
        node = self.nodes[source[0]]
        return node.dtypes[source[1]], node.shapes[source[1]]

    def readers(self):
        """Returns {(node name, index): [nodes that read it]}."""
        return _readers(self.nodes)

    def every(self):
        """Returns {name: Node} of all nodes, also inside the functions of loops and branches."""
        return parts.everything(self.nodes)

    def prune(self):
        """Leaves out the nodes and inputs that no output needs."""
        self.nodes = parts.needed(self.nodes, self.outputs.values())
        self.inputs = {key: source for key, source in self.inputs.items() if source[0] in self.nodes}


def _readers(nodes):
    found = {}
    for node in nodes.values():
        for source in node.inputs:
            found.setdefault(source, []).append(node)
    return found
