"""Batch renormalization, ghost batches and adjustment, step by step against numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy import layers

EPSILON, MOMENTUM = 1e-3, 0.9
START = {"gamma_initializer": v1.constant_initializer(2.0), "beta_initializer": v1.constant_initializer(3.0)}


@pytest.fixture(autouse=True)
def graph():
    with v1.Graph().as_default():
        yield


def steps(shape, count=4, **options):
    """Yields (inputs, outputs in training, outputs by the moving averages) after each step."""
    x, training = v1.placeholder(v1.float32, shape), v1.placeholder(v1.bool)
    layer = layers.BatchNormalization(epsilon=EPSILON, momentum=MOMENTUM, **START, **options)
    y = layer(x, training=training)
    random = np.random.RandomState(4)
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        for _ in range(count):
            batch = random.rand(*shape).astype("f") * 3
            trained = session.run([y, layer.updates], {x: batch, training: True})[0]
            yield batch, trained, session.run(y, {x: batch, training: False})


@pytest.mark.parametrize("limits", [{}, {"rmax": 1.1, "rmin": 0.9, "dmax": 0.1}], ids=("free", "clipped"))
def test_renorm(limits):
    renorm_mean, renorm_dev, mean_average, dev_average = 0.0, 1.0, 0.0, 1.0
    for x, trained, asked in steps((6, 3), renorm=True, renorm_clipping=limits, renorm_momentum=0.8):
        mean, dev = x.mean(0), np.sqrt(x.var(0) + EPSILON)
        r, d = dev / renorm_dev, (mean - renorm_mean) / renorm_dev
        if limits:
            r, d = r.clip(0.9, 1.1), d.clip(-0.1, 0.1)
        renorm_mean, renorm_dev = renorm_mean * 0.8 + mean * 0.2, renorm_dev * 0.8 + dev * 0.2
        mean_average, dev_average = mean_average * 0.9 + mean * 0.1, dev_average * 0.9 + dev * 0.1
        assert trained == pytest.approx(((x - mean) / dev * r + d) * 2 + 3, abs=1e-4)
        assert asked == pytest.approx((x - mean_average) / dev_average * 2 + 3, abs=1e-4)


@pytest.mark.parametrize("shape", [(6, 2), (6, 4, 2), (6, 2, 3, 2)])
def test_ghost_batches(shape):
    mean_average, variance_average = 0.0, 1.0
    for x, trained, asked in steps(shape, virtual_batch_size=3):
        parts = x.reshape(3, 2, *shape[1:])
        axes = (0, *range(2, parts.ndim - 1))
        mean, variance = parts.mean(axes, keepdims=True), parts.var(axes, keepdims=True)
        mean_average = mean_average * 0.9 + mean.mean(1, keepdims=True) * 0.1
        variance_average = variance_average * 0.9 + variance.mean(1, keepdims=True) * 0.1
        for found, m, v in ((trained, mean, variance), (asked, mean_average, variance_average)):
            assert found == pytest.approx(((parts - m) / np.sqrt(v + EPSILON) * 2 + 3).reshape(shape), abs=1e-4)


def test_adjustment_is_of_training_alone():
    scale, bias = np.array([0.5, 1.5, 1.0], "f"), np.array([0.1, 0.0, -0.1], "f")
    mean_average, variance_average = 0.0, 1.0
    for x, trained, asked in steps((5, 3), adjustment=lambda shape: (v1.constant(scale), v1.constant(bias))):
        mean, variance = x.mean(0), x.var(0)
        mean_average, variance_average = mean_average * 0.9 + mean * 0.1, variance_average * 0.9 + variance * 0.1
        adjusted = (x - mean) / np.sqrt(variance + EPSILON) * scale + bias
        assert trained == pytest.approx(adjusted * 2 + 3, abs=1e-4)
        assert asked == pytest.approx((x - mean_average) / np.sqrt(variance_average + EPSILON) * 2 + 3, abs=1e-4)


@pytest.mark.parametrize(
    "options, what",
    [
        ({"virtual_batch_size": -1}, "positive integer"),
        ({"virtual_batch_size": 2, "axis": 0}, "axis cannot include 0"),
        ({"virtual_batch_size": 2, "adjustment": lambda shape: (1, 0)}, "adjustment cannot"),
        ({"renorm": True, "renorm_clipping": {"rmx": 1}}, "rmx"),
        ({"renorm": True, "fused": True}, "fused=True"),
        ({"fused": True}, "only support 4D"),
        ({"axis": [1, 1]}, "Duplicate axis"),
    ],
)
def test_what_is_refused(options, what):
    with pytest.raises(ValueError, match=what):
        layers.batch_normalization(v1.zeros([4, 3]), **options)
