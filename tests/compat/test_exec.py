"""`tf1ref exec` runs TF1 programs unchanged, in real processes, and says in one line what it cannot give."""

import ast
import re

import numpy as np
import pytest
import tensorflow as tf

from tf1ref.compat import hints
from tf1ref.compat.bridges import syntax
from tf1ref.legacy.nn.rnn_cell import LSTMStateTuple

HEAD = "import tensorflow as tf\nimport numpy as np\n"


def test_the_first_years_of_tensorflow_in_one_program(run):
    text = HEAD + (
        "x = tf.placeholder(tf.float32, [None, 2], name='x')\n"
        "with tf.device('/gpu:0'):\n"
        "    w = tf.Variable(tf.zeros([2, 3]), name='w')\n"
        "    y = tf.add(tf.matmul(x, w), tf.neg(tf.ones([3])))\n"
        "joined = tf.concat(0, [y, tf.mul(y, 2.0)])\n"
        "parts = tf.split(1, 3, joined)\n"
        "loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, tf.pack([[1.0, 0.0, 0.0]])))\n"
        "train = tf.train.GradientDescentOptimizer(0.3).minimize(loss)\n"
        "tf.scalar_summary('a loss', loss)\n"
        "merged = tf.merge_all_summaries()\n"
        "with tf.Session() as sess:\n"
        "    sess.run(tf.initialize_all_variables())\n"
        "    writer = tf.train.SummaryWriter('logs', sess.graph)\n"
        "    feed = {x: np.ones((1, 2), np.float)}\n"
        "    summary, before, _ = sess.run([merged, loss, train], feed)\n"
        "    writer.add_summary(summary, 0)\n"
        "    writer.close()\n"
        "    print(before, sess.run('w:0').tolist())\n"
        "    print([p.shape for p in sess.run(parts, feed)], x.get_shape()[1].value, tf.__version__)\n"
    )
    done = run(text)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    loss, weights = first.split(" ", 1)
    assert float(loss) == pytest.approx(np.log(3), abs=1e-6)
    # d(cross entropy)/dw = x' (softmax - labels) with softmax 1/3 each; times the rate.
    assert np.array(eval(weights)) == pytest.approx(np.tile([0.2, -0.1, -0.1], (2, 1)), abs=1e-6)
    assert second == "[(2, 1), (2, 1), (2, 1)] 2 1.15.5"
    assert done.stderr.count("no GPU here") == 1


@pytest.mark.slow
def test_flags_app_and_exit_codes_are_the_programs_own(run):
    text = HEAD + (
        "flags = tf.app.flags\n"
        "flags.DEFINE_string('log_dir', 'a', 'where')\n"
        "flags.DEFINE_integer('steps', 3, 'how many')\n"
        "def main(argv):\n"
        "    print(flags.FLAGS.log_dir, flags.FLAGS.steps, argv[1:])\n"
        "    raise SystemExit(flags.FLAGS.steps)\n"
        "if __name__ == '__main__':\n"
        "    tf.app.run()\n"
    )
    done = run(text, "--log_dir=/b", "--steps", "7", "rest")
    assert (done.returncode, done.stdout) == (7, "/b 7 ['rest']\n"), done.stderr


@pytest.mark.slow
def test_a_module_its_folder_and_its_helpers(run, tmp_path, tf1ref):
    (tmp_path / "helper.py").write_text("import tensorflow as tf\nplace = tf.placeholder\n")
    text = "import helper, sys\nprint(__name__, helper.place.__name__, sys.argv[1:])\n"
    done = run(text, "a", "--b", name="program.py")
    assert done.stdout == "__main__ placeholder ['a', '--b']\n", done.stderr
    done = tf1ref("exec", "-m", "program", "c")
    assert done.stdout == "__main__ placeholder ['c']\n", done.stderr


