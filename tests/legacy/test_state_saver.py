"""contrib.training's segments of sequences, and resampling, in numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import training

SEQUENCE = np.arange(5 * 2, dtype="f").reshape(5, 2)


def segments(pad=True, unroll=2, steps=SEQUENCE, **others):
    """Runs two examples through; returns, batch by batch, what comes out."""
    with v1.Graph().as_default(), v1.Session() as session:
        number = v1.get_variable("number", [], v1.int32, v1.zeros_initializer(), use_resource=True)
        key = v1.as_string(number.assign_add(1))
        sparse = v1.sparse.from_dense(steps[:, :1] * 10)
        batch = training.batch_sequences_with_states(
            key, {"steps": steps, "sparse": sparse}, {"of": [7, 8], "marks": v1.sparse.from_dense([0, 3])}, None,
            {"sum": np.zeros(2, "f")}, unroll, 2, num_threads=1, capacity=2, pad=pad, **others,
        )  # fmt: skip
        total = batch.state("sum") + v1.reduce_sum(batch.sequences["steps"], 1)
        saved = batch.save_state("sum", total)
        values = {
            "key": batch.key, "next": batch.next_key, "length": batch.length, "steps": batch.sequences["steps"],
            "sparse": v1.sparse.to_dense(batch.sequences["sparse"]), "of": batch.context["of"],
            "marks": v1.sparse.to_dense(batch.context["marks"]), "before": batch.state("sum"),
            "number": batch.sequence,
        }  # fmt: skip
        session.run(v1.global_variables_initializer())
        coordinator = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(session, coordinator)
        try:
            return [session.run((values, saved))[0] for _ in range(3)]
        finally:
            coordinator.request_stop()
            coordinator.join(threads, stop_grace_period_secs=20)


def test_the_state_goes_from_a_segment_to_the_next():
    padded = np.concatenate([SEQUENCE, np.zeros([1, 2], "f")])
    for place, batch in enumerate(segments()):
        here = padded[2 * place : 2 * place + 2]
        assert (batch["steps"] == here).all() and (batch["sparse"] == here[:, :1] * 10).all()
        assert (batch["before"] == padded[: 2 * place].sum(0)).all() and (batch["number"] == place).all()
        assert (batch["length"] == [2, 2, 1][place]).all() and (batch["of"] == [7, 8]).all()
        assert (batch["marks"] == [0, 3]).all()
        assert sorted(batch["key"]) == [f"0000{place}_of_00003:{example}".encode() for example in (1, 2)]
    assert sorted(batch["next"]) == [b"STOP:1", b"STOP:2"]


def test_a_length_that_does_not_fit_needs_padding():
    with pytest.raises(ValueError, match="capacity 2 needs"):
        training.SequenceQueueingStateSaver(3, 2, 4, "key", {"a": SEQUENCE}, {}, {"b": [0.0]}, capacity=2)
    with v1.Graph().as_default(), v1.Session() as session:
        steps = v1.placeholder_with_default(SEQUENCE, [None, 2])
        saver = training.SequenceQueueingStateSaver(1, 2, 4, "key", {"a": steps}, {}, {"b": [0.0]})
        with pytest.raises(v1.errors.InvalidArgumentError, match="multiple of: 2, but saw value: 5"):
            session.run(saver.prefetch_op)
        with pytest.raises(ValueError, match="colon"):
            training.SequenceQueueingStateSaver(1, 2, 4, "key", {"a:": SEQUENCE}, {}, {"b": [0.0]})


def test_rows_come_as_often_as_their_rates_and_weights_say():
    with v1.Graph().as_default(), v1.Session() as session:
        rows = v1.range(4)
        rates = [0.0, 0.5, 2.0, 3.0]
        (by_rate,) = training.resample_at_rate([v1.tile(rows, [1000])], v1.tile(v1.constant(rates), [1000]), seed=3)
        weights = v1.constant([1.0, 0.0, 2.0, 1.0])
        (by_weight,), left = training.weighted_resample([v1.tile(rows, [1000])], v1.tile(weights, [1000]), 0.5, seed=4)
        session.run([v1.local_variables_initializer(), v1.global_variables_initializer()])
        by_rate, by_weight, left = session.run([by_rate, by_weight, left])
    # The count of 1000 Poisson variables of mean r has the standard deviation sqrt(1000 r), 55 at most.
    assert np.bincount(by_rate, minlength=4) == pytest.approx(1000 * np.array(rates), abs=165)
    assert np.bincount(by_weight, minlength=4) == pytest.approx([500, 0, 1000, 500], abs=100)
    assert left == pytest.approx(np.array([0.5, 0, 1, 0.5])[by_weight], rel=1e-4)
