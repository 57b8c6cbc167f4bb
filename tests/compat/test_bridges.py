"""What NumPy, SciPy, Pillow, pandas, matplotlib and Python took away is there for a program, and for it alone."""

import ast

import pytest

from tf1ref.compat.bridges import science
from tf1ref.compat.texts import python2

NUMPY = """
import numpy as np, helper
a = np.array([1.5])
print(int(a), float(a), "%f|%d" % (a, a), "%s" % "x", len(np.zeros(3, np.uint8).tostring()))
print(np.array([[1, 2], [3]]).shape, np.array(a, copy=False).sum(), np.float(2), np.bool is bool, np.asscalar(a))
print(np.fromstring(b"ab", np.uint8).tolist(), np.sum(i for i in range(4)), np.vstack(map(np.arange, [2, 2])).shape)
print(np.product([2, 3]), np.reshape(a, newshape=(1, 1)).ptp(), np.random.random_integers(3, 3), np.rank(a))
b = np.zeros((2, 2)); b.itemset((1, 0), 4); b.itemset(0, 3)
print(b.tolist(), helper.whole(np.array([2.0])), 7 % 4, [1, 2].__len__())
np.set_printoptions(threshold=np.nan)
print(len(str(np.zeros(3000)).split()), np.linspace(0, 1, 3.0)[1])
"""
HELPER = "import numpy\n\ndef whole(a):\n    return int(a), numpy.int(3), '%d' % a\n"


@pytest.mark.slow
def test_numpy_for_the_program_and_the_modules_beside_it(run, tmp_path):
    (tmp_path / "helper.py").write_text(HELPER)
    done = run(NUMPY)
    assert done.stdout.splitlines() == [
        "1 1.5 1.500000|1 x 3",
        "(2,) 1.5 2.0 True 1.5",
        "[97, 98] 6 (2, 2)",
        "6 0.0 3 1",
        "[[3.0, 0.0], [4.0, 0.0]] (2, 3, '2') 3 2",
        "3000 0.5",
    ], done.stderr


TENSORS = """
import tensorflow as tf
tf.random.set_seed(1)
t, v = tf.argmax([[1, 5, 2]], axis=1), tf.Variable([[2.5]])
print(int(t), float(v), "%d %.1f" % (t, v), float(tf.constant(1.5)), "%d" % tf.constant([4]))
try:
    int(tf.constant([1, 2]))
except TypeError:
    print("two elements")
"""
IN_A_GRAPH = """
import tensorflow as tf
v = tf.get_variable("v", [1])
try:
    float(v)
except TypeError:
    print("graph", "%s" % tf.Session().run(tf.constant([7])), tf.Session().run([tf.constant(2.5), tf.constant(3)]))
import numpy as np, threading
np.set_printoptions(precision=1)
thread = threading.Thread(target=lambda: print([np.float32(2.5)], np.array([0.25])))
thread.start(), thread.join()
"""


def test_tensors_of_one_element(run):
    done = run(TENSORS)
    assert done.stdout.splitlines() == ["1 2.5 1 2.5 1.5 4", "two elements"], done.stderr
    assert run(IN_A_GRAPH).stdout == "graph [7] [2.5, 3]\n[2.5] [0.2]\n"


def test_installed_packages_see_their_modules_as_they_are(run, tmp_path):
    package = tmp_path / "site-packages" / "installed"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "import numpy, collections\nasks = [hasattr(numpy, 'float'), hasattr(collections, 'Iterable')]\n"
        "try:\n    import cPickle\nexcept ImportError:\n    asks.append('no cPickle')\n"
    )
    text = (
        "import sys, collections, numpy\n"
        "sys.path.append('site-packages')\n"
        "import installed\n"
        "print(installed.asks, hasattr(numpy, 'float'), collections.Iterable.__name__)\n"
    )
    assert run(text).stdout == "[False, False, 'no cPickle'] True Iterable\n"
    # What `pip install --target` filled is installed, too; a folder of the program's own modules is not.
    package.parent.rename(tmp_path / "elsewhere")
    elsewhere = text.replace("site-packages", "elsewhere")
    assert run(elsewhere).stdout == "[True, True] True Iterable\n"
    (tmp_path / "elsewhere" / "installed-1.0.dist-info").mkdir()
    assert run(elsewhere).stdout == "[False, False, 'no cPickle'] True Iterable\n"


