"""Graph-mode tf.data becomes a function that makes the same dataset. Its batches are the recorded ones."""

import numpy as np
import pytest

from tf1ref.port.program import programs

MODEL = """
logits = tf.layers.dense(x, 3)
loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
noisy = tf.reduce_mean(tf.nn.dropout(logits, 0.5))
train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    START
    for i in range(30):
        sess.run(train)
        if i % 3 == 0:
            sess.run(noisy)
        if i % 4 == 0:
            sess.run(loss, {x: rows[:8], y: labels[:8]})
"""
START = "sess.run(iterator.initializer)"
DATA = """
import numpy as np
import tensorflow as tf

random = np.random.RandomState(0)
rows, labels = random.rand(100, 8).astype(np.float32), random.randint(0, 3, 100)
"""
ONE_SHOT = """
def scaled(row, label, number):
    return row * 2.0 - 1.0, tf.cast(label, tf.int64), number


dataset = tf.data.Dataset.from_tensor_slices((rows, labels, np.arange(100))).map(scaled, num_parallel_calls=2)
dataset = dataset.filter(lambda row, label, number: row[0] > -0.5).shuffle(50, seed=3).repeat().batch(16).prefetch(1)
x, y, _ = dataset.make_one_shot_iterator().get_next()
"""
FED = """
given, classes = tf.placeholder(tf.float32, rows.shape), tf.placeholder(tf.int64, labels.shape)
dataset = tf.data.Dataset.from_tensor_slices({"row": given, "class": classes})
iterator = dataset.skip(4).take(90).cache().shuffle(20, reshuffle_each_iteration=False).batch(8, True).repeat(4)
iterator = iterator.make_initializable_iterator()
batch = iterator.get_next()
x, y = batch["row"], batch["class"]
"""
FILES = """
for number in range(2):
    with tf.python_io.TFRecordWriter("rows_%d" % number) as writer:
        for row, label in list(zip(rows, labels))[number::2]:
            feature = {
                "row": tf.train.Feature(bytes_list=tf.train.BytesList(value=[row.tobytes()])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())


def parsed(record):
    features = {"row": tf.FixedLenFeature([], tf.string), "label": tf.FixedLenFeature([], tf.int64)}
    # The files lack this one.
    features["weight"] = tf.FixedLenFeature([2], tf.float32, default_value=[0.5, 0.25])
    found = tf.parse_single_example(record, features)
    row = tf.reshape(tf.decode_raw(found["row"], tf.float32), [8])
    return row * found["weight"][0] + found["weight"][1], found["label"]


iterator = tf.data.TFRecordDataset(["rows_0", "rows_1"]).map(parsed).batch(7).repeat(3).make_initializable_iterator()
x, y = iterator.get_next()
"""
LINES = """
for number in range(2):
    np.savetxt("lines_%d" % number, np.column_stack([labels, rows])[number::2], delimiter=",")


def parsed(line):
    fields = tf.decode_csv(line, [[0.0]] * 9)
    return tf.stack(fields[1:]), tf.cast(fields[0], tf.int64)


files = tf.data.Dataset.from_tensor_slices(["lines_0", "lines_1"])
dataset = files.interleave(tf.data.TextLineDataset, cycle_length=2, block_length=3).map(parsed).repeat().batch(8)
x, y = dataset.make_one_shot_iterator().get_next()
"""
RANGE = """
def made(number):
    return tf.sin(tf.cast(number, tf.float32) * tf.range(1.0, 9.0)), number % 3


x, y = tf.data.Dataset.range(3, 200, 2).map(made).repeat().batch(8).make_one_shot_iterator().get_next()
"""
CASES = {
    "lines": (
        DATA + LINES + MODEL.replace("START", ""),
        [".interleave(tf.data.TextLineDataset, cycle_length=2, block_length=3)", "def parsed(x):"],
    ),
    "range": (DATA + RANGE + MODEL.replace("START", ""), ["tf.data.Dataset.range(3, 200, 2)", "def made(x):"]),
    "one_shot": (
        DATA + ONE_SHOT + MODEL.replace("START", ""),
        ["def batches(x, y, x3):", "scaled(x, y, x3):", ".map(scaled, num_parallel_calls=2)", "def step(self, x, y):"],
    ),
    "fed": (
        DATA + FED + MODEL.replace("START", "sess.run(iterator.initializer, {given: rows, classes: labels})"),
        ["def batches(classes, given):", ".skip(4)", ".cache()", "reshuffle_each_iteration=False)", "remainder=True)"],
    ),
    "files": (
        DATA + FILES + MODEL.replace("START", START),
        ["def batches():", 'tf.data.TFRecordDataset([b"rows_0", b"rows_1"])', "def parsed(x):", "tf.io.decode_raw("]
        + ["tf.io.parse_single_example(", "tf.io.FixedLenFeature([2], tf.float32, default_value=[0.5, 0.25])"],
    ),
}  # fmt: skip


