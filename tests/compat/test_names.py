"""One truth: what the resolver says of every name of TensorFlow 1's API, a process under exec confirms."""

import json
from unittest import mock

import pytest
import tensorflow as tf
from tensorflow.python.platform import tf_logging

from tf1ref.compat import namespace
from tf1ref.compat.names import advice, facts, resolver, table

WALK = """
import json, sys
import tensorflow as tf
from tf1ref.compat.names import facts, resolver
wrong = []
for path in facts.every_name() + json.load(open("more.json")):
    place, there = tf, True
    for part in path.split("."):
        try:
            place = getattr(place, part)
        except AttributeError:
            there = False
            break
    if there != (resolver.resolve(path) is not None):
        wrong.append(path)
print(json.dumps(wrong))
"""


@pytest.mark.slow
def test_every_name_of_tensorflow_1_is_there_or_not_as_the_resolver_says(run, tmp_path):
    ours = [*table.MODULES, *table.RENAMED, *table.FUNCTIONS, *table.PACKAGES]
    never = ["nothing", "nn.nothing", "contrib.nothing", "contrib.layers.nothing", "python.ops.array_ops.nothing"]
    (tmp_path / "more.json").write_text(json.dumps([*ours, *never]))
    assert len(facts.every_name()) > 6000
    done = run(WALK)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert [p for p in ours if resolver.resolve(p) is None] == []
    assert [p for p in never if resolver.resolve(p) is not None] == []


def test_the_table_of_renames_that_comes_with_tensorflow_is_used():
    there = {old for old in facts.renames() if old.startswith("contrib.") and resolver.renamed(old)}
    assert len(there) >= 75  # it has 94
    assert [old for old in there if resolver.resolve(old) is None] == []


IMPORTS = """
import json
said = {}
for line in json.load(open("lines.json")):
    try:
        exec(line)
        said[line] = "there"
    except ImportError:
        said[line] = "ImportError"
print(json.dumps(said))
"""
THERE = [
    "from tensorflow.python.tools import freeze_graph",  # a submodule that nothing has imported yet
    "import tensorflow.python.tools.freeze_graph",
    "from tensorflow.python.tools.inspect_checkpoint import print_tensors_in_checkpoint_file",
    "from tensorflow.python.debug.lib import debug_data",
    "from tensorflow.python.ops.array_ops import stack, placeholder",  # moved within its package
    "from tensorflow.python.ops.control_flow_ops import cond, while_loop",
    "from tensorflow.python.framework.ops import Tensor, Graph",
    "from tensorflow.python.pywrap_tensorflow import NewCheckpointReader",
    "from tensorflow.python.training.saver import Saver",
    "from tensorflow.python.estimator.estimator import Estimator",  # the module is gone, its names are elsewhere
    "from tensorflow.contrib.layers.python.layers import initializers, regularizers",
    "from tensorflow.contrib.layers.python.layers.layers import batch_norm",
    "from tensorflow.contrib.framework.python.ops import add_arg_scope",
    "from tensorflow.python.ops.math_ops import batch_matmul, mul",  # renamed at 1.0
    "from tensorflow.core.framework import summary_pb2, graph_pb2",
    "from tensorflow.core.framework.graph_pb2 import GraphDef",
]
GONE = [
    "from tensorflow.python.training import nothing_of_that_name",
    "from tensorflow.python.ops.array_ops import nothing_of_that_name",
    "import tensorflow.contrib.tensor_forest",
    "from tensorflow.contrib.layers.python.layers import nothing_of_that_name",
]


@pytest.mark.slow
def test_imports_from_the_inside(run, tmp_path):
    (tmp_path / "lines.json").write_text(json.dumps(THERE + GONE))
    done = run(IMPORTS)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said == {**dict.fromkeys(THERE, "there"), **dict.fromkeys(GONE, "ImportError")}


INNER = """
import tensorflow as tf
from tensorflow.python.ops import array_ops, rnn, rnn_cell
from tensorflow.python.platform import gfile
open("picture", "wb").write(bytes([255, 216]))
print(array_ops.concat(1, [tf.zeros([2, 1]), tf.zeros([2, 2])]).shape, len(array_ops.unpack(tf.zeros([3, 2]))))
print(rnn.rnn(rnn_cell.BasicRNNCell(3), [tf.zeros([2, 4])], dtype=tf.float32)[1].shape)
print(gfile.FastGFile("picture").read(), gfile.Exists("picture"))
"""


def test_old_functions_by_their_inner_modules(run):
    done = run(INNER)
    assert done.stdout.splitlines() == ["(2, 3) 3", "(2, 3)", "b'\\xff\\xd8' True"], done.stderr


def test_what_a_program_sets_inside_of_tensorflow_reaches_tensorflow(run):
    text = (
        "import tensorflow as tf\n"
        "from tensorflow.python.framework import ops\n"
        "ops._DEFAULT_MARK = 5\n"
        "import sys\n"
        "print(sys.modules['tensorflow.python.framework.ops']._DEFAULT_MARK, tf.newaxis is None)\n"
        "tf.model = 3\n"
        "print(tf.model)\n"
    )
    assert run(text).stdout == "5 True\n3\n"


@pytest.mark.parametrize(
    ("path", "world", "says"),
    [
        ("contrib.tensor_forest.client", 1, "RandomForestClassifier"),
        ("random.set_seed", 1, "--world 2"),
        ("placeholder", 2, "tf.compat.v1.placeholder"),
        ("plcaeholder", 1, "nearest: placeholder"),
    ],
)
def test_what_to_do_without_a_name(path, world, says):
    assert resolver.resolve(path, world) is None
    assert says in advice.missing(path, world)


def test_a_name_that_a_program_replaces_for_a_while_comes_back():
    place, before = namespace.Namespace("python.platform.tf_logging", 1, tf_logging), tf_logging.warning
    with mock.patch.object(place, "warning", "other"):
        assert tf_logging.warning == "other"
    assert tf_logging.warning is before


@pytest.mark.parametrize("world", [1, 2])
def test_a_graph_takes_a_function_for_a_device(world):
    """TensorFlow 2's tf.device refuses it. Programs of 1.14 that say tf.compat.v1 look like those of TensorFlow 2."""
    given = namespace.root(world)
    with tf.Graph().as_default():
        with given.device(lambda op: f"/job:{op.type}"):
            made = tf.constant(1)
        with given.device("/cpu:0"):
            other = tf.constant(1)
    assert (made.device, other.device) == ("/job:Const", "/device:CPU:0")
    with tf.init_scope(), pytest.raises(RuntimeError, match="functions"), given.device(lambda op: ""):
        pass


def test_what_keras_lost_is_told_from_what_it_never_had_at_each_of_its_places():
    lost = [f"{root}.wrappers{name}" for root in ("contrib.keras", "keras") for name in ("", ".scikit_learn")]
    assert {advice.missing(path) for path in lost} == {"tf_keras no longer has it"}
    assert advice.missing("contrib.keras.api.keras.layers.Nothing") == "Keras 2 had no such name"
