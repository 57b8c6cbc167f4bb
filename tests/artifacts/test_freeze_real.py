"""Checkpoints that others made between TensorFlow 0.12 and 1.11; skipped without $TF1REF_DATA."""

import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts.freeze import freeze
from tf1ref.errors import InputError


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
        ("half_plus_two_v2", ["y"], True),
    ],
)
def test_freezes_and_answers_the_same(real, tmp_path, name, outputs, compares):
    report = freeze(real(name), outputs, tmp_path / "a.pb")
    assert bool(report.compared) == compares and bool(report.not_compared) != compares
    freeze(real(name), outputs, tmp_path / "b.pb", verify=False)
    assert (tmp_path / "a.pb").read_bytes() == (tmp_path / "b.pb").read_bytes()


def test_a_while_loop_of_lstm_cells(real, tmp_path, answer):
    """ctc: convolution, LSTM in a while loop, decoder; placeholders whose shapes only _output_shapes says."""
    images = np.random.default_rng(0).normal(size=(1, 64, 128, 1)).astype(np.float32)
    feed = {"Placeholder": images, "Placeholder_4": np.array([15], np.int32)}
    outputs = ["CTCGreedyDecoder:1", "transpose_1"]
    assert freeze(real("ctc"), outputs, tmp_path / "guessed.pb").compared
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


@pytest.fixture
def graphs_of():
    """Returns a folder of $TF1REF_DATA/graphs; skips where there is none."""

    def folder(name):
        path = pathlib.Path(os.environ.get("TF1REF_DATA", "")) / "graphs" / name
        if not os.environ.get("TF1REF_DATA") or not path.is_dir():
            pytest.skip(f"no {name} in $TF1REF_DATA/graphs")
        return path

    return folder


# Why those that are not frozen are not.
REFUSED = {
    "defun_dropout_net.pb": "does not know: Dropout",  # the function Dropout is not in the file
    "flatten_net.pbtxt": "does not know: Flatten",  # the .pbtxt are OpenCV's, with layers of its own for ops
    "two_inputs_net.pbtxt": "missing attr 'dtype'",
    "batch_norm_text_net.pbtxt": "which is not in the graph",  # the weights are in the .pb of the same name
    "keras_relu6_net.pbtxt": "which is not in the graph",
    "lstm_net.pbtxt": "which is not in the graph",
    # half as weights, float as placeholder: made for a reader that converts
    **{
        f"fp16_{name}_net.pb": "float from input_.* expected half"
        for name in (
            "deconvolution",
            "eltwise_add_mul",
            "max_pool_even",
            "max_pool_odd_valid",
            "pad_and_concat",
            "padding_same",
            "padding_valid",
            "single_conv",
        )
    },
}
NOT_ON_A_CPU = ("conv_pool_nchw_net.pb",)
NEAR = 1e-4
HALF = 0.01  # OpenCV's answers of half precision are rounded


def answers_of(frozen, report, given):
    """Runs a .pb on an array in NCHW, as OpenCV gives it; returns what each layout of input and output gives."""
    graph_def = v1.GraphDef.FromString(frozen.read_bytes())
    with v1.Graph().as_default() as graph, v1.Session() as sess:
        v1.import_graph_def(graph_def, name="")
        tensors = [graph.get_tensor_by_name(name) for name in report.inputs]
        flags = {t: False for t in tensors if t.dtype == tf.bool}
        (x,) = (t for t in tensors if t not in flags)
        for array in [given, given.transpose(0, 2, 3, 1)] if given.ndim == 4 else [given]:
            try:
                found = sess.run(list(report.outputs)[0], {x: array.astype(x.dtype.as_numpy_dtype), **flags})
            except (tf.errors.OpError, ValueError):
                continue
            yield found
            if found.ndim == 4:
                yield found.transpose(0, 3, 1, 2)


@pytest.mark.slow
def test_every_graph_of_opencv(graphs_of, tmp_path):
    frozen, near = 0, []
    for path in sorted(graphs_of("opencv").glob("*_net.pb*")):
        if path.name in REFUSED:
            with pytest.raises(InputError, match=REFUSED[path.name]):
                freeze(path, [], tmp_path / "f.pb", force=True)
            continue
        report = freeze(path, [], tmp_path / "f.pb", force=True)
        frozen += 1
        if path.name in NOT_ON_A_CPU:
            continue
        given, expected = (np.load(path.with_name(path.name.replace("net.pb", f"{w}.npy"))) for w in ("in", "out"))
        found = answers_of(tmp_path / "f.pb", report, given)
        off = [float(np.abs(a.ravel() - expected.ravel()).max()) for a in found if a.size == expected.size]
        assert min(off) < (HALF if "fp16" in path.name else NEAR), path.name
        near.append(path.name)
    assert frozen == len(near) + len(NOT_ON_A_CPU) and len(near) >= 55


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "output"), [("frozen_graph", "MobilenetV1/Predictions/Reshape_1"), ("retrained_graph", "final_result")]
)
def test_the_mobilenets(graphs_of, tmp_path, answer, name, output):
    path = graphs_of("mobilenet") / f"{name}.pb"
    report = freeze(path, [], tmp_path / "f.pb")
    assert list(report.outputs) == [f"{output}:0"] and report.compared == 1
    folded = freeze(path, [], tmp_path / "folded.pb", fold=True)
    assert folded.compared and folded.folded == 27
    x = np.random.default_rng(0).uniform(-1, 1, (1, 128, 128, 3)).astype(np.float32)
    one, other, first = (
        answer(p, f"{output}:0", {"input:0": x}) for p in (tmp_path / "f.pb", tmp_path / "folded.pb", path)
    )
    np.testing.assert_array_equal(one, first)
    np.testing.assert_allclose(other, first, atol=1e-4)


@pytest.mark.parametrize("name", ["v1", "v2", "main_op", "pbtxt", "serving/00000123", "serving/00000124"])
def test_half_plus_two(real, tmp_path, answer, name):
    """y = x / 2 + 2 and y3 = x2 / 2 + 3 as SavedModels of every kind."""
    kind, _, version = name.partition("/")
    folder = real("v1_format").parent.parent / "saved_models" / f"half_plus_two_{kind}" / version
    report = freeze(folder, [], tmp_path / "f.pb")
    assert report.compared == 2 and list(report.outputs) == ["y:0"]
    np.testing.assert_array_equal(answer(tmp_path / "f.pb", "y:0", {"x:0": [[4.0], [7.0]]}), [[4.0], [5.5]])
    report = freeze(folder, [], tmp_path / "r.pb", signature="regress_x2_to_y3")
    assert (list(report.inputs), list(report.outputs)) == (["x2:0"], ["y3:0"])
    np.testing.assert_array_equal(answer(tmp_path / "r.pb", "y3:0", {"x2:0": [[4.0]]}), [[5.0]])


def test_the_old_format_in_pieces(real, tmp_path, answer):
    parsed = "ParseExample/ParseExample:0"
    freeze(real("v1_sharded") / "export", ["y"], tmp_path / "h.pb", inputs=[parsed])
    np.testing.assert_array_equal(answer(tmp_path / "h.pb", "y:0", {parsed: [[1.0], [4.0]]}), [[2.5], [4.0]])
