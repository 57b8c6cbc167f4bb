"""modules/checkpoints and v1.train.Saver read each other's files; what is wrong is one line and changes nothing."""

import os
import resource
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.errors import InputError
from tf1ref.modules import checkpoints

VALUES = {
    "words": np.array([b"one", b"", b"three"], object),
    "layer1/weights": np.random.RandomState(1).randn(40, 30).astype(np.float32),
    "layer1/weights/Adam_1": np.random.RandomState(2).rand(40, 30),
    "global_step": np.int64(7),
}


def variables(values=VALUES):
    """Fresh variables by name, unlike any of `values`."""
    return {name: tf.Variable(tf.zeros(np.shape(value), tf.constant(value).dtype)) for name, value in values.items()}


def filled(values=VALUES):
    """Variables that hold `values`."""
    return {name: tf.Variable(value) for name, value in values.items()}


def assert_holds(named, values=VALUES):
    """The variables hold `values`, to the bit."""
    assert sorted(named) == sorted(values)
    for name, variable in named.items():
        held = variable.numpy()
        assert held.dtype == values[name].dtype, name
        assert np.array_equal(held, values[name]), name


@pytest.fixture
def prefix(tmp_path):
    """A checkpoint of VALUES."""
    return checkpoints.save(str(tmp_path), "model", filled(), global_step=7)


def test_saver_reads_what_save_wrote(prefix):
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = {n: v1.get_variable(n, np.shape(v), tf.constant(v).dtype) for n, v in VALUES.items()}
        v1.train.Saver().restore(sess, prefix)
        read = sess.run(graph)
    for name, value in VALUES.items():
        assert np.array_equal(read[name], value), name


def test_the_files_are_the_savers_byte_for_byte(prefix, tmp_path):
    with v1.Graph().as_default(), v1.Session() as sess:
        for name, value in VALUES.items():
            v1.get_variable(name, initializer=tf.constant(value))
        sess.run(v1.global_variables_initializer())
        savers = v1.train.Saver().save(sess, str(tmp_path / "savers"), write_meta_graph=False)
    for suffix in (".index", ".data-00000-of-00001"):
        assert Path(prefix + suffix).read_bytes() == Path(savers + suffix).read_bytes()


def test_load_checkpoint_reads_what_save_wrote(prefix):
    reader = tf.train.load_checkpoint(prefix)
    assert reader.get_variable_to_shape_map() == {name: list(np.shape(v)) for name, v in VALUES.items()}
    for name, value in VALUES.items():
        assert np.array_equal(reader.get_tensor(name), value), name


@pytest.mark.parametrize("version", [1, 2])
def test_restore_reads_what_a_saver_wrote(tmp_path, version):
    with v1.Graph().as_default(), v1.Session() as sess:
        for name, value in VALUES.items():
            v1.get_variable(name, initializer=tf.constant(value))
        sess.run(v1.global_variables_initializer())
        prefix = v1.train.Saver(write_version=version).save(sess, str(tmp_path / "model.ckpt"), global_step=3)
    named = variables()
    checkpoints.restore(prefix, named)
    assert_holds(named)


def test_restore_of_some_leaves_the_others(prefix):
    weights = tf.Variable(np.zeros((40, 30), np.float32), shape=tf.TensorShape(None))
    checkpoints.restore(prefix, {"layer1/weights": weights})
    assert np.array_equal(weights.numpy(), VALUES["layer1/weights"])


def refused(prefix, named):
    """The one line of an InputError, after which every variable holds what it held."""
    before = {name: variable.numpy() for name, variable in named.items()}
    with pytest.raises(InputError) as caught:
        checkpoints.restore(prefix, named)
    line = str(caught.value)
    assert "\n" not in line
    assert_holds(named, before)
    return line


def test_a_name_that_is_not_there(prefix):
    line = refused(prefix, {**variables(), "layer1/weight": tf.Variable(0.0)})
    assert line.startswith(f"{prefix}: holds no 'layer1/weight'; nearest: layer1/weights")


def test_another_shape(prefix):
    line = refused(prefix, {**variables(), "layer1/weights": tf.Variable(np.zeros((30, 40), np.float32))})
    assert line == f"{prefix}: layer1/weights is [40, 30], the variable [30, 40]"


def test_another_type(prefix):
    line = refused(prefix, {**variables(), "layer1/weights": tf.Variable(np.zeros((40, 30)))})
    assert line == f"{prefix}: layer1/weights is float32, the variable float64"


def damage(path, how):
    """Cuts a file short, changes one byte of it, or removes it."""
    content = path.read_bytes()
    if how == "cut":
        path.write_bytes(content[:-5])
    elif how == "changed":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["cut", "changed", "removed"])
