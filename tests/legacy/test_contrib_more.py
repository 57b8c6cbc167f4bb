"""contrib.legacy_seq2seq, contrib.seq2seq, HParams, the data sets of contrib.learn and of the tutorials."""

import gzip

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.data.formats import idx
from tf1ref.errors import InputError
from tf1ref.legacy.contrib import legacy_seq2seq, seq2seq
from tf1ref.legacy.contrib import rnn as contrib_rnn
from tf1ref.legacy.contrib import training as contrib_training
from tf1ref.legacy.contrib.learn import datasets as learn_datasets
from tf1ref.legacy.examples.tutorials.mnist import input_data
from tf1ref.legacy.examples.tutorials.mnist import mnist as tutorial_mnist
from tf1ref.legacy.keras import regularizers as penalties
from tf1ref.legacy.keras.utils import np_utils

RANDOM = np.random.RandomState(2)
LOGITS = RANDOM.randn(3, 4, 5).astype(np.float32)
TARGETS = RANDOM.randint(5, size=(3, 4))
WEIGHTS = np.float32([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0.5, 0, 0]])


@pytest.fixture(autouse=True)
def graph():
    with v1.Graph().as_default():
        v1.set_random_seed(1)
        yield


def run(fetches):
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        return sess.run(fetches)


def crossed():
    """The cross entropies, [batch, steps], by hand."""
    logs = LOGITS - np.log(np.exp(LOGITS).sum(2, keepdims=True))
    return -np.take_along_axis(logs, TARGETS[..., None], 2)[..., 0]


def test_sequence_loss_by_example():
    lists = [list(np.swapaxes(a, 0, 1)) for a in (LOGITS, TARGETS, WEIGHTS)]
    tensors = [[v1.constant(a) for a in each] for each in lists]
    found = run(legacy_seq2seq.sequence_loss_by_example(*tensors))
    expected = (crossed() * WEIGHTS).sum(1) / WEIGHTS.sum(1)
    assert found == pytest.approx(expected, rel=1e-5)
    assert run(legacy_seq2seq.sequence_loss(*tensors)) == pytest.approx(expected.mean(), rel=1e-5)
    with pytest.raises(ValueError, match="Lengths"):
        legacy_seq2seq.sequence_loss_by_example(tensors[0], tensors[1][:2], tensors[2])


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, lambda c: c.sum() / WEIGHTS.sum()),
        ({"average_across_timesteps": False}, lambda c: c.sum(0) / WEIGHTS.sum(0)),
        ({"average_across_batch": False}, lambda c: c.sum(1) / WEIGHTS.sum(1)),
        ({"average_across_timesteps": False, "average_across_batch": False}, lambda c: c),
        (
            {"average_across_timesteps": False, "average_across_batch": False, "sum_over_batch": True,
             "sum_over_timesteps": True},
            lambda c: c.sum() / 8,
        ),
    ],
)  # fmt: skip
def test_sequence_loss(flags, expected):
    found = run(seq2seq.sequence_loss(v1.constant(LOGITS), v1.constant(TARGETS), v1.constant(WEIGHTS), **flags))
    assert found == pytest.approx(expected(crossed() * WEIGHTS), rel=1e-4)


def test_the_numbers_that_the_notes_print():
    # S3 857-881
    a = [[0.1, 0.2, 0.3, 0.4], [0.2, 0.1, 0.4, 0.3], [0.4, 0.3, 0.2, 0.1], [0.3, 0.2, 0.1, 0.4], [0.1, 0.4, 0.3, 0.2]]
    a, b, w = v1.constant(a), v1.constant([1, 2, 1, 3, 3]), v1.ones([5])
    by_example = legacy_seq2seq.sequence_loss_by_example([a], [b], [w])
    assert run(by_example) == pytest.approx([1.4425356, 1.2425356, 1.3425356, 1.2425356, 1.4425356], abs=2e-7)
    batch = [v1.expand_dims(each, 0) for each in (a, b, w)]
    assert run(seq2seq.sequence_loss(*batch)) == pytest.approx(1.3425356, abs=2e-7)


def test_a_decoder_feeds_its_own_symbols():
    cell = contrib_rnn.GRUCell(6)
    ids = [v1.constant([1, 2]), v1.constant([3, 4])]
    outputs, _ = legacy_seq2seq.embedding_rnn_seq2seq(ids, ids, cell, 7, 8, 5, feed_previous=True, dtype=v1.float32)
    assert [o.shape.as_list() for o in outputs] == [[2, 8], [2, 8]]
    names = [v.op.name for v in v1.trainable_variables()]
    assert "embedding_rnn_seq2seq/rnn/embedding_wrapper/embedding" in names
    assert "embedding_rnn_seq2seq/embedding_rnn_decoder/embedding" in names
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        assert np.isfinite(sess.run(outputs)).all()


