"""Graphs, checkpoints and SavedModels that others made, converted; skipped without $TF1REF_DATA."""

import collections
import os
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1
from PIL import Image

from tf1ref.artifacts.convert import convert
from tf1ref.artifacts.verify import verify
from tf1ref.errors import InputError

KINDS = {"pb": "m.pb", "pbtxt": "m.pbtxt", "saved_model": "m", "checkpoint": "c", "events": "e.tfevents"}
TARGETS = {**KINDS, "npz": "w.npz", "text": "w.txt", "objects": "o"}
SOME = ("saved_model", "npz")  # who writes does not know who read: one source is made into every kind
PARSED = "ParseExample/ParseExample:0"

# Halves fed with floats: no TensorFlow can import these; Dropout: an op of OpenCV's own; NCHW: not on a CPU.
HALVES = "passed float from .* incompatible with expected half"
REFUSED = {
    "fp16_deconvolution": HALVES,
    "fp16_eltwise_add_mul": HALVES,
    "fp16_max_pool_even": HALVES,
    "fp16_max_pool_odd_valid": HALVES,
    "fp16_pad_and_concat": HALVES,
    "fp16_padding_same": HALVES,
    "fp16_padding_valid": HALVES,
    "fp16_single_conv": HALVES,
    "defun_dropout": "does not know: Dropout",
}
NOT_HERE = {"conv_pool_nchw": "only supports NHWC"}
HALF_ONLY = "fp16_max_pool_odd_same"  # two units in the last place of a half


@pytest.fixture
def data():
    """Returns what lies under a name in $TF1REF_DATA; skips where there is nothing."""

    def find(name):
        path = pathlib.Path(os.environ.get("TF1REF_DATA", "")) / name
        if not os.environ.get("TF1REF_DATA") or not path.exists():
            pytest.skip(f"no {name} in $TF1REF_DATA")
        return path

    return find


def channels_last(a):
    return a.transpose(0, 2, 3, 1) if a.ndim == 4 else a


def channels_first(a):
    return a.transpose(0, 3, 1, 2) if a.ndim == 4 else a


@pytest.mark.slow
def test_opencv_graphs_answer_as_their_files_say(data, tmp_path):
    """Each becomes a SavedModel that tf.saved_model.load asks; the answers are those beside the graph."""
    agree, refused = [], {}
    for path in sorted(data("graphs/opencv").glob("*_net.pb")):
        name = path.name.removesuffix("_net.pb")
        x, y = (np.load(path.with_name(f"{name}_{end}.npy")) for end in ("in", "out"))
        try:
            inputs = convert(path, tmp_path / name, "saved_model", verify=False).inputs  # it is asked here
        except InputError as e:
            refused[name] = str(e)
            continue
        signature = tf.saved_model.load(str(tmp_path / name)).signatures["serving_default"]
        types = signature.structured_input_signature[1]
        feed = {key: np.zeros([], bool) for key in inputs}
        (picture,) = [key for key in inputs if types[key].dtype != tf.bool]
        feed[picture] = channels_last(x).astype(types[picture].dtype.as_numpy_dtype)
        try:
            answers = signature(**{key: tf.constant(value) for key, value in feed.items()})
        except tf.errors.InvalidArgumentError as e:
            assert NOT_HERE[name] in str(e)
            continue
        answers = [channels_first(a.numpy()).astype(np.float64) for a in answers.values()]
        apart = min(np.abs(a.reshape(-1) - y.reshape(-1)).max() for a in answers if a.size == y.size)
        assert apart < (1e-2 if name == HALF_ONLY else 1e-4), name
        agree.append(name)
    assert refused.keys() == REFUSED.keys()
    for name, reason in REFUSED.items():
        assert re.search(reason, refused[name]), refused[name]
    assert len(agree) == 60


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, outputs, inputs, kinds",
    [
        ("half_plus_two_v2", ["y"], [PARSED], TARGETS),
        ("v1_format", ["Add"], [], SOME),
        ("v1_sharded", ["y"], [PARSED], SOME),
        ("traffic_signs", ["Softmax"], [], SOME),
        ("cifar_mlnet", ["add_1", "ArgMax"], [], SOME),
        ("regression", ["Add", "truediv"], [], SOME),
        ("profiler", ["Conv2D_1"], [], SOME),
        ("embedding", ["my_embedding"], [], SOME),
    ],
)
def test_checkpoints_become_other_kinds(data, tmp_path, name, outputs, inputs, kinds):
    source = data(f"checkpoints/{name}")
    for kind in kinds:
        ends = {"outputs": outputs, "inputs": inputs} if kind in KINDS else {}
        assert convert(source, tmp_path / TARGETS[kind], kind, **ends).compared > 0
    if "text" in kinds:
        assert verify(tmp_path / "m", tmp_path / "c", outputs=outputs).equal
        assert verify(source, tmp_path / "o").equal and verify(source, tmp_path / "w.txt").equal


