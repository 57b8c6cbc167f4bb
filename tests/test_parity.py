"""The two halves of every example are equal to the bit, and the engine sees what is not.

conftest.py sorts these tests by example, so that what a half of an example computed is computed once for all of them.
"""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests import controls, traces
from tf1ref import catalog, parity

pytestmark = pytest.mark.usefixtures("small_network")

FULL_SIZE_STEPS = 3  # a whole network takes longer to build than to train for these
EXAMPLES = {example.name: example for example in catalog.examples()}


def cost(name, long=False):
    """Convolutional programs are slow: seconds where the others take a tenth of one. conftest.py has whole chapters."""
    if long:
        return pytest.mark.long
    text = EXAMPLES[name].path.read_text()
    return pytest.mark.slow if "conv2d" in text or "cifar10" in text else ()


@functools.cache
def floats(name):
    """The float constants of an example. `scripts/test` asks for the first whether 1 % shows, `--all` for every one.

    The first are those that need no constants of their own: with such, both halves run anew.
    """
    found = [key for key, value in catalog.constants(EXAMPLES[name].path).items() if isinstance(value, float)]
    return sorted(found, key=lambda constant: constant in controls.CONTROL.get(name, {}))


def sets_of_constants():
    """(name, constants) for every set of constants that some example's controls give both runs."""
    for name in EXAMPLES:
        sets = [controls.constants(name, constant) for constant in (*floats(name), None)]
        sets = [each for number, each in enumerate(sets) if each not in sets[:number]]
        for number, each in enumerate(sets):
            if each:
                yield pytest.param(name, each, id=f"{name}-{'-'.join(each)}", marks=cost(name, long=number > 0))


@pytest.mark.parametrize(("name", "constants"), list(sets_of_constants()))
def test_halves_are_equal_with_the_constants_of_the_controls(name, constants):
    report = parity.compare(traces.graph(name, **constants), traces.function(name, **constants))
    assert report.equal, report.first


def at_full_size():
    """Every example but those that are compared in a small network only, above."""
    for name in EXAMPLES:
        if name not in controls.SMALL_ONLY:
            yield pytest.param(name, marks=cost(name, name in controls.SMALL))


def full_size_steps(name):
    whole = name in controls.SMALL or name.startswith(("convnets.", "towers."))
    return FULL_SIZE_STEPS if whole else traces.STEPS


@pytest.mark.parametrize("name", list(at_full_size()))
def test_halves_are_equal_to_the_bit(name):
    steps, ulps = full_size_steps(name), getattr(catalog.load(EXAMPLES[name]), "ULPS", 0)
    report = parity.compare(traces.graph(name, steps), traces.function(name, steps), ulps)
    assert report.equal, report.first
    assert report.differing == 0 or ulps


@pytest.mark.parametrize("name", [pytest.param(name, marks=cost(name)) for name in EXAMPLES])
def test_a_trace_names_the_gradients_and_slots_of_what_is_trained(name):
    small = controls.SMALL.get(name)
    run = traces.graph_run(name, **small) if small else traces.graph_run(name, full_size_steps(name))
    assert not traces.unnamed(run.trained, run.trace, "gradient"), "the trace has no gradient of these"
    assert not traces.unnamed(run.slots, run.trace, "slots", "final"), "the trace has no value of these slots"


def float_constants():
    """Every float constant of every example, with the constants that its control sets in both runs."""
    for name in EXAMPLES:
        for number, constant in enumerate(floats(name)):
            others = controls.constants(name, constant)
            yield pytest.param(name, constant, others, id=f"{name}-{constant}", marks=cost(name, long=number > 0))


@pytest.mark.parametrize(("name", "constant", "constants"), list(float_constants()))
def test_one_percent_more_is_caught(name, constant, constants):
    value = {**catalog.constants(EXAMPLES[name].path), **constants}[constant]
    other = catalog.load(EXAMPLES[name], {**constants, constant: value * 1.01})
    if name.startswith("distributed."):  # their graph half starts servers
        trace, kept = parity.trace_of(other.run_function, traces.STEPS, name), traces.graph(name, **constants)
    else:  # a graph is built in a fifth of the time that a tf.function is traced in
        trace, kept = parity.trace_of(other.run_graph, traces.STEPS, name), traces.function(name, **constants)
    assert not parity.compare(trace, kept).equal, f"{constant} = {value * 1.01} went unnoticed"


@pytest.mark.parametrize("name", EXAMPLES)
def test_both_halves_read_every_float_constant(name):
    # So that the control, which changes one half, speaks for the other too.
    for half in ("run_graph", "run_function"):
        assert {*floats(name)} <= traces.names_read(EXAMPLES[name].path, half), half


def neighbours(value, count):
    for _ in range(count):
        value = np.nextafter(value, np.float32(np.inf), dtype=np.float32)
    return value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False, max_value=2.0**100), st.integers(0, 40))
