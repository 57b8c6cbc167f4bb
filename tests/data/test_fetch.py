"""tf1ref data fetch against a server on 127.0.0.1 that answers well, wrongly, half or not at all."""

import hashlib
import http.server
import io
import os
import tarfile
import threading
from pathlib import Path

import pytest

from tf1ref import cli
from tf1ref.data import fetch, folders

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


def digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def script(monkeypatch, server):
    """The module, which knows one small data set, its first mirror without any file; `main` is the command."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    files = {name: fetch.File(len(data), digest(data)) for name, data in CONTENT.items()}
    mirrors = (f"{server.url}/absent?", f"{server.url}/good/")
    monkeypatch.setattr(fetch, "SETS", {"tiny": fetch.DataSet("a small set", mirrors, files)})
    monkeypatch.setattr(fetch, "TIMEOUT", fetch.TIMEOUT)
    monkeypatch.setattr(fetch, "DEADLINE", fetch.DEADLINE)
    return fetch


def main(*arguments):
    return cli.main(["data", "fetch", *map(str, arguments)])


def refused(capsys, *arguments):
    """Runs the command, which must end with 2 and one line on standard error; returns what it says."""
    assert main(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("tf1ref: ")


def test_files_come_whole_once_and_from_the_mirror_that_works(script, server, tmp_path, capsys):
    assert main("tiny", "--to", str(tmp_path)) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "tiny").iterdir()} == CONTENT
    assert (tmp_path / "tiny/a.gz").stat().st_mode & 0o777 == 0o644
    assert capsys.readouterr().out == f"tiny: 2 files fetched, 0 were there, all in {tmp_path / 'tiny'}\n"
    assert any(path.startswith("/absent") for path in server.asked) and "/good/a.gz" in server.asked
    (tmp_path / "tiny/b.gz").unlink()
    server.asked.clear()
    assert main("tiny", "--to", str(tmp_path), "--from", server.url) == 0
    assert server.asked == ["/b.gz"] and "1 files fetched, 1 were there" in capsys.readouterr().out


def test_a_bad_mirror_leaves_no_trace_in_the_file_of_the_next(script, server, tmp_path):
    server.files["absent?a.gz"] = b"longer" * 50_000
    assert main("tiny", "--to", str(tmp_path)) == 0
    assert (tmp_path / "tiny/a.gz").read_bytes() == CONTENT["a.gz"]


def test_more_than_the_file_is_not_waited_for(script, server, tmp_path, capsys):
    server.files["a.gz"] = CONTENT["a.gz"] * 2
    server.lengths["/a.gz"] = 10**12
    server.endless.add("/a.gz")
    script.TIMEOUT = 5
    assert "more than 200000 bytes" in refused(capsys, "tiny", "--to", tmp_path, "--from", server.url)


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
    line = refused(capsys, "tiny", "--to", tmp_path, "--from", server.url + "/")
    assert line.startswith("a.gz: not fetched") and says in line and "--from" in line
    assert list((tmp_path / "tiny").iterdir()) == []


def test_a_mirror_that_only_drips_is_given_up(script, server, tmp_path, capsys):
    script.DEADLINE = -1
    assert "not complete after" in refused(capsys, "tiny", "--to", tmp_path, "--from", server.url)
    assert list((tmp_path / "tiny").iterdir()) == []


def test_other_content_under_the_name_is_kept_unless_forced(script, server, tmp_path, capsys):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny/b.gz").write_bytes(b"mine")
    line = refused(capsys, "tiny", "--to", tmp_path, "--from", server.url)
    assert "b.gz" in line and "--force" in line and (tmp_path / "tiny/b.gz").read_bytes() == b"mine"
    assert main("tiny", "--to", str(tmp_path), "--from", server.url, "--force") == 0
    assert (tmp_path / "tiny/b.gz").read_bytes() == CONTENT["b.gz"]


def test_the_folder_is_the_loaders(script, server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TF1REF_DATA", raising=False)
    assert main("tiny", "--from", server.url) == 0
    assert (tmp_path / "cache/tf1ref/tiny/a.gz").exists()
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("TF1REF_DATA", str(tmp_path / "data"))
    assert main("tiny", "--from", server.url) == 0
    assert (tmp_path / "data/tiny/a.gz").exists()
    (tmp_path / "file").write_text("")
    line = refused(capsys, "tiny", "--to", tmp_path / "file", "--from", server.url)
    assert "Not a directory" in line and str(tmp_path / "file") in line


def test_ctrl_c_ends_with_130_and_leaves_no_half_file(script, server, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch.urllib.request, "urlopen", interrupt)
    assert main("tiny", "--to", str(tmp_path)) == 130
    assert list((tmp_path / "tiny").iterdir()) == []


def test_it_lists_and_refuses_and_survives_no_network(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert main() == 0
    out, err = capsys.readouterr()
    assert err == "" and all(name in out for name in fetch.SETS)
    assert "nearest: mnist" in refused(capsys, "mnits")
    for url in ("http://127.0.0.1:1", "nonsense", "http://"):
        line = refused(capsys, "mnist", "--to", tmp_path, "--from", url)
        assert line.startswith("train-images-idx3-ubyte.gz: not fetched (")


def test_every_set_is_one_that_a_loader_reads():
    """The names of the files are those that folders.FILES looks for."""
    for name, one in fetch.SETS.items():
        made = [part for file, about in one.files.items() for part in about.parts or (file,)]
        shown = [
            pattern for pattern in folders.FILES[name] if any(Path(m.replace("?", "1")).match(pattern) for m in made)
        ]
        assert shown, name
        assert all(about.digest.partition(":")[0] in hashlib.algorithms_guaranteed for about in one.files.values())


def archive(files):
    """A .tar.gz with these files, {name: content}, and a link that leads outside."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("top/data_9.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return content.getvalue()


