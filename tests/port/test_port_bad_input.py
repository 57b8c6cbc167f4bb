"""What tf1ref port refuses in one line, and names and texts of a graph that are not to become code."""

import ast

import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.errors import InputError
from tf1ref.port import layout, literals, names, port
from tf1ref.port.program import checkpoints

HOSTILE = (
    "__import__('os').system('touch hit')",
    '"""\nimport os\nos.system("touch hit")\n"""',
    "x\n    import os",
    "'); raise SystemExit('hit') #",
    "\\",
    '\\"',
    "a\\\nb",
    "\u2028\u202e",
    "class",
    "tf",
    "self",
    "",
)


def test_hostile_texts_stay_texts(tmp_path, quick, loaded, formatted):
    """Constants and keys with quotes, newlines and code in them: the port answers with them, and runs none."""
    keys = [text for text in HOSTILE if text]

    def save(folder):
        with v1.Graph().as_default(), v1.Session() as sess:
            x = v1.placeholder(tf.string, [], name="x")
            outputs = {key: tf.strings.join([x, tf.constant(key)]) for key in keys}
            signature = v1.saved_model.predict_signature_def({keys[0]: x}, outputs)
            builder = v1.saved_model.Builder(str(folder))
            builder.add_meta_graph_and_variables(sess, ["serve"], {"serving_default": signature})
            builder.save()

    source = tmp_path / "a'''; import os"
    save(source)
    port(source, tmp_path / "out")
    formatted(tmp_path / "out")
    model = loaded(tmp_path / "out", "model").Model()
    found = model(tf.constant("<"))
    assert {k: v.numpy().decode() for k, v in found.items()} == {k: "<" + k for k in keys}
    assert not list(tmp_path.rglob("hit"))


@pytest.mark.parametrize("name", HOSTILE)
def test_names_become_identifiers(name):
    for word in (names.identifier(name), names.local(name), names.attribute(name), names.class_name([name, "a"])):
        assert word.isidentifier() and word.isascii()
    assert names.free(names.local(name), set()) not in names.RESERVED


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in ("class", "tf", "self", "")])
def test_a_graph_with_hostile_names_is_refused_or_harmless(name, tmp_path, refused):
    graph_def = v1.GraphDef()
    graph_def.node.add(name=name, op="Placeholder").attr["dtype"].type = 1
    node = graph_def.node.add(name="y", op="Neg", input=[name])
    node.attr["T"].type = 1
    (tmp_path / "graph.pb").write_bytes(graph_def.SerializeToString())
    refused("port", "graph.pb", "-o", "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["graph.pb"]


def test_literals_are_literals():
    for text in HOSTILE:
        for data in (text.encode(), text.encode("utf-16")):
            assert eval(literals.string(data), {"__builtins__": {}}) in (data, data.decode(errors="replace"))
    assert layout.split('f(\'a,b\', [c, d]), "e\\","') == ["f('a,b', [c, d])", '"e\\","']


def test_what_is_there_is_not_touched(frozen, tmp_path, refused):
    frozen(lambda: [tf.identity(v1.placeholder(tf.float32, [2], name="x"), name="y").op.name])
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("mine")
    assert "thesis.txt" in refused("port", "graph.pb", "-o", "out", "--force")
    (tmp_path / "port").mkdir()
    (tmp_path / "port/model.py").write_text("mine")
    assert "--force" in refused("port", "graph.pb", "-o", "port")
    assert (tmp_path / "port/model.py").read_text() == "mine"
    assert "is a file" in refused("port", "graph.pb", "-o", "graph.pb")
    assert "there is no folder" in refused("port", "graph.pb", "-o", "no/where")
    assert "nope" in refused("port", "graph.pb", "-o", "new", "--outputs", "nope")
    assert "no such file" in refused("port", "missing.pb", "-o", "new").lower() or not (tmp_path / "new").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["graph.pb", "out", "port"]


def test_ops_that_reach_outside_are_refused(frozen, tmp_path, refused):
    def build():
        name = v1.placeholder(tf.string, [], name="x")
        return [tf.io.read_file(name, name="y").op.name]

    frozen(build)
    assert "ReadFile" in refused("port", "graph.pb", "-o", "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_left_where_the_proof_fails(frozen, tmp_path, monkeypatch):
    from tf1ref.artifacts import CheckFailed
    from tf1ref.port import proof

    path = frozen(lambda: [tf.negative(v1.placeholder(tf.float32, [2], name="x"), name="y").op.name])
    monkeypatch.setattr(proof, "TEST", "raise SystemExit(1)\n")
    with pytest.raises(CheckFailed):
        port(path, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["graph.pb"]
    with pytest.raises(InputError):
        port(path, tmp_path / "out", outputs=["x:3"])


def test_test_model_fails_without_answers(frozen, tmp_path, quick, loaded):
    path = frozen(lambda: [tf.negative(v1.placeholder(tf.float32, [2], name="x"), name="y").op.name])
    port(path, tmp_path / "out")
    (tmp_path / "out/answers.npz").unlink()
    with pytest.raises(FileNotFoundError):
        loaded(tmp_path / "out", "test_model").compare()


@pytest.mark.parametrize("name", HOSTILE)
def test_names_in_checkpoints_stay_texts(name):
    """A Saver takes any text as the name of a variable."""
    lines, methods = checkpoints.text("program.py", {"w": name, name: "w"})
    (saved,) = ast.parse("\n".join(lines)).body
    assert ast.literal_eval(saved.value) == {"w": name, name: "w"}
    assert methods == checkpoints.text("program.py", {"w": "v"})[1]


def test_ops_that_are_unknown_here_are_named(tmp_path, refused):
    graph_def = v1.GraphDef()
    graph_def.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    graph_def.node.add(name="y", op="FooBar", input=["x"])
    (tmp_path / "graph.pb").write_bytes(graph_def.SerializeToString())
    assert "FooBar" in refused("port", "graph.pb", "-o", "out", "--outputs", "y")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["graph.pb"]


def test_brackets_of_long_lines_keep_their_meaning():
    value = f"weight * ({' + '.join(f'a_long_name_{i}' for i in range(6))} * (1.0 - x))"
    texts = f"return {{'key': {value}, 'other': 1}}", f"f({value}, (x,), (), {value})", f"y = {value}"
    call = f"tf.{'a_long_name' * 3}(x, self.{'weights' * 6})"
    indices = "[0, :, :, 0]", "[0]", "[1:, ..., -1:]", "[row, :, None, column]", "[rows]"
    for text in (*texts, *(f"return {{'key': {call}{index}, 'other': 1}}" for index in indices)):
        lines = layout.statement(text)
        assert len(lines) > 1
        assert ast.dump(ast.parse("\n".join(lines))) == ast.dump(ast.parse(text)), "\n".join(lines)
