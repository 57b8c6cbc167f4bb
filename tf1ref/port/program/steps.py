"""What the steps of a program consist of, as plain data."""

from dataclasses import dataclass, field


@dataclass
class Gradient:
    """One call of tf.gradients in a step. `losses`: tensor names. `trained`: variables, in the order of the call.

    tensors: {(node, index): (variable, part)}. A part is "", or ".values" or ".indices" for rows of a table.
    """

    losses: list
    trained: list
    tensors: dict


@dataclass
class Step:
    """One way in which the program changes its variables: the runs that write to the same ones.

    name: that of a method. forward: {tensor name: None}, what it needs of the model, losses first.
    updates: the Nodes in between, and the writes, in their order. inputs: names of fed tensors. runs: the recorded
    ones. summaries: what the runs fetch for TensorBoard. unshown: tags of those that are not ported.
    late: {tensor name: None}, what the runs fetch that is computed of gradients, or of what was written.
    """

    name: str
    gradients: list
    forward: dict
    updates: list
    inputs: list
    runs: list
    summaries: list = field(default_factory=list)
    unshown: list = field(default_factory=list)
    late: dict = field(default_factory=dict)


@dataclass
class Training:
    """All ways in which a program changes its variables. `nodes`: {name: Node} of its graph.

    evaluations: Steps that change nothing, which are methods of the model.
    """

    graph_def: object
    steps: list
    evaluations: list = field(default_factory=list)
    nodes: dict = field(default_factory=dict)

    @property
    def forward(self):
        """Returns the tensors of the model that any step or evaluation needs."""
        return {name: None for step in [*self.steps, *self.evaluations] for name in step.forward}

    @property
    def late(self):
        """Returns the tensors that any step answers besides those of the model."""
        return {name: None for step in self.steps for name in step.late}

    @property
    def trains(self):
        """Returns whether any step computes gradients. Otherwise the program only assigns."""
        return any(step.gradients for step in self.steps)

    @property
    def inputs(self):
        """Returns the tensors that are fed in any step."""
        return list({name: None for step in [*self.steps, *self.evaluations] for name in step.inputs})
