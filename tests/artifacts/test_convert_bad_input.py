"""Whatever cannot be converted or written: one line, the target as it was, nothing beside it."""

import os
import resource
import signal

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.artifacts import CheckFailed
from tf1ref.artifacts.convert import convert
from tf1ref.artifacts.convert import files as convert_files
from tf1ref.artifacts.verify import verify
from tf1ref.errors import InputError

NAMES = {"saved_model": "m", "checkpoint": "c", "objects": "o", "npz": "w.npz", "text": "w.txt", "pb": "m.pb",
         "pbtxt": "m.pbtxt", "events": "e.tfevents"}  # fmt: skip
MODELS = ("saved_model", "checkpoint", "pb", "pbtxt", "events")


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """A checkpoint of 100 kB."""
    with v1.Graph().as_default(), v1.Session() as sess:
        x = v1.placeholder(tf.float32, [None, 250], name="x")
        w = v1.get_variable("w", initializer=np.linspace(-1, 1, 25000, dtype=np.float32).reshape(250, 100))
        tf.matmul(x, w, name="y")
        tf.add(w, v1.py_func(lambda: np.float32(1), [], tf.float32, name="python"), name="z")
        tf.add(w[0, 0], v1.FIFOQueue(4, [tf.float32], [[]], name="fifo").dequeue(name="next"), name="q")
        sess.run(v1.global_variables_initializer())
        return v1.train.Saver().save(sess, str(tmp_path_factory.mktemp("model") / "model"))


def contents(folder):
    return {str(p.relative_to(folder)): p.is_file() and p.read_bytes() for p in sorted(folder.rglob("*"))}


@pytest.fixture
def refuses(tmp_path):
    """Converts into a folder; checks the one line, and that the folder stays as it was."""

    def check(message, source, name, to="", **options):
        before = contents(tmp_path)
        with pytest.raises(InputError, match=message) as error:
            convert(source, tmp_path / name, to, **options)
        assert "\n" not in str(error.value) and len(str(error.value)) < 600
        assert contents(tmp_path) == before

    return check


def test_sources_and_names(prefix, refuses, tmp_path):
    refuses("no such file, folder or checkpoint", tmp_path / "nowhere", "m.pb")
    refuses("its name does not say of which kind it is to be: --to checkpoint, pb", prefix, "model")
    refuses("no kind 'tflite': --to checkpoint, pb", prefix, "m.pb", to="tflite")
    refuses("TensorBoard opens files with tfevents in their names only", prefix, "graph", to="events")
    refuses("holds no 'yy'; nearest: y", prefix, "m.pb", outputs=["yy"])
    refuses("holds no 'xx'; nearest: x", prefix, "m.pb", outputs=["y"], inputs=["xx"])
    refuses(r"PyFunc \(python\), functions of the program", prefix, "m.pb", outputs=["z"])
    refuses(r"fifo.*whose state no file holds: name the tensors after it as --inputs", prefix, "m.pb", outputs=["q"])
    assert convert(prefix, tmp_path / "q.pb", outputs=["q"], inputs=["next"]).inputs == {"next": "next:0"}
    with v1.Graph().as_default() as graph:
        tf.add(1.0, v1.placeholder(tf.float32, []), name="y")
    (tmp_path / "sum.pb").write_bytes(graph.as_graph_def().SerializeToString())
    refuses("holds no weights: no constant in it was a variable", tmp_path / "sum.pb", "w.npz")
    refuses("holds no weights: no constant in it was a variable", tmp_path / "sum.pb", "c", to="checkpoint")


