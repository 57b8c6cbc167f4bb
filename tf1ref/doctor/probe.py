"""What TensorFlow and its company say of themselves: python probe.py OUT.json, a process of the doctor's own."""

import importlib
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main(out):
    """Writes what was found to the file `out`, a list of the rows of Finding."""
    rows = [_numpy(), *_tensorflow(), *map(_optional, ("keras", "tf_keras", "tensorboard"))]
    with open(out, "w", encoding="utf-8") as file:
        json.dump(rows, file)


def _numpy():
    import numpy

    return ["software", "NumPy", numpy.__version__]


def _tensorflow():
    import tensorflow as tf

    version = tf.__version__
    old = tuple(map(int, version.split(".")[:2])) < (2, 16)
    yield ["software", "TensorFlow", version, "tf1ref needs 2.16 or newer" if old else None]
    with tf.compat.v1.Graph().as_default(), tf.compat.v1.Session() as session:
        right = float(session.run(tf.compat.v1.matmul([[1.0, 2.0]], [[3.0], [4.0]]))[0, 0]) == 11.0
    yield [
        "software",
        "a session",
        "computes" if right else "computes wrongly",
        None if right else "no result is right",
    ]
    yield ["software", "oneDNN", _onednn()]
    built = tf.sysconfig.get_build_info()
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    cuda = "built with CUDA" if built.get("is_cuda_build") else "built without CUDA"
    yield ["software", "GPUs", f"{', '.join(names) or 'none'} ({cuda})"]


def _onednn():
    from tensorflow.python.util import _pywrap_util_port

    on = _pywrap_util_port.IsMklEnabled()
    return "on: convolution gradients differ in the last bits from those without it" if on else "off"


def _optional(name):
    try:
        return ["software", name, importlib.import_module(name).__version__]
    except ImportError:
        return ["software", name, "not installed"]
    except Exception as error:  # An installation that is broken is what is looked for.
        return ["software", name, f"{type(error).__name__}: {error}"[:300], f"what needs {name} will not work"]


if __name__ == "__main__":
    main(sys.argv[1])
