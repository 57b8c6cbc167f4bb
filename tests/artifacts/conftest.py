import os
import pathlib

import pytest
import tensorflow.compat.v1 as v1


@pytest.fixture
def saved(tmp_path):
    """Saves what `build` adds to a graph; returns the checkpoint's prefix."""

    def save(build, name="model", saver=None, resource=True, folder=tmp_path, **options):
        with v1.Graph().as_default(), v1.variable_scope("", use_resource=resource):
            build()
            with v1.Session(config=v1.ConfigProto(allow_soft_placement=True)) as sess:
                sess.run(v1.global_variables_initializer())
                return (saver or v1.train.Saver)().save(sess, str(folder / name), **options)

    return save


@pytest.fixture
def answer():
    """Runs a .pb with TensorFlow alone."""

    def run(path, fetches, feed=None):
        graph_def = v1.GraphDef.FromString(pathlib.Path(path).read_bytes())
        with v1.Graph().as_default(), v1.Session() as sess:
            v1.import_graph_def(graph_def, name="")
            return sess.run(fetches, feed or {})

    return run


@pytest.fixture
def real():
    """Returns the folder of a real checkpoint; skips where there is none."""

    def folder(name):
        path = pathlib.Path(os.environ.get("TF1REF_DATA", "")) / "checkpoints" / name
        if not os.environ.get("TF1REF_DATA") or not path.is_dir():
            pytest.skip(f"no {name} in $TF1REF_DATA/checkpoints")
        return path

    return folder
