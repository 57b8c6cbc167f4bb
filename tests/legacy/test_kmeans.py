"""tf.contrib.factorization.KMeans against Lloyd's steps and Sculley's written out in numpy (float64)."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.factorization import KMeans

ROWS = np.random.RandomState(3).randn(30, 4).astype(np.float32) + np.repeat(np.eye(3, 4) * 6, 10, 0).astype(np.float32)
START = ROWS[[0, 11, 25]] + 0.5


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def distances(rows, centers, cosine):
    if cosine:
        return 1 - unit(rows) @ unit(centers).T
    return ((rows[:, None] - centers[None]) ** 2).sum(2)


def session_of(graph, inits, feed):
    session = v1.Session(graph=graph)
    session.run(v1.global_variables_initializer(), feed)
    for _ in range(inits):
        session.run(graph.init, feed)
    return session


def build(**options):
    """A graph of KMeans over a placeholder, with its parts as attributes."""
    graph = v1.Graph()
    with graph.as_default():
        graph.x = v1.placeholder(v1.float32, [None, 4])
        kmeans = KMeans(graph.x, **{"num_clusters": 3, **options})
        parts = kmeans.training_graph()
        (graph.all, graph.nearest, graph.scores, graph.ready, graph.centers, graph.init, graph.train) = parts
        graph.names = {v.name: v for v in v1.global_variables()}
    return graph


@pytest.mark.parametrize("metric", ["squared_euclidean", "cosine"])
def test_whole_data_sets(metric):
    cosine, centers = metric == "cosine", START.astype(float)
    graph = build(initial_clusters=START, distance_metric=metric)
    assert list(graph.names) == ["clusters:0", "initialized:0"]
    with graph.as_default(), session_of(graph, 1, {graph.x: ROWS}) as session:
        for _ in range(3):
            centers = unit(centers) if cosine else centers
            wanted = distances(ROWS, centers, cosine)
            fetched = session.run([graph.all[0], graph.nearest[0], graph.scores[0], graph.ready], {graph.x: ROWS})
            np.testing.assert_allclose(fetched[0], wanted, atol=3e-5)
            np.testing.assert_array_equal(fetched[1], wanted.argmin(1))
            np.testing.assert_allclose(fetched[2], wanted.min(1), atol=3e-5)
            assert fetched[3]
            session.run(graph.train, {graph.x: ROWS})
            rows = unit(ROWS) if cosine else ROWS
            centers = np.stack([rows[wanted.argmin(1) == k].sum(0) for k in range(3)])
            centers /= np.bincount(wanted.argmin(1), minlength=3)[:, None] + 1e-6
            centers = unit(centers) if cosine else centers
            np.testing.assert_allclose(session.run(graph.centers), centers, rtol=1e-5, atol=1e-6)
        session.run(graph.init, {graph.x: ROWS})
        np.testing.assert_allclose(session.run(graph.centers), centers, rtol=1e-5, atol=1e-6)


def test_two_inputs_are_one():
    with v1.Graph().as_default() as graph:
        kmeans = KMeans([v1.constant(ROWS[:7]), v1.constant(ROWS[7:])], 3, START)
        _, nearest, scores, _, centers, graph.init, train = kmeans.training_graph()
        with session_of(graph, 1, {}) as session:
            first, second = session.run(nearest)
            wanted = distances(ROWS, START, False)
            np.testing.assert_array_equal(np.concatenate([first, second]), wanted.argmin(1))
            np.testing.assert_allclose(np.concatenate(session.run(scores)), wanted.min(1), atol=3e-5)
            session.run(train)
            means = [ROWS[wanted.argmin(1) == k].mean(0) for k in range(3)]
            np.testing.assert_allclose(session.run(centers), means, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("metric", "steps"), [("squared_euclidean", 1), ("cosine", 1), ("cosine", 2)])
def test_batches(metric, steps):
    """A batch moves the centres it hits by (sum - k x) / (n + k); with steps, a copy that is shown every so often."""
    cosine = metric == "cosine"
    graph = build(
        initial_clusters=START, distance_metric=metric, use_mini_batch=True, mini_batch_steps_per_iteration=steps
    )
    assert ("clusters_updated:0" in graph.names) == (steps > 1)
    shown = (unit(START) if cosine else START).astype(float)
    moved, counts, left = shown.copy(), np.full(3, 0 if steps > 1 else 1), steps
    with graph.as_default(), session_of(graph, 1, {graph.x: ROWS}) as session:
        for step in range(5):
            batch = ROWS[step * 6 : step * 6 + 6]
            nearest = distances(batch, shown, cosine).argmin(1)
            session.run(graph.train, {graph.x: batch})
            if steps > 1 and left <= 0:
                moved, counts, left = unit(moved), np.zeros(3, int), steps
                shown = moved.copy()
            left -= 1
            for k in range(3):
                rows = (unit(batch) if cosine else batch)[nearest == k]
                counts[k] += len(rows)
                moved[k] += (rows.sum(0) - len(rows) * moved[k]) / max(counts[k], 1)
            shown = shown if steps > 1 else moved
            np.testing.assert_allclose(session.run(graph.centers), shown, rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(session.run(graph.names["Variable:0"]), counts)
    assert not np.allclose(shown, START)


@pytest.mark.parametrize("metric", ["squared_euclidean", "cosine"])
@pytest.mark.parametrize("start", ["random", "kmeans_plus_plus", "kmc2"])
def test_starts(start, metric):
    graph = build(initial_clusters=start, distance_metric=metric, kmc2_chain_length=9, random_seed=5)
    with graph.as_default(), session_of(graph, 1, {graph.x: ROWS}) as session:
        assert session.run(graph.ready)
        centers = session.run(graph.centers)
    rows = unit(ROWS) if metric == "cosine" else ROWS
    found = np.abs(rows[:, None] - centers[None]).max(2).min(0)
    assert centers.shape == (3, 4) and found.max() < 1e-6, "each centre is a row"
    if start == "kmeans_plus_plus":
        assert sorted(distances(centers, np.eye(3, 4) * 6, False).argmin(1)) == [0, 1, 2], "one of each heap"


def test_small_batches_fill_up_the_centers():
    graph = build(use_mini_batch=True)
    with graph.as_default(), session_of(graph, 0, {}) as session:
        for first, ready in ((0, False), (2, True), (4, True)):
            session.run(graph.init, {graph.x: ROWS[first : first + 2]})
            assert session.run(graph.ready) == ready
        centers = session.run(graph.centers)
    np.testing.assert_array_equal(centers[:2], ROWS[:2])
    assert len(centers) == 3 and any((centers[2] == row).all() for row in ROWS[2:4])


def test_a_function_gives_the_centers():
    graph = build(initial_clusters=lambda inputs, number: inputs[0][:number] * 2)
    with graph.as_default(), session_of(graph, 1, {graph.x: ROWS}) as session:
        np.testing.assert_array_equal(session.run(graph.centers), ROWS[:3] * 2)


def test_what_is_unknown_is_said():
    with v1.Graph().as_default():
        with pytest.raises(ValueError, match="distance metric passed to Kmeans: manhattan"):
            KMeans(v1.constant(ROWS), 3, distance_metric="manhattan")
        with pytest.raises(ValueError, match="'best'"):
            KMeans(v1.constant(ROWS), 3, "best")
    graph = build(initial_clusters="kmeans_plus_plus")
    with graph.as_default(), session_of(graph, 0, {}) as session, pytest.raises(v1.errors.InvalidArgumentError):
        session.run(graph.init, {graph.x: ROWS[:2]})
