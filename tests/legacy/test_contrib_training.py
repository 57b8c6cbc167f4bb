"""tf.contrib.training's strategies: which ps a variable goes to."""

import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import training

CLUSTER = {"ps": ["a:1", "b:1", "c:1"], "worker": ["d:1"]}
SIZES = {"large": [100, 10], "small": [4], "scalar": [], "middle": [50, 10], "more": [60, 10]}  # floats of 4 bytes


# md5sum of "large_0", "small_0" and so on, modulo 3.
RANDOM = {"large": 0, "small": 1, "scalar": 1, "middle": 0, "more": 1}


def places(strategy, use_resource):
    setter = v1.train.replica_device_setter(cluster=CLUSTER, ps_strategy=strategy)
    with v1.Graph().as_default(), v1.device(setter):
        made = {
            name: v1.get_variable(name, shape, use_resource=use_resource, initializer=v1.zeros_initializer())
            for name, shape in SIZES.items()
        }
        return {name: int(variable.device[-1]) for name, variable in made.items()}


@pytest.mark.parametrize("use_resource", [False, True])
def test_the_ps_with_the_fewest_bytes_is_next(use_resource):
    found = places(training.GreedyLoadBalancingStrategy(3, training.byte_size_load_fn), use_resource)
    # 4000; 16; 4; then 2000 to the ps with 4, then 2400 to the one with 16.
    assert found == {"large": 0, "small": 1, "scalar": 2, "middle": 2, "more": 1}


def test_any_load_may_be_balanced():
    found = places(training.GreedyLoadBalancingStrategy(3, lambda op: 1.0), False)
    assert found == {"large": 0, "small": 1, "scalar": 2, "middle": 0, "more": 1}


def test_random_places_are_the_same_in_every_worker():
    found = places(training.RandomStrategy(3), False)
    assert found == places(training.RandomStrategy(3), True) == RANDOM
    assert found != places(training.RandomStrategy(3, seed=1), False)


@pytest.mark.parametrize(("dtype", "size"), [(v1.float32, 4), (v1.float64, 8), (v1.int8, 1)])
def test_bytes_are_counted_by_type(dtype, size):
    with v1.Graph().as_default():
        variable = v1.get_variable("w", [3, 5], dtype=dtype, initializer=v1.zeros_initializer())
        assert training.byte_size_load_fn(variable.op) == 15 * size


def test_what_has_no_size_is_refused():
    with v1.Graph().as_default():
        with pytest.raises(ValueError, match="fully"):
            training.byte_size_load_fn(v1.placeholder(v1.float32, [None]).op)
        with pytest.raises(ValueError, match="single output"):
            training.byte_size_load_fn(v1.no_op())
