"""Lookup tables of others' models: as constants, kept as tables with their assets, and those that cannot be."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tf1ref.artifacts.convert import convert
from tf1ref.artifacts.freeze import freeze
from tf1ref.artifacts.verify import verify


@pytest.fixture
def classifier(tmp_path):
    """A SavedModel with a vocabulary in a file; returns its folder and a function that runs its own tables."""
    words = tmp_path / "words.txt"
    words.write_text("3\tcat\n4\tdog\n5\tbird\n")
    builder = v1.saved_model.Builder(str(tmp_path / "vocabulary"))
    with v1.Graph().as_default(), v1.Session() as sess:
        asset = tf.constant(str(words))
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
        handles = []
        for key, value, columns in ((tf.string, tf.int64, (1, -1)), (tf.int64, tf.string, (0, 1))):
            handle = tf.raw_ops.HashTableV2(key_dtype=key, value_dtype=value, shared_name=f"table_{key.name}")
            made = tf.raw_ops.InitializeTableFromTextFileV2(
                table_handle=handle, filename=asset, key_index=columns[0], value_index=columns[1], offset=3
            )
            handles.append((handle, made))
        names = v1.placeholder(tf.string, [None, None], name="names")
        find = tf.raw_ops.LookupTableFindV2
        ids = find(table_handle=handles[0][0], keys=names, default_value=tf.constant(-1, tf.int64))
        again = find(
            table_handle=handles[1][0], keys=ids + v1.get_variable("w", initializer=np.int64(0)), default_value="?"
        )
        start = tf.group(*(made for _, made in handles))
        sess.run([v1.global_variables_initializer(), start])
        feed = np.array([[b"dog", b"", b"bird"], [b"cow", b"cat", b"dog "]], object)
        own = sess.run([ids, again], {names: feed})
        signature = v1.saved_model.predict_signature_def({"names": names}, {"ids": ids, "again": again})
        builder.add_meta_graph_and_variables(
            sess, ["serve"], {"serving_default": signature}, assets_collection=[asset], main_op=start
        )
    builder.save()
    words.unlink()
    return tmp_path / "vocabulary", feed, own


def test_tables_of_an_asset_become_constants(classifier, tmp_path, answer):
    folder, feed, own = classifier
    report = freeze(folder, [], tmp_path / "f.pb")
    assert report.compared and "tables that became constants: " in report.notes[-1] and "3 entries" in report.notes[-1]
    reached = answer(tmp_path / "f.pb", list(report.outputs), {"names:0": feed})
    for wanted, found in zip(sorted(own, key=lambda a: a.dtype.kind), sorted(reached, key=lambda a: a.dtype.kind)):
        assert found.tolist() == wanted.tolist()
    assert own[0].tolist() == [[4, -1, 5], [-1, 3, -1]], "the table's own answer, in a session"


@pytest.mark.slow
def test_a_saved_model_keeps_its_tables_and_assets(classifier, tmp_path):
    folder, feed, own = classifier
    report = convert(folder, tmp_path / "again", "saved_model")
    assert report.compared and "tables that are kept, with what fills them: " in report.notes[-1]
    (held,) = (tmp_path / "again" / "assets").iterdir()
    assert held.read_bytes() == (folder / "assets" / "words.txt").read_bytes()
    assert verify(folder, tmp_path / "again").equal
    shutil.rmtree(folder)
    (tmp_path / "again").rename(tmp_path / "moved")
    (meta,) = read(tmp_path / "moved").meta_graphs
    assert {n.op for n in meta.graph_def.node} >= {"HashTableV2", "InitializeTableFromTextFileV2", "LookupTableFindV2"}
    assert str(tmp_path) not in str(meta)
    held = tmp_path / "moved" / "assets" / "words.txt"
    held.write_text(held.read_text().replace("dog", "owl"))
    found = tf.saved_model.load(str(tmp_path / "moved")).signatures["serving_default"](
        names=tf.constant([["owl", "cat"]])
    )
    assert found["ids"].numpy().tolist() == [[4, 3]] and found["again"].numpy().tolist() == [[b"owl", b"cat"]]
    assert own[0].tolist() == [[4, -1, 5], [-1, 3, -1]] and feed[0][0] == b"dog"
    assert (
        convert(tmp_path / "moved", tmp_path / "m.pb").compared and verify(tmp_path / "m.pb", tmp_path / "moved").equal
    )


def read(folder):
    return SavedModel.FromString((folder / "saved_model.pb").read_bytes())


def test_tables_that_cannot_become_constants_say_why(classifier, tmp_path, refused):
    folder, _, _ = classifier
    (held,) = (folder / "assets").iterdir()
    held.write_text("5\tcat\nx\tdog\n")
    assert "assets/words.txt is no table of its types" in refused("freeze", folder, "-o", "f.pb")
    held.write_text("5\tcat\n6\tcat\n")
    assert "two values for the key b'cat'" in refused("convert", folder, "f.pb")
    held.rename(tmp_path / "elsewhere")
    assert "cannot become constants: assets/words.txt: missing" in refused("verify", folder, folder)
    held.symlink_to(tmp_path / "elsewhere")
    assert "assets/words.txt: missing" in refused("freeze", folder, "-o", "f.pb")


def test_a_table_of_constants(saved, tmp_path, answer):
    def build():
        keys = tf.range(3, dtype=tf.int64) * 10
        handle = tf.raw_ops.HashTableV2(key_dtype=tf.int64, value_dtype=tf.float32)
        tf.raw_ops.InitializeTableV2(table_handle=handle, keys=keys, values=tf.constant([0.5, np.nan, -1.0]))
        x = v1.placeholder(tf.int64, [None], name="x")
        v1.get_variable("w", [1])
        find = tf.raw_ops.LookupTableFindV2
        tf.add(find(table_handle=handle, keys=x, default_value=9.0), 0.0, name="y")
        tf.identity(tf.raw_ops.LookupTableSizeV2(table_handle=handle), name="size")

    prefix = saved(build)
    assert freeze(prefix, ["y", "size"], tmp_path / "f.pb").compared
    y, size = answer(tmp_path / "f.pb", ["y:0", "size:0"], {"x:0": [20, 0, 10, 5, -1]})
    np.testing.assert_array_equal(y, np.array([-1.0, 0.5, np.nan, 9.0, 9.0], np.float32))
    assert size == 3


@pytest.fixture
def module(tmp_path):
    """A SavedModel of TensorFlow 2 whose functions ask and fill two tables; returns its folder and the object."""
    (tmp_path / "colours.txt").write_text("red\nblue\n")
    words, lines = (
        tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2], value_dtype=tf.int64),
        tf.lookup.TextFileIndex,
    )

    class Colours(tf.Module):
        def __init__(self):
            super().__init__()
            self.words = tf.lookup.StaticHashTable(words, -1)
            columns = tf.string, lines.WHOLE_LINE, tf.int64, lines.LINE_NUMBER
            file = tf.lookup.TextFileInitializer(str(tmp_path / "colours.txt"), *columns)
            self.colours = tf.lookup.StaticHashTable(file, 7)
            self.w = tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="x")])
        def __call__(self, x):
            return {"y": tf.cast(self.words.lookup(x) + self.colours.lookup(x), tf.float32) * self.w}

    made = Colours()
    tf.saved_model.save(made, str(tmp_path / "two"))
    return tmp_path / "two", made


@pytest.mark.slow
def test_tables_that_functions_of_tensorflow_2_fill(module, tmp_path, answer):
    folder, made = module
    x = np.array([b"a", b"red", b"blue", b"c"], object)
    wanted = made(tf.constant(x))["y"].numpy().tolist()
    assert wanted == [16.0, -2.0, 0.0, 12.0]
    report = freeze(folder, [], tmp_path / "f.pb")
    assert report.compared == 2 and "tables that became constants: " in report.notes[-1]
    assert answer(tmp_path / "f.pb", list(report.outputs)[0], {"serving_default_x:0": x}).tolist() == wanted
    report = convert(folder, tmp_path / "again", "saved_model")
    assert report.compared == 2 and "tables that are kept" in report.notes[-1]
    assert verify(folder, tmp_path / "again").equal
    shutil.rmtree(folder)
    (tmp_path / "colours.txt").unlink()
    found = tf.saved_model.load(str(tmp_path / "again")).signatures["serving_default"](x=tf.constant(x))
    assert found["y"].numpy().tolist() == wanted


def test_a_table_before_the_inputs_is_not_kept(classifier, tmp_path):
    folder, _, own = classifier
    (signature,) = [s for name, s in read(folder).meta_graphs[0].signature_def.items() if name == "serving_default"]
    ids = signature.outputs["ids"].name
    report = convert(folder, tmp_path / "cut", "saved_model", outputs=["again"], inputs=[ids])
    assert report.compared == 2
    graph_def = read(tmp_path / "cut").meta_graphs[0].graph_def
    assert [n.op for n in graph_def.node if n.op in ("HashTableV2", "InitializeTableFromTextFileV2")] == [
        "HashTableV2",
        "InitializeTableFromTextFileV2",
    ]
    found = tf.saved_model.load(str(tmp_path / "cut")).signatures["serving_default"]
    (key,) = report.inputs
    assert list(found(**{key: tf.constant(own[0])}).values())[0].numpy().tolist() == own[1].tolist()


def test_a_function_that_asks_a_table_and_calls_itself_is_refused(graph, refused, tmp_path):

    def build():
        handle = tf.raw_ops.HashTableV2(key_dtype=tf.int64, value_dtype=tf.int64)
        function = tf.function(lambda h: tf.raw_ops.LookupTableSizeV2(table_handle=h), autograph=False)
        tf.identity(function(handle), name="y")

    path = graph("cyclic", build)
    graph_def = v1.GraphDef.FromString(path.read_bytes())
    (function,) = graph_def.library.function
    (node,) = [n for n in function.node_def if n.op == "LookupTableSizeV2"]
    node.op = function.signature.name
    (again,) = [n for n in function.node_def if n.name == "Identity"]
    again.input[0] = f"{node.name}:{function.signature.output_arg[0].name}:0"
    path.write_bytes(graph_def.SerializeToString())
    for words in (["freeze", path, "-o", "f.pb"], ["convert", path, "c.pb"], ["verify", path, path]):
        assert "calls itself" in refused(*words, "--outputs", "y")
