"""tf.estimator.experimental: hooks that end a training, or evaluate inside of it."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy import estimator
from tf1ref.legacy.estimator import experimental


def counting(features, labels, mode):
    """A model whose variable w is two more than the step; its evaluation's loss is w."""
    step, w = v1.train.get_global_step(), v1.get_variable("w", [], v1.float32, v1.zeros_initializer())
    with v1.control_dependencies([features]):
        count = v1.assign_add(step, 1)
    with v1.control_dependencies([count]):
        train = w.assign(v1.cast(count, v1.float32) + 2)
    return estimator.EstimatorSpec(mode, loss=v1.identity(w), train_op=train)


def numbers():
    return tf.data.Dataset.range(10)


def values(folder, tag):
    """Returns {step: value} of the events of a folder."""
    v1.summary.FileWriterCache.clear()
    events = (e for path in folder.glob("events.*") for e in v1.train.summary_iterator(str(path)))
    return {e.step: v.simple_value for e in events for v in e.summary.value if v.tag == tag}


def test_an_evaluation_inside_a_training_sees_the_values_of_the_moment(tmp_path):
    made = estimator.Estimator(counting, tmp_path)
    made.train(numbers, hooks=[experimental.InMemoryEvaluatorHook(made, numbers, steps=1, every_n_iter=4)])
    assert values(tmp_path / "eval", "loss") == {0: 0, 4: 6, 8: 10, 10: 12}
    with pytest.raises(ValueError, match="every_n_iter"):
        experimental.InMemoryEvaluatorHook(made, numbers, every_n_iter=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "steps"),
    [
        (lambda made, **when: experimental.stop_if_lower_hook(made, "loss", 0.5, **when), 1),
        (lambda made, **when: experimental.stop_if_lower_hook(made, "loss", 0.5, min_steps=4000, **when), 6),
        (lambda made, **when: experimental.stop_if_higher_hook(made, "accuracy", 0.8, **when), 6),
        (lambda made, **when: experimental.stop_if_no_decrease_hook(made, "loss", 500, **when), 1),
        (lambda made, **when: experimental.stop_if_no_decrease_hook(made, "loss", 501, **when), 6),
        (lambda made, **when: experimental.stop_if_no_increase_hook(made, "accuracy", 500, **when), 1),
    ],
)
def test_a_training_ends_by_its_evaluations(make, steps, tmp_path):
    with v1.Graph().as_default():
        writer = v1.summary.FileWriter(str(tmp_path / "eval"))
        for step, loss, accuracy in ((1000, 0.8, 0.5), (2000, 0.7, 0.6), (3000, 0.4, 0.7), (3500, 0.41, 0.68)):
            pairs = [v1.Summary.Value(tag=t, simple_value=x) for t, x in (("loss", loss), ("accuracy", accuracy))]
            writer.add_summary(v1.Summary(value=pairs), step)
        writer.close()
    made = estimator.Estimator(counting, tmp_path)
    hook = make(made, run_every_secs=None, run_every_steps=2)
    made.train(numbers, steps=6, hooks=[hook])
    # The first look is after the first step, and it ends the training there.
    assert made.get_variable_value("global_step") == steps
    # The other workers of a job see it in this variable.
    assert made.get_variable_value("signal_early_stopping/STOP") == np.bool_(steps == 1)


def test_a_hook_of_another_worker_only_looks(tmp_path):
    class Worker(estimator.RunConfig):
        is_chief = property(lambda self: False)

    made = estimator.Estimator(counting, tmp_path, Worker())
    hook = experimental.make_early_stopping_hook(made, lambda: pytest.fail("it asked"))
    with v1.Graph().as_default(), v1.train.SingularMonitoredSession([hook]) as session:
        session.run(v1.get_default_graph().get_tensor_by_name("signal_early_stopping/STOP:0"))
        assert not session.should_stop()
    with pytest.raises(TypeError, match="must have type"):
        experimental.make_early_stopping_hook(1, bool)
    with pytest.raises(ValueError, match="Only one"):
        experimental.make_early_stopping_hook(made, bool, 1, 1)
