"""Batch renormalization (Ioffe, arXiv:1702.03275) corrects the batch's moments towards long-term averages.

In training the outputs are (x * r + d) * gamma + beta with r = stddev / renorm_stddev and d = (mean - renorm_mean) /
renorm_stddev. Both stay within the limits of `renorm_clipping` and have no gradient.
"""

import tensorflow.compat.v1 as v1

from tf1ref.legacy._conditions import smart_cond

LIMITS = ("rmax", "rmin", "dmax")


def checked_clipping(clipping):
    """Returns the limits as a dict. Raises ValueError for an unknown name."""
    clipping = clipping or {}
    if not set(clipping) <= set(LIMITS):
        raise ValueError(f"renorm_clipping {clipping} contains keys not in {list(LIMITS)}")
    return clipping


def corrected(layer, mean, variance, training):
    """Returns (r, d, mean, variance). Using the last two updates the renorm averages first.

    layer: a BatchNormalization with the variables renorm_mean and renorm_stddev.
    """
    stddev = v1.sqrt(variance + layer.epsilon)
    # At the start of training the average may still be near zero.
    average = v1.maximum(layer.renorm_stddev, v1.sqrt(v1.constant(layer.epsilon, stddev.dtype)))
    r, d = stddev / average, (mean - layer.renorm_mean) / average
    with v1.control_dependencies([r, d]):
        mean, stddev = v1.identity(mean), v1.identity(stddev)
    rmin, rmax, dmax = (layer.renorm_clipping.get(name) for name in ("rmin", "rmax", "dmax"))
    r = r if rmin is None else v1.maximum(r, rmin)
    r = r if rmax is None else v1.minimum(r, rmax)
    d = d if dmax is None else v1.minimum(v1.maximum(d, -dmax), dmax)
    r = smart_cond(training, lambda: r, lambda: v1.ones_like(r))
    d = smart_cond(training, lambda: d, lambda: v1.zeros_like(d))
    moved = [
        smart_cond(
            training,
            lambda variable=variable, value=value: layer._moved(variable, value, layer.renorm_momentum),
            lambda variable=variable: v1.identity(variable),
        )
        for variable, value in ((layer.renorm_mean, mean), (layer.renorm_stddev, stddev))
    ]
    with v1.control_dependencies(moved):
        return v1.stop_gradient(r), v1.stop_gradient(d), v1.identity(mean), v1.identity(variance)
