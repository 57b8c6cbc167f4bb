"""tf1ref doctor: what it says is true, what will not work is exit code 1, nothing secret is in it."""

import importlib.metadata
import json
import os
import platform
import socket

import pytest

from tf1ref import doctor
from tf1ref.cli.doctor import _doctor
from tf1ref.data import folders
from tf1ref.doctor import machine


def by_name(findings):
    return {each.name: each for each in findings}


@pytest.mark.slow
def test_the_page_says_what_is_installed_and_nothing_of_whom(tf1ref, tmp_path):
    home = tmp_path / "the-home-of-somebody"
    (home / ".cache" / "tf1ref").mkdir(parents=True)
    env = {"HOME": str(home), "XDG_CACHE_HOME": "", "SECRET_TOKEN": "s3cr3t", "TF_ENABLE_ONEDNN_OPTS": "0"}
    done = tf1ref("doctor", "--json", env={**env, "TF1REF_DATA": ""})
    assert (done.returncode, done.stderr) == (0, "")
    found = {each["name"]: each for each in json.loads(done.stdout)}
    for name, package in (("TensorFlow", "tensorflow"), ("NumPy", "numpy"), ("keras", "keras"), ("tf1ref", "tf1ref")):
        version = importlib.metadata.version(package) if package != "tf1ref" else machine.__version__
        assert found[name]["found"] == version
    assert found["Python"]["found"] == platform.python_version() and found["oneDNN"]["found"] == "off"
    assert found["a session"]["found"] == "computes" and found["cache"]["found"].endswith("~/.cache/tf1ref")
    assert all(word not in done.stdout for word in ("s3cr3t", "the-home-of-somebody", socket.gethostname()))


# Beside the program a user's own file must not be what is looked at.
BROKEN = {
    "raise ImportError('libcuda.so.1: no such file')": "ImportError: libcuda.so.1: no such file",
    "import os, signal; os.kill(os.getpid(), signal.SIGILL)": "SIGILL: it was built for another processor",
    "__version__ = '2.4.0'; raise SystemExit(3)": "ended without a word",
}


@pytest.mark.parametrize("code", BROKEN)
def test_a_tensorflow_that_cannot_be_imported_is_a_problem(code, tmp_path, monkeypatch):
    (tmp_path / "tensorflow.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    (found,) = doctor._probed()
    assert BROKEN[code] in found.found and found.problem


@pytest.mark.slow
def test_files_of_the_folder_one_is_in_are_not_run(tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("open('hit', 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "PROBE_SECONDS", 60)
    doctor._probed()
    assert not (tmp_path / "hit").exists()


def test_a_folder_of_data_that_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("TF1REF_DATA", str(tmp_path / "missing"))
    (found,) = machine.data()
    assert "not a folder that can be read" in found.problem


def test_a_folder_without_its_files_is_a_problem_and_one_with_them_is_counted(tmp_path, monkeypatch):
    monkeypatch.setenv("TF1REF_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "mnist").mkdir()
    (tmp_path / "dots").mkdir()
    (tmp_path / "dots" / "dot.csv").write_text("1,2\n")
    found = by_name(machine.data())
    assert set(folders.FILES) <= set(found)
    assert found["mnist"].problem and "none of train-images" in found["mnist"].problem
    assert found["dots"].found == f"{tmp_path}/dots: 1 files" and found["dots"].problem is None
    assert "stand-in" in found["stock"].found and found["stock"].problem is None


def test_limits_and_disks_are_judged(monkeypatch):
    import resource
    import shutil

    monkeypatch.setattr(resource, "getrlimit", lambda what: (100, 100))
    assert "ulimit -n" in by_name(machine.limits())["open files"].problem
    usage = shutil.disk_usage("/")._replace(free=5 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert all("less than 1 GB" in each.problem for each in machine.disk())


def test_a_processor_without_avx_is_a_problem(monkeypatch):
    monkeypatch.setattr(machine, "_read", lambda path: "flags\t\t: fpu sse sse2 avxtra\n" if "cpuinfo" in path else "")
    found = by_name(machine.processor())["instructions"]
    assert found.found == "none of AVX's" and "AVX" in found.problem


def test_the_exit_code_and_the_marks_are_those_of_the_problems(monkeypatch, capsys):
    rows = [doctor.Finding("software", "NumPy", "2.0"), doctor.Finding("disk", "cache", "0 GB", "full")]
    arguments = type("Arguments", (), {"json": False})()
    monkeypatch.setattr(doctor, "examine", lambda: rows)
    assert _doctor(arguments) == 1
    out = capsys.readouterr().out
    assert "! cache " in out and "  NumPy " in out and "1 problem: see the lines with !" in out
    monkeypatch.setattr(doctor, "examine", lambda: rows[:1])
    assert _doctor(arguments) == 0 and "no problem was found" in capsys.readouterr().out
