"""Programs of TensorFlow 2 and of Keras 2: told apart, run on tf_keras, and what Keras 3 refuses is said."""

import ast

import pytest
import tensorflow as tf

from tf1ref.compat import check as checking
from tf1ref.compat import keras3
from tf1ref.compat.names import resolver
from tf1ref.compat.texts import uses, worlds

FIRST = [
    "tf.placeholder(tf.float32)",
    "tf.keras.layers.Dense(2)(tf.placeholder(tf.float32, [None, 3]))",
    "tf.enable_eager_execution()\nwith tf.GradientTape() as t: pass",
    "tf.reduce_sum(1, keep_dims=True)",
    "tf.losses.mean_squared_error(1, 2)",
    "from tensorflow.contrib import slim",
    "print(1)",
    "import keras.backend as K\nK.get_session()",
    "tf.enable_eager_execution()\nprint(tf.zeros([2]).numpy())",
    "import torch\nx = tf.zeros([2])\nx = torch.zeros(2)\nprint(x.numpy())",
    "def show(tensor):\n    return tensor.numpy()\nfor i in range(3):\n    tf.zeros([i])",
    "for name in tf.train.list_variables('x'):\n    pass",
]
SECOND = [
    "tf.random.set_seed(1)",
    "tf.keras.optimizers.SGD(lr=0.1)",
    "with tf.GradientTape() as t: pass",
    "tf.losses.MeanSquaredError()",
    "tf.compat.v1.disable_eager_execution()\ntf.compat.v1.placeholder(tf.float32)\ntf.random.set_seed(1)",
    "from tensorflow.keras import Sequential",
    "try:\n    tf.placeholder\nexcept AttributeError:\n    pass\ntf.optimizers.Adam()",
    "if tf.__version__ < '2':\n    tf.set_random_seed(1)\ntf.keras.Model()",
    "a = tf.constant([1, 2])\nb = tf.where(a > 1, a, 0)\nprint((b + 1)[0].numpy())",
    "print(tf.zeros([2]).numpy())",
    "data = tf.data.Dataset.range(4)\ndata = data.batch(2)\nfor each in data.map(lambda x: x):\n    print(each)",
    "from tensorflow import data as d\nprint([x for x in d.Dataset.range(3)])",
]


@pytest.mark.parametrize(("text", "world"), [(t, 1) for t in FIRST] + [(t, 2) for t in SECOND])
def test_worlds_are_told_apart(text, world):
    tree = ast.parse("import tensorflow as tf\n" + text)
    assert worlds.of([uses.read(tree)]).number == world


def test_the_files_beside_a_program_say_its_world(tmp_path):
    (tmp_path / "model.py").write_text("import tensorflow as tf\nx = tf.placeholder\n")
    (tmp_path / "main.py").write_text("import tensorflow as tf\nfrom model import x\ntf.constant(1)\n")
    tree = ast.parse((tmp_path / "main.py").read_text())
    assert worlds.of_file(tree, tmp_path / "main.py").number == 1


def test_files_that_all_import_each_other_are_judged_once_each(tmp_path, monkeypatch):
    count, judged = 12, []
    for number in range(count):
        others = "".join(f"from m{other} import f{other}\n" for other in range(count) if other != number)
        (tmp_path / f"m{number}.py").write_text(f"import tensorflow as tf\n{others}f{number} = tf.placeholder\n")
    judge = worlds.signs
    monkeypatch.setattr(worlds, "signs", lambda program: judged.append(program) or judge(program))
    found = checking.check([tmp_path])
    assert [world.number for world in found.worlds.values()] == [1] * count
    assert len(judged) == 2 * count  # as a program itself, and as a neighbour of all others


KERAS_IN_A_GRAPH = """
import tensorflow as tf, numpy as np
x = tf.placeholder(tf.float32, [None, 3])
layer = tf.keras.layers.Dense(2, kernel_initializer='ones')
y = layer(x)
if 1:
    sess = tf.Session()
    tf.keras.backend.set_session(sess)
    sess.run(tf.global_variables_initializer())
    print(sess.run(y, {x: np.ones((1, 3))}).tolist(), tf.keras.backend.get_session() is sess)
model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(2,))])
model.compile(tf.train.GradientDescentOptimizer(0.1), 'mse')
history = model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=3, verbose=0)
print(sorted(history.history), history.history['loss'][-1] < history.history['loss'][0])
from tensorflow.python.keras.layers import Dense
from keras.layers.core import Dense as Again
from keras.engine.topology import Layer
print(Dense is tf.keras.layers.Dense, issubclass(Again, Layer))
from tensorflow.contrib.keras import models
import tensorflow.contrib.keras.api.keras.preprocessing.text as text
from tensorflow.contrib.keras.python.keras.layers import Dense as First
from tensorflow.contrib.keras.python.keras.engine.topology import Layer as Earlier
from tensorflow.python.keras._impl.keras import backend
print(First is Dense is tf.contrib.keras.layers.Dense, Earlier is Layer, models.Sequential is tf.keras.Sequential)
print(backend.floatx(), text.Tokenizer.__name__, tf.contrib.keras.datasets.mnist.load_data.__name__)
"""


