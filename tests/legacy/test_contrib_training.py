"""contrib.training and slim's loops: hyperparameters as text, gradients, batches by length, evaluations, ends."""

import json

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import slim, training


@pytest.fixture(autouse=True)
def graph():
    with v1.Graph().as_default():
        yield


def test_hyperparameters_as_text():
    given = training.HParams(units=[1, 2], names=["a"], rate=0.5, on=True, word="x")
    assert str(given) == "units=[1, 2],names=['a'],rate=0.5,on=True,word=x"
    assert repr(given).startswith("HParams([('names', ['a']), ('on', True)")
    given.parse("names=[],units[1]=7, rate=2,on=false,word=a=b/c")
    assert given.values() == {"units": [1, 7], "names": [], "rate": 2.0, "on": False, "word": "a=b/c"}
    assert type(given.rate) is float and given.get("rate", 1) == 2.0 and given.get("other", 3) == 3
    assert training.parse_values("a[3]=1,a[1]=2,b=[x y]", {"a": int, "b": str}) == {"a": {3: 1, 1: 2}, "b": ["x", "y"]}
    assert training.parse_values("c=1,a=2", {"a": int}, ignore_unknown=True) == {"a": 2}


@pytest.mark.parametrize(
    "text, what",
    [
        ("units=3", "Must pass a list"), ("rate=[1]", "Must not pass a list"), ("on=maybe", "Could not parse.*on"),
        ("rate=1,rate=2", "Multiple assignments"), ("units[0]=1,units[0]=2", "Multiple assignments"),
        ("units[0]=[1]", "list to a list index"), ("other=1", "Unknown"), ("rate", "Could not parse"),
        ("units=[1.5]", "Could not parse"),
    ],
)  # fmt: skip
def test_text_that_is_refused(text, what):
    with pytest.raises(ValueError, match=what):
        training.HParams(units=[1], rate=0.5, on=True).parse(text)


@pytest.mark.parametrize("value", ["2", 1.5, True, [1]])
def test_a_value_of_another_type_is_refused(value):
    with pytest.raises(ValueError):
        training.HParams(steps=1).set_hparam("steps", value)
    with pytest.raises(ValueError):
        training.HParams(steps=1).get("steps", value)


def test_multipliers_by_variable_and_by_name():
    u, w, x = (v1.get_variable(name, initializer=1.0) for name in "uwx")
    op = slim.learning.create_train_op(
        u + w + x, v1.train.GradientDescentOptimizer(1.0), gradient_multipliers={u: 10.0, "w": 2.0}
    )
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        session.run(op)
        assert session.run([u, w, x]) == [-9.0, -1.0, 0.0]
    for pairs, factors, what in (((), {"a": 1}, "must be a list"), ([], {}, "is empty"), ([(None, u)], {u: 2}, "None")):
        with pytest.raises(ValueError, match=what):
            training.multiply_gradients(pairs, factors)


def test_the_model_at_the_end_of_the_input_is_saved_with_its_traces(tmp_path):
    x = v1.train.limit_epochs(v1.constant(1.0), num_epochs=5)
    w = v1.get_variable("w", initializer=0.0)
    op = slim.learning.create_train_op(v1.square(w - x), v1.train.GradientDescentOptimizer(0.25))
    # Without the services' threads, which would have eager execution here; under `exec` there is none.
    services = {"save_summaries_secs": 0, "save_interval_secs": 0}
    saver = v1.train.Saver()
    slim.learning.train(op, str(tmp_path), log_every_n_steps=0, trace_every_n_steps=2, **services)
    saved = v1.train.load_checkpoint(str(tmp_path))
    assert saved.get_tensor("w") == 1 - 0.5**5 and saved.get_tensor("global_step") == 5
    traces = sorted(path.name for path in tmp_path.glob("tf_trace-*"))
    assert traces == ["tf_trace-0.json", "tf_trace-2.json", "tf_trace-4.json"]
    assert json.loads((tmp_path / traces[0]).read_text())["traceEvents"]
    for options in ({"trace_every_n_steps": 1}, {"saver": saver}, {"summary_op": w}):
        with pytest.raises(ValueError, match="because logdir=None"):
            slim.learning.train(op, None, **options)