@pytest.mark.slow
def test_sequence_models_become_saved_models(data, tmp_path):
    random = np.random.default_rng(0)
    pictures = random.normal(size=(1, 64, 128, 1)).astype(np.float32)
    np.savez(tmp_path / "ctc.npz", Placeholder=pictures, Placeholder_4=np.array([15], np.int32))
    lengths = {f"{end}_sequence_length": np.full(128, size, np.int32) for end, size in (("source", 7), ("target", 6))}
    words = {"input": (128, 7), "targets": (128, 6)}
    words = {key: random.integers(4, 20, size).astype(np.int32) for key, size in words.items()}
    np.savez(tmp_path / "seq2seq.npz", **lengths, **words)
    for name, outputs in (("ctc", ["CTCGreedyDecoder:1", "transpose_1"]), ("seq2seq", ["predictions", "logits"])):
        feeds = tmp_path / f"{name}.npz"
        assert convert(
            data(f"checkpoints/{name}"), tmp_path / name, "saved_model", outputs=outputs, feeds=feeds
        ).compared
        signature = tf.saved_model.load(str(tmp_path / name)).signatures["serving_default"]
        with np.load(feeds) as fed:
            answers = signature(**{key: tf.constant(fed[key]) for key in fed})
        assert len(answers) == 2 and all(np.isfinite(a.numpy()).all() for a in answers.values())


def test_the_restored_session_answers_the_same(data, tmp_path):
    """TF1's own way beside the converted one: import_meta_graph, restore, run."""
    source, x = data("checkpoints/regression") / "model", np.linspace(-2, 2, 5, dtype=np.float32)
    convert(source, tmp_path / "m", "saved_model", outputs=["Add"])
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.train.import_meta_graph(f"{source}.meta", clear_devices=True).restore(sess, str(source))
        expected = sess.run("Add:0", {"X:0": x})
    signature = tf.saved_model.load(str(tmp_path / "m")).signatures["serving_default"]
    np.testing.assert_array_equal(signature(X=tf.constant(x))["Add"], expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["main_op", "pbtxt", "serving/00000123", "serving/00000124", "v1", "v2"])
def test_saved_models_become_other_kinds(data, tmp_path, name):
    source = data(f"saved_models/half_plus_two_{name}")
    for kind in TARGETS if name == "v2" else SOME:
        assert convert(source, tmp_path / TARGETS[kind], kind).compared == (2 if kind in KINDS else 1)
    with np.load(tmp_path / "w.npz") as found:
        assert {key: float(found[key]) for key in found} == {"a": 0.5, "b": 2, "c": 3}
    signature = tf.saved_model.load(str(tmp_path / "m")).signatures["serving_default"]
    np.testing.assert_array_equal(signature(x=tf.constant([[1.0], [4.0]]))["y"], [[2.5], [4.0]])


@pytest.mark.slow
def test_a_mobile_network_knows_its_daisies(data, tmp_path):
    """The frozen network as a SavedModel, which TensorFlow 2 asks: as the .pb answers."""
    graph, flowers = data("graphs/mobilenet/frozen_graph.pb"), data("flower_photos/daisy")
    assert convert(graph, tmp_path / "m", "saved_model").compared == 1
    signature = tf.saved_model.load(str(tmp_path / "m")).signatures["serving_default"]
    labels, counts = graph.with_name("labels.txt").read_text().split("\n"), collections.Counter()
    for path in sorted(flowers.glob("*.jpg"))[:40]:
        picture = np.asarray(Image.open(path).convert("RGB").resize((128, 128), Image.BILINEAR), np.float32)
        (answers,) = signature(input=tf.constant(picture[None] / 127.5 - 1)).values()
        counts[labels[int(np.argmax(answers))]] += 1
    assert counts.most_common(1) == [("986:daisy", 30)]
