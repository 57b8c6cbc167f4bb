"""The python batches of CIFAR-10, read by an unpickler that makes arrays and plain types and calls nothing else."""

import pickle

import numpy as np

from tf1ref.data import folders
from tf1ref.errors import InputError

RECONSTRUCT = np.empty(0).__reduce__()[0]  # what pickles of arrays call, by whatever path numpy has it
FROM_BUFFER = np.empty(1).__reduce_ex__(5)[0]
ADVICE = "use the batches of the CIFAR-10 home page"


def read(path, pixels):
    """Returns (data, labels) of a pickled batch: uint8 (n, `pixels`) and integers (n,), n above 0.

    Raises InputError when the file cannot be read, and when it names anything but arrays and plain types, which is then
    not called. Raises it also when the file does not hold a dict with `data` of that shape and as many whole numbers in
    `labels`.
    """
    batch = _unpickled(path)
    if not isinstance(batch, dict):
        raise InputError(f"{path}: holds {type(batch).__name__}, expected a dict of data and labels: {ADVICE}")
    data, labels = (batch.get(key.encode(), batch.get(key)) for key in ("data", "labels"))
    if not (isinstance(data, np.ndarray) and data.dtype == np.uint8 and data.shape[1:] == (pixels,) and len(data)):
        raise InputError(f"{path}: data is no array of uint8 (n, {pixels}): {ADVICE}")
    if not isinstance(labels, (list, np.ndarray)) or len(labels) != len(data):
        raise InputError(f"{path}: labels is no list of {len(data)} labels: {ADVICE}")
    for record, label in enumerate(labels):
        if not isinstance(label, (int, np.integer)):
            raise InputError(f"{path}: record {record}: label is {type(label).__name__}, expected int: {ADVICE}")
    return data, np.array(labels, dtype=object)  # object: a number may be too large for any other type


def _unpickled(path):
    try:
        with open(path, "rb") as file:
            return _Unpickler(file, encoding="bytes").load()
    except InputError as refused:
        raise InputError(f"{path}: {refused}") from refused
    except OSError as error:
        raise folders.unreadable(path, error) from error
    except Exception as error:  # a damaged pickle raises nearly anything, says the pickle module
        raise InputError(f"{path}: no pickle, or damaged ({type(error).__name__}: {error}): {ADVICE}") from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        module = module.replace("numpy._core.", "numpy.core.")  # numpy 2 moved it
        if (module, name) not in _ALLOWED:
            raise InputError(
                f"refused: the pickle calls {module}.{name}; only arrays and plain types are read: {ADVICE}"
            )
        return _ALLOWED[module, name]

    def persistent_load(self, pid):
        raise InputError(f"refused: the pickle refers to something outside ({pid!r}): {ADVICE}")


def _latin1(text, encoding):
    """_codecs.encode as pickles of bytes call it; other codecs could unpack a bomb."""
    if encoding not in ("latin1", b"latin1"):
        raise InputError(f"refused: the pickle encodes by {encoding!r}: {ADVICE}")
    return text.encode("latin1")


_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy.core.numeric", "_frombuffer"): FROM_BUFFER,
    ("_codecs", "encode"): _latin1,
}
