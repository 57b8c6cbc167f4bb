"""The proof runs the port in a fresh process without tf1ref, on inputs that the graph has answered."""

import os
import re
import subprocess
import sys

import numpy as np
import tensorflow as tf

from tf1ref.artifacts import CheckFailed
from tf1ref.artifacts.graph import answers
from tf1ref.artifacts.verify import pairs
from tf1ref.errors import one_line
from tf1ref.port import layout, literals

TIMEOUT = 900  # in seconds
# The most sets of inputs: each is kept beside the code.
MOST = 4
COUNTED = re.compile(r"(\d+) elements compared, 0 differ$")
# How each test file ends: the assertion of its test, and the same for who runs it.
END = """\
    elements, wrong, first = compare()
    assert elements and not wrong, f"{wrong} of {elements} elements differ, first in {first}"


if __name__ == "__main__":
    elements, wrong, first = compare()
    print(f"{elements} elements compared, {wrong} differ" + f", first in {first}" * bool(first))
    sys.exit(1 if wrong or not elements else 0)
"""
TEST = '''"""The proof that model.py answers as the graph that it was ported from, to the bit.

Run it, or call pytest. answers.npz holds the inputs, and what a session of the graph answered,
which ran it as it was written.
"""

import os
import sys
from pathlib import Path

# oneDNN's kernels round differently. This must come before TensorFlow is imported.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import numpy as np
import tensorflow as tf

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import model  # noqa: E402

# Folding constants and fusing ops changes last bits, in a session as in a function.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
SEED = 20160413  # the seed of random ops that have none, as in the session
KEYS = __KEYS__


def cases():
    """Yields (inputs by argument, answers by key) of each set of inputs."""
    arrays = np.load(HERE / "answers.npz")
    for i in range(int(arrays["cases"])):
        found = {"inputs": {}, "outputs": {}}
        for name in arrays.files:
            case, _, rest = name.partition("/")
            if case == str(i):
                kind, _, key = rest.partition("/")
                key, _, dtype = key.partition(":")
                array = arrays[name]
                if dtype:  # numpy's files lack types such as bfloat16: they hold the bits
                    array = array.view(tf.as_dtype(dtype).as_numpy_dtype)
                found[kind][key] = array
        yield found["inputs"], found["outputs"]


def differing(expected, reached):
    """Returns how many elements differ in their bits."""
    if expected.dtype.kind == "S":
        return int(np.sum(expected != reached.astype("S")))
    if (expected.dtype, expected.shape) != (reached.dtype, reached.shape):
        return max(expected.size, 1)
    if not expected.size:
        return 0
    bits = [np.frombuffer(a.tobytes(), np.uint8).reshape(a.size, -1) for a in (expected, reached)]
    return int(np.sum(np.any(bits[0] != bits[1], axis=1)))


def compare():
    """Returns (elements compared, elements that differ, the first output that differs).

    An output without elements counts as one, since its type and its shape are compared.
    """
    if hasattr(model, "SEED"):
        model.SEED = SEED
    elements, wrong, first = 0, 0, ""
    for inputs, outputs in cases():
        found = model.Model()(**inputs)
        found = found if isinstance(found, dict) else {KEYS[0]: found}
        for number, key in enumerate(KEYS):
            expected = outputs[str(number)]
            count = differing(expected, np.asarray(found[key].numpy()))
            elements, wrong = elements + max(expected.size, 1), wrong + count
            first = first or (key if count else "")
    return elements, wrong, first


def test_answers_to_the_bit():
'''


def test_text(keys):
    """Returns the text of test_model.py for a model with the outputs `keys`."""
    lines = layout.statement(f"KEYS = [{', '.join(literals.quoted(key) for key in keys)}]")
    return (TEST + END).replace("KEYS = __KEYS__", "\n".join(lines))


def cases(ready, words, feeds):
    """Returns ([(inputs by argument, answers by key)], the reason why that list is empty or "").

    words: {key of an input: argument}. feeds: {name: array}; missing inputs are made. A set of inputs that the graph
    refuses is skipped.
    """
    same = {name: name for name in ready.inputs.values()}
    specs = pairs.specs(ready, ready, same)
    given = pairs.given(feeds, ready, ready, same, specs)
    model, found, reason = ready.model(), [], ""
    for made in answers.inputs([spec for spec in specs if spec.name not in given], enough=found.__len__):
        feed = {**made, **given}
        try:
            reached = model.answers(feed)
        except (answers.Refused, tf.errors.OpError) as e:
            reason = f"no answer on {'these' if given else 'made'} inputs: {one_line(e)}"
            continue
        # A graph without inputs has this answer alone.
        if feed and answers.tells_nothing(reached):
            reason = "the answers on made inputs are empty or not numbers"
            continue
        inputs = {words[key]: np.asarray(feed[name]) for key, name in ready.inputs.items() if key in words}
        found.append((inputs, [np.asarray(reached[name]) for name in ready.outputs.values()]))
    return found[:MOST], "" if found else reason


def packed(found):
    """Returns {name: array} of answers.npz for `cases`: "0/inputs/x", "0/outputs/0", "0/outputs/1:bfloat16"."""
    arrays = {"cases": np.array(len(found))}
    for i, (inputs, outputs) in enumerate(found):
        arrays.update(_storable(f"{i}/inputs/{word}", a) for word, a in inputs.items())
        arrays.update(_storable(f"{i}/outputs/{number}", a) for number, a in enumerate(outputs))
    return arrays


def _storable(key, array):
    """Returns (key, array) as an npz holds it: text as bytes, bits with ":" and the type where numpy lacks the type."""
    if array.dtype.isbuiltin == 2:
        return f"{key}:{array.dtype.name}", array.view(f"u{array.dtype.itemsize}")
    return key, array.astype("S") if array.dtype == object else array


def run(folder, test="test_model.py"):
    """Runs `test` in `folder` in a process of its own. Returns how many elements it compared.

    Raises CheckFailed when one differs, or the code does not run.
    """
    command = [sys.executable, "-I", "-B", test]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, env=_environment())
    except subprocess.TimeoutExpired as e:
        raise CheckFailed(f"the port did not answer within {TIMEOUT} s") from e
    last = (done.stdout.strip() or done.stderr.strip() or "it said nothing").splitlines()[-1]
    counted = COUNTED.match(last)
    if done.returncode or not counted:
        raise CheckFailed(f"the port does not answer as the graph: {one_line(last)}")
    return int(counted[1])


def _environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
