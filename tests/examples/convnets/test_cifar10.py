"""convnets.cifar10: input, losses, evaluator and checkpoints, on a few small pictures."""

import os
import subprocess
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tf1ref import catalog
from tf1ref.data import cifar10 as data
from tf1ref.errors import InputError
from tf1ref.examples.convnets import _cifar10_input as pictures
from tf1ref.examples.convnets import _cifar10_precision as evaluation
from tf1ref.examples.convnets import _cifar10_train as training
from tf1ref.examples.convnets import cifar10

pytestmark = pytest.mark.slow

TRAIN, TEST = 300, 130  # 130: two batches, the second of 2
SMALL = {"EXAMPLES_PER_EPOCH": 500, "BATCH_SIZE": 32, "CHECKPOINT_EVERY": 2, "SUMMARY_EVERY": 2}
DISTORTION = cifar10.DISTORTION._replace(batch=32, min_queue=200)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data folder with two training files and a test file of generated pictures."""
    root = tmp_path_factory.mktemp("data")
    (root / "cifar10").mkdir()
    for i, (name, count) in enumerate(
        (("data_batch_1", TRAIN // 2), ("data_batch_2", TRAIN // 2), ("test_batch", TEST))
    ):
        data.write_binary(root / "cifar10" / f"{name}.bin", *data.generate(count, seed=20 + i))
    return root


@pytest.fixture(scope="module")
def files(root):
    return [str(root / "cifar10" / f"data_batch_{i}.bin") for i in (1, 2)], str(root / "cifar10" / "test_batch.bin")


@pytest.fixture(scope="module")
def runs(root, tmp_path_factory):
    """{mode: (trace, folder)} of four steps of each half with small queues."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF1REF_DATA", str(root))
        module = catalog.load("convnets.cifar10", SMALL)
        for mode in ("graph", "function"):
            folder = tmp_path_factory.mktemp(mode)
            found[mode] = getattr(module, f"run_{mode}")(4, str(folder)), folder
    return found


def graph_batches(files, count):
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(1)
        images, labels, size = pictures.distorted_inputs(files, DISTORTION)
        coord = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(sess, coord)
        batches = []
        for _ in range(count):
            pictures.wait_until_full(sess, size, DISTORTION.capacity, coord)
            batches.append(sess.run([images, labels]))
        coord.request_stop()
        coord.join(threads)
        return batches


def test_both_inputs_give_the_same_batches_over_several_epochs(files):
    tf.random.set_seed(1)
    inputs = pictures.DistortedInputs(files[0], DISTORTION)
    batches = graph_batches(files[0], 30)  # 960 of them: each file comes three times and more, in either order
    for images, labels in batches:
        their_images, their_labels = inputs.next_batch()
        assert np.array_equal(images, their_images) and np.array_equal(labels, their_labels)
    assert len({batch[0].tobytes() for batch in batches}) == 30


