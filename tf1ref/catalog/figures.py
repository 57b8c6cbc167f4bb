"""The figures that a source promises, as `EXPECTED` states them: exact to the printed digits, or a bound."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Figure:
    """One promised figure. `kind` says how the reached figure is compared with `value`.

    real: the name of a data set; the figure is promised only for its real files. "" when no files are needed.
    """

    kind: str
    value: Any
    within: float = 0.0
    real: str = ""

    def met(self, reached: npt.ArrayLike) -> bool:
        """Returns True when `reached` keeps the promise. Arrays are compared element by element.

        reached: a number or an array. A single promised number may bound an array; otherwise the shapes must be
        equal.
        An empty array and NaN never keep a promise.
        """
        reached, value = np.asarray(reached), np.asarray(self.value)
        if self.kind == "equal":
            if reached.shape != value.shape:
                return False
            if not _numbers(value, reached):
                return bool(np.all(reached == value))
            # Infinity minus itself is NaN.
            same = reached == value
            with np.errstate(invalid="ignore"):
                return bool(np.all(same | (np.abs(reached - value) <= self.within)))
        if not reached.size or value.shape not in ((), reached.shape) or not _numbers(value, reached):
            return False
        return bool(np.all(reached >= value if self.kind == "at least" else reached <= value))

    def __str__(self) -> str:
        sign = {"equal": "", "at least": ">= ", "at most": "<= "}[self.kind]
        return sign + text(self.value) + (f" +- {self.within:.2g}" if self.within > 1e-3 else "")


def _numbers(*arrays: np.ndarray) -> bool:
    return all(array.dtype.kind in "iufc" for array in arrays)


def text(value: npt.ArrayLike, most: int = 4) -> str:
    """Returns a figure as short text. An array is cut after `most` elements.

    >>> text(np.float32([0.5, 0.25, 1, 2, 3]))
    '[0.5, 0.25, 1, 2, ...]'
    """
    flat = np.asarray(value).ravel()
    words = [f"{v:.6g}" if isinstance(v, (float, np.floating)) else str(v) for v in flat[:most].tolist()]
    inside = ", ".join(words) + (", ..." if flat.size > most else "")
    return inside if np.ndim(value) == 0 else f"[{inside}]"


def exactly(value: Any, digits: int = 6, real: str = "") -> Figure:
    """A figure that the source prints with `digits` decimals. The last of them may be off by 1. `real`: see Figure.

    >>> exactly(0.25, digits=2).met(0.251)
    True
    >>> exactly(0.25, digits=2).met(0.271)
    False
    """
    return Figure("equal", value, 10.0**-digits, real)


def about(value: Any, within: float) -> Figure:
    """A figure that lies within `within` of `value` (same unit), for results that depend on a random start.

    >>> about(0.5, 0.15).met(0.6)
    True
    """
    return Figure("equal", value, within)


def at_least(value: Any, real: str = "") -> Figure:
    """A lower bound, such as an accuracy (a fraction of 1). `real`: see Figure.

    >>> at_least(0.91).met(0.9)
    False
    """
    return Figure("at least", value, real=real)


def at_most(value: Any) -> Figure:
    """An upper bound, such as a loss.

    >>> at_most([1.0, 2.0]).met([0.5, 2.5])
    False
    """
    return Figure("at most", value)