def test_targets_that_cannot_be(prefix, refuses, tmp_path):
    (tmp_path / "there.pb").write_bytes(b"old")
    refuses("exists already", prefix, "there.pb")
    refuses("is a file: a saved_model is a folder", prefix, "there.pb", to="saved_model", force=True)
    refuses("there is no folder", prefix, "nowhere/m.pb")
    (tmp_path / "folder").mkdir()
    refuses("is a folder: name a file in it", prefix, "folder", to="pb", force=True)
    (tmp_path / "folder" / "thesis.txt").write_text("years of work")
    refuses("exists already", prefix, "folder", to="saved_model")
    refuses("is a folder with other things in it, such as thesis.txt", prefix, "folder", to="saved_model", force=True)
    refuses("is a folder with other things in it", prefix, "folder", to="checkpoint", force=True)
    refuses("is a folder with other things in it", prefix, ".", to="objects", force=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", NAMES)
def test_force_replaces_the_whole_target(prefix, tmp_path, kind):
    path = tmp_path / NAMES[kind]
    convert(prefix, path, kind, outputs=["y"])
    first = contents(tmp_path)
    with pytest.raises(InputError, match="exists already"):
        convert(prefix, path, kind, outputs=["y"])
    if path.is_dir():
        stale = path / ("variables" if kind == "saved_model" else ".") / "stale.data-00000-of-00001"
        stale.write_bytes(b"of another model")
    else:
        path.write_bytes(b"old")
    convert(prefix, path, kind, outputs=["y"], force=True)
    assert contents(tmp_path).keys() == first.keys()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("kind", NAMES)
def test_a_disk_that_is_full(prefix, refuses, kind):
    """No file may grow past 40 kB: what the kernel says then is what TensorFlow's writers get."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    try:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
        refuses("cannot be written: ", prefix, NAMES[kind], kind, outputs=["y"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def killed(path, moment):
    """Replaces the folder `path` in a fork of this process that ends by SIGKILL at `moment`."""
    exchange = convert_files._put

    def put(beside, there):
        if moment == "after":
            exchange(beside, there)
        os.kill(os.getpid(), signal.SIGKILL)

    convert_files._put = put
    with convert_files.replacing(path) as beside:
        beside.mkdir()
        (beside / "checkpoint").write_text("new")
        (beside / "new.index").write_text("new")
        if moment == "within":
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("moment", ["within", "before", "after"])
def test_kill_leaves_the_old_folder_or_the_new_one(tmp_path, moment):
    path = tmp_path / "target"
    path.mkdir()
    for name in ("checkpoint", "old.index"):
        (path / name).write_text("old")
    child = os.fork()
    if not child:
        try:
            killed(path, moment)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    new = {"checkpoint": b"new", "new.index": b"new"}
    assert contents(path) == (new if moment == "after" else {"checkpoint": b"old", "old.index": b"old"})
    with convert_files.replacing(path) as beside:  # what was left beside is in nobody's way
        beside.mkdir()
    assert contents(path) == {}


@pytest.mark.parametrize("flag, seen", [(2, []), (1 << 20, [True, False])], ids=["exchanged", "renamed"])
def test_folders_are_exchanged_where_the_kernel_can(tmp_path, monkeypatch, flag, seen):
    """With a flag that no kernel knows, the old one is renamed, then the new one."""
    path, found, rename = tmp_path / "target", [], os.rename
    path.mkdir()
    monkeypatch.setattr(convert_files, "RENAME_EXCHANGE", flag)
    monkeypatch.setattr(os, "rename", lambda a, b: (found.append(path.exists()), rename(a, b)))
    with convert_files.replacing(path) as beside:
        beside.mkdir()
        (beside / "checkpoint").write_text("new")
    assert contents(path) == {"checkpoint": b"new"} and found == seen
    assert [p.name for p in tmp_path.iterdir()] == ["target"]


DAMAGE = {
    "cut short": lambda b, at: b[:at],
    "a bit": lambda b, at: b[:at] + bytes([b[at] ^ 16]) + b[at + 1 :],
    "a huge number": lambda b, at: b[:at] + b"\xff" * 6 + b[at + 6 :],
    "twice": lambda b, at: b[:at] + b[at // 2 :],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", NAMES)
def test_damaged_sources(prefix, tmp_path, kind):
    """One line, or a result that `verify` can look at: nothing else comes of a damaged file, and no half target."""
    source = tmp_path / NAMES[kind]
    convert(prefix, source, kind, outputs=["y"])
    said = 0
    for path in [p for p in sorted([source, *source.rglob("*")]) if p.is_file()]:
        whole = path.read_bytes()
        for damage, share in zip((*DAMAGE.values(), DAMAGE["cut short"]), (0.02, 0.5, 0.97, 0.5, 0.97)):
            path.write_bytes(damage(whole, int(len(whole) * share)))
            for use in (
                lambda: convert(source, tmp_path / "out.npz", force=True),
                lambda: verify(source, prefix, outputs=["y"] if kind in MODELS else []),
            ):
                try:
                    use()
                except (InputError, CheckFailed) as e:
                    said += 1
                    assert "\n" not in str(e)
        path.write_bytes(whole)
    assert said >= 4 and not list(tmp_path.glob(".*"))
