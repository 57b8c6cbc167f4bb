#!/usr/bin/env python3
"""Fetches data sets from their home into $TF1REF_DATA, else the user's cache folder: `fetch_data.py mnist`.

Files that are there with the right checksum are not fetched again, so an interrupted run is simply repeated.
Without a name it lists what it can fetch. Exit codes: 0 done, 2 not fetched, 130 interrupted.
"""

import argparse
import hashlib
import http.client
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import rich.console
import rich.progress

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout need not be installed

from tf1ref.data import folders
from tf1ref.errors import InputError, nearest

TIMEOUT = 20  # seconds without a byte,
DEADLINE = 900  # seconds for one file: a mirror that only drips is given up too

# Data set -> what it is, its mirrors, and file -> (bytes, SHA-256).
SETS = {
    "mnist": (
        "handwritten digits, 60,000 and 10,000 pictures, 11 MB (LeCun and Cortes; commonly CC BY-SA 3.0)",
        ("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"),
        {
            "train-images-idx3-ubyte.gz": (9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            "train-labels-idx1-ubyte.gz": (28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            "t10k-images-idx3-ubyte.gz": (1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            "t10k-labels-idx1-ubyte.gz": (4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        },
    ),
}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("name", nargs="?", help="the data set; without it, the list of them")
    parser.add_argument("--to", metavar="DIR", help="the folder to put the data set's folder into")
    parser.add_argument("--from", metavar="URL", dest="url", help="a mirror of your own")
    parser.add_argument("--force", action="store_true", help="replace files that have another checksum")
    options = parser.parse_args(argv)
    try:
        if not options.name:
            print("\n".join(f"{name}: {SETS[name][0]}" for name in SETS))
        elif options.name not in SETS:
            raise InputError(
                f"{options.name}: no data set known here{nearest(options.name, SETS)}: choose one of {', '.join(SETS)}"
            )
        else:
            fetch(options.name, options.to or folders.root() or folders.cache(), options.url, options.force)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: run it again to go on; what is complete is kept", file=sys.stderr)
        return 130
    return 0


def fetch(name, root, url=None, force=False):
    """Puts the files of data set `name` into `root`/`name`; InputError for what cannot be had or written."""
    _, mirrors, files = SETS[name]
    mirrors = [url.rstrip("/") + "/"] if url else mirrors
    folder = Path(root) / name
    wanted = [file for file in files if not _there(folder / file, files[file][1], force)]
    console = rich.console.Console(stderr=True)
    with rich.progress.Progress(
        *rich.progress.Progress.get_default_columns(),
        rich.progress.DownloadColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        for file in wanted:
            task = progress.add_task(file, total=files[file][0])
            _fetch_file(
                mirrors, folder / file, *files[file], lambda done, task=task: progress.update(task, completed=done)
            )
    print(f"{name}: {len(wanted)} files fetched, {len(files) - len(wanted)} were there, all in {folder}")


def _there(path, checksum, force):
    """Whether the right file is at `path`; InputError for another one, unless `force`."""
    try:
        if hashlib.sha256(path.read_bytes()).hexdigest() == checksum:
            return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise folders.unreadable(path, error) from error
    if not force:
        raise InputError(f"{path}: is there with another checksum: move it away, or replace it with --force")
    return False


def _fetch_file(mirrors, path, size, checksum, report):
    """Tries one mirror after another; a file gets its name only when its checksum is right."""
    temporary, reasons = None, []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name + ".", delete=False) as file:
            temporary = file.name
            for mirror in mirrors:
                reason = _download(mirror + path.name, file, size, checksum, report)
                if reason is None:
                    break
                reasons.append(f"{mirror}: {reason}")
        if len(reasons) == len(mirrors):
            raise InputError(
                f"{path.name}: not fetched ({'; '.join(reasons)}): check the network, or name a mirror with --from"
            )
        os.chmod(temporary, 0o644)  # it was made 0600, which shuts out other users of a data folder
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}): choose one with --to") from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def _download(url, file, size, checksum, report):
    """Fills `file` from `url`; returns why it is not the right content, or None when it is."""
    file.seek(0)
    file.truncate()
    digest, end = hashlib.sha256(), time.monotonic() + DEADLINE
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            while file.tell() <= size and (block := answer.read1(1 << 16)):
                file.write(block)
                digest.update(block)
                report(file.tell())
                if time.monotonic() > end:
                    return f"not complete after {DEADLINE} s"
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.reason if type(error) is urllib.error.URLError else error
        return str(reason) or type(error).__name__
    if file.tell() != size:
        return f"{'more than ' * (file.tell() > size)}{min(file.tell(), size)} bytes, expected {size}"
    return None if digest.hexdigest() == checksum else "wrong checksum"


if __name__ == "__main__":
    sys.exit(main())