def test_modules_of_scikit_learn_that_moved(run, tmp_path):
    # A stand-in with the modules of today: the package itself is not among what the tests install.
    package = tmp_path / "site-packages" / "sklearn"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model_selection.py").write_text(
        "def train_test_split(): return 'split'\nclass KFold:\n"
        "    def __init__(self, n_splits=5, shuffle=False): self.n, self.shuffle = n_splits, shuffle\n"
        "    def split(self, X, y=None):\n"
        "        for i in range(self.n): yield len(X), i, self.shuffle, y if y is None else y.tolist()\n"
    )
    (package / "manifold.py").write_text("class TSNE:\n    def __init__(self, n=2, max_iter=1000): self.n = max_iter\n")
    text = (
        "import sys\nsys.path.append('site-packages')\n"
        "from sklearn.manifold import TSNE\nprint(TSNE(n_iter=5).n, TSNE().n)\n"
        "from sklearn.cross_validation import train_test_split\n"
        "from sklearn import grid_search\nimport sklearn.learning_curve, sklearn.cross_validation as cv\n"
        "print(train_test_split(), cv.train_test_split is sklearn.learning_curve.train_test_split)\n"
        "print(len(cv.KFold(9)), list(cv.KFold(9, 2, shuffle=True)), list(cv.KFold([0, 1], n_folds=1)))\n"
        "try:\n    import sklearn.nothing\nexcept ImportError as e:\n    print(e.name)\n"
    )
    folds = "3 [(9, 0, True, None), (9, 1, True, None)] [(2, 0, False, [0, 1])]"
    assert run(text).stdout == f"5 1000\nsplit True\n{folds}\nsklearn.nothing\n"


def test_a_module_that_became_a_package_of_its_own():
    # sklearn.externals gave out six and joblib; six comes with TensorFlow.
    assert science.NAMES["sklearn.externals"]["six"].__name__ == "six"


def test_setting_a_name_of_a_module_sets_it_for_everybody(run):
    text = (
        "import sys, io\nkept, sys.stdout = sys.stdout, io.StringIO()\nprint('a')\nkept.write(sys.stdout.getvalue())\n"
    )
    assert run(text).stdout == "a\n"


def test_a_name_that_a_test_patches_is_put_back(run):
    text = (
        "import time\nfrom unittest import mock\nbefore = time.time\n"
        "with mock.patch.object(time, 'time', lambda: 7):\n    print(time.time())\nprint(time.time is before)\n"
    )
    assert run(text).stdout == "7\nTrue\n"


PYTHON = """
from collections import Iterable, Mapping
import collections, inspect, time, fractions, math, os, types, string, itertools, urllib, pickle, platform, yaml
import xml.etree.cElementTree as ET
from itertools import izip
import numpy as np
print(isinstance([], Iterable), isinstance({}, collections.Mapping), fractions.gcd(12, 18), time.clock() >= 0)
print(inspect.getargspec(lambda a, b=1: 0).args, list(izip([1], [2])), math.floor(np.array([2.5])), types.ListType)
print(string.letters[:2], urllib.quote('a b'), yaml.load('a: 1'), ET.fromstring('<a/>').tag, os.path.join('a', 'b'))
d = {1: 2}
print(list(d.iteritems()), d.has_key(1), xrange(2)[1])
"""


def test_python(run):
    done = run(PYTHON)
    assert done.stdout.splitlines() == [
        "True True 6 True",
        "['a', 'b'] [(1, 2)] 2 <class 'list'>",
        "ab a%20b {'a': 1} a a/b",
        "[(1, 2)] True 1",
    ], done.stderr


SCIENCE = """
import numpy as np
import scipy.misc
from scipy.misc import imresize, imsave, imread, logsumexp, comb
from scipy import misc, signal
picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5
misc.imsave("a.png", picture)
print((scipy.misc.imread("a.png") == picture).all(), imresize(picture, (2, 3)).shape, misc.imresize(picture, 0.5).dtype)
print(imresize(np.array([[0.0, 1.0]]), 200).max(), round(float(logsumexp([0.0, 0.0])), 4), comb(4, 2))
print(np.round(signal.gaussian(3, 1), 3).tolist(), signal.convolve([1, 2], [1]).tolist())
try:
    from scipy.misc import nothing
except ImportError:
    print("ImportError")
"""


@pytest.mark.slow
def test_scipy_and_pillow(run):
    pytest.importorskip("scipy")
    done = run(SCIENCE)
    assert done.stdout.splitlines() == [
        "True (2, 3, 3) uint8",
        "255 0.6931 6.0",
        "[0.607, 1.0, 0.607] [1, 2]",
        "ImportError",
    ], done.stderr
    text = (
        "from PIL import Image, ImageDraw\n"
        "import PIL.Image\n"
        "im = Image.new('RGB', (4, 4)).resize((2, 3), Image.ANTIALIAS)\n"
        "print(im.size, PIL.Image.ANTIALIAS == Image.LANCZOS, ImageDraw.Draw(im).textsize('a')[0] > 0)\n"
    )
    assert run(text).stdout == "(2, 3) True True\n"


