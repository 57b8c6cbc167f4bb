"""Features of pictures: what is kept, and which list a picture is in."""

import numpy as np
import pytest

from tf1ref.data import features
from tf1ref.errors import InputError
from tf1ref.examples.transfer import _inputs


def test_vectors_are_computed_once(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_text(path.name * 3)
    asked = []

    def compute(path, data):
        asked.append(path.name)
        return np.frombuffer(data, np.uint8)

    first = features.cached(tmp_path / "kept", b"1", paths, compute)
    assert asked == ["a", "b", "c"] and first.tolist() == [[97] * 3, [98] * 3, [99] * 3]
    again = features.cached(tmp_path / "kept", b"1", paths[::-1], compute)
    assert asked == ["a", "b", "c"] and again.tolist() == first[::-1].tolist()

    paths[1].write_text("new")  # same name, other content
    assert features.cached(tmp_path / "kept", b"1", paths, compute)[1].tolist() == list(b"new")
    assert asked[3:] == ["b"]
    features.cached(tmp_path / "kept", b"2", paths, compute)
    assert asked[4:] == ["a", "b", "c"]


def test_vectors_survive_a_failure_and_a_damaged_file(tmp_path):
    paths = [tmp_path / name for name in "ab"]
    for path in paths:
        path.write_text(path.name)

    def fails(path, data):
        if path.name == "b":
            raise InputError("no picture")
        return [1.0]

    with pytest.raises(InputError):
        features.cached(tmp_path / "kept", b"", paths, fails)
    assert features.cached(tmp_path / "kept", b"", paths, lambda path, data: [2.0]).tolist() == [[1], [2]]
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    assert features.cached(tmp_path / "kept", b"", paths, lambda path, data: [3.0]).tolist() == [[3], [3]]
    with pytest.raises(InputError, match="cannot be read"):
        features.cached(tmp_path / "kept", b"", [tmp_path / "missing"], fails)


def names_in(paths):
    return {kind: {paths[i] for i in indices} for kind, indices in features.lists(paths, 10, 20).items()}


def test_lists_stay():
    paths = [f"{i}.jpg" for i in range(4000)]
    all_of_them, half = names_in(paths), names_in(paths[::-2])
    assert sum(map(len, all_of_them.values())) == 4000
    assert 300 < len(all_of_them["validation"]) < 500 and 650 < len(all_of_them["testing"]) < 950
    for kind, names in half.items():
        assert names <= all_of_them[kind]
    moved = features.lists([f"/elsewhere/{path}" for path in paths], 10, 20)
    assert all(np.array_equal(moved[kind], features.lists(paths, 10, 20)[kind]) for kind in moved)
    # sha1sum says d94a1d0d...5bba80fae8 for "0.jpg": 31.298 % of 2^27 when taken modulo that.
    assert [len(features.lists(["0.jpg"], 10, testing)["testing"]) for testing in (21, 22)] == [0, 1]
    variants = features.lists([f"rose_nohash_{i}.jpg" for i in range(50)], 30, 30)
    assert sorted(map(len, variants.values())) == [0, 0, 50]


def test_a_batch_draws_a_class_and_then_a_picture_of_it():
    labels, indices = np.random.RandomState(1).randint(0, 3, 50), np.arange(0, 50, 2)
    found = _inputs.batch(np.random.RandomState(7), labels, indices, 400)
    random = np.random.RandomState(7)  # NumPy's own choice, of the lists that S3 keeps
    lists = [[i for i in indices if labels[i] == label] for label in range(3)]
    assert found.tolist() == [random.choice(lists[random.randint(3)]) for _ in range(400)]