def test_projections_by_numpy():
    x, units = RANDOM.rand(2, 3).astype(np.float32), 4
    cell = contrib_rnn.OutputProjectionWrapper(contrib_rnn.BasicRNNCell(units), 2)
    y, state = cell(v1.constant(x), cell.zero_state(2, v1.float32))
    named = {v.op.name: v for v in v1.global_variables()}
    y, state, named = run([y, state, named])
    assert set(named) == {
        "output_projection_wrapper/basic_rnn_cell/kernel", "output_projection_wrapper/basic_rnn_cell/bias",
        "output_projection_wrapper/kernel", "output_projection_wrapper/bias",
    }  # fmt: skip
    assert y == pytest.approx(state @ named["output_projection_wrapper/kernel"], abs=1e-6)


def test_hparams_keep_their_types():
    hparams = contrib_training.HParams(rate=0.1, units=[3, 4], name="a", train=True, steps=5)
    hparams.parse("rate=0.5,units=[7,8,9],train=false,name=b c")
    assert hparams.values() == {"rate": 0.5, "units": [7, 8, 9], "name": "b c", "train": False, "steps": 5}
    hparams.parse("units[1]=2").override_from_dict({"steps": 6})
    assert (hparams.units, hparams.steps, hparams.get("none", 3), "rate" in hparams) == ([7, 2, 9], 6, 3, True)
    hparams.parse_json(hparams.to_json())
    for text, says in (
        ("lr=1", "Unknown"),
        ("steps=1.5", "Could not parse"),
        ("train=maybe", "of type 'bool'"),
        ("rate", "malformed"),
    ):
        with pytest.raises(ValueError, match=says):
            hparams.parse(text)
    with pytest.raises(ValueError, match="reserved"):
        hparams.add_hparam("rate", 1)


def test_the_tutorials_read_data_sets(tmp_path):
    pictures, labels = RANDOM.randint(256, size=(30, 28, 28)).astype(np.uint8), np.arange(30, dtype=np.uint8) % 10
    for prefix in ("train", "t10k"):
        idx.write_idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", pictures)
        idx.write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", labels)
    data = input_data.read_data_sets(str(tmp_path), one_hot=True, validation_size=10)
    assert [part.num_examples for part in data] == [20, 10, 30]
    x, y = data.train.next_batch(5, shuffle=False)
    assert x == pytest.approx(pictures[10:15].reshape(5, 784) / 255) and y.argmax(1).tolist() == [0, 1, 2, 3, 4]
    with gzip.open(tmp_path / "train-images-idx3-ubyte.gz") as file:
        file.name = str(tmp_path / "train-images-idx3-ubyte.gz")
        assert input_data.extract_images(file).shape == (30, 28, 28, 1)
    fake = input_data.read_data_sets("nowhere", fake_data=True, one_hot=True)
    assert fake.train.images.min() == 1.0 and fake.train.labels[0].tolist() == [1] + [0] * 9


@pytest.mark.slow
def test_the_graphs_seed_fixes_the_batches(tmp_path):
    def labels():
        return input_data.read_data_sets(str(tmp_path)).train.next_batch(20)[1].tolist()

    first = labels()
    assert labels() == first
    with v1.Graph().as_default():
        v1.set_random_seed(2)
        assert labels() != first


def test_the_tutorials_network_has_its_names():
    x, y = v1.placeholder(v1.float32, [100, 784]), v1.placeholder(v1.int32, [100])
    logits = tutorial_mnist.inference(x, 128, 32)
    tutorial_mnist.training(tutorial_mnist.loss(logits, y), 0.01)
    right = tutorial_mnist.evaluation(logits, y)
    assert [v.op.name for v in v1.trainable_variables()] == [
        "hidden1/weights", "hidden1/biases", "hidden2/weights", "hidden2/biases", "softmax_linear/weights",
        "softmax_linear/biases",
    ]  # fmt: skip
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        assert sess.run(right, {logits: np.eye(100, 10), y: [0] * 100}) == 91  # all zeros are a tie, which counts


def test_data_sets_of_contrib_learn(tmp_path):
    iris = learn_datasets.load_dataset("iris")
    assert iris.data.shape == (150, 4) and np.bincount(iris.target).tolist() == [50, 50, 50]
    with pytest.raises(ValueError, match="boston"):
        learn_datasets.load_dataset("boston")
    path = tmp_path / "a.csv"
    path.write_text("2,2,setosa,virginica\n1.5,2,0\n3,4,1\n")
    found = learn_datasets.load_csv_with_header(str(path), np.int64, np.float32)
    assert found.data.tolist() == [[1.5, 2], [3, 4]] and found.target.tolist() == [0, 1]
    for text, says in (
        ("a,b\n1,2\n", ":1: expected the numbers"),
        ("3,2\n1,2,3\n", "promises 3"),
        ("1,2\n1,x,3\n", ":2: "),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=says):
            learn_datasets.load_csv_with_header(str(path), np.int64, np.float32)


def test_keras_penalties_count_the_whole_square():
    weights = v1.constant([[1.0, -2.0], [3.0, 0.0]])
    assert run([penalties.l1(0.1)(weights), penalties.l2(0.1)(weights), penalties.l1_l2(0.1, 0.2)(weights)]) == (
        pytest.approx([0.6, 1.4, 3.4])
    )


def test_to_categorical():
    assert np_utils.to_categorical([0, 2]).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert np_utils.to_categorical([[1], [0]], 2).tolist() == [[0, 1], [1, 0]]
