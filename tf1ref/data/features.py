"""Feature vectors of pictures, kept between runs; and which pictures train, validate and test.

Both depend on the files alone, not on when or in which order they are read. A vector is kept under the hash of its
picture and of the program that made it. The hash of a picture's name decides which list the picture is in.
"""

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np

from tf1ref import files
from tf1ref.data import folders

LISTS = ("training", "validation", "testing")
BUCKETS = 2**27  # TF's retrain.py counted names up to this number. Any multiple of 100 would do.


def cached(folder, maker, paths, compute, counted=iter):
    """Returns the vectors of picture files as one float32 (n, size), from `folder` where they are known.

    maker: bytes that change whenever the vectors would. compute(path, data): returns the vector of one picture; all
    have one size. It is called only for pictures whose vector is not in `folder` yet. counted: wraps the iteration over
    those pictures, for example with a progress bar. What was computed is kept also when a later picture fails. Raises
    InputError for a file that cannot be read.
    """
    kept = Path(folder) / f"bottlenecks-{hashlib.sha256(maker).hexdigest()[:16]}.npz"
    known = _known(kept)
    hashes = [hashlib.sha256(_data(path)).hexdigest() for path in paths]
    missing = {key: path for key, path in zip(hashes, paths) if key not in known}
    try:
        for key in counted(list(missing)):
            known[key] = np.asarray(compute(missing[key], _data(missing[key])), np.float32).ravel()
    finally:
        if missing and known:
            _keep(kept, known)
    return np.stack([known[key] for key in hashes])


def lists(paths, validation, testing):
    """Returns {"training", "validation", "testing": indices into `paths`}; `validation` and `testing` are percentages.

    The SHA-1 of a file's name decides. Only the part before `_nohash_` counts, so that variants of one picture stay
    together. A picture stays in its list when others come or go, and when the folder moves. TF's retrain.py hashed the
    path, which changes with the folder.
    """
    found = {name: [] for name in LISTS}
    for i, path in enumerate(paths):
        name = Path(path).name.partition("_nohash_")[0]
        percent = int(hashlib.sha1(name.encode()).hexdigest(), 16) % BUCKETS * 100 / BUCKETS
        chosen = "validation" if percent < validation else "testing" if percent < validation + testing else "training"
        found[chosen].append(i)
    return {name: np.array(indices, int) for name, indices in found.items()}


def _known(path):
    """Returns {hash: vector} of a kept file. A file that is missing or damaged gives {}, and is made anew."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            return dict(zip(kept["hashes"].tolist(), kept["vectors"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}


def _keep(path, known):
    content = io.BytesIO()
    np.savez(content, hashes=np.array(list(known)), vectors=np.stack(list(known.values())))
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, content.getvalue())


def _data(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise folders.unreadable(path, error) from error
