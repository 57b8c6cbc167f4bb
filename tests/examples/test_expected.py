"""Every figure that a source promises is reached, by the graph half at the source's own number of steps.

Convolutional programs, and those that controls.LONG names, take many minutes; `tf1ref run` shows theirs. What depends
on the data is checked on whatever data there is: the stand-in is made to keep the source's figures.
"""

import pytest

from tests import controls
from tf1ref import catalog, parity
from tf1ref.data import folders

pytestmark = pytest.mark.usefixtures("small_network")

QUICK_STEPS = 1000


def programs():
    for example in catalog.examples():
        steps = catalog.constants(example.path).get("STEPS")
        if steps is None or not (example.name in controls.LONG or "conv2d" in example.path.read_text()):
            slow = steps is not None and steps > QUICK_STEPS
            marks = pytest.mark.long if example.name in controls.MINUTES else pytest.mark.slow if slow else ()
            yield pytest.param(example.name, steps, marks=marks)


@pytest.mark.parametrize(("name", "steps"), list(programs()))
def test_promised_figures_are_reached(name, steps):
    module = catalog.load(name)
    trace = parity.trace_of(module.run_graph, steps, name)
    assert module.EXPECTED, "an example promises something"
    for key, promised in module.EXPECTED.items():
        assert key in trace
        if promised.real not in folders.stood_in:
            assert promised.met(trace[key]), f"{key}: {promised} promised, {trace[key]} reached"
