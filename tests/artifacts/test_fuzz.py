"""Damaged files by the hundred against inspect and freeze, in this process: a report, or one line. Never a hang,
another exception, gigabytes, or a target that is touched.

TF1REF_FUZZ=SECONDS fuzzes that long.
"""

import contextlib
import itertools
import os
import random
import re
import time
from pathlib import Path

import pytest
import tensorflow.compat.v1 as v1
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tf1ref.artifacts.freeze import freeze
from tf1ref.artifacts.inspect import node
from tf1ref.errors import InputError

DATA = "model.data-00000-of-00001"
PARTS = ("model.meta", "model.index", DATA)
FREEZABLE = ("model.meta", "model.index", DATA, "graph.pb", "graph.pbtxt", "meta.pbtxt", "old", "saved_model.pb")
OLD = b"the old file"
MOST_GROWTH = 300  # MB of resident memory that a corpus may add
SECONDS = float(os.environ.get("TF1REF_FUZZ", "0"))


def most_resident():
    """The peak of this process's resident memory in MB, as Linux counts it."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1000


def reset_peak():
    """What this process needed before is forgotten; without the right to say so, the bounds are looser."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


@pytest.fixture(scope="module")
def frozen():
    """Freezes to a file that exists; returns "" or the line. Anything but success or one line is a failure."""

    def run(path, outputs=("y",)):
        target = path.parent / "target.pb"
        target.write_bytes(OLD)
        try:
            freeze(path, outputs, target, force=True)
        except InputError as e:
            assert target.read_bytes() == OLD, "the target was touched"
            assert "\n" not in str(e) and len(str(e)) < 900, str(e)[:1000]
            return str(e)
        finally:
            assert not list(path.parent.glob(".*")), "something was left beside the target"
        assert v1.GraphDef.FromString(target.read_bytes()).node
        return ""

    return run


