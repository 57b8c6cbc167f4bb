"""Do two artifacts answer the same inputs with the same bits?"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from tf1ref.artifacts import CheckFailed, Program, models, sources
from tf1ref.artifacts.formats import recognise
from tf1ref.artifacts.graph import answers
from tf1ref.artifacts.verify import pairs
from tf1ref.errors import InputError, nearest, one_line
from tf1ref.ulps import ulp_distance

# Arrays are compared by this many elements at a time, since the distances take many times their bytes.
PART = 1 << 20


class NotCompared(InputError):
    """No inputs were found on which a model answers. `reason`: a sentence."""

    def __init__(self, where, reason):
        super().__init__(f"{where}: not compared: {reason}: give inputs with --feeds FILE.npz")
        self.reason = reason


@dataclass
class Row:
    """How one tensor of A compares with `other` of B, over all inputs. `first`: where they differ first, or ""."""

    name: str
    other: str
    elements: int = 0
    differing: int = 0
    max_ulp: int = 0
    first: str = ""


@dataclass
class Report:
    """How two artifacts compare. `what`: "answers" or "weights".

    `compared`: the number of sets of inputs, 1 for weights.
    rows: a Row for each tensor, in the order of the graph. first: a sentence on the first one that differs, or "".
    matched: {input of A: input of B}. notes: the repairs on the way.
    """

    a: str
    b: str
    what: str
    equal: bool
    compared: int
    first: str
    rows: list
    matched: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)


def verify(
    a: str | os.PathLike[str] | Program,
    b: str | os.PathLike[str] | Program,
    outputs: Iterable[str] = (),
    inputs: Iterable[str] = (),
    feeds: str | os.PathLike[str] | None = None,
    ulps: int = 0,
    intermediate: bool = False,
    seed: int = answers.SEED,
    trust: bool = False,
    signature: str = "",
    tags: Iterable[str] | None = None,
) -> Report:
    """Returns the Report on two artifacts of any two kinds.

    Models are compared by their answers. When one of the two has only weights, the weights are compared.
    outputs: names (default: those of a signature, or of the end of a frozen graph).
    inputs: names of tensors to feed instead of computing them.
    feeds: an .npz of inputs by key or tensor name; `seed` makes missing ones.
    ulps: how many units in the last place floats may differ. intermediate: compares every tensor that both graphs have.
    signature: that of a SavedModel. tags: those of A, and of B when it holds several graphs. Raises InputError for what
    cannot be read or matched, and CheckFailed when B does not run.
    """
    one, other = models.load(a, signature, tags), models.load(b, signature, _tags_of(b, tags))
    if "saved_model" not in (one.kind, other.kind):
        sources.check_options(one.path, signature, tags)
    if one.message is None or other.message is None:
        return weights_report(one, other, ulps)
    first, second = pairs.outputs(one, other, list(outputs))
    asked = models.ready(one, first, pairs.inputs(one, other, first, inputs), trust)
    asked_too = models.ready(other, second, pairs.inputs(other, one, second, inputs), trust)
    return report(asked, asked_too, pairs.load_feeds(feeds) if feeds else {}, ulps, intermediate, seed)


def _tags_of(b, tags):
    """Returns `tags` for B only when it holds several graphs. A model made from one of A's graphs has its own tags."""
    if tags is None or isinstance(b, Program) or not (os.path.isdir(b) or os.path.basename(b) in recognise.MODELS):
        return None
    return tags if len(recognise.recognise(b, lean=True).graphs) > 1 else None


def report(a, b, feeds=None, ulps=0, intermediate=False, seed=answers.SEED):
    """Returns the Report on two models.Ready, whose outputs are pairs in their order. `feeds`: {name: array}."""
    matched = pairs.matched(a, b)
    specs = pairs.specs(a, b, matched)
    given = pairs.given(feeds or {}, a, b, matched, specs)
    names = dict.fromkeys((name, name) for name in (pairs.common(a, b) if intermediate else ()))
    rows = {pair: Row(*pair) for pair in {**names, **dict.fromkeys(zip(a.outputs.values(), b.outputs.values()))}}
    asked = [model.model(dict.fromkeys(fetched)) for model, fetched in zip((a, b), zip(*rows))]
    compared, reason = [], ""
    for made in answers.inputs([s for s in specs if s.name not in given], seed, enough=compared.__len__):
        feed = {**made, **given}
        found = _answers(asked, feed, matched, a, b, complete=len(given) == len(specs))
        if isinstance(found, str):
            reason = found
            continue
        for (name, other), row in rows.items():
            compare(row, found[0][name], found[1][other], ulps)
        if answers.tells_nothing({name: found[0][name] for name in a.outputs.values()}):
            reason = "the answers on made inputs are empty or not numbers"
        else:
            compared.append(feed)
    first = next((row for row in rows.values() if row.first), None)
    if not compared and not first:
        raise NotCompared(a.where, reason)
    words, notes = f"{_pair(first)}: {first.first}" if first else "", list(dict.fromkeys(a.notes + b.notes))
    return Report(a.where, b.where, "answers", not words, len(compared), words, list(rows.values()), matched, notes)