@pytest.fixture
def ported(quick_program, tmp_path, monkeypatch):
    """Returns a function that ports the text of a program; returns (the folder, the Report)."""
    monkeypatch.chdir(tmp_path)

    def port(text):
        (tmp_path / "program.py").write_text(text)
        return tmp_path / "out", programs.port_program("program.py", tmp_path / "out", steps=12)

    return port


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_pipeline_gives_the_recorded_batches(case, ported, loaded, formatted):
    text, words = CASES[case]
    folder, report = ported(text)
    formatted(folder)
    assert not report.notes
    written = (folder / "train.py").read_text()
    for word in words:
        assert word in written, written
    arrays = dict(np.load(folder / "recording.npz"))
    # Batches that evaluations take between the steps are no step's, those that are fed take none.
    places = [int(arrays[f"{i}/element/batches"]) for i in range(12)]
    assert places == [0, 2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15]
    given = {name.removeprefix("data/batches/"): a for name, a in arrays.items() if name.startswith("data/")}
    train = loaded(folder, "test_port").train
    elements = list(train.batches(**given).take(16).as_numpy_iterator())
    # The loss of the first step, by numpy, of what the pipeline gives.
    row, label = elements[0][::-1] if case == "fed" else elements[0][:2]
    values = row @ arrays["initial/dense/kernel"]
    odds = np.exp(values) / np.exp(values).sum(1, keepdims=True)
    trainer = train.Trainer()
    assert float(trainer.model(x=row, y=label)["loss"]) == pytest.approx(
        -np.log(odds[np.arange(len(label)), label]).mean(), rel=1e-5
    )


@pytest.mark.slow
def test_files_that_are_gone_leave_the_rest_of_the_proof(ported, loaded, tmp_path):
    folder, report = ported(CASES["files"][0])
    test = loaded(folder, "test_port")
    assert test.compare()[:2] == (report.compared, 0)
    (tmp_path / "rows_1").unlink()
    elements, wrong, _ = test.compare()
    assert 0 < elements < report.compared and not wrong


OTHERS = {
    # A Python function, in a dataset and in its map.
    "FlatMapDataset": "pairs = lambda: zip(rows, labels)\n"
    "dataset = tf.data.Dataset.from_generator(pairs, (tf.float32, tf.int64), ([8], []))",
    "PyFunc": "dataset = tf.data.Dataset.from_tensor_slices((rows, labels)).map("
    "lambda r, y: (tf.reshape(tf.py_func(lambda v: v, [r], tf.float32), [8]), y))",
    "outside": "scale = tf.constant([2.0])\ndataset = tf.data.Dataset.from_tensor_slices((rows, labels)).map("
    "lambda r, y: (r * scale, y))",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("word", OTHERS)
def test_what_is_not_ported_is_named(word, ported):
    iterator = "\niterator = dataset.repeat().batch(8).make_initializable_iterator()\nx, y = iterator.get_next()\n"
    text = DATA + OTHERS[word] + iterator + MODEL.replace("START", START)
    folder, report = ported(text)
    (note,) = report.notes
    assert "the pipeline before IteratorGetNext is not ported" in note and word in note
    assert "def batches" not in (folder / "train.py").read_text() and report.compared