def damages(name, data):
    """Yields (what was done, bytes): truncations, flipped bits, foreign bytes put in, spans that are gone."""
    chance = random.Random(name)
    for share in (0, 1, 2, 3, 5, 9):
        yield f"cut {share}/10", data[: len(data) * share // 10]
    yield "a byte less", data[:-1]
    yield "its first bytes gone", data[7:]
    for number in range(12):
        flipped = bytearray(data)
        flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        yield f"bit {number}", bytes(flipped)
    for junk in (b"\xff" * 10, b"\x0a\xff\xff\xff\xff\x0f", b"\0" * 100, b"\x12\x80\x80\x80\x80\x80\x80\x80\x80\x7f"):
        place = chance.randrange(len(data))
        yield "bytes put in", data[:place] + junk + data[place:]
        yield "bytes replaced", data[:place] + junk + data[place + len(junk) :]


def whole(originals, folder, name):
    """Puts a whole checkpoint into `folder`, and returns the path of `name` there."""
    for part in PARTS:
        (folder / part).write_bytes(originals[part])
    return folder / name


def test_a_corpus_for_inspect(originals, judged, tmp_path):
    reset_peak()
    before, tried, refused = most_resident(), 0, 0
    for name, data in originals.items():
        path = whole(originals, tmp_path, name)
        path.write_bytes(data)
        assert not judged(path), name
        for done, bad in damages(name, data):
            tried += 1
            path.write_bytes(bad)
            line = judged(path)
            assert bad or "0 bytes" in line or name == DATA, f"{name}: {done}: {line}"
            refused += bool(line)
    assert tried >= 200 and refused > tried / 2
    assert most_resident() - before < MOST_GROWTH


@pytest.mark.slow
def test_a_corpus_for_freeze(originals, frozen, tmp_path):
    reset_peak()
    before, tried, refused = most_resident(), 0, 0
    for name in FREEZABLE:
        path = whole(originals, tmp_path, name)
        for _, bad in damages(name, originals[name]):
            tried += 1
            path.write_bytes(bad)
            refused += bool(frozen(path))
        path.unlink()
    assert tried >= 200 and refused > tried / 2
    assert most_resident() - before < MOST_GROWTH


OPS = ["Const", "Reshape", "Squeeze", "MatMul", "Conv2D", "MaxPool", "Mean", "Add", "FusedBatchNorm", "Placeholder"]
OPS += ["VarHandleOp", "Softmax"]
ATTRIBUTES = st.sampled_from(["T", "dtype", "shape", "value", "_output_shapes", "is_training", "strides", "_class"])
NUMBERS = st.integers(-(2**63), 2**63 - 1)


@st.composite
def graph_defs(draw):
    """GraphDefs that parse, of known ops with attributes and inputs that need not fit them."""
    graph_def = v1.GraphDef()
    for i in range(draw(st.integers(1, 6))):
        one = graph_def.node.add(name=f"n{i}", op=draw(st.sampled_from(OPS)))
        one.input.extend(draw(st.lists(st.sampled_from([f"n{j}" for j in range(i)] + ["n9", "^n8"]), max_size=3)))
        for name in draw(st.lists(ATTRIBUTES, max_size=4)):
            fill(one.attr[name], draw)
    return graph_def


def fill(value, draw):
    """Puts anything into an AttrValue."""
    kind = draw(st.integers(0, 5))
    if kind == 0:
        value.type = draw(st.integers(0, 200))
    elif kind == 1:
        value.list.i.extend(draw(st.lists(NUMBERS, max_size=5)))
    elif kind == 2:
        value.list.shape.add().dim.add(size=draw(NUMBERS))
    elif kind == 3:
        for size in draw(st.lists(NUMBERS, max_size=5)):
            value.shape.dim.add(size=size)
    elif kind == 4:
        value.tensor.dtype = draw(st.sampled_from([0, 1, 3, 7, 9]))
        for size in draw(st.lists(st.integers(-1, 5) | NUMBERS, max_size=3)):
            value.tensor.tensor_shape.dim.add(size=size)
        value.tensor.tensor_content = draw(st.binary(max_size=40))
        value.tensor.int_val.extend(draw(st.lists(st.integers(-9, 9), max_size=4)))
    else:
        value.s = draw(st.binary(max_size=8))


QUICK = settings(
    max_examples=100,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def fuzz(check, *strategies):
    """Checks 100 examples of the `strategies`, always the same; then others until $TF1REF_FUZZ seconds are over."""
    end = time.monotonic() + SECONDS
    for number in itertools.count():
        seed(number)(QUICK(given(*strategies)(check)))()
        if time.monotonic() >= end:
            return


@pytest.mark.slow
def test_graphs_with_attributes_that_do_not_fit(judged, frozen, tmp_path):
    path = tmp_path / "g.pb"

    def check(graph_def):
        path.write_bytes(graph_def.SerializeToString())
        assert not judged(path)
        for one in graph_def.node:
            node(path, one.name)
        frozen(path, [graph_def.node[-1].name])

    fuzz(check, graph_defs())


@pytest.mark.slow
def test_fuzzed_files(originals, judged, tmp_path):
    """Pieces of real files, moved, repeated, overwritten and cut, under the names of others."""
    reset_peak()
    before = most_resident()

    def check(data):
        content = bytearray(originals[data.draw(st.sampled_from(sorted(originals)))])
        for _ in range(data.draw(st.integers(1, 4))):
            start = data.draw(st.integers(0, max(len(content) - 1, 0)))
            end = start + data.draw(st.integers(0, 64))
            content[start:end] = data.draw(st.binary(max_size=24)) * data.draw(st.integers(1, 3))
        path = whole(originals, tmp_path, data.draw(st.sampled_from(sorted(originals))))
        path.write_bytes(bytes(content))
        judged(path)

    fuzz(check, st.data())
    assert most_resident() - before < 1000