def weights_report(a, b, ulps=0):
    """Returns the Report on the weights of two Artifacts, by name. A weight that only one has is a difference."""
    one, other = a.weights(), b.weights()
    rows = [Row(name, name if name in other else "") for name in one]
    rows += [Row("", name) for name in other if name not in one]
    for row in rows:
        if row.name and row.other:
            compare(row, one[row.name], other[row.name], ulps)
        else:
            row.first = f"only in {a.path if row.name else b.path}"
            row.first += nearest(row.name or row.other, sorted(other.keys() - one.keys() if row.name else one))
    first = next((row for row in rows if row.first), None)
    words = f"{first.name or first.other}: {first.first}" if first else ""
    if not rows:
        raise InputError(f"{a.path} and {b.path}: neither holds a weight: nothing to compare")
    return Report(a.path, b.path, "weights", not words, 1, words, rows)


def compare(row, a, b, ulps=0):
    """Adds to `row` how two values compare: bits, or floats up to `ulps` apart."""
    a, b = np.asarray(a), np.asarray(b)
    row.elements += a.size
    if a.shape != b.shape or (a.dtype != b.dtype and not {a.dtype.kind, b.dtype.kind} <= set("OS")):
        row.differing += max(a.size, 1)
        row.first = row.first or f"{a.dtype}{list(a.shape)} in A, {b.dtype}{list(b.shape)} in B"
        return
    if not (a.dtype.kind in "fV" and a.dtype.itemsize in (2, 4, 8)):
        ulps = 0
    flat, apart, first = (a.reshape(-1), b.reshape(-1)), 0, -1
    for start in range(0, a.size, PART):
        distance = _distance(*(x[start : start + PART] for x in flat))
        row.differing += int(np.count_nonzero(distance))
        row.max_ulp = max(row.max_ulp, int(np.max(distance, initial=0)))
        beyond = distance > ulps
        apart += int(np.count_nonzero(beyond))
        if first < 0 and beyond.any():
            first = start + int(np.argmax(beyond))
    if not row.first and apart:
        place = tuple(int(i) for i in np.unravel_index(first, a.shape)) if a.shape else ()
        words = f"{apart} of {a.size} elements differ, the first at {list(place)}"
        row.first = f"{words}: {a[place]} in A, {b[place]} in B"


def _distance(a, b):
    """Returns the ULPs between the elements of two vectors of one type. For other types than floats, 1 is unequal."""
    if a.dtype.kind in "fV" and a.dtype.itemsize in (2, 4, 8):
        return ulp_distance(a, b)
    same = a == b if a.dtype.kind in "OSU" else (_bytes(a) == _bytes(b)).all(axis=-1)
    return np.where(same, 0, 1)


def _pair(row):
    return row.name if row.name == row.other else f"{row.name} and {row.other}"


def _bytes(a):
    return np.ascontiguousarray(a).reshape(*a.shape, 1).view(np.uint8)


def _answers(asked, feed, matched, a, b, complete):
    """Returns the answers of both models, or the reason why A does not answer on these made inputs."""
    try:
        expected = asked[0].answers(feed)
    except answers.Refused as e:
        if complete:
            raise InputError(f"{a.where}: no answer on these inputs: {e}") from e
        return f"no answer on made inputs: {e}"
    except tf.errors.OpError as e:
        raise InputError(f"{a.where}: the graph does not run here: {one_line(e)}") from e
    try:
        return expected, asked[1].answers({matched[name]: value for name, value in feed.items()})
    except (answers.Refused, tf.errors.OpError) as e:
        raise CheckFailed(f"{b.where}: does not answer where {a.where} does: {one_line(e)}") from e
