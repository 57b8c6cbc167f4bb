"""Checkpoints that others made between TensorFlow 0.12 and 1.11; skipped without $TF1REF_DATA."""

import numpy as np
import pytest
import tensorflow as tf

from tf1ref.artifacts.freeze import freeze


@pytest.fixture
def weights():
    def read(path, name):
        return tf.train.load_checkpoint(str(path)).get_tensor(name)

    return read


@pytest.mark.parametrize(
    "name, outputs, compares",
    [
        ("traffic_signs", ["Add_3", "Softmax", "ArgMax"], True),
        ("cifar_mlnet", ["add_1", "ArgMax"], True),
        ("regression", ["Add", "truediv"], True),
        ("profiler", ["Conv2D_1"], True),
        ("embedding", ["my_embedding"], True),
        ("v1_format", ["Add"], True),
        ("half_plus_two_v2", ["y"], False),
    ],
)
def test_freezes_and_answers_the_same(real, tmp_path, name, outputs, compares):
    report = freeze(real(name), outputs, tmp_path / "a.pb")
    assert bool(report.compared) == compares and bool(report.not_compared) != compares
    freeze(real(name), outputs, tmp_path / "b.pb")
    assert (tmp_path / "a.pb").read_bytes() == (tmp_path / "b.pb").read_bytes()


def test_a_while_loop_of_lstm_cells(real, tmp_path, answer):
    """ctc: convolution, LSTM in a while loop, decoder; a placeholder whose shape no one can guess."""
    images = np.random.default_rng(0).normal(size=(1, 40, 128, 1)).astype(np.float32)
    feed = {"Placeholder": images, "Placeholder_4": np.array([15], np.int32)}
    outputs = ["CTCGreedyDecoder:1", "transpose_1"]
    assert "4-dimensional" in freeze(real("ctc"), outputs, tmp_path / "guessed.pb").not_compared
    report = freeze(real("ctc"), outputs, tmp_path / "ctc.pb", inputs=feed)
    assert report.compared == 1 and len(report.variables) == 6
    logits = answer(tmp_path / "ctc.pb", "transpose_1:0", {f"{k}:0": v for k, v in feed.items()})
    assert logits.shape[1:] == (1, 28) and np.isfinite(logits).all()


def test_two_decoders_of_a_translator(real, tmp_path):
    random = np.random.default_rng(0)
    feed = {
        "input": random.integers(4, 20, (128, 7)),
        "targets": random.integers(4, 20, (128, 6)),
        "source_sequence_length": np.full(128, 7),
        "target_sequence_length": np.full(128, 6),
    }
    report = freeze(real("seq2seq"), ["predictions", "logits"], tmp_path / "s.pb", inputs=feed)
    assert report.compared == 1
    assert report.outputs == {"predictions:0": [128, None], "logits:0": [128, None, 30]}


def test_a_line_is_the_line(real, tmp_path, weights, answer):
    prefix = real("regression") / "model"
    freeze(prefix, ["Add"], tmp_path / "line.pb")
    x = np.linspace(-2, 2, 5, dtype=np.float32)
    reached = answer(tmp_path / "line.pb", "Add:0", {"X:0": x})
    np.testing.assert_array_equal(reached, x * weights(prefix, "W") + weights(prefix, "b"))


def test_a_parser_is_cut_off(real, tmp_path, weights, answer):
    parsed = "ParseExample/ParseExample:0"
    report = freeze(real("half_plus_two_v2"), ["y"], tmp_path / "h.pb", inputs=[parsed])
    assert report.inputs == {parsed: [None, 1]} and report.compared == 2
    reached = answer(tmp_path / "h.pb", "y:0", {parsed: [[1.0], [4.0]]})
    np.testing.assert_array_equal(reached, [[2.5], [4.0]])
