"""contrib.checkpoint: what of an object goes into a checkpoint, and which checkpoints are kept."""

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.compat.names import advice, resolver
from tf1ref.legacy.contrib import checkpoint


class Model(checkpoint.Checkpointable):
    def __init__(self):
        self.layers = checkpoint.List([v1.Variable(1.0)])
        self.layers.append(v1.Variable(2.0))
        self.named = checkpoint.Mapping(bias=v1.Variable(3.0))
        self.notes = checkpoint.NoDependency([v1.Variable(4.0)])


def names(path):
    return sorted(name.partition("/.ATTR")[0] for name, _ in tf.train.list_variables(path) if "VARIABLE_VALUE" in name)


def test_lists_and_mappings_are_saved_and_what_has_no_dependency_is_not(tmp_path):
    with v1.Graph().as_default(), v1.Session() as sess:
        model = Model()
        assert type(model.notes) is list
        sess.run(v1.global_variables_initializer())
        path = v1.train.Checkpoint(model=model).save(str(tmp_path / "c"), session=sess)
        assert names(path) == ["model/layers/0", "model/layers/1", "model/named/bias", "save_counter"]
    with v1.Graph().as_default(), v1.Session() as sess:
        model = Model()
        v1.train.Checkpoint(model=model).restore(path).initialize_or_restore(sess)
        assert sess.run([*model.layers, model.named["bias"]]) == [1.0, 2.0, 3.0]


def test_the_manager_keeps_the_newest(tmp_path):
    with v1.Graph().as_default(), v1.Session() as sess:
        model = Model()
        manager = checkpoint.CheckpointManager(v1.train.Checkpoint(model=model), str(tmp_path), max_to_keep=2)
        sess.run(v1.global_variables_initializer())
        kept = [manager.save() for _ in range(3)][1:]
    assert manager.checkpoints == kept == [str(tmp_path / f"ckpt-{n}") for n in (2, 3)]


def test_names_that_few_programs_use_have_advice():
    for name in ("NumpyState", "split_dependency"):
        assert resolver.resolve(f"contrib.checkpoint.{name}") is None and advice.missing(f"contrib.checkpoint.{name}")