def test_an_archive_is_unpacked_once_and_nowhere_else(script, server, tmp_path, capsys):
    packed = archive(
        {
            "top/data_1.bin": b"one",
            "top/flowers/a.jpg": b"two",
            "top/other.txt": b"not asked for",
            "top/../../data_2.bin": b"outside",
            "/data_3.bin": b"at the root",
        }
    )
    server.files["x.tgz"] = packed
    files = {"x.tgz": fetch.File(len(packed), digest(packed), ("data_?.bin", "*/*.jpg"))}
    script.SETS["packed"] = fetch.DataSet("an archive", (server.url + "/",), files)
    assert main("packed", "--to", tmp_path / "to") == 0
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert there == {
        "to/packed/data_1.bin", "to/packed/data_3.bin", "to/packed/flowers/a.jpg", "to/packed/.x.tgz.unpacked"
    }  # fmt: skip
    server.asked.clear()
    assert main("packed", "--to", tmp_path / "to") == 0
    assert server.asked == [] and "0 files fetched, 1 were there" in capsys.readouterr().out


def test_a_file_of_unknown_size_is_checked_and_bounded(script, server, tmp_path, capsys, monkeypatch):
    files = {"b.gz": fetch.File(None, f"md5:{hashlib.md5(CONTENT['b.gz']).hexdigest()}")}
    script.SETS["open"] = fetch.DataSet("a set", (server.url + "/",), files)
    assert main("open", "--to", tmp_path) == 0
    assert (tmp_path / "open/b.gz").read_bytes() == CONTENT["b.gz"]
    server.files["b.gz"] = b"longer" * 1000
    monkeypatch.setattr(script, "UNKNOWN_SIZE", 100)
    server.lengths["/b.gz"] = 10**12
    server.endless.add("/b.gz")
    assert "wrong checksum" in refused(capsys, "open", "--to", tmp_path / "again")


def test_the_real_files_have_the_checksums_and_come_through(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    source = Path(os.environ.get("TF1REF_DATA") or "none", "mnist")
    if not (source / "train-images-idx3-ubyte.gz").exists():
        pytest.skip("no $TF1REF_DATA/mnist in .gz")
    server.files = {path.name: path.read_bytes() for path in source.iterdir()}
    assert main("mnist", "--to", tmp_path, "--from", server.url) == 0
    assert "4 files fetched" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in (tmp_path / "mnist").iterdir()} == server.files
