"""The filter: every op is decided on, and what is not known to compute alone neither runs nor is imported untrusted."""

import os

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.python.framework import op_def_library, op_def_registry

from tf1ref import cli
from tf1ref.artifacts.convert import convert
from tf1ref.artifacts.freeze import freeze
from tf1ref.artifacts.graph import effects
from tf1ref.artifacts.inspect import inspect
from tf1ref.artifacts.verify import verify

R = tf.raw_ops


def raw(op, inputs, **attributes):
    return op_def_library.apply_op(op, **inputs, **attributes)


def lines():
    return R.TensorSliceDataset(components=[v1.constant(["written by the graph"])], output_shapes=[[]])


def first(dataset, kind=tf.float32):
    return R.DatasetToSingleElement(dataset=dataset, output_types=[kind], output_shapes=[[]])[0]


def writes(path):
    return tf.function(lambda x: (tf.io.write_file(path, "x"), x + 1)[1])


def in_a_string(path):
    """A graph that a string constant holds: no filter of ops sees what is in it."""
    dataset = tf.data.Dataset.from_tensors(1.0).map(writes(path))
    text = R.DatasetToGraphV2(input_dataset=dataset._variant_tensor, external_state_policy=0).numpy()
    return lambda: first(R.DatasetFromGraph(graph_def=v1.constant(text)))


def in_strings(path, depth):
    """A graph in a string constant of a graph in a string constant ..., as TensorFlow itself would run it."""
    dataset = tf.data.Dataset.from_tensors(1.0).map(writes(path))
    text = R.DatasetToGraphV2(input_dataset=dataset._variant_tensor, external_state_policy=0).numpy()
    for _ in range(depth - 1):
        with v1.Graph().as_default() as graph:
            R.DatasetFromGraph(graph_def=v1.constant(text), name="inner")
        graph_def = graph.as_graph_def()
        result = graph_def.node.add(name="result", op="_Retval", input=["inner"])
        result.attr["T"].type = tf.variant.as_datatype_enum
        result.attr["index"].i = 0
        text = graph_def.SerializeToString()
    return lambda: first(R.DatasetFromGraph(graph_def=v1.constant(text)))


def loop(path):
    scalar = tf.TensorSpec([], tf.int32)
    body = writes(path).get_concrete_function(scalar)
    cond = tf.function(lambda i: i < 1).get_concrete_function(scalar)
    return R.While(input=[v1.constant(0)], cond=cond, body=body)[0]


def case(path):
    branch = tf.function(lambda: writes(path)(1)).get_concrete_function()
    return R.Case(branch_index=v1.constant(0), input=[], Tout=[tf.int32], branches=[branch] * 2, output_shapes=[[]])[0]


def decoded(path):
    options = {"field_names": [], "output_types": [], "descriptor_source": path}
    return R.DecodeProtoV2(bytes=v1.constant([b""]), message_type="x.Y", **options)[0]


def sampled(path):
    options = {"num_true": 1, "num_sampled": 1, "unique": False, "range_max": 1, "distortion": 1.0}
    return R.FixedUnigramCandidateSampler(true_classes=v1.constant([[0]], tf.int64), vocab_file=path, **options)[0]


def shaped(path):
    """What shape inference alone reads: it folds constants, and ReadFile is no stateful op."""
    size = v1.cast(v1.strings.to_number(v1.read_file(path)), tf.int32)
    return v1.reshape(v1.placeholder(tf.float32, [None], name="x") * 2.0, v1.stack([size]))


BUILT = {
    "write": lambda d: R.WriteFile(filename=d + "/hit", contents="x"),
    "records": lambda d: R.DatasetToTFRecord(input_dataset=lines(), filename=d + "/hit", compression_type=""),
    "dump": lambda d: raw(
        "DumpTensor",
        {"tensor_data": v1.constant([1.0])},
        log_dir_path=d,
        file_name="hit",
        func_name="f",
        node_name="n",
        enabled=True,
    ),
    "sampled": lambda d: sampled(d + "/secret.txt"),
    "decoded": lambda d: decoded(d + "/secret.txt"),
    "listed": lambda d: first(R.MatchingFilesDataset(patterns=v1.constant([d + "/*.txt"])), tf.string),
    "while": lambda d: loop(d + "/hit"),
    "case": lambda d: case(d + "/hit"),
    "mapped": lambda d: first(v1.data.Dataset.from_tensors(1.0).map(writes(d + "/hit"))._variant_tensor),
    "called": lambda d: writes(d + "/hit")(v1.constant(1.0)),
    "printed": lambda d: R.PrintV2(input="x", output_stream="file://" + d + "/hit", end=""),
    "shaped": lambda d: shaped(d + "/secret.txt"),
    "stringed": None,  # built eagerly, below
}


