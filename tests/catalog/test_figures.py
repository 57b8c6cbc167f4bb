"""figures and plots: when a promise is kept, how it reads, and the pictures of a trace."""

from types import SimpleNamespace

import numpy as np
import pytest

from tf1ref.catalog import plots, running
from tf1ref.catalog.figures import about, at_least, at_most, exactly, text
from tf1ref.data import folders
from tf1ref.errors import InputError

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("promised", "kept", "broken"),
    [
        (exactly(4.60945), [4.60945, np.float32(4.60945), np.float64(4.6094509)], [4.60946, -4.60945, NAN, INF, None]),
        (exactly(0.98, 2), [0.98, 0.975, 0.9899], [0.9951, 0.96]),
        (exactly(42), [42, np.int64(42), 42.0], [43, "42", [42], None]),
        (exactly(np.uint8(5)), [5, np.uint8(5)], [np.uint8(3), np.uint8(7)]),
        (exactly([1.0, 2.0]), [[1, 2], np.array([1, 2], "f")], [[1, 2, 3], [1, 3], [[1, 2]], 1.0, [1, NAN], []]),
        (exactly([[1, 2], [3, 4]]), [np.array([[1, 2], [3, 4]])], [[1, 2, 3, 4], [[1, 2], [3, 5]]]),
        (exactly(INF), [INF], [-INF, NAN, 1e300]),
        (exactly("two words"), ["two words", np.array("two words")], ["two", "", b"two words", 2.0, ["two words"]]),
        (exactly(b"bytes"), [b"bytes", np.array(b"bytes", object)], ["bytes", b"byte"]),
        (exactly(["a", "b"]), [["a", "b"], np.array(["a", "b"], object)], [["a", "c"], ["a"], "ab"]),
        (exactly(True), [True, np.bool_(True)], [False, NAN, "True"]),
        (exactly([]), [[]], [0, [0]]),
        (about(0.91, 0.015), [0.91, 0.924, 0.896, np.float32(0.92)], [0.926, 0.894, NAN, None, [0.91]]),
        (about(3, 1), [2, 4], [1.999, 4.001]),
        (about([1.0, 2.0], 0.5), [[1.4, 1.6]], [[1.6, 2.0], [NAN, 2.0], [1.0, 2.0, 3.0]]),
        (at_least(0.987), [0.987, 1, np.float32(0.99), INF], [0.98699, NAN, -INF, "0.99", None]),
        (at_least(0.5), [[0.5, 0.6]], [[0.6, 0.4], [0.6, NAN], []]),
        (at_least([1, 2]), [[1, 2], [5, 5]], [[1, 1], [1, 2, 3], 5, [[1, 2]], []]),
        (at_most(0.1), [0.1, 0, -INF, [0.1, 0.0]], [0.1001, NAN, INF, [0.0, NAN], [], "0"]),
        (at_most([1, 2]), [[1, 2]], [[2, 1], [0], 0]),
    ],
    ids=str,
)
def test_promises_kept_and_broken(promised, kept, broken):
    assert [reached for reached in kept if promised.met(reached) is not True] == []
    assert [reached for reached in broken if promised.met(reached) is not False] == []


@pytest.mark.parametrize("promised", [exactly(NAN), about(NAN, 1.0), at_least(NAN), at_most(NAN), exactly([1, NAN])])
@pytest.mark.parametrize("reached", [NAN, 0.0, [1, NAN]])
def test_nan_keeps_no_promise_and_is_none(promised, reached):
    assert promised.met(reached) is False