def test_ulp_distance_counts_floats_between(value, count):
    a = np.float32([value])
    b = np.float32([neighbours(a[0], count)])
    # From -0.0 the next float upwards is the smallest positive one: 0.0 lies between them.
    extra = 1 if a[0] == 0 and np.signbit(a[0]) and count else 0
    crossed = 1 if a[0] < 0 and (b[0] > 0 or (b[0] == 0 and not np.signbit(b[0]))) else 0
    assert parity.ulp_distance(a, b)[0] == count + extra + crossed


@given(hnp.arrays(np.float64, 5, elements=st.floats(allow_nan=True)))
def test_distance_is_zero_exactly_for_equal_bits(values):
    bits = values.view(np.int64)
    changed = (bits ^ np.int64(1)).view(np.float64)
    assert not parity.ulp_distance(values, values.copy()).any()
    assert (parity.ulp_distance(values, changed) > 0).all()


def trace(**changes):
    base = {
        "final/w": np.float32([1.0, 2.0]),
        "steps/loss": np.float32([3.0, 2.0, 1.0]),
        "initial/w": np.float32([0.0, 0.0]),
        "forward/y": np.float32([[1.0, 2.0]]),
        "gradient/w": np.float32([0.5, 0.5]),
        "name": np.array(b"x"),
    }
    base.update({key.replace("__", "/"): value for key, value in changes.items()})
    return {key: value for key, value in base.items() if value is not None}


def test_equal_traces():
    report = parity.compare(trace(), trace())
    assert report.equal and report.first == "" and report.differing == 0
    assert report.keys == 6 and report.elements == 12


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"final__w": np.float32([1.0, 2.0000002])}, "final/w: element [1]: 2.0 in the graph, 2.0000002 in"),
        ({"steps__loss": np.float32([3.0, 2.5, 1.5])}, "steps/loss: step 1, element []: 2.0 in the graph, 2.5"),
        ({"final__w": np.float32([9, 9]), "initial__w": np.float32([9, 9])}, "initial/w: element [0]"),
        ({"final__w": np.float32([9, 9]), "gradient__w": np.float32([9, 9])}, "gradient/w: element [0]"),
        ({"gradient__w": np.float32([9, 9]), "steps__loss": np.float32([9, 9, 9])}, "steps/loss: step 0"),
        ({"forward__y": None}, "forward/y: missing in the function"),
        ({"extra": np.zeros(1)}, "extra: missing in the graph"),
        ({"forward__y": np.zeros((2, 1), np.float32)}, "forward/y: float32[1, 2] in the graph, float32[2, 1]"),
        ({"forward__y": np.zeros((1, 2))}, "forward/y: float32[1, 2] in the graph, float64[1, 2]"),
        ({"name": np.array(b"y")}, "name: element []"),
        ({"initial__w": np.float32([0.0, -0.0])}, "initial/w: element [1]: 0.0 in the graph, -0.0"),
        ({"initial__w": np.float32([0.0, np.nan])}, "initial/w: element [1]: 0.0 in the graph, nan"),
    ],
)
def test_first_divergence(changes, first):
    report = parity.compare(trace(), trace(**changes))
    assert not report.equal
    assert report.first.startswith(first)


def test_a_missing_key_is_named_before_a_value_that_differs():
    report = parity.compare(trace(), trace(final__w=None, initial__w=np.float32([5, 5])))
    assert report.first == "final/w: missing in the function"


def test_ulps_are_tolerated_only_as_far_as_said():
    close = trace(final__w=np.float32([1.0, np.nextafter(np.float32(2), np.float32(3))]))
    assert not parity.compare(trace(), close).equal
    report = parity.compare(trace(), close, ulps=1)
    assert report.equal and report.differing == 1 and report.max_ulp == 1


@pytest.mark.parametrize(
    "still",
    [
        {},
        {"empty": np.zeros(0)},
        {"initial/w": np.ones(2), "final/w": np.ones(2)},
        {"steps/loss": np.ones(5)},
        {"initial/w": np.ones(2), "final/w": np.ones(2), "steps/loss": np.ones(5)},
    ],
)
def test_a_trace_that_proves_nothing_fails(still):
    assert not parity.compare(still, dict(still)).equal


def test_complex_and_integer_and_bfloat16_values():
    import ml_dtypes

    for dtype in (np.complex64, np.complex128, np.int64, np.uint8, np.bool_, ml_dtypes.bfloat16, np.float16):
        a = {"x": np.array([1, 0], dtype)}
        assert parity.compare(a, {"x": np.array([1, 0], dtype)}).equal
        assert parity.compare(a, {"x": np.array([1, 1], dtype)}).first.startswith("x: element [1]"), dtype


def test_the_table_of_controls_names_examples_and_constants_that_there_are():
    # A name that fits nothing would be passed over silently: the control would run without its constants.
    assert {*controls.SMALL, *controls.CONTROL, *controls.LONG} <= EXAMPLES.keys()
    assert controls.SMALL.keys() >= controls.SMALL_ONLY
    for name in {*controls.SMALL, *controls.CONTROL}:
        known, under = catalog.constants(EXAMPLES[name].path), controls.CONTROL.get(name, {})
        assert {*under, *controls.constants(name), *(key for set_ in under.values() for key in set_)} <= known.keys()
        assert all(isinstance(known[constant], float) for constant in under)