def test_what_comes_out_is_what_went_in_cropped_flipped_and_standardized(files):
    plain = np.concatenate([data.read_binary(name)[0] for name in files[0]]).astype(np.float64)
    labels = np.concatenate([data.read_binary(name)[1] for name in files[0]])
    no_colours = DISTORTION._replace(max_brightness=0.0, contrast=(0.999999, 1.0))
    image, label = next(iter(pictures.distorted(files[0][:1], no_colours)))
    windows = np.lib.stride_tricks.sliding_window_view(plain[0], (24, 24), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
    windows = windows.reshape(-1, 24, 24, 3)
    windows = np.concatenate([windows, windows[:, :, ::-1]])
    flat = windows.reshape(len(windows), -1)
    standard = (flat - flat.mean(1, keepdims=True)) / flat.std(1, keepdims=True)
    far = np.abs(standard - image.numpy().ravel()).max(1)
    assert far.min() < 1e-3 and np.sort(far)[1] > 0.1  # exactly one crop and flip of the first picture
    assert label.numpy() == labels[0]


def test_the_standardization_takes_the_brightness_back_but_not_all_of_the_contrast():
    image = tf.constant(data.generate(1, seed=30)[0][0], tf.float32)
    plain = tf.image.per_image_standardization(image)
    brighter = tf.image.per_image_standardization(tf.image.adjust_brightness(image, 63.0))
    stronger = tf.image.per_image_standardization(tf.image.adjust_contrast(image, 0.2))
    assert np.abs(brighter - plain).max() < 1e-5 < 0.01 < np.abs(stronger - plain).max()
    same_means = image - tf.reduce_mean(image, [0, 1]) + 100
    plain = tf.image.per_image_standardization(same_means)
    stronger = tf.image.per_image_standardization(tf.image.adjust_contrast(same_means, 0.2))
    assert np.abs(stronger - plain).max() < 1e-4


def test_evaluation_input_is_every_picture_once_in_order(files):
    images, labels = data.read_binary(files[1])
    middle = images[:, 4:28, 4:28].astype(np.float64)
    flat = middle.reshape(TEST, -1)
    expected = ((flat - flat.mean(1, keepdims=True)) / flat.std(1, keepdims=True)).reshape(middle.shape)
    batches = list(pictures.dataset([files[1]], 128, 24))
    assert [len(batch[1]) for batch in batches] == [128, 2]
    np.testing.assert_allclose(np.concatenate([batch[0] for batch in batches]), expected, atol=1e-4)
    assert np.array_equal(np.concatenate([batch[1] for batch in batches]), labels)


def test_parameters_and_multiply_adds_are_those_of_the_layers(runs):
    layers = [(5 * 5 * 3, 64, 24 * 24), (5 * 5 * 64, 64, 12 * 12), (6 * 6 * 64, 384, 1), (384, 192, 1), (192, 10, 1)]
    assert sum(a * b + b for a, b, _ in layers) == 1068298 == runs["graph"][0]["parameters"]
    assert round(sum(a * b * places for a, b, places in layers) / 1e6, 1) == 18.5
    trained = [v for k, v in runs["function"][0].items() if k.startswith("gradient/")]
    assert sum(v.size for v in trained) == 1068298


def test_the_first_loss_is_that_of_a_guess_and_the_penalties(runs):
    trace = runs["graph"][0]
    penalties = sum(0.004 * np.sum(trace[f"initial/{name}/weights"] ** 2) / 2 for name in ("local3", "local4"))
    assert abs(trace["steps/loss"][0] - penalties - np.log(10)) < 0.1


def test_what_goes_into_the_sum_is_still_needed_when_it_is_made(files):
    """AddN begins with a term that nothing else waits for: as many orders as races, were there one."""
    with v1.Graph().as_default():
        total = cifar10.build_training(files[0])["shown"]["loss"]
        terms = list(total.op.inputs)
        averaging = [[op for op in term.consumers() if op.type == "Sub"] for term in terms]
    assert len(terms) == 3 and all(averaging)
    for op in (op for ops in averaging for op in ops):
        average_read, term = op.inputs
        assert term in terms and total.op in average_read.op.control_inputs


def test_averages_follow_the_step_with_the_decay_of_its_number(runs):
    # One step after the first checkpoint's two: the average moves by 1 - (1 + n) / (10 + n) of the way.
    folder = runs["function"][1]
    two, four = (tf.train.load_checkpoint(str(folder / f"model.ckpt-{step}")) for step in (2, 4))
    name = "local4/biases"
    average = two.get_tensor(f"{name}/ExponentialMovingAverage")
    start = runs["function"][0][f"initial/{name}"]
    final = four.get_tensor(f"{name}/ExponentialMovingAverage")
    assert not np.array_equal(average, start)
    low, high = (
        f(np.stack([start, two.get_tensor(name), four.get_tensor(name), average]), 0) for f in (np.min, np.max)
    )
    assert np.all(final >= low - 1e-4) and np.all(final <= high + 1e-4)
    assert four.get_tensor("global_step") == 4


def test_each_half_evaluates_the_others_checkpoints(runs, files):
    assert runs["graph"][0]["evaluated_steps"].tolist() == [2, 4]
    for mode, (trace, folder) in runs.items():
        prefix = str(folder / "model.ckpt-4")
        of_graph = evaluation.graph_evaluators(files[1], cifar10.inference, 128, 24)
        of_function = evaluation.function_evaluators(files[1], cifar10.Network, 128, 24)
        for averages in (0, 1):
            assert of_graph[averages](prefix) == of_function[averages](prefix)
        assert trace["final/precision_at_1"] == of_function[0](prefix), mode
        assert trace["final/precision_at_1_of_weights"] == of_function[1](prefix), mode


def test_precision_is_the_share_of_right_answers_of_all_pictures(runs, files):
    evaluator, _ = evaluation.function_evaluators(files[1], cifar10.Network, 128, 24)
    precision = evaluator(str(runs["graph"][1] / "model.ckpt-4"))
    right = [
        np.argmax(evaluator.network.logits(images), 1) == labels.numpy()
        for images, labels in pictures.dataset([files[1]], 7, 24)
    ]
    assert abs(precision - np.concatenate(right).mean()) < 1e-12
    assert round(precision * TEST) == pytest.approx(precision * TEST)  # 130ths: nobody counts twice


def tags(folder):
    events = EventAccumulator(str(folder)).Reload()
    found = events.Tags()
    return {tag for kind in ("scalars", "histograms", "tensors", "images") for tag in found[kind]}


def test_summaries_of_both_halves(runs):
    layers = ("conv1", "conv2", "local3", "local4", "softmax_linear")
    expected = {f"{layer}/{kind}" for layer in layers for kind in ("sparsity", "activations")}
    expected |= {f"{layer}/{kind}" for layer in layers for kind in ("weights/values", "biases/gradients")}
    expected |= {"learning_rate", "total_loss_raw", "total_loss_average", "cross_entropy_raw"}
    for mode, (_, folder) in runs.items():
        found = tags(folder)
        assert expected <= found, (mode, expected - found)
        assert any(tag.startswith("images") for tag in found)
        (precision,) = (tag for tag in tags(folder / "eval") if tag.startswith("Precision"))
        assert precision in ("Precision @ 1", "Precision_@_1")


def state_of(*prefixes):
    return lambda folder: SimpleNamespace(all_model_checkpoint_paths=[str(p) for p in prefixes]) if prefixes else None


def test_following_goes_from_the_oldest_to_the_last_and_passes_over_what_is_gone(tmp_path):
    prefixes = [tmp_path / f"model.ckpt-{step}" for step in (2, 4, 6, 8)]
    for prefix in prefixes[1:]:
        prefix.with_name(f"{prefix.name}.index").write_bytes(b"")
    seen = evaluation.follow(tmp_path, 6, state_of(*prefixes), lambda prefix: prefix[-1])
    assert list(seen) == [(4, "4"), (6, "6")]


def test_following_nothing_ends(tmp_path):
    with pytest.raises(InputError, match="no new checkpoint for 0 s, none of step 6"):
        list(evaluation.follow(tmp_path, 6, state_of(), None, patience=0))


def test_a_file_that_vanished_is_named_although_the_queue_only_says_that_it_is_empty(tmp_path):
    log = training.Log(2, cifar10.SCHEDULE, 128)
    with pytest.raises(tf.errors.NotFoundError, match="no-such.bin"):
        training.train_graph(lambda: cifar10.build_training([str(tmp_path / "no-such.bin")]), log, str(tmp_path), 1)


def test_a_queue_that_nobody_feeds_is_an_error_after_a_bounded_wait(files, monkeypatch):
    monkeypatch.setattr(pictures, "FILL_SECONDS", 0.1)
    with v1.Graph().as_default(), v1.Session() as sess:
        _, _, size = pictures.distorted_inputs(files[0], DISTORTION)
        with pytest.raises(InputError, match="stays at 0 of 296 pictures"):
            pictures.wait_until_full(sess, size, DISTORTION.capacity, v1.train.Coordinator())


def test_no_thread_is_left(runs):
    deadline = time.monotonic() + 10
    while (left := [t.name for t in threading.enumerate() if "QueueRunner" in t.name]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def test_an_evaluator_of_its_own_follows_a_training(root, tmp_path, tf1ref, started_python):
    environment = {**os.environ, "TF1REF_DATA": str(root)}
    module = "tf1ref.examples.convnets._cifar10_eval"
    command = [started_python, "-m", module, tmp_path / "out/graph", "--steps", "4"]
    evaluator = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        changes = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
        done = tf1ref("run", "convnets.cifar10", "--steps", 4, "--out", tmp_path / "out", *changes, env=environment)
        assert done.returncode == 0, done.stderr
        out, err = evaluator.communicate(timeout=120)
    finally:
        evaluator.kill()
    assert evaluator.returncode == 0, err
    assert [line.split(":")[0] for line in out.splitlines()] == ["step 2", "step 4"]
    with np.load(tmp_path / "out/graph/trace.npz") as trace:
        expected = [f"precision @ 1 = {precision:.4f}" for precision in trace["evaluated_precision_at_1"]]
    assert [line.split(": ")[1] for line in out.splitlines()] == expected
