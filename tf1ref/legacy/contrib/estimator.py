"""tf.contrib.estimator: heads by function, the estimators that take one, additional metrics, and hooks."""

from tf1ref.legacy.estimator._baseline import BaselineEstimator
from tf1ref.legacy.estimator._with_heads import (
    BinaryClassHead,
    DNNEstimator,
    DNNLinearCombinedEstimator,
    LinearEstimator,
    MultiClassHead,
    add_metrics,
    regression_head,
)
from tf1ref.legacy.estimator.experimental import (
    InMemoryEvaluatorHook,
    make_early_stopping_hook,
    stop_if_higher_hook,
    stop_if_lower_hook,
    stop_if_no_decrease_hook,
    stop_if_no_increase_hook,
)

__all__ = [
    "BaselineEstimator", "DNNEstimator", "DNNLinearCombinedEstimator", "InMemoryEvaluatorHook", "LinearEstimator",
    "add_metrics", "binary_classification_head", "make_early_stopping_hook", "multi_class_head", "regression_head",
    "stop_if_higher_hook", "stop_if_lower_hook", "stop_if_no_decrease_hook", "stop_if_no_increase_hook",
]  # fmt: skip

binary_classification_head = BinaryClassHead
multi_class_head = MultiClassHead