def test_keras_2_in_a_graph(run):
    done = run(KERAS_IN_A_GRAPH)
    places = ["True True True", "float32 Tokenizer load_data"]
    assert done.stdout.splitlines() == ["[[3.0, 3.0]] True", "['loss'] True", "True True", *places], done.stderr


SECOND_WORLD = """
import tensorflow as tf, numpy as np
from tensorflow.keras.layers import Dense
tf.random.set_seed(1)
w = tf.Variable(5.0)
with tf.GradientTape() as tape:
    loss = tf.square(w + 1)
print(tape.gradient(loss, w).numpy(), tf.__version__[:2], tf.executing_eagerly())
model = tf.keras.Sequential([Dense(2, input_shape=(3,), activation='softmax')])
model.compile(optimizer=tf.keras.optimizers.SGD(lr=0.5, decay=1e-3), loss='sparse_categorical_crossentropy',
              metrics=['accuracy'])
print(float(model.optimizer.learning_rate))
x = np.random.RandomState(0).rand(32, 3).astype('float32')
y = (x[:, 0] > 0.5).astype('int64')
h = model.fit(x, y, epochs=2, validation_split=0.25, verbose=0,
              callbacks=[tf.keras.callbacks.ModelCheckpoint('c.ckpt', save_weights_only=True)])
print(sorted(h.history), h.history['acc'] == h.history['accuracy'], model.predict_classes(x).shape)
model.save_weights('w.ckpt'); model.load_weights('w.ckpt')
model.fit_generator(((x, y) for _ in range(2)), steps_per_epoch=1, epochs=2, verbose=0)
@tf.function
def f(a):
    return a + 1
print(f(tf.constant(1)).numpy(), tf.compat.v1.layers.dense is not None, tf.estimator.Estimator.__name__)
print(tf.losses.MeanSquaredError()([1.0], [3.0]).numpy())
"""


@pytest.mark.slow
def test_a_program_of_tensorflow_2_on_keras_2(run):
    done = run(SECOND_WORLD)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "12.0 2. True",
        "0.5",
        "['accuracy', 'loss', 'val_accuracy', 'val_loss'] True (32,)",
        "2 True Estimator",
        "4.0",
    ], done.stderr


def test_the_world_can_be_said(run):
    text = "import tensorflow as tf\nprint(tf.__version__[0])\n"
    said = [run(text, options=options).stdout for options in ([], ["--world", "1"], ["--world", "2"])]
    assert said == ["1\n", "1\n", "2\n"]


def test_without_tf_keras_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(resolver, "has_keras", lambda: False)
    resolver.resolve.cache_clear()
    from tf1ref.compat.names import advice

    try:
        assert resolver.resolve("keras.layers.Dense", 1) is None is resolver.resolve("keras.layers.Dense", 2)
        assert "tf1ref[keras]" in advice.missing("keras.layers.Dense", 1)
        assert resolver.resolve("keras.utils.to_categorical", 1)  # needs no layer
    finally:
        resolver.resolve.cache_clear()


REFUSED = [
    "tf.keras.optimizers.SGD(lr=0.1)",
    "tf.keras.callbacks.ModelCheckpoint(filepath='m.ckpt', save_weights_only=True)",
    "tf.keras.callbacks.ModelCheckpoint('m.h5', period=2)",
    "tf.keras.callbacks.ModelCheckpoint('m.tf')",
    "tf.keras.layers.LSTM(2, time_major=True)",
    "tf.keras.layers.BatchNormalization(fused=True)",
    "tf.keras.layers.Dense(2, batch_input_shape=(1, 2))",
]
TAKEN = [
    "tf.keras.optimizers.SGD(learning_rate=0.1)",
    "tf.keras.callbacks.ModelCheckpoint('m.keras')",
    "tf.keras.callbacks.ModelCheckpoint('m.weights.h5', save_weights_only=True)",
    "tf.keras.layers.Dense(2, input_dim=3)",
]


@pytest.mark.parametrize(("text", "refused"), [(t, True) for t in REFUSED] + [(t, False) for t in TAKEN])
def test_what_keras_3_refuses_is_held_against_keras_3(text, refused):
    call = ast.parse(text).body[0].value
    assert (keras3.changed(ast.unparse(call.func)[3:], call) is not None) == refused
    if refused:
        with pytest.raises((TypeError, ValueError)):
            eval(text, {"tf": tf})
    else:
        eval(text, {"tf": tf})


def test_check_says_both_columns(tmp_path):
    (tmp_path / "a.py").write_text(
        "import tensorflow as tf\nm = tf.keras.Sequential()\nm.compile(tf.keras.optimizers.SGD(lr=0.1))\n"
        "m.save_weights('a.ckpt')\ntf.random.set_seed(1)\ntf.keras.ops.add\n"
    )
    found = checking.check([str(tmp_path / "a.py")])
    assert found.worlds[str(tmp_path / "a.py")].number == 2
    assert {(u.line, u.name): (u.python, u.exec) for u in found.uses} == {
        (2, "tf.keras.Sequential"): (True, True),
        (3, "tf.keras.optimizers.SGD"): (False, True),
        (4, "model.save_weights"): (False, True),
        (5, "tf.random.set_seed"): (True, True),
        (6, "tf.keras.ops.add"): (True, False),
    }
