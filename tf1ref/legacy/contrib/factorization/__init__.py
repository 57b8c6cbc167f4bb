"""tf.contrib.factorization: k-means as a graph, for whole data sets or for batches.

The mini-batch rule is that of D. Sculley, "Web-scale k-means clustering", 2010.
"""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.factorization import _kmeans_start as kmeans_start
from tf1ref.legacy.contrib.factorization._kmeans_start import KMC2_INIT, KMEANS_PLUS_PLUS_INIT, RANDOM_INIT

__all__ = [
    "CLUSTERS_VAR_NAME", "COSINE_DISTANCE", "KMC2_INIT", "KMEANS_PLUS_PLUS_INIT", "KMeans", "RANDOM_INIT",
    "SQUARED_EUCLIDEAN_DISTANCE",
]  # fmt: skip

SQUARED_EUCLIDEAN_DISTANCE = "squared_euclidean"
COSINE_DISTANCE = "cosine"
CLUSTERS_VAR_NAME = "clusters"


class KMeans:
    """Clusters the rows of `inputs`, one tensor of [rows, features] or a list of them.

    initial_clusters: "random" takes random rows; "kmeans_plus_plus" and "kmc2" take rows far apart. "kmc2" runs a
    Markov chain of kmc2_chain_length rows for each centre. It may also be an array [clusters, features], or a function
    (inputs, number) -> the first centres. distance_metric: "squared_euclidean" or "cosine" (1 - cosine).
    use_mini_batch: each run moves a centre to the mean of all rows that it got so far. Rows are compared with copies of
    the centres, which are updated every mini_batch_steps_per_iteration runs. Raises ValueError for other values.
    """

    def __init__(
        self,
        inputs,
        num_clusters,
        initial_clusters=RANDOM_INIT,
        distance_metric=SQUARED_EUCLIDEAN_DISTANCE,
        use_mini_batch=False,
        mini_batch_steps_per_iteration=1,
        random_seed=0,
        kmeans_plus_plus_num_retries=2,
        kmc2_chain_length=200,
    ):
        starts = (RANDOM_INIT, KMEANS_PLUS_PLUS_INIT, KMC2_INIT)
        if isinstance(initial_clusters, str) and initial_clusters not in starts:
            raise ValueError(f"Unsupported initialization algorithm '{initial_clusters}'; there are {starts}")
        if distance_metric not in (SQUARED_EUCLIDEAN_DISTANCE, COSINE_DISTANCE):
            raise ValueError(f"Unsupported distance metric passed to Kmeans: {distance_metric}")
        self._inputs = [v1.convert_to_tensor(x) for x in (inputs if isinstance(inputs, list) else [inputs])]
        self._num_clusters, self._initial_clusters = num_clusters, initial_clusters
        self._cosine = distance_metric == COSINE_DISTANCE
        self._batches, self._steps = use_mini_batch, mini_batch_steps_per_iteration
        self._seed, self._retries, self._chain = random_seed, kmeans_plus_plus_num_retries, kmc2_chain_length
        # Batches move centres off the unit sphere. Whoever assigns the compared copies puts these back on it.
        self._copies = use_mini_batch and self._steps > 1
        self._on_sphere = self._cosine and (not use_mini_batch or self._copies)

    def training_graph(self):
        """Adds the ops and the variables: clusters, initialized, and the counts for batches.

        Returns (all_scores, cluster_idx, scores, cluster_centers_initialized, cluster_centers_var, init_op, train_op).
        The first three are tuples with one tensor for each input: the distances to all centres [rows, clusters], the
        nearest centre [rows], and the distance to it [rows].
        Run init_op until the variable cluster_centers_initialized is true, then train_op. A batch with fewer rows than
        clusters needs several runs.
        """
        start, number = self._initial_clusters, self._num_clusters
        if not isinstance(start, str) and not callable(start):
            start = v1.convert_to_tensor(start)
            number = v1.shape(start)[0]
        number = v1.convert_to_tensor(number)
        self._make_variables(number)
        options = kmeans_start.Options(number, start, self._seed, self._retries, self._chain, self._cosine)
        init_op = kmeans_start.op(self._inputs, options, self._centers, self._moved, self._initialized)
        inputs, centers = self._inputs, self._centers
        if self._cosine:
            inputs = [v1.nn.l2_normalize(x, axis=1) for x in inputs]
            centers = centers if self._on_sphere else v1.nn.l2_normalize(centers, axis=1)
        all_scores, scores, nearest = zip(*(self._nearest(x, centers) for x in inputs))
        if self._batches:
            with v1.control_dependencies([self._replace_centers()]):
                train_op = v1.group(*(op for each in zip(inputs, nearest) for op in self._move(*each)))
        else:
            train_op = self._means(inputs, nearest, number)
        return all_scores, nearest, scores, self._initialized, self._centers, init_op, train_op

    def _make_variables(self, number):
        empty = v1.placeholder_with_default([], shape=None)
        self._centers = v1.Variable(empty, name=CLUSTERS_VAR_NAME, validate_shape=False)
        self._initialized = v1.Variable(False, name="initialized")
        self._moved, self._left, self._counts = self._centers, None, None
        if self._copies:
            self._moved = v1.Variable(empty, name="clusters_updated", validate_shape=False)
            self._left = v1.Variable(self._steps, dtype=v1.int64, name="update_in_steps")
        if self._batches:
            first = v1.zeros if self._copies else v1.ones
            self._counts = v1.Variable(first(v1.reshape(number, [1]), dtype=v1.int64))

    def _nearest(self, inputs, centers):
        if self._cosine:
            distances = 1 - v1.matmul(inputs, centers, transpose_b=True)
        else:
            distances = (
                v1.reduce_sum(v1.square(inputs), 1, keepdims=True)
                - 2 * v1.matmul(inputs, centers, transpose_b=True)
                + v1.transpose(v1.reduce_sum(v1.square(centers), 1, keepdims=True))
            )
        if self._cosine and not self._on_sphere:
            centers = v1.nn.l2_normalize(centers, axis=1)
        nearest, scores = v1.raw_ops.NearestNeighbors(points=inputs, centers=centers, k=1)
        # For unit vectors, the square of the distance is 2 (1 - cosine).
        scores = 0.5 * scores if self._cosine else scores
        return distances, v1.squeeze(scores, [-1]), v1.squeeze(nearest, [-1])

    def _means(self, inputs, nearest, number):
        sums = v1.add_n([v1.math.unsorted_segment_sum(x, by, number) for x, by in zip(inputs, nearest)])
        ones = [v1.ones_like(x[:, :1]) for x in inputs]
        counts = v1.add_n([v1.math.unsorted_segment_sum(x, by, number) for x, by in zip(ones, nearest)])
        means = sums / (counts + v1.constant(1e-6, dtype=sums.dtype))
        return v1.assign(self._centers, v1.nn.l2_normalize(means, axis=1) if self._on_sphere else means)

    def _move(self, inputs, nearest):
        """Adds one batch: x += (sum of its rows - k x) / (n + k), for n rows before and k new ones."""
        ids, by = v1.unique(nearest)
        new = v1.math.unsorted_segment_sum(v1.ones_like(by, dtype=v1.int64), by, v1.size(ids))
        before, centers = v1.gather(self._counts, ids), v1.gather(self._moved, ids)
        sums = v1.math.unsorted_segment_sum(inputs, by, v1.size(ids))
        change = sums - v1.expand_dims(v1.cast(new, inputs.dtype), 1) * centers
        change *= v1.expand_dims(v1.reciprocal(v1.cast(before + new, inputs.dtype)), 1)
        # The old counts must be read before the change.
        with v1.control_dependencies([change]):
            return v1.scatter_add(self._counts, ids, new), v1.scatter_add(self._moved, ids, change)

    def _replace_centers(self):
        if not self._copies:
            return v1.no_op()

        def replace():
            moved = v1.identity(self._moved)
            moved = v1.nn.l2_normalize(moved, axis=1) if self._cosine else moved
            replaced = v1.assign(self._centers, moved, validate_shape=False)
            with v1.control_dependencies([replaced]):
                emptied = v1.assign(self._counts, v1.zeros_like(self._counts))
            with v1.control_dependencies([emptied]):
                return v1.identity(v1.assign(self._left, self._steps - 1))

        return v1.cond(self._left <= 0, replace, lambda: v1.identity(v1.assign_sub(self._left, 1)))