def saved_graph(path, build):
    """Writes a .pb whose y needs what `build` adds."""
    with v1.Graph().as_default() as graph:
        made = build()
        operation = made if isinstance(made, tf.Operation) else made.op
        if operation.outputs and operation.outputs[0].dtype == tf.float32:
            tf.identity(operation.outputs[0], name="y")
        else:
            with v1.control_dependencies([operation]):
                tf.identity(tf.constant([1.0, 2.0]), name="y")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


@pytest.fixture
def hostile(watched, tmp_path):
    def make(name):
        folder, _ = watched
        build = in_a_string(str(folder / "hit")) if name == "stringed" else lambda: BUILT[name](str(folder))
        return saved_graph(tmp_path / f"{name}.pb", build)

    return make


@pytest.mark.parametrize("name", BUILT)
def test_what_reaches_outside_is_refused_by_every_verb(name, hostile, watched, refused, tmp_path, capsys):
    folder, watch = watched
    path, made = hostile(name), tmp_path / "made"
    made.mkdir()
    watch.seen()
    for words in (
        ["freeze", path, "-o", made / "f.pb", "--outputs", "y"],
        ["convert", path, made / "sm", "--to", "saved_model", "--outputs", "y"],
        ["convert", path, made / "g.pb", "--outputs", "y"],
        ["verify", path, path, "--outputs", "y"],
    ):
        line = refused(*words)
        assert "need ops that do more than compute" in line and "--trust" in line, line
    assert cli.main(["inspect", str(path), "--ops"]) == 0
    assert "--trust" in capsys.readouterr().out, "inspect says so, too"
    (graph,) = inspect(path).graphs
    assert graph.outside
    assert watch.seen() == [] and os.listdir(folder) == ["secret.txt"] and os.listdir(made) == []


@pytest.mark.parametrize("depth", [2, effects.MOST_NESTED, 300])
def test_a_string_that_is_a_graph_of_a_graph(depth, watched, refused, tmp_path):
    """A process that ran two thousand of them in each other would crash, whoever trusts them."""
    folder, watch = watched
    path = saved_graph(tmp_path / "deep.pb", in_strings(str(folder / "hit"), depth))
    verbs = (
        ["freeze", path, "-o", "f.pb"],
        ["convert", path, "c.pb"],
        ["convert", path, "sm", "--to", "saved_model"],
        ["verify", path, path],
    )
    watch.seen()
    for words in verbs:
        assert "DatasetFromGraph) runs a graph that is in a string: say --trust" in refused(*words, "--outputs", "y")
    assert inspect(path).graphs[0].outside == {"DatasetFromGraph": ["DatasetFromGraph"]}
    if depth > effects.MOST_NESTED:
        for words in verbs:
            assert "more than 8 deep" in refused(*words, "--outputs", "y", "--trust")
    assert watch.seen() == [] and os.listdir(folder) == ["secret.txt"] and len(os.listdir(tmp_path)) == 2
    if depth <= effects.MOST_NESTED:
        assert freeze(path, ["y"], tmp_path / "f.pb", trust=True).compared and "hit" in watch.seen()


def test_the_watch_sees_what_trust_lets_through(hostile, watched, tmp_path):
    """Without this the tests of nothing seen would pass whatever ran."""
    folder, watch = watched
    for name, seen in (("write", "hit"), ("sampled", "secret.txt"), ("shaped", "secret.txt"), ("stringed", "hit")):
        path = hostile(name)
        watch.seen()
        report = freeze(
            path,
            ["y"],
            tmp_path / "t.pb",
            trust=True,
            force=True,
            inputs={"x": np.ones(3, np.float32)} if name == "shaped" else None,
        )
        assert report.compared and seen in watch.seen(), name


def test_an_input_after_it_is_found_without_running_it(hostile, watched, tmp_path):
    folder, watch = watched
    path = hostile("shaped")
    watch.seen()
    report = freeze(path, ["y"], tmp_path / "f.pb", inputs=["x", "stack"])
    assert report.inputs == {"x:0": [None], "stack:0": None} and report.compared
    report = freeze(path, ["y"], tmp_path / "g.pb", inputs=["x", "ReadFile"])
    assert report.inputs["ReadFile:0"] is None
    convert(path, tmp_path / "c.pb", outputs=["y"], inputs=["x", "stack"])
    assert verify(tmp_path / "f.pb", path, outputs=["y"], inputs=["x", "stack"]).equal
    assert watch.seen() == []