@pytest.mark.slow
def test_pandas_and_matplotlib(run, tmp_path):
    pytest.importorskip("pandas")
    text = (
        "import pandas as pd, matplotlib.pyplot as plt\n"
        "f = pd.DataFrame({'a': [3, 1]})\n"
        "f = f.append({'a': 2}, ignore_index=True)\n"
        "print(f.ix[0, 'a'], f.as_matrix().ravel().tolist(), pd.rolling_mean(f['a'], 2).tolist()[1:])\n"
        "g = pd.DataFrame({'a': [1, 2, 5], 'k': [7, 8, 8]}).groupby(pd.Series([7, 8, 8]))\n"
        "print(g.agg(lambda rows: rows.iloc[1:, 0].sum() * rows.shape[1]).loc[8, 'a'], g.agg('sum').loc[8, 'a'])\n"
        "words = []\nwords.append(1)\nprint(words)\n"
        "plt.hold(True)\nplt.style.use('seaborn-white')\n"
        "print(len(plt.hist([1, 2, 2], bins=2, normed=True)[0]), plt.subplot(111, axisbg='red').get_facecolor()[0])\n"
    )
    done = run(text)
    assert done.stdout.splitlines() == ["3 [3, 1, 2] [2.0, 1.5]", "10 7", "[1]", "2 1.0"], done.stderr


def test_a_module_that_is_not_installed_stays_so(run):
    text = "try:\n    from skimage.measure import compare_ssim\nexcept ImportError as e:\n    print(e.name)\n"
    assert run(text).stdout == "skimage\n"


PYTHON2 = b"""# -*- coding: latin-1 -*-
import cPickle, StringIO, Queue, urllib2
from helper2 import half
import tensorflow as tf
print "two", tf.Session().run(tf.constant(2)), 7 / 2, -7 / 2, 7 / 2.0, half(5)
if 1 <> 2:
\tprint `3`, u"\xe9".encode("utf-8"),
        print 0777, 10L
d = {"a": 1}
for k, v in d.iteritems():
    print k, v, d.keys()[0], map(lambda (x, y): x + y, [(1, 2)])[0]
n = 9
n /= 2
print n, cPickle.loads(cPickle.dumps([1]))
try:
    raise ValueError, "bad"
except ValueError, e:
    print e
import numpy as np
print np.array([7]) / 2, np.array([7.0]) / 2, tf.Session().run(tf.constant(7) / 2)
raise KeyError("x")
"""


def test_python_2_is_translated_in_memory(run, tmp_path):
    pytest.importorskip("fissix")
    (tmp_path / "helper2.py").write_text("def half(n):\n    print 'half',\n    return n / 2\n")
    done = run(PYTHON2)
    # 7 / 2 and -7 / 2 go down; `n /= 2`, arrays and tensors of integers divide like that, too.
    expected = "half two 2 3 -4 3.5 2 3 b'\\xc3\\xa9' 511 10 a 1 a 3 4 [1] bad [3] [3.5] 3"
    assert " ".join(done.stdout.split()) == expected, done.stderr
    # The message shows the file's own line.
    assert 'File "program.py", line 21' in done.stderr and 'raise KeyError("x")' in done.stderr
    assert (tmp_path / "program.py").read_bytes() == PYTHON2
    # The fixers of a package's file are loaded when it is imported.
    (tmp_path / "parts").mkdir()
    (tmp_path / "helper2.py").rename(tmp_path / "parts" / "helper2.py")
    assert run("from parts.helper2 import half\nprint(half(5), 5 / 2)\n").stdout == "half 2 2.5\n"


@pytest.mark.parametrize(
    ("text", "evident"),
    [
        ("import six\nsix.iteritems({})", False),
        ("{}.iteritems()", True),
        ("try:\n    xrange\nexcept NameError:\n    xrange = range\nxrange(3)", False),
        ("xrange(3)", True),
        ("try:\n    import cPickle\nexcept ImportError:\n    import pickle", False),
        ("import cPickle", True),
        ("if __name__ == '__main__':\n    raw_input()", True),
        ("if six.PY2:\n    unicode('a')", False),
    ],
)
def test_what_parses_as_python_3_is_python_2_only_on_evidence(text, evident):
    assert python2.is_evident(ast.parse(text)) == evident


@pytest.mark.parametrize("text", ["print 'a\n", "a = = b\nprint 'a'\n", "\0"])
def test_what_is_neither_python_3_nor_2_is_one_line(run, text):
    done = run(text)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1, done.stderr


def test_pickles_of_python_2_are_read_with_trust(run, tmp_path):
    (tmp_path / "old.pkl").write_bytes(b"\x80\x02U\x02\xe9aq\x00.")
    text = "import pickle\nprint(len(pickle.load(open('old.pkl', 'rb'))))\n"
    assert run(text).returncode == 1
    assert run(text, options=["--trust"]).stdout == "2\n"
