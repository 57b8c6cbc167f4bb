"""Names of a graph as Python identifiers. A name is foreign text, and the result is never other code."""

import builtins
import keyword
import re

import tensorflow as tf

from tf1ref.artifacts.graph.layouts import INNER

# These names are used in the written file, or would hide something there.
RESERVED = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "tf", "np", "self", "cls", "scope", "weights_file"}
# tf.Module has these attributes. A variable of the same name would replace them.
MODULE = {name for name in dir(tf.Module) if not name.startswith("__")} | {"arrays"}
MOST = 40  # the most characters of a name
EXIT = re.compile(r"(^|/)(while(_\d+)?/Exit(_\d+)?|Exit(_\d+)?|while(_\d+)?)$")
# TensorFlow's own name of a variable that the script did not name.
UNNAMED = re.compile(r"(.*/)?Variable(_\d+)?")
COUNTER = re.compile(r"_\d+$")


def identifier(text, fallback="x"):
    """Returns `text` as an identifier of ASCII letters, digits and underscores, or `fallback` when nothing is left.

    Of a long path the last parts are kept, of a long part the first words.

    >>> identifier("conv1/weights:0")
    'conv1_weights_0'
    >>> identifier("1st")
    'x_1st'
    """
    parts = [re.sub(r"[^A-Za-z0-9]+", "_", part).strip("_") for part in text.split("/")]
    parts = [part for part in parts if part]
    while len(parts) > 1 and len("_".join(parts)) > MOST:
        parts.pop(0)
    word = _shortened("_".join(parts))
    if word[:1].isdigit():
        word = f"{fallback}_{word}"
    return word or fallback


def _shortened(word):
    """Returns as many words of an identifier as fit."""
    if len(word) <= MOST:
        return word
    whole = word[: MOST + 1].rpartition("_")[0]
    return whole.rstrip("_") or word[:MOST]


def local(text):
    """Returns the name of a local variable for the node `text`: its last part in small letters, without a counter.

    "conv1/Conv2D_3" becomes "conv2d".

    The result of a loop is called as the scope of the loop.

    >>> local("conv1/Conv2D_3"), local("rnn/while/Exit_2"), local("while")
    ('conv2d', 'rnn', 'result')
    """
    text = text.removesuffix(INNER)
    if EXIT.search(text):
        text = EXIT.sub("", text) or "result"
    last = re.sub(r"V\d$", "", COUNTER.sub("", text.rsplit("/", 1)[-1]))
    return identifier(re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", last)).lower()


def attribute(text):
    """Returns the name of an attribute of a tf.Module for the last part of the scope or variable `text`."""
    word = identifier(text.rsplit("/", 1)[-1])
    return word + "_" if word in MODULE or keyword.iskeyword(word) or word == "scope" else word


def of_variable(name, words):
    """Returns what to call the variable `name`: as the script does, by `words` {variable: word}, if it has no name."""
    return words.get(name, name) if UNNAMED.fullmatch(name) else name


def distinct(paths):
    """Returns {path of a variable: its last part, after the part that tells it from others with the same last part}.

    >>> distinct(["cell_0/lstm/kernel", "cell_1/lstm/kernel", "cell_0/lstm/bias"])
    {'cell_0/lstm/kernel': 'cell_0_kernel', 'cell_1/lstm/kernel': 'cell_1_kernel', 'cell_0/lstm/bias': 'bias'}
    """
    groups = {}
    for path in paths:
        groups.setdefault(attribute(path), []).append(path.split("/"))
    found = {path: path.rpartition("/")[2] for path in paths}
    for group in groups.values():
        for depth in range(2, 1 + min(len(parts) for parts in group)):
            column = [parts[-depth] for parts in group]
            if len(group) > 1 and len(set(column)) == len(column):
                found.update(("/".join(parts), f"{parts[-depth]}_{parts[-1]}") for parts in group)
                break
    return found


def free_attribute(text, taken):
    """Returns attribute(text), with a number when it is in `taken`, and adds it there."""
    word = attribute(text)
    found, count = word, 1
    while found in taken:
        count += 1
        found = f"{word}_{count}"
    taken.add(found)
    return found


def class_name(scopes):
    """Returns a class name for `scopes`: "conv2d_3" becomes "Conv2d", "conv_1_a" and "conv_2_a" become "ConvA".

    >>> class_name(["conv_1_a", "conv_2_a"])
    'ConvA'
    """
    first, *others = (identifier(text.rsplit("/", 1)[-1]).split("_") for text in scopes)
    # Of many scopes a few may be called otherwise.
    common = [w for w in first if not w.isdigit() and sum(w in other for other in others) >= 0.9 * len(others)]
    words = common or first
    words = words if others else first[:-1] if first[-1].isdigit() and first[1:] else first
    name = "".join(w[:1].upper() + w[1:] for w in words if w)
    return name if name[:1].isalpha() and name not in RESERVED else f"Layer{name}"


def free(word, taken):
    """Returns `word`, or the first of `word_2`, `word_3`, ... that is not in `taken`, and adds it there.

    A reserved word gets an underscore.

    >>> taken = {"x"}
    >>> free("x", taken), free("lambda", taken)
    ('x_2', 'lambda_')
    """
    word += "_" * (word in RESERVED)
    found, count = word, 1
    while found in taken:
        count += 1
        found = f"{word}_{count}"
    taken.add(found)
    return found
