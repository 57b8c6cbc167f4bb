"""Reads a GraphDef, MetaGraphDef or SavedModel from bytes or text. The content tells which one it is.

Protocol buffers have no magic number. Bytes count as a GraphDef when they parse as one and every node has a name, an op
and inputs that can be names. A file is read once and parsed. Nothing in it is imported or run.
"""

import mmap
import os
import re

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from tf1ref.artifacts.formats import foreign
from tf1ref.artifacts.graph import held
from tf1ref.artifacts.graph.graphs import tensor
from tf1ref.data.formats.protos import GraphDef, MetaGraphDef, SavedModel
from tf1ref.errors import InputError, one_line

KINDS = "a GraphDef, a MetaGraphDef, a SavedModel, a checkpoint, a TFRecord or event file"
MOST_BYTES = 2**31 - 1  # the most bytes in one protocol buffer
MOST_COMMENT = 1 << 20  # the most bytes before the first field of a text
# The most bytes of text: its parser reads about 1 MB in a second.
MOST_TEXT = 64 << 20

# The first field of a text tells its type.
FIRST_FIELD = re.compile(r"(?:\s|#[^\n]*\n)*(\w+)\s*[:{<]")
FIELDS = {
    **dict.fromkeys(("node", "library", "versions", "version"), GraphDef),
    **dict.fromkeys(("meta_info_def", "graph_def", "saver_def", "collection_def", "signature_def"), MetaGraphDef),
    **dict.fromkeys(("asset_file_def", "object_graph_def"), MetaGraphDef),
    **dict.fromkeys(("saved_model_schema_version", "meta_graphs"), SavedModel),
}
FIRST_BYTES = {b"\x08", b"\x0a", b"\x12", b"\x18", b"\x22", b"\x2a"}  # fields 1 to 5 of these messages

OP = re.compile(r"[\x21-\x7e]{1,512}")
NAME = re.compile(r"[^:^\s]{1,4096}")
INPUT = re.compile(r"\^?[^:^\s]{1,4096}(:\d{1,9})?")
BACK = ("NextIteration", "RefNextIteration")  # only these edges may close a circle


def read(path, start, lean=False):
    """Returns (kind in words, message) of the file `path`, whose first bytes are `start`. Raises InputError.

    lean: leaves the values of large constants in the file (graph/held.py).
    """
    # A comment may be longer than the bytes that were read so far.
    if start.lstrip()[:1] == b"#":
        with open(path, "rb") as file:
            start = file.read(MOST_COMMENT)
    first = FIRST_FIELD.match(start.decode("latin-1"))
    if first and first[1] in FIELDS and b"\0" not in start:
        return _text(path, FIELDS[first[1]])
    known = foreign.named(path, start)
    if known:
        raise InputError(f"{path}: {known}")
    if start[:1] not in FIRST_BYTES:
        raise InputError(f"{path}: not recognised, it starts with {start[:8].hex(' ')}: give {KINDS}")
    if os.path.getsize(path) > MOST_BYTES:
        raise InputError(f"{path}: more than the 2 GB of one protocol buffer: give {KINDS}")
    lean, wrongs = lean and os.path.getsize(path) >= held.LARGE, []
    data = b"" if lean else _bytes(path)
    for message in (GraphDef, MetaGraphDef, SavedModel):
        try:
            parsed = message.FromString(_lean(path, message.DESCRIPTOR.name) if lean else data)
        except DecodeError:
            continue
        wrong = _wrong(parsed)
        if not wrong:
            return message.DESCRIPTOR.name, parsed
        wrongs.append(wrong)
    damaged = next((w for w in wrongs if w.startswith("damaged")), "")
    raise InputError(
        f"{path}: {f'{damaged}: copy it again' if damaged else f'not recognised or damaged: give {KINDS}'}"
    )


def _text(path, message):
    if os.path.getsize(path) > MOST_TEXT:
        raise InputError(f"{path}: {os.path.getsize(path):,} bytes of text: save it as binary to have it inspected")
    try:
        parsed = text_format.Parse(_bytes(path).decode(), message())
    except RecursionError:
        raise InputError(f"{path}: damaged: more levels in each other than any graph has") from None
    # Bytes that are not UTF-8 raise ValueError, too.
    except (text_format.ParseError, ValueError) as e:
        raise InputError(f"{path}: damaged or not of this format: {one_line(e)}") from e
    wrong = _wrong(parsed)
    if wrong:
        raise InputError(f"{path}: {wrong}: copy or save it again")
    return f"{message.DESCRIPTOR.name} as text", parsed


def _bytes(path):
    with open(path, "rb") as f:
        return f.read()


def _lean(path, kind):
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return held.lean(content, kind, path)


def _wrong(parsed):
    """Returns why a parsed message is not of its kind, or "". It begins with "damaged: " when it is close to one."""
    if isinstance(parsed, SavedModel):
        wrongs = [_wrong(meta) for meta in parsed.meta_graphs]
        return next(filter(None, wrongs), "") if wrongs else "no SavedModel"
    if isinstance(parsed, MetaGraphDef):
        if not parsed.graph_def.node and not parsed.meta_info_def.tensorflow_version:
            return "no meta graph"
        return _wrong(parsed.graph_def)
    if not parsed.node and not (parsed.versions.producer and parsed.ByteSize() < 1000):
        return "no graph"
    return _wrong_node(parsed.node) or _circle(parsed.node)


def _wrong_node(nodes):
    seen = set()
    for number, node in enumerate(nodes):
        name, op = node.name, node.op
        if not NAME.fullmatch(name) or not OP.fullmatch(op):
            if number == 0:
                return "no graph"
            return f"damaged: node {number} has {'no name' if not NAME.fullmatch(name) else 'no op'} that can be one"
        if name in seen:
            return f"damaged: two nodes are called {name[:100]!r}"
        seen.add(name)
        bad = next((i for i in node.input if not INPUT.fullmatch(i)), None)
        if bad is not None:
            return f"damaged: node {name[:100]!r} reads {bad[:100]!r}, which is no name"
    return ""


def _circle(nodes):
    """Returns why a graph with a circle is not valid, or "". Only a loop's NextIteration may lead back."""
    inputs = {n.name: [] if n.op in BACK else [tensor(i)[0] for i in n.input] for n in nodes}
    done, path = set(), {}
    for name in inputs:
        stack = [(name, iter((name,)))]
        while stack:
            above, below = stack[-1]
            following = next(below, None)
            if following is None:
                stack.pop()
                path.pop(above, None)
                done.add(above)
            elif following in path:
                members = list(path)[list(path).index(following) :]
                shown = " <- ".join(m[:60] for m in [*members[:4], *["..."] * (len(members) > 4), following])
                return f"damaged: its nodes read each other in a circle ({shown}), which no graph may"
            elif following not in done and following in inputs:
                path[following] = None
                stack.append((following, iter(inputs[following])))
    return ""