@pytest.mark.parametrize(
    ("promised", "reads"),
    [
        (exactly(4.60945), "4.60945"),
        (exactly(0.1 + 0.2), "0.3"),
        (exactly(np.float32(0.1)), "0.1"),
        (exactly(42), "42"),
        (exactly("words"), "words"),
        (exactly([1.5, 2.0]), "[1.5, 2]"),
        (exactly(np.arange(6)), "[0, 1, 2, 3, ...]"),
        (exactly(np.arange(4).reshape(2, 2)), "[0, 1, 2, 3]"),
        (exactly(0.98, 2), "0.98 +- 0.01"),
        (about(0.91, 0.015), "0.91 +- 0.015"),
        (at_least(0.987), ">= 0.987"),
        (at_most([0.1, 0.2]), "<= [0.1, 0.2]"),
    ],
    ids=str,
)
def test_how_a_promise_reads(promised, reads):
    assert str(promised) == reads


def test_how_a_reached_value_reads():
    reached = [np.float32(0.9123456789), np.array([1e-9, 1e9]), np.zeros((3, 3)), NAN, np.array([])]
    assert list(map(text, reached)) == ["0.912346", "[1e-09, 1e+09]", "[0, 0, 0, 0, ...]", "nan", "[]"]


TRACE = {
    "steps/loss": np.linspace(3, 1, 50),
    "steps/accuracy": np.linspace(0, 1, 50, dtype=np.float32),
    "steps/w": np.zeros((50, 2)),
    "steps/words": np.array(["a", "b"]),
    "final/loss": np.float32(1),
}


def test_curves_has_a_panel_for_each_scalar_of_the_steps():
    figure = plots.curves(TRACE, "a title")
    assert [axis.get_ylabel() for axis in figure.axes] == ["loss", "accuracy"]
    assert np.array_equal(figure.axes[0].lines[0].get_ydata(), TRACE["steps/loss"])
    assert figure.get_suptitle() == "a title"
    assert len(plots.curves({"final/w": np.zeros(2)}).axes) == 1


class Program:
    """A title

    More words."""


class OwnPlot(Program):
    @staticmethod
    def plot(trace):
        return plots.curves({"steps/loss": trace["steps/loss"]}, "its own")


class Broken(Program):
    @staticmethod
    def plot(trace):
        figure = plots.curves(trace)
        figure.axes[0].set_ylabel("$\\nowhere{$")  # matplotlib reads it as mathematics, when it draws
        return figure


@pytest.mark.parametrize("program", [Program, OwnPlot])
def test_a_picture_others_may_read(tmp_path, program):
    path = tmp_path / "trace.png"
    path.write_text("an older one")
    plots.save(program, TRACE, path)
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    (tmp_path / "like").touch()
    assert path.stat().st_mode == (tmp_path / "like").stat().st_mode
    assert sorted(p.name for p in tmp_path.iterdir()) == ["like", "trace.png"]


def test_a_picture_that_fails_leaves_the_older_one_and_nothing_else(tmp_path):
    path = tmp_path / "trace.png"
    path.write_text("an older one")
    with pytest.raises(ValueError, match="nowhere"):
        plots.save(Broken, TRACE, path)
    assert path.read_text() == "an older one"
    assert [p.name for p in tmp_path.iterdir()] == ["trace.png"]


def test_a_picture_that_cannot_be_renamed_leaves_nothing(tmp_path):
    path = tmp_path / "trace.png"
    path.mkdir()
    with pytest.raises(InputError, match="Is a directory"):
        plots.save(Program, TRACE, path)
    assert [p.name for p in tmp_path.iterdir()] == ["trace.png"]


def test_a_figure_of_the_real_data_promises_nothing_on_a_stand_in(monkeypatch):
    promised = {"final/a": at_least(0.5, real="cifar10"), "final/b": at_least(0.5)}
    module, trace = SimpleNamespace(STEPS=2, EXPECTED=promised), {"final/a": 0.1, "final/b": 0.1}
    for stood_in, met in (({"cifar10"}, [None, False]), ({"mnist"}, [False, False]), (set(), [False, False])):
        monkeypatch.setattr(folders, "stood_in", stood_in)
        assert [row["met"] for row in running.figures_of(module, 2, {}, trace)] == met
