"""tf.estimator.experimental: hooks that end a training early, and one that evaluates without a checkpoint."""

from tf1ref.legacy.estimator._in_memory import InMemoryEvaluatorHook
from tf1ref.legacy.estimator._stopping import (
    make_early_stopping_hook,
    stop_if_higher_hook,
    stop_if_lower_hook,
    stop_if_no_decrease_hook,
    stop_if_no_increase_hook,
)

__all__ = [
    "InMemoryEvaluatorHook", "make_early_stopping_hook", "stop_if_higher_hook", "stop_if_lower_hook",
    "stop_if_no_decrease_hook", "stop_if_no_increase_hook",
]  # fmt: skip
