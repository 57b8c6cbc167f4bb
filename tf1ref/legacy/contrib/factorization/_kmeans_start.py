"""The start of k-means: an op that chooses centres until there are enough.

Sources: D. Arthur, S. Vassilvitskii, "k-means++", 2007; O. Bachem et al., "Approximate k-means++ in sublinear time",
2016.
"""

import collections

import tensorflow.compat.v1 as v1

RANDOM_INIT = "random"
KMEANS_PLUS_PLUS_INIT = "kmeans_plus_plus"
KMC2_INIT = "kmc2"

# number: the number of clusters, a scalar tensor. start: a name above, a function or a tensor. cosine: centres have
# length 1.
Options = collections.namedtuple("Options", ["number", "start", "seed", "retries", "chain", "cosine"])


def op(inputs, options, centers, moved, initialized):
    """Returns an op that adds centres from `inputs` (a list) to the variables `centers` and `moved`.

    It sets `initialized` when all centres exist. Further runs do nothing. It fails when there are fewer rows than
    kmeans++ needs, and for given centres when some exist already.
    """
    chosen = v1.shape(centers)[0]
    missing = options.number - chosen

    def add():
        with v1.control_dependencies([v1.assert_positive(missing)]):
            if isinstance(options.start, str) and options.start == KMC2_INIT:
                left = _by_chains(inputs[0], options, missing, centers, moved)
            else:
                new = _unit(_chosen(inputs, options, missing), options.cosine)
                together = v1.cond(v1.equal(chosen, 0), lambda: new, lambda: v1.concat([centers, new], 0))
                left = options.number - v1.shape(_assign(together, centers, moved))[0]
        return v1.cond(
            v1.equal(left, 0), lambda: v1.identity(v1.assign(initialized, True)), lambda: v1.identity(initialized)
        )

    return v1.cond(v1.equal(missing, 0), lambda: v1.identity(initialized), add).op


def _unit(rows, wanted):
    return v1.nn.l2_normalize(rows, axis=1) if wanted else rows


def _assign(values, centers, moved):
    assigned = v1.identity(v1.assign(centers, values, validate_shape=False))
    if moved is not centers:
        assigned = v1.identity(v1.assign(moved, assigned, validate_shape=False))
    return assigned


def _chosen(inputs, options, missing):
    rows = v1.add_n([v1.shape(x)[0] for x in inputs])
    if isinstance(options.start, str) and options.start == RANDOM_INIT:

        def some():
            last = v1.cast(rows, v1.int64)
            places = v1.random_uniform([missing], maxval=last, seed=options.seed, dtype=v1.int64)
            return v1.gather(v1.concat(inputs, 0), places)

        return v1.cond(rows <= missing, lambda: v1.concat(inputs, 0), some)
    if isinstance(options.start, str):
        with v1.control_dependencies([v1.assert_greater_equal(rows, missing)]):
            # As in TF1, the rows come from the first input only.
            points = _unit(v1.identity(inputs[0]), options.cosine)
            return v1.raw_ops.KmeansPlusPlusInitialization(
                points=points,
                num_to_sample=v1.cast(missing, v1.int64),
                seed=v1.constant(options.seed, v1.int64),
                num_retries_per_sample=v1.constant(options.retries, v1.int64),
            )
    if callable(options.start):
        return options.start(inputs, missing)
    with v1.control_dependencies([v1.assert_equal(missing, v1.shape(options.start)[0])]):
        return v1.identity(options.start)


def _by_chains(inputs, options, missing, centers, moved):
    """Adds one centre for each `chain` rows, but at least one. The very first centre is the first row."""
    wanted = v1.maximum(v1.minimum(missing, v1.shape(inputs)[0] // options.chain), 1)

    def add(number, _):
        rows = inputs[number * options.chain : (number + 1) * options.chain]

        def another():
            _, distances = v1.raw_ops.NearestNeighbors(points=rows, centers=centers, k=1)
            place = v1.raw_ops.KMC2ChainInitialization(
                distances=v1.squeeze(distances, [1]), seed=v1.constant(options.seed, v1.int64)
            )
            new = _unit(v1.reshape(v1.gather(rows, place), [1, -1]), options.cosine)
            return v1.concat([centers, new], 0)

        none = v1.equal(v1.shape(centers)[0], 0)
        together = v1.cond(none, lambda: _unit(inputs[:1], options.cosine), another)
        return number + 1, options.number - v1.shape(_assign(together, centers, moved))[0]

    return v1.while_loop(lambda number, _: number < wanted, add, [v1.constant(0), missing], parallel_iterations=1)[1]