@pytest.mark.slow
def test_the_seed_fixes_every_source_of_chance(run):
    text = HEAD + (
        "import random\n"
        "with tf.Graph().as_default(), tf.Session() as sess:\n"
        "    print(sess.run(tf.random_normal([])), np.random.rand(), random.random())\n"
    )
    first, second, other = (run(text, options=["--seed", s]).stdout for s in ("5", "5", "6"))
    assert first == second and len(first.split()) == 3
    assert not set(first.split()) & set(other.split())


@pytest.mark.slow
def test_the_seed_comes_before_eager_execution(run):
    """The seed makes no graph: enable_eager_execution refuses to come after one."""
    text = HEAD + "tf.enable_eager_execution()\nprint(tf.random_normal([]).numpy())\n"
    first, second, other = (run(text, options=["--seed", s]).stdout for s in ("5", "5", "6"))
    assert first == second != other and float(first)


@pytest.mark.slow
def test_plots_go_to_files_where_there_is_no_display(run, tmp_path):
    pytest.importorskip("matplotlib")
    text = (
        "import matplotlib.pyplot as plt\n"
        "plt.plot([1, 2])\nplt.show()\nplt.figure()\nplt.show()\n"
        "shown = plt.figure()\nshown.show()\nplt.waitforbuttonpress()\nprint(plt.get_fignums())\nplt.close()\n"
        "plt.ion()\nplt.figure()\nplt.show()\n"
        "for i in range(3):\n    plt.plot([i, 1])\n    plt.pause(1000)\n"
    )
    done = run(text)
    assert (done.returncode, done.stdout) == (0, "[1]\n"), done.stderr
    assert [line.split()[-1] for line in done.stderr.splitlines()] == [f"figure-{n}.png" for n in (1, 2, 3, 4)]
    pictures = {p.name: p.read_bytes() for p in tmp_path.glob("*.png")}
    assert sorted(pictures) == ["figure-1.png", "figure-2.png", "figure-3.png", "figure-4.png"]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
    assert pictures["figure-2.png"] == pictures["figure-3.png"] != pictures["figure-4.png"], "drawn after it was shown"


@pytest.mark.slow
def test_what_lay_beside_the_tutorials_and_in_python_2(run):
    text = (
        "from __future__ import print_function\n"
        + HEAD
        + (
            "import input_data, os, urllib\n"
            "from tutorials.rnn.ptb import reader\n"
            "from tensorflow.models.rnn import rnn, rnn_cell\n"
            "from tensorflow.contrib.factorization import KMeans\n"
            "outputs, state = rnn.rnn(rnn_cell.BasicRNNCell(3), [tf.ones([2, 4])] * 2, dtype=tf.float32)\n"
            "print(len(outputs), [v.name for v in tf.trainable_variables()])\n"
            "urllib.urlretrieve('file://' + os.path.abspath(__file__), 'copy.py')\n"
            "print(os.path.exists('copy.py'), [i for i in xrange(2)], isinstance('a', basestring))\n"
            "print(input_data.read_data_sets.__name__, reader.ptb_producer.__name__)\n"
            "rows = np.float32([[0, 0], [0, 2], [9, 9], [9, 7]])\n"
            "parts = KMeans(tf.constant(rows), 2, rows[::2], use_mini_batch=True).training_graph()\n"
            "with tf.Session() as sess:\n"
            "    sess.run(tf.global_variables_initializer())\n"
            "    sess.run(parts[-2])\n"
            "    sess.run(parts[-1])\n"
            "    print(sess.run(parts[1][0]).tolist(), np.round(3 * sess.run(parts[4])).tolist())\n"
            "for name in ('tutorials.image', 'no_such_thing'):\n"
            "    try:\n        __import__(name)\n    except ModuleNotFoundError as e:\n        print(e.name)\n"
        )
    )
    done = run(text)
    assert done.returncode == 0, done.stderr
    # A centre of one row before, x, moves by (sum of its rows - 2 x) / (1 + 2).
    assert done.stdout.splitlines() == [
        "2 ['rnn/basic_rnn_cell/kernel:0', 'rnn/basic_rnn_cell/bias:0']",
        "True [0, 1] True",
        "read_data_sets ptb_producer",
        "[0, 0, 1, 1] [[0.0, 2.0], [27.0, 25.0]]",
        "tutorials.image",
        "no_such_thing",
    ]