@pytest.mark.parametrize("file", ["data-00000-of-00001", "index"])
def test_a_damaged_file_assigns_nothing(prefix, file, how):
    damage(Path(f"{prefix}.{file}"), how)
    line = refused(prefix, variables())
    assert line.startswith(f"{prefix}: ") and ("damaged" in line or "not a checkpoint" in line)


def test_what_is_no_checkpoint(tmp_path, prefix):
    (tmp_path / "junk").write_text("some other file")
    for wrong in (tmp_path / "junk", tmp_path / "nowhere", tmp_path, ""):
        assert refused(str(wrong), variables()).startswith(f"{wrong}: not a checkpoint")
    assert "not a checkpoint" in refused(checkpoints.latest(str(tmp_path / "nowhere")), variables())


def saved_steps(folder):
    """The steps whose files are in `folder`."""
    return sorted(int(name.split("-")[1].split(".")[0]) for name in os.listdir(folder) if name.endswith(".index"))


def test_only_the_last_ones_stay_and_the_state_names_them(tmp_path):
    named = {"w": tf.Variable(0.0)}
    for step in range(1, 8):
        named["w"].assign(step)
        prefix = checkpoints.save(str(tmp_path), "model", named, global_step=tf.Variable(step), max_to_keep=3)
        state = v1.train.get_checkpoint_state(str(tmp_path))
        assert prefix == state.model_checkpoint_path == checkpoints.latest(str(tmp_path))
        assert [p.split("-")[-1] for p in state.all_model_checkpoint_paths] == [str(n) for n in saved_steps(tmp_path)]
    assert saved_steps(tmp_path) == [5, 6, 7]
    assert len(os.listdir(tmp_path)) == 2 * 3 + 1
    checkpoints.restore(str(tmp_path / "model-6"), named)
    assert named["w"].numpy() == 6


def test_saver_and_save_take_turns_in_one_folder(tmp_path):
    """The Saver goes on where the state file stands, and so does save."""
    checkpoints.save(str(tmp_path), "model", {"w": tf.Variable(1.0)}, global_step=1)
    with v1.Graph().as_default(), v1.Session() as sess:
        v1.get_variable("w", initializer=2.0)
        sess.run(v1.global_variables_initializer())
        saver = v1.train.Saver(max_to_keep=2)
        saver.recover_last_checkpoints(v1.train.get_checkpoint_state(str(tmp_path)).all_model_checkpoint_paths)
        saver.save(sess, str(tmp_path / "model"), global_step=2)
    checkpoints.save(str(tmp_path), "model", {"w": tf.Variable(3.0)}, global_step=3, max_to_keep=2)
    assert saved_steps(tmp_path) == [2, 3]


def test_saving_a_step_again_replaces_it(tmp_path):
    for step, value in [(1, 1.0), (2, 2.0), (2, 3.0)]:
        prefix = checkpoints.save(str(tmp_path), "model", {"w": tf.Variable(value)}, global_step=step, max_to_keep=2)
    assert saved_steps(tmp_path) == [1, 2]
    assert len(v1.train.get_checkpoint_state(str(tmp_path)).all_model_checkpoint_paths) == 2
    assert tf.train.load_variable(prefix, "w") == 3.0


def test_max_to_keep_0_keeps_all_and_no_step_overwrites(tmp_path):
    named = {"w": tf.Variable(0.0)}
    for step in range(1, 8):
        checkpoints.save(str(tmp_path), "model", named, global_step=step, max_to_keep=0)
    assert saved_steps(tmp_path) == [1, 2, 3, 4, 5, 6, 7]
    for value in (1.0, 2.0):
        named["w"].assign(value)
        prefix = checkpoints.save(str(tmp_path / "one"), "model", named)
    assert (prefix, len(os.listdir(tmp_path / "one"))) == (str(tmp_path / "one" / "model"), 3)
    assert tf.train.load_variable(prefix, "w") == 2.0


def test_a_save_that_fails_is_never_the_latest(tmp_path):
    """The disk fills up half way: files may grow to 100 kB here, the second checkpoint has 4 MB."""
    small, large = {"w": tf.Variable(1.0)}, {"w": tf.Variable(tf.random.normal([1000, 1000], seed=1))}
    first = checkpoints.save(str(tmp_path), "model", small, global_step=1, max_to_keep=1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(tf.errors.OpError):
            checkpoints.save(str(tmp_path), "model", large, global_step=2, max_to_keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert checkpoints.latest(str(tmp_path)) == first
    checkpoints.restore(first, small)


def test_latest_of_nothing(tmp_path):
    assert checkpoints.latest(str(tmp_path)) is None
    assert checkpoints.latest(str(tmp_path / "nowhere")) is None
    (tmp_path / "checkpoint").write_text("this is no state file")
    assert checkpoints.latest(str(tmp_path)) is None
