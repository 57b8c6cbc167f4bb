"""Files of other programs that are often taken for TensorFlow models: what they are, and what opens them."""

import re
import zipfile

LFS = b"version https://git-lfs.github.com/spec/"
HTML = re.compile(rb"\s*(<!doctype html|<html|<head)", re.I)
KERAS = {"config.json", "metadata.json"}


def named(path: str, start: bytes) -> str:
    """Returns what the file `path` is and what opens it, or "" when it is unknown. start: its first bytes.

    >>> named("model.tflite", b"    TFL3")
    'a TensorFlow Lite model: tf.lite.Interpreter runs it; give the model that it was made of'
    """
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return "HDF5, a Keras model or its weights: load it with keras.models.load_model or h5py, and save a SavedModel"
    if start[4:8] == b"TFL3":
        return "a TensorFlow Lite model: tf.lite.Interpreter runs it; give the model that it was made of"
    if start.startswith(LFS):
        return "a pointer of Git LFS, the file itself is not here: fetch it with `git lfs pull`"
    if HTML.match(start):
        return "a web page, such as an error that was saved for the file: download it again"
    if start.startswith(b"PK\x03\x04"):
        return _zipped(path)
    if re.match(rb"\x80[\x02-\x05][^\x00]", start):
        return "a pickle, such as PyTorch's or joblib's: it is opened by who wrote it, and runs what it says"
    return ""


def _zipped(path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return ""
    if set(names) >= KERAS:
        return "a Keras 3 model: load it with keras.models.load_model, and save a SavedModel with model.export"
    if any(name.endswith("/data.pkl") or name == "data.pkl" for name in names):
        return "a PyTorch model: torch.load opens it, and runs what it says; export its weights as .npz"
    if names and not any(name.endswith(".npy") for name in names):
        return "a zip archive: unpack it, and name what is in it"
    return ""