@pytest.mark.slow
def test_pickles_are_read_with_trust_alone(run, tmp_path):
    np.save(tmp_path / "weights.npy", np.array({"fc": np.arange(3)}, dtype=object), allow_pickle=True)
    text = "import numpy as np\nprint(np.load('weights.npy').item()['fc'].sum())\n"
    refused = run(text)
    assert refused.returncode == 1 and "allow_pickle" in refused.stderr
    assert "exec --trust" in refused.stderr.splitlines()[-1]
    assert run(text, options=["--trust"]).stdout == "3\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("\ntf.contrib.tensor_forest.python\n", 4, "scikit-learn"),
        ("x = 1\nfrom tensorflow.contrib import nothing\n", 4, "tensorflow.contrib.nothing is not in TensorFlow"),
        ("import tensorflow.contrib.cudnn_rnn\n", 3, "LSTMBlockFusedCell"),
    ],
    ids=["attribute", "from-import", "import"],
)
def test_what_is_gone_is_one_line_with_file_and_line(run, text, line, says):
    done = run(HEAD + text)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    assert f"program.py:{line}:" in done.stderr and says in done.stderr


@pytest.mark.slow
def test_hasattr_and_try_still_work(run):
    text = HEAD + (
        "import sys\n"
        "print(hasattr(tf, 'mul'), hasattr(tf.nn, 'nothing'), tf.layers.dense.__module__)\n"
        "try:\n    from tensorflow.contrib import nothing\nexcept ImportError:\n    print('caught')\n"
    )
    assert run(text).stdout == "True False tf1ref.legacy._layer\ncaught\n"


@pytest.mark.slow
def test_a_traceback_shows_the_programs_own_frames(run):
    text = HEAD + ("def build():\n    return tf.matmul(tf.zeros([2, 3]), tf.zeros([2, 3]))\n\nbuild()\n")
    done = run(text)
    assert done.returncode == 1
    files = [line for line in done.stderr.splitlines() if line.startswith("  File")]
    assert files == ['  File "program.py", line 6, in <module>', '  File "program.py", line 4, in build']
    assert done.stderr.splitlines()[-1].startswith("ValueError: Dimensions must be equal")


def test_numbers_are_made_of_arrays_of_one_element():
    text = (
        "x = [int(np.array([[7]])), float(np.float32([0.5])), int('12'), int(*('z', 36)), isinstance(3, int), float]\n"
        "class A:\n    y = int(np.array([4]))\n"
    )
    scope = {"np": np}
    exec(compile(syntax.taught(ast.parse(text)), "program.py", "exec"), scope)
    assert scope["x"][:5] == [7, float(np.float32([0.5]).item()), 12, 35, True] and scope["x"][5] is float
    assert scope["A"].y == 4 and [type(v) for v in scope["x"][:3]] == [int, float, int]
    own = "def own(float):\n    return float(3)\nthree = own(lambda n: [n])\n"
    exec(compile(syntax.taught(ast.parse(own)), "program.py", "exec"), scope)
    assert scope["three"] == [3]
    with pytest.raises(TypeError):
        exec(compile(syntax.taught(ast.parse("int(np.arange(2))")), "program.py", "exec"), scope)


