"""Collects what a program shows of its run, under the keys that parity compares."""

from collections.abc import Mapping
from typing import Any

import numpy as np


class Trace(dict):
    """A dict {key: value} with one method for each kind of key that has a place in engine.ORDER.

    Values are arrays, or tensors and variables that have a value (.numpy()). A variable's value is read at once.

    >>> trace = Trace()
    >>> trace.initial({"w": np.float32(5)})
    >>> trace.step(loss=3.0)
    >>> trace.step(loss=2.0)
    >>> trace.arrays()
    {'initial/w': array(5., dtype=float32), 'steps/loss': array([3., 2.])}
    """

    def initial(self, values: Mapping[str, Any]) -> None:
        """Keeps variables {name: value} as they start."""
        self._keep("initial", values)

    def forward(self, values: Mapping[str, Any]) -> None:
        """Keeps results {name: value} of a forward pass."""
        self._keep("forward", values)

    def gradients(self, values: Mapping[str, Any]) -> None:
        """Keeps gradients {variable name: value}. Those of the first step show where a difference begins."""
        self._keep("gradient", values)

    def slots(self, values: Mapping[str, Any]) -> None:
        """Keeps the optimizer's slot variables {name: value} as they end."""
        self._keep("slots", values)

    def final(self, values: Mapping[str, Any]) -> None:
        """Keeps variables and figures {name: value} as they end."""
        self._keep("final", values)

    def step(self, **values: Any) -> None:
        """Adds one row to steps/NAME for each named value."""
        for name, value in values.items():
            self.setdefault(f"steps/{name}", []).append(_array(value))

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns {key: array}. The values of a step become one array with one row for each step."""
        return {key: np.asarray(value) for key, value in self.items()}

    def _keep(self, kind: str, values: Mapping[str, Any]) -> None:
        self.update({f"{kind}/{name}": _array(value) for name, value in values.items()})


def _array(value: Any) -> np.ndarray:
    # This is a copy, because numpy() of a variable may show later assignments.
    return np.array(value.numpy() if hasattr(value, "numpy") else value)
