"""scripts/fetch_data.py against a server on 127.0.0.1 that answers well, wrongly, half or not at all."""

import hashlib
import http.server
import importlib.util
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/fetch_data.py"
CONTENT = {"a.gz": b"first file" * 20_000, "b.gz": b"second file"}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        content = self.server.files.get(self.path.rpartition("/")[2])
        if content is None:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(self.server.lengths.get(self.path, len(content))))
        self.end_headers()
        self.wfile.write(content)
        if not content or self.path in self.server.endless:
            self.server.release.wait(30)  # says nothing more until the test is over

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.files, server.asked, server.lengths, server.endless = dict(CONTENT), [], {}, set()
        server.release = threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.release.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def script(monkeypatch, server):
    """The script as a module that knows one small data set, its first mirror without any file."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    spec = importlib.util.spec_from_file_location("fetch_data", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    files = {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in CONTENT.items()}
    module.SETS = {"tiny": ("a small set", (f"{server.url}/absent?", f"{server.url}/good/"), files)}
    return module


def refused(capsys, script, *arguments):
    """Runs the script, which must end with 2 and one line on standard error; returns the line."""
    assert script.main([str(argument) for argument in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_files_come_whole_once_and_from_the_mirror_that_works(script, server, tmp_path, capsys):
    assert script.main(["tiny", "--to", str(tmp_path)]) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "tiny").iterdir()} == CONTENT
    assert (tmp_path / "tiny/a.gz").stat().st_mode & 0o777 == 0o644
    assert capsys.readouterr().out == f"tiny: 2 files fetched, 0 were there, all in {tmp_path / 'tiny'}\n"
    assert any(path.startswith("/absent") for path in server.asked) and "/good/a.gz" in server.asked
    (tmp_path / "tiny/b.gz").unlink()
    server.asked.clear()
    assert script.main(["tiny", "--to", str(tmp_path), "--from", server.url]) == 0
    assert server.asked == ["/b.gz"] and "1 files fetched, 1 were there" in capsys.readouterr().out


def test_a_bad_mirror_leaves_no_trace_in_the_file_of_the_next(script, server, tmp_path):
    server.files["absent?a.gz"] = b"longer" * 50_000
    assert script.main(["tiny", "--to", str(tmp_path)]) == 0
    assert (tmp_path / "tiny/a.gz").read_bytes() == CONTENT["a.gz"]


def test_more_than_the_file_is_not_waited_for(script, server, tmp_path, capsys):
    server.files["a.gz"] = CONTENT["a.gz"] * 2
    server.lengths["/a.gz"] = 10**12
    server.endless.add("/a.gz")
    script.TIMEOUT = 5
    assert "more than 200000 bytes" in refused(capsys, script, "tiny", "--to", tmp_path, "--from", server.url)


@pytest.mark.parametrize(
    "content, length, says",
    [
        (b"X" + CONTENT["a.gz"][1:], None, "wrong checksum"),
        (CONTENT["a.gz"][:1000], 200_000, "1000 bytes, expected 200000"),
        (CONTENT["a.gz"][:1000], None, "1000 bytes, expected 200000"),
        (CONTENT["a.gz"] * 3, None, "more than 200000 bytes"),
        (None, None, "404"),
        (b"", 200_000, "timed out"),
    ],
    ids=["checksum", "cut", "short", "long", "absent", "silent"],
)
def test_a_bad_answer_leaves_nothing(script, server, tmp_path, capsys, content, length, says):
    script.TIMEOUT = 20 if content != b"" else 0.3
    server.files["a.gz"] = content
    if length:
        server.lengths["/a.gz"] = length
    line = refused(capsys, script, "tiny", "--to", tmp_path, "--from", server.url + "/")
    assert line.startswith("a.gz: not fetched") and says in line and "--from" in line
    assert list((tmp_path / "tiny").iterdir()) == []


def test_a_mirror_that_only_drips_is_given_up(script, server, tmp_path, capsys):
    script.DEADLINE = -1
    assert "not complete after" in refused(capsys, script, "tiny", "--to", tmp_path, "--from", server.url)
    assert list((tmp_path / "tiny").iterdir()) == []


def test_other_content_under_the_name_is_kept_unless_forced(script, server, tmp_path, capsys):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny/b.gz").write_bytes(b"mine")
    line = refused(capsys, script, "tiny", "--to", tmp_path, "--from", server.url)
    assert "b.gz" in line and "--force" in line and (tmp_path / "tiny/b.gz").read_bytes() == b"mine"
    assert script.main(["tiny", "--to", str(tmp_path), "--from", server.url, "--force"]) == 0
    assert (tmp_path / "tiny/b.gz").read_bytes() == CONTENT["b.gz"]


def test_the_folder_is_the_loaders(script, server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TF1REF_DATA", raising=False)
    assert script.main(["tiny", "--from", server.url]) == 0
    assert (tmp_path / "cache/tf1ref/tiny/a.gz").exists()
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("TF1REF_DATA", str(tmp_path / "data"))
    assert script.main(["tiny", "--from", server.url]) == 0
    assert (tmp_path / "data/tiny/a.gz").exists()
    (tmp_path / "file").write_text("")
    line = refused(capsys, script, "tiny", "--to", tmp_path / "file", "--from", server.url)
    assert "Not a directory" in line and str(tmp_path / "file") in line


def test_ctrl_c_ends_with_130_and_leaves_no_half_file(script, server, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(script.urllib.request, "urlopen", interrupt)
    assert script.main(["tiny", "--to", str(tmp_path)]) == 130
    assert list((tmp_path / "tiny").iterdir()) == []


def run(*arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "no_proxy": "127.0.0.1"},
    )


def test_as_a_command_it_lists_refuses_and_survives_no_network(tmp_path):
    done = run()
    assert done.returncode == 0 and done.stdout.startswith("mnist: ") and done.stderr == ""
    done = run("mnits")
    assert done.returncode == 2 and "nearest: mnist" in done.stderr and done.stderr.count("\n") == 1
    for url in ("http://127.0.0.1:1", "nonsense", "http://"):
        done = run("mnist", "--to", tmp_path, "--from", url)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("train-images-idx3-ubyte.gz: not fetched (") and done.stdout == ""


def test_the_real_files_have_the_checksums_and_come_through(server, tmp_path):
    source = Path(os.environ.get("TF1REF_DATA") or "none", "mnist")
    if not (source / "train-images-idx3-ubyte.gz").exists():
        pytest.skip("no $TF1REF_DATA/mnist in .gz")
    server.files = {path.name: path.read_bytes() for path in source.iterdir()}
    done = run("mnist", "--to", tmp_path, "--from", server.url)
    assert done.returncode == 0 and "4 files fetched" in done.stdout, done.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "mnist").iterdir()} == server.files