def raise_(error):
    raise error


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("raise_(TypeError('only 0-dimensional arrays can be converted to Python scalars'))", ".item()"),
        ("{}.has_key(1)", "key in d"),
        ("{}.iteritems()", "d.items()"),
        ("{}.keys()[0]", "list(d.keys())[0]"),
        ("map(abs, [])[0]", "list(map"),
        ("len(filter(abs, []))", "len(list("),
        ("range(4 / 2)", "write //"),
        ("[1][0:4 / 2]", "write //"),
        ("'a'.decode()", "decoded already"),
        ("tf.train.BytesList(value=['a'])", ".encode()"),
        ("b'\\xff'.decode('utf-8')", "latin1"),
        ("__import__('cPickle')", "pickle"),
        ("np.array([[1], [1, 2]])", "dtype=object"),
        ("LSTMStateTuple(1, 2).get_shape()", "state_is_tuple=False"),
        ("1 / 0", None),
    ],
)
def test_hints_for_what_python_and_numpy_took_away(text, says):
    with pytest.raises(Exception) as caught:
        eval(text, {"np": np, "tf": tf, "raise_": raise_, "LSTMStateTuple": LSTMStateTuple})
    hint = hints.of(caught.value)
    assert says in hint if says else hint is None


@pytest.mark.slow
def test_no_such_program(tmp_path, tf1ref):
    for words, says in (
        (["nowhere.py"], "no such script"),
        ([str(tmp_path)], "is a folder"),
        (["-m", "no.such"], "no such module"),
    ):
        done = tf1ref("exec", *words)
        assert done.returncode == 2 and says in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_eager_programs_of_1_5_to_1_15(run):
    text = HEAD + (
        "import tensorflow.contrib.eager as tfe\n"
        "tfe.enable_eager_execution()\n"
        "w = tfe.Variable(3.0)\n"
        "def loss(x):\n    return w * w * x\n"
        "print([(g.numpy(), v is w) for g, v in tfe.implicit_gradients(loss)(2.0)])\n"
        "print([g.numpy() for g in tfe.gradients_function(lambda a, b: a * a * b)(3.0, 2.0)])\n"
        "print([x.numpy() for x in tfe.Iterator(tf.data.Dataset.range(3))])\n"
        "tf.train.GradientDescentOptimizer(0.1).apply_gradients(tfe.implicit_gradients(loss)(2.0))\n"
        "print(w.numpy())\n"
        "layer, x = tf.keras.layers.Dense(1, kernel_initializer='ones'), tf.constant([[1.0, 2.0]])\n"
        "with tf.GradientTape() as tape:\n    y = tf.reduce_sum(layer(x))\n"
        "pairs = zip(tape.gradient(y, layer.variables), layer.variables)\n"
        "tf.train.MomentumOptimizer(0.5, 0.9).apply_gradients(pairs)\n"
        "tf.train.AdagradOptimizer(0.5).minimize(lambda: tf.reduce_sum(layer(x)), var_list=layer.variables[1:])\n"
        "print([v.numpy().tolist() for v in layer.variables])\n"
    )
    done = run(text)
    assert done.returncode == 0, done.stderr
    gradients, by_arguments, elements, moved, trained = done.stdout.splitlines()
    # Weights of 1 less half of x; the bias less half of 1, then by Adagrad less .5 / sqrt(.1 + 1).
    kernel, bias = eval(trained)
    assert kernel == [[0.5], [0.0]] and bias == pytest.approx([-0.5 - 0.5 / np.sqrt(1.1)], rel=1e-6)
    assert gradients == "[(12.0, True)]"
    assert [float(n) for n in re.findall(r"\d+\.\d+", by_arguments)] == [12.0, 9.0]
    assert re.findall(r"\d+(?=[\),\]])", elements) == ["0", "1", "2"]
    assert float(moved) == pytest.approx(3 - 0.1 * 12)


@pytest.mark.slow
def test_helpers_of_keras_that_need_no_layer(run):
    text = (
        "from keras.utils import np_utils\n"
        "from keras.datasets import mnist\n"
        "import tensorflow as tf\n"
        "(x, y), _ = mnist.load_data()\n"
        "print(np_utils.to_categorical(y[:2]).shape[0], x.shape, tf.keras.utils.to_categorical([1]).tolist())\n"
    )
    done = run(text)
    assert done.stdout == "2 (60000, 28, 28) [[0.0, 1.0]]\n", done.stderr
