"""tf1ref verify A B of two recordings: what two runs of a program computed, compared to the bit."""

import hashlib
import io
import json
import zipfile

import numpy as np
import pytest

from tf1ref import cli
from tf1ref.parity import recorded


@pytest.fixture
def recording(tmp_path, monkeypatch):
    """Returns a function that writes a recording of two steps, as `exec --record` does, without TensorFlow."""
    monkeypatch.chdir(tmp_path)

    def write(name, last, steps=2):
        arrays = {}

        def key(value):
            packed = io.BytesIO()
            np.save(packed, value)
            word = hashlib.sha256(packed.getvalue()).hexdigest()
            arrays[word] = packed.getvalue()
            return word

        run = {"graph": 0, "trains": True, "targets": ["train"], "feeds": {}}
        runs = [{**run, "fetches": {"loss:0": key(np.float32(i))}} for i in range(steps)]
        graph = {"seed": None, "lines": {}, "gradients": [], "names": {}}
        index = {
            "format": recorded.FORMAT, "program": "p.py", "arguments": [], "graphs": [graph], "runs": runs,
            "initial": {"w": key(np.float32([1, 2]))}, "final": {"w": key(np.float32(last))}, "trainable": ["w"],
            "left_out": [],
        }  # fmt: skip
        with zipfile.ZipFile(tmp_path / name, "w") as z:
            z.writestr("index.json", json.dumps(index))
            z.writestr("graphs/0.pb", b"")
            for word, data in arrays.items():
                z.writestr(f"arrays/{word}.npy", data)

    return write


def test_equal_and_one_bit_apart(recording, capsys):
    recording("a.rec", [2, 3])
    recording("b.rec", [2, 3])
    recording("c.rec", [2, np.nextafter(np.float32(3), np.float32(4))])
    assert cli.main(["verify", "a.rec", "b.rec"]) == 0
    assert "equal" in capsys.readouterr().out
    assert cli.main(["verify", "a.rec", "c.rec", "--json"]) == 1
    (report,) = json.loads(capsys.readouterr().out)
    assert report["first"].startswith("final/w") and report["differing"] == 1
    assert cli.main(["verify", "a.rec", "c.rec", "--ulps", "1"]) == 0


def test_another_number_of_steps_differs(recording, capsys):
    recording("a.rec", [2, 3])
    recording("b.rec", [2, 3], steps=3)
    assert cli.main(["verify", "a.rec", "b.rec"]) == 1
    assert "steps/loss" in capsys.readouterr().out


def test_recordings_that_cannot_be_compared(recording, refused, tmp_path):
    recording("a.rec", [2, 3])
    recording("empty.rec", [2, 3], steps=0)
    data = (tmp_path / "a.rec").read_bytes()
    (tmp_path / "model.pb").write_bytes(b"")
    (tmp_path / "cut.rec").write_bytes(data[:-30])
    assert "model.pb" in refused("verify", "a.rec", "model.pb")
    assert "cut.rec" in refused("verify", "cut.rec", "a.rec")
    assert "no run of p.py trained" in refused("verify", "a.rec", "empty.rec")
    assert "for models" in refused("verify", "a.rec", "a.rec", "--outputs", "y")