def saved_model(folder):
    v1.get_variable("v", initializer=0.0)
    v1.train.get_or_create_global_step()
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        v1.train.Saver(v1.global_variables()).save(session, str(folder / "m"), global_step=0)
    return v1.global_variables()


def test_an_evaluation_ends_with_the_input_and_waits_as_long_as_asked(tmp_path):
    restored = saved_model(tmp_path)
    mean, update = v1.metrics.mean(v1.train.limit_epochs(v1.constant([1.0, 3.0]), num_epochs=2))
    v1.summary.scalar("share", mean)
    asked = []
    found = slim.evaluation.evaluation_loop(
        "", str(tmp_path), str(tmp_path / "events"), num_evals=5, eval_op=update, final_op=mean, eval_interval_secs=0,
        variables_to_restore=restored, timeout=0.1, timeout_fn=lambda: asked.append(1) or len(asked) == 2,
    )  # fmt: skip
    assert found == 2.0 and len(asked) == 2
    (events,) = (tmp_path / "events").iterdir()
    tags = {v.tag: v.simple_value for e in v1.train.summary_iterator(str(events)) for v in e.summary.value}
    assert tags == {"share": 2.0}
    assert training.wait_for_new_checkpoint(str(tmp_path), str(tmp_path / "m-0"), 0.01, timeout=0.05) is None


def test_batches_of_like_lengths():
    """Each batch comes from one bucket, padded to its longest, and no example is lost."""
    lengths = [3, 9, 4, 2, 8, 11, 1, 7, 5, 3, 6, 12]
    source = v1.data.Dataset.from_tensor_slices(lengths)
    length = v1.data.make_one_shot_iterator(source).get_next()
    series = v1.fill([length], length)
    found, batch = training.bucket_by_sequence_length(
        length, {"series": series}, 2, [5, 9], dynamic_pad=True, allow_smaller_final_batch=True, num_threads=1
    )
    seen = []
    with v1.train.MonitoredSession() as session:
        while not session.should_stop():
            try:
                here, rows = session.run([found, batch["series"]])
            except v1.errors.OutOfRangeError:
                break
            assert len({np.searchsorted([5, 9], n, side="right") for n in here}) == 1
            assert rows.shape == (len(here), max(here))
            assert [list(row[row > 0]) for row in rows] == [[n] * n for n in here]
            seen += list(here)
    assert sorted(seen) == sorted(lengths)


@pytest.mark.parametrize(
    "boundaries, error", [([3, 3], ValueError), ([], ValueError), ([1.5], TypeError), (4, TypeError)]
)
def test_boundaries_that_are_refused(boundaries, error):
    with pytest.raises(error):
        training.bucket_by_sequence_length(v1.constant(1), [v1.constant([1])], 2, boundaries)
    with pytest.raises(ValueError, match="num_buckets"):
        training.bucket([v1.constant(1)], v1.constant(0), [2], 2)


def test_training_loop_of_hooks(tmp_path):
    w = v1.get_variable("w", initializer=0.0)
    op = training.create_train_op(
        v1.square(w - 1.0), v1.train.GradientDescentOptimizer(0.25),
        transform_grads_fn=training.clip_gradient_norms_fn(1.0),
    )  # fmt: skip
    hooks = [v1.train.StopAtStepHook(num_steps=3)]
    loss = training.train(op, str(tmp_path), hooks=hooks)
    assert loss == pytest.approx((1 - 0.5) ** 2)  # two steps of 1/4 each, the gradient being clipped to 1
    with pytest.raises(ValueError, match="logdir"):
        training.train(op, None)
