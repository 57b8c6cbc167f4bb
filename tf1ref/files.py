"""Output files: written beside their target and renamed, so that a target is the old file or the new one."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from tf1ref.errors import InputError


def target(path: str | os.PathLike, force: bool = False) -> Path:
    """Returns `path` as a Path that can be written.

    Raises InputError when it exists (without `force`), is a folder, has a name that is too long, or when its folder is
    missing or read-only.
    """
    path = Path(path)
    if os.path.isdir(path):
        raise InputError(f"{path}: is a folder: name a file in it")
    if not os.path.isdir(path.parent):
        raise InputError(f"{path}: there is no folder {path.parent}: make it first")
    if exists(path) and not force:
        raise InputError(f"{path}: exists already: choose another name or overwrite it with --force")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path}: the folder {path.parent} cannot be written to: choose another")
    exists(_beside(path))  # a name may be too long for this one only
    return path


def _beside(path: Path) -> Path:
    """Returns where the content of `path` is written first."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def exists(path: str | os.PathLike) -> bool:
    """Returns whether there is a file or folder `path`. Raises InputError for a name that none can have."""
    try:
        return Path(path).exists()
    except (OSError, ValueError) as e:
        raise InputError(f"{path}: cannot be written: {getattr(e, 'strerror', None) or e}") from e


def write(path: str | os.PathLike, data: bytes) -> None:
    """Writes bytes to `path`. When writing fails, the file is as it was before, and InputError is raised."""
    with replacing(Path(path), data):
        pass


@contextlib.contextmanager
def replacing(path: Path, data: bytes | Iterable[bytes] | Callable[[BinaryIO], None]) -> Iterator[Path]:
    """Writes bytes, or an iterable of them, beside `path` and yields that file; renames it unless the body raises.

    data may also be a function that writes to the open file. When anything is raised, the file beside is removed and
    `path` is as it was. Raises InputError when writing fails.
    """
    beside = _beside(path)
    try:
        try:
            with open(beside, "wb") as f:
                if callable(data):
                    data(f)
                else:
                    f.writelines([data] if isinstance(data, (bytes, bytearray)) else data)
                f.flush()
                os.fsync(f.fileno())  # a rename on disk before its bytes would leave half a file
        except OSError as e:
            raise InputError(f"{path}: cannot be written: {e.strerror or e}") from e
        yield beside
        try:
            os.replace(beside, path)
        except OSError as e:
            raise InputError(f"{path}: cannot be written: {e.strerror or e}") from e
    finally:
        if os.path.lexists(beside):  # False for a name that is too long, which unlink would complain of
            beside.unlink(missing_ok=True)
