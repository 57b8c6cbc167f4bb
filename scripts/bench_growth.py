"""How the time of freeze, convert, inspect and check grows with variables, nodes, functions, signatures and files."""

import math
import tempfile
import time
from pathlib import Path

import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

FLOAT = tf.float32.as_datatype_enum
MOST = 1.15  # the exponent that is wanted at the most
SUBJECT = f"""\
The time of the whole call, whose result is compared with its source where it converts or freezes. Each way has twice
as many as the one before. An exponent of 1 is in proportion; at most {MOST} is wanted."""


def contests():
    """Yields a Contest of times for each of SIZES, and the graph of 100,000 nodes."""
    from bench import Contest

    with tempfile.TemporaryDirectory() as folder:
        for name, (make, work, counts) in SIZES.items():
            sources = {count: make(count, Path(folder, f"{make.__name__}{count}.{work.__name__}")) for count in counts}
            ways = {f"{n:,}": lambda n=n, s=sources, w=work: seconds(w, s[n], Path(folder, "to")) for n in counts}
            yield Contest(name, "s", f"{counts[0]:,}", ways, lambda rows, counts=counts: growth(rows, counts))
        large = nodes(100_000, Path(folder, "large"))
        ways = {w.__name__: lambda w=w: seconds(w, large, Path(folder, "to")) for w in (inspect, saved_model)}
        yield Contest("100,000 nodes", "s", "inspect", ways, warm=False)  # minutes, and warm by what came before


def growth(rows, counts):
    """How the time grows with the count: by step, and as an exponent over all and over the last step."""
    times = [row["rate"] for row in rows]
    steps = ", ".join(f"{after / before:.2f}" for before, after in zip(times, times[1:]))
    whole = math.log(times[-1] / times[0]) / math.log(counts[-1] / counts[0])
    last = math.log(times[-1] / times[-2], 2)
    return f"a step, twice as many, takes {steps} times as long; exponent {whole:.2f}, of the last step {last:.2f}"


def seconds(work, source, to):
    """Seconds of one call."""
    began = time.perf_counter()
    work(source, to)
    return time.perf_counter() - began


def inspect(source, to):
    """Inspects a source."""
    from tf1ref.artifacts.inspect import inspect

    inspect(source)


def saved_model(source, to):
    """Converts a source to a SavedModel."""
    from tf1ref.artifacts.convert import convert

    convert(source, to, "saved_model", outputs=["y"], force=True)


def objects(source, to):
    """Converts a source to a checkpoint of objects."""
    from tf1ref.artifacts.convert import convert

    convert(source, f"{to}.objects", "objects", force=True)


def freeze(source, to):
    """Freezes a source."""
    from tf1ref.artifacts.freeze import freeze

    freeze(source, ["y"], f"{to}.pb", force=True)


def check(source, to):
    """Checks a folder of programs."""
    from tf1ref.compat.check import check

    check([source])


def variables(count, path):
    """A checkpoint of `count` variables of eight weights, each in a step of its own: x [?, 8] -> y [?, 8]."""
    with v1.Graph().as_default(), v1.Session() as sess:
        h = v1.placeholder(v1.float32, [None, 8], name="x")
        for number in range(count):
            h = v1.tanh(h * v1.get_variable(f"w{number}", [8], initializer=v1.ones_initializer()))
        v1.identity(h, name="y")
        sess.run(v1.global_variables_initializer())
        return v1.train.Saver().save(sess, str(path))


def names(count, path):
    """A checkpoint of `count` weights of eight numbers, without a graph."""
    found = [f"layer{number}/w" for number in range(count)]
    weights = [tf.ones([8])] * count
    tf.raw_ops.SaveV2(prefix=str(path), tensor_names=found, shape_and_slices=[""] * count, tensors=weights)
    return path


def chain(count, library=()):
    """The GraphDef of x [2] -> y [2] by `count` ops, which call the functions of `library` in turns."""
    graph_def = v1.GraphDef()
    graph_def.versions.producer = tf.version.GRAPH_DEF_VERSION
    graph_def.library.function.extend(library)
    node = graph_def.node.add(name="x", op="Placeholder")
    node.attr["dtype"].type = FLOAT
    node.attr["shape"].shape.dim.add(size=2)
    for number in range(count):
        name = "y" if number == count - 1 else f"n{number}"
        node = graph_def.node.add(name=name, op="Tanh", input=[graph_def.node[-1].name])
        if library:
            node.op = "PartitionedCall"
            node.attr["f"].func.name = library[number % len(library)].signature.name
            for attribute in ("Tin", "Tout"):
                node.attr[attribute].list.type.append(FLOAT)
        else:
            node.attr["T"].type = FLOAT
    return graph_def


def nodes(count, path):
    """A .pb of `count` ops in a chain."""
    path.write_bytes(chain(count).SerializeToString())
    return path


def functions(count, path):
    """A .pb of a chain of `count` calls, each of a function of its own."""
    library = []
    for number in range(count):
        function = FunctionDef()
        function.signature.name = f"f{number}"
        function.signature.input_arg.add(name="a", type=FLOAT)
        function.signature.output_arg.add(name="b", type=FLOAT)
        function.node_def.add(name="t", op="Tanh", input=["a"]).attr["T"].type = FLOAT
        function.ret["b"] = "t:y:0"
        library.append(function)
    path.write_bytes(chain(count, library).SerializeToString())
    return path


def signatures(count, path):
    """A SavedModel of a chain of `count` ops and a signature for the output of each."""
    model = SavedModel(saved_model_schema_version=1)
    meta = model.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    meta.graph_def.CopyFrom(chain(count))
    for node in meta.graph_def.node[1:]:
        signature = meta.signature_def[node.name]
        signature.method_name = v1.saved_model.PREDICT_METHOD_NAME
        for infos, name in ((signature.inputs, "x"), (signature.outputs, node.name)):
            infos[name].name, infos[name].dtype = f"{name}:0", FLOAT
            infos[name].tensor_shape.dim.add(size=2)
    path.mkdir()
    (path / "saved_model.pb").write_bytes(model.SerializeToString())
    return path


def programs(count, path):
    """A folder of `count` programs, each of which imports the ten before it."""
    layer = "def f{0}_{1}(x):\n    return tf.nn.relu(tf.layers.dense(x, 10, name='d{1}'))\n"
    path.mkdir()
    for number in range(count):
        lines = [f"from m{other} import f{other}_0\n" for other in range(max(0, number - 10), number)]
        lines += [layer.format(number, function) for function in range(10)]
        (path / f"m{number}.py").write_text("import tensorflow as tf\n" + "".join(lines))
    return path


# {name: (what writes a source of a count, what is timed, counts)}.
SIZES = {
    "variables to a SavedModel": (variables, saved_model, (200, 400, 800, 1600)),
    "variables frozen": (variables, freeze, (200, 400, 800, 1600)),
    "weights to objects": (names, objects, (2_000, 4_000, 8_000, 16_000)),
    "nodes inspected": (nodes, inspect, (12_500, 25_000, 50_000, 100_000)),
    "nodes frozen": (nodes, freeze, (5_000, 10_000, 20_000, 40_000)),
    "functions inspected": (functions, inspect, (1_000, 2_000, 4_000, 8_000)),
    "functions frozen": (functions, freeze, (500, 1_000, 2_000, 4_000)),
    "signatures inspected": (signatures, inspect, (1_000, 2_000, 4_000, 8_000)),
    "signatures to a SavedModel": (signatures, saved_model, (500, 1_000, 2_000, 4_000)),
    "programs checked": (programs, check, (100, 200, 400, 800)),
}
