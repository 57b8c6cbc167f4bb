"""Writes that are alike, one for each variable: they become a loop over lists of variables and gradients."""

from dataclasses import dataclass, field


@dataclass
class Column:
    """What differs between the turns of a loop: one entry for each.

    `word`: the name of a list of gradients, whose indices the entries are, or "" where they are names of variables.
    """

    word: str
    entries: list = field(default_factory=list)

    @property
    def same(self):
        """Returns True when all turns have the same entry."""
        return len(set(self.entries)) == 1

    @property
    def distinct(self):
        """Returns True when no two turns have the same entry."""
        return len(set(self.entries)) == len(self.entries)


@dataclass
class Repeat:
    """Writes of one structure, in order. `own`: for each the Nodes that it alone needs. columns: the Columns."""

    writes: list
    own: list
    columns: list

    @property
    def varying(self):
        """Returns the columns over which the loop goes."""
        return [column for column in self.columns if not column.same]

    @property
    def inner(self):
        """Returns the names of all nodes that the loop stands for."""
        return {node.name for nodes in [self.writes, *self.own] for node in nodes}


class Finder:
    """Finds the Repeats in `nodes`, the updates of a step in their order.

    listed: {source: (list of gradients, index)}. variable(source): the name of the variable that it is, or None.
    is_write(node): whether it writes to the variable of its first input.
    """

    def __init__(self, nodes, every, listed, variable, is_write):
        self.nodes, self.every, self.listed = nodes, every, listed
        self.variable, self.is_write = variable, is_write
        self.at = {node.name: i for i, node in enumerate(nodes)}
        self.readers = {}
        for node in nodes:
            for name, _ in node.inputs:
                self.readers.setdefault(name, set()).add(node.name)

    def repeats(self):
        """Returns the Repeats of two or more writes."""
        found, group, before = [], [], None
        for write in (node for node in self.nodes if self.is_write(node)):
            own = self.own(write)
            said, columns = _Said(self, own).of(write)
            if said != before or not self._may_join(group, write, own, columns):
                found.append(group)
                group, before = [], said
            group.append((write, own, columns))
        made = [self._made(group) for group in [*found, group] if len(group) > 1]
        return [repeat for repeat in made if all(c.same or c.distinct for c in repeat.columns)]

    def own(self, write):
        """Returns the Nodes, in order, that only `write` needs."""
        found = {write.name}
        for node in reversed(self.nodes[: self.at[write.name]]):
            readers = self.readers.get(node.name)
            if readers and readers <= found and len(node.dtypes) == 1 and not self.is_write(node):
                found.add(node.name)
        return [node for node in self.nodes if node.name in found and node is not write]

    def _may_join(self, group, write, own, columns):
        """Returns True when a loop may do `write` after those of `group`, with the nodes in between before the loop."""
        if not group:
            return False
        turns = [*((w, o) for w, o, _ in group), (write, own)]
        written = {self.variable(w.inputs[0]) for w, _ in turns}
        inner = {node.name for w, o in turns for node in [w, *o]}
        # A read is written where its value is used.
        computing = [n for w, o in turns for n in [w, *o] if n is w or not self.variable((n.name, 0))]
        first = min(self.at[node.name] for node in computing if node.value is None)
        between = [n for n in self.nodes[first : self.at[write.name]] if n.name not in inner]
        reads = [self._reads(o) - {self.variable(w.inputs[0])} for w, o in turns]
        if any(read & written for read in reads) or len(written) < len(turns):
            return False
        outside = {self.variable(n.inputs[0]) for n in between if self.is_write(n)}
        later = [n for n in between if self.at[n.name] > self.at[turns[0][0].name]]
        if outside & written.union(*reads) or any(self.is_write(n) for n in later) or self._reads(later) & written:
            return False
        return all(_follows(before, now) for before, now in zip(group[-1][2], columns))

    def _reads(self, nodes):
        return {self.variable(source) for node in nodes for source in node.inputs} - {None}

    def _made(self, group):
        columns = [Column(word) for word, _ in group[0][2]]
        for _, _, entries in group:
            for column, (_, entry) in zip(columns, entries):
                column.entries.append(entry)
        return Repeat([w for w, _, _ in group], [o for _, o, _ in group], columns)


def _follows(before, now):
    """Returns True for the next gradient of a list, and for any variable."""
    return not now[0] or now[1] == before[1] + 1


class _Said:
    """Describes a write and its own nodes, so that two of one structure are described alike."""

    def __init__(self, finder, own):
        self.finder, self.own = finder, {node.name for node in own}
        self.columns, self.seen = [], {}

    def of(self, write):
        """Returns (the description, [(list of gradients or "", index or variable)])."""
        return self._node(write), self.columns

    def _node(self, node):
        attrs = {k: v.SerializeToString(deterministic=True) for k, v in node.attrs.items() if k[0] != "_"}
        return node.op, tuple(sorted(attrs.items())), tuple(self._source(s) for s in node.inputs)

    def _source(self, source):
        finder, node = self.finder, self.finder.every[source[0]]
        if source in finder.listed:
            word, index, part = finder.listed[source]
            return "listed", self._column(word, index), word, part
        variable = finder.variable(source)
        if variable:
            return "variable", self._column("", variable)
        if node.value is not None:
            return "constant", str(node.value.dtype), node.value.shape, node.value.tobytes()
        if node.name in self.seen:
            return "seen", self.seen[node.name]
        if node.name in self.own:
            self.seen[node.name] = len(self.seen)
            return self._node(node)
        return "shared", source

    def _column(self, word, entry):
        if (word, entry) not in self.columns:
            self.columns.append((word, entry))
        return self.columns.index((word, entry))