def test_signatures_of_tf2_and_what_a_saved_model_runs_when_it_is_loaded(watched, refused, tmp_path):
    folder, watch = watched

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([2], tf.float32)])
        def reads(self, x):
            return {
                "y": x
                + tf.cond(
                    x[0] > 0, lambda: tf.strings.to_number(tf.io.read_file(str(folder / "secret.txt"))), lambda: 0.0
                )
            }

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "two"), {"serving_default": module.reads})
    builder = v1.saved_model.Builder(str(tmp_path / "one"))
    with v1.Graph().as_default(), v1.Session() as sess:
        x = v1.placeholder(tf.float32, [2], name="x")
        w = v1.get_variable("w", initializer=2.0)
        y = tf.multiply(x, w, name="y")
        sess.run(v1.global_variables_initializer())
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        first_op = tf.group(tf.io.write_file(str(folder / "hit"), "x"), name="main")
        builder.add_meta_graph_and_variables(sess, ["serve"], {"serving_default": signature}, main_op=first_op)
    builder.save()
    watch.seen()
    for words in (["freeze", tmp_path / "two", "-o", "f.pb"], ["convert", tmp_path / "two", "c.pb"]):
        assert "ReadFile" in refused(*words)
    assert "ReadFile" in refused("verify", tmp_path / "two", tmp_path / "two")
    assert freeze(tmp_path / "one", [], tmp_path / "f.pb").compared
    assert convert(tmp_path / "one", tmp_path / "again", "saved_model").compared
    assert verify(tmp_path / "one", tmp_path / "again").equal
    assert inspect(tmp_path / "one").graphs[0].outside == {"WriteFile": ["WriteFile"]}
    assert watch.seen() == [] and os.listdir(folder) == ["secret.txt"]


def test_queue_runners_and_table_initializers_of_a_meta_graph_are_not_run(saved, watched, tmp_path):
    folder, watch = watched

    def build():
        w = v1.get_variable("w", initializer=2.0)
        tf.multiply(v1.placeholder(tf.float32, [2], name="x"), w, name="y")
        names = v1.train.string_input_producer([str(folder / "secret.txt")])
        v1.WholeFileReader().read(names)
        v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, tf.io.write_file(str(folder / "hit"), "x"))

    prefix = saved(build)
    watch.seen()
    assert freeze(prefix, ["y"], tmp_path / "f.pb").compared
    assert convert(prefix, tmp_path / "sm", "saved_model", outputs=["y"]).compared
    assert watch.seen() == [] and os.listdir(folder) == ["secret.txt"]


def test_more_memory_than_there_is_ends_as_one_line(refused, tmp_path):
    def filled():
        return tf.fill(tf.constant([10**6, 10**6]), tf.random.uniform([]))

    path = saved_graph(tmp_path / "fill.pb", lambda: tf.reduce_sum(filled()))
    assert "OOM" in refused("verify", path, path, "--outputs", "y")
    refused("freeze", path, "-o", "f.pb", "--outputs", "y")
    for name, kind in (("floats.pb", tf.float32), ("strings.pb", tf.string)):
        graph_def = v1.GraphDef()
        node = graph_def.node.add(name="y", op="Const")
        node.attr["dtype"].type = kind.as_datatype_enum
        value = tf.make_tensor_proto(1.0 if kind == tf.float32 else b"x" * 1000)
        value.tensor_shape.dim.add(size=10**9 if kind == tf.string else 10**12)
        node.attr["value"].tensor.CopyFrom(value)
        (tmp_path / name).write_bytes(graph_def.SerializeToString())
        for words in (
            ["freeze", name, "-o", "f.pb", "--outputs", "y"],
            ["verify", name, name, "--outputs", "y"],
            ["convert", name, "w.npz"],
        ):
            assert "the constant y claims the shape" in refused(*words)
        assert inspect(tmp_path / name).graphs
    assert not list(tmp_path.glob("*f.pb*")) and not list(tmp_path.glob("*npz*"))


def test_the_bound_on_memory_goes_again():
    import resource

    from tf1ref.artifacts.graph import memory

    before = resource.getrlimit(resource.RLIMIT_AS)
    with memory.bounded():
        (most, _) = resource.getrlimit(resource.RLIMIT_AS)
        assert 0 < most < 1 << 50
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert op_def_registry.get("Fill") is not None
