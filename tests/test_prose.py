"""The rules of plain language that a script can hold, over docstrings, comments, messages and the documentation.

CONTRIBUTING.md and docs/glossary.md state them. NOT_YET names what is not held to them yet: it only gets shorter.
"""

import ast
import functools
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MOST_WORDS = 35
NOT_YET = ()
# What was written before, and the glossary's word for it.
WORDS = {r"hang(s|ing)? on\b": "depend on", r"(that|what|which|it|there) is none\b": "say what is missing"}
TRAILING = re.compile(r"(of|that|which|for)\b")
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z(\"']|tf1ref|oneDNN)|\n\s*\n|\n\s*[-*|]\s|\n(?=[\w ,]+: )")


def held(*patterns):
    """The files of the repository that fit `patterns` and are held to the rules, relative to its root."""
    found = (path.relative_to(ROOT).as_posix() for pattern in patterns for path in sorted(ROOT.glob(pattern)))
    return [name for name in found if not name.startswith((*NOT_YET, "docs/_build", "docs/reference/examples.md"))]


def methods(tree):
    """Yields (class, the names of its bases, its public functions) of a module."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases]
            yield node, bases, [inner for inner in node.body if isinstance(inner, ast.FunctionDef)]


@functools.cache
def classes():
    """Returns {class of tf1ref: (the names of its bases, the names of its methods that have a docstring)}."""
    # TensorFlow's own, which documents these.
    found = {"SessionRunHook": (set(), {"begin", "after_create_session", "before_run", "after_run", "end"})}
    for path in sorted(ROOT.glob("tf1ref/**/*.py")):
        for node, bases, functions in methods(ast.parse(path.read_text())):
            known = found.setdefault(node.name, (set(), set()))
            known[0].update(bases)
            known[1].update(f.name for f in functions if ast.get_docstring(f))
    return found


def inherits(bases, name, found):
    """Returns whether one of `bases`, or a base of theirs, documents the method `name`, as help() shows it."""
    known = [found.pop(base) for base in bases if base in found]
    return any(name in documents or inherits(above, name, found) for above, documents in known)


SOURCES = held("tf1ref/**/*.py")
PAGES = held("*.md", "docs/**/*.md")


def documented(tree):
    """(name, docstring or None) of a module, and of its public classes, functions and methods.

    A method that overrides a documented one may do without.
    """
    yield "the module", ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node.name, ast.get_docstring(node)
    for node, bases, functions in methods(tree):
        for inner in functions:
            overrides = ast.get_docstring(inner) is None and inherits(bases, inner.name, dict(classes()))
            if not inner.name.startswith("_") and not node.name.startswith("_") and not overrides:
                yield f"{node.name}.{inner.name}", ast.get_docstring(inner)


def comments(text):
    """(line, text, whether code stands before it) of every comment."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# "), bool(token.line[: token.start[1]].strip())


def long_sentences(text):
    """The sentences of more than MOST_WORDS words; code between backticks is one word, and examples are none."""
    text = re.sub(r"^```.*?^```|^ *>>> .*?(?=\n *\n|\Z)", "", text, flags=re.M | re.S)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"`[^`]*`", "Code", text))
    return [s for s in SENTENCE.split(text) if len(re.findall(r"[\w'-]+", s)) > MOST_WORDS and "|" not in s]


def others_words(text):
    return [f"{found[0]!r}: write {instead}" for word, instead in WORDS.items() if (found := re.search(word, text))]


@pytest.mark.parametrize("name", SOURCES)
def test_a_source(name):
    text = (ROOT / name).read_text()
    tree, wrong = ast.parse(text), others_words(text)
    for of, docstring in documented(tree):
        wrong += [f"{of} is not documented"] if docstring is None else long_sentences(docstring)
    for line, comment, trailing in comments(text):
        if trailing and TRAILING.match(comment):
            wrong.append(f"line {line}: a trailing comment begins with {comment.split()[0]!r}")
        wrong += long_sentences(comment)
    assert not wrong, "\n".join([name, *wrong])


@pytest.mark.parametrize("name", PAGES)
def test_a_page(name):
    text = (ROOT / name).read_text()
    wrong = long_sentences(text) + others_words(text)
    assert not wrong, "\n".join([name, *wrong])


def test_the_rules_find_what_they_are_for():
    assert long_sentences("word " * 36 + ".") and not long_sentences("word " * 35 + ".")
    assert not long_sentences("word " * 30 + ". Word " + "word " * 30)
    assert not long_sentences("A sentence.\n\n>>> " + "word " * 36 + "\nword\n") and long_sentences(
        "word " * 36 + ">>>"
    )
    assert others_words("what they hang on besides the graph")
    assert [c for _, c, trailing in comments("x = 1  # of a kind\n# of a kind\n") if trailing and TRAILING.match(c)]
    assert dict(documented(ast.parse('"""M."""\nclass A:\n    """A."""\n    def f(self): ...\n')))["A.f"] is None
    cell = "class A({}):\n    def call(self): ...\n"
    assert "A.call" not in dict(documented(ast.parse(cell.format("RNNCell"))))
    assert "A.call" in dict(documented(ast.parse(cell.format("Other"))))


def test_what_is_not_held_yet_is_there():
    assert [name for name in NOT_YET if not (ROOT / name).exists()] == []
