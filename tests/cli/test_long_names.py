"""Names that no file can have: too long, or above the root. On the command line, and where a program imports them."""

import pytest

LONG = "a" * 300
ENDLESS = ("launch", "--ps", "1", "--workers", "1", "--checkpoint-dir", LONG, "--", "python", "-c", "pass")
COMMANDS = [
    ("check", LONG), ("check", f"{LONG}.py"), ("exec", f"{LONG}.py"), ("inspect", LONG), ("inspect", f"{LONG}/b"),
    ("verify", LONG, LONG), ("run", LONG), ("show", f"{LONG}.py"), ("parity", f"{LONG}.py"),
    ("port", f"{LONG}.py", "-o", "out"), ("port", "basics.variables", "-o", LONG),
    ("freeze", "basics.variables", "-o", f"{LONG}.pb"), ("convert", "basics.variables", LONG, "--to", "checkpoint"),
    ("convert", "basics.variables", LONG, "--to", "npz"), ("launch", f"{LONG}.yml"), ENDLESS,
    ("data", "ls", LONG), ("data", "verify", f"{LONG}.csv"),
    ("run", "basics.hello", "--out", LONG), ("run", "basics.hello", "--data", LONG), ("gallery", "--out", LONG),
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=[" ".join(words).replace(LONG, "LONG") for words in COMMANDS])
def test_a_name_that_no_file_can_have_is_bad_input(refused, words):
    assert LONG in refused(*words)


NEARLY = "a" * 250  # a file can have it, and the one beside it that is written first cannot
OUTPUTS = [
    ("freeze", "basics.variables", "-o", f"{NEARLY}.pb"), ("convert", "basics.variables", NEARLY, "--to", "npz"),
    ("convert", "basics.variables", NEARLY, "--to", "saved_model"), ("port", "basics.variables", "-o", NEARLY),
]  # fmt: skip


@pytest.mark.parametrize("words", OUTPUTS, ids=[words[0] + words[-1].lstrip("a") for words in OUTPUTS])
def test_a_name_that_leaves_no_room_for_the_file_beside_it_is_bad_input(refused, tmp_path, words):
    assert NEARLY in refused(*words) and list(tmp_path.iterdir()) == []


IMPORTS = [
    f"import {LONG}",
    f"from {LONG} import x",
    f"import {'.'.join(['a'] * 3000)}",
    f"from {'.' * 40} import x",
    f"from {'.' * 40}x import y",
    f"from tensorflow.python.{LONG} import x",
    f"import tensorflow.keras.{LONG}.e",
]


@pytest.mark.parametrize("text", IMPORTS, ids=[text.replace(LONG, "LONG")[:40] for text in IMPORTS])
def test_a_program_that_imports_such_a_name_is_checked(tmp_path, text):
    from tf1ref.compat import check

    (tmp_path / "program.py").write_text(f"import tensorflow as tf\n{text}\ntf.log(1.0)\n")
    found = check.check([tmp_path / "program.py"])
    assert not found.problems and found.uses[-1].name == "tf.log" and found.uses[-1].line == 3
