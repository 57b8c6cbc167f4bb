"""tf.contrib.estimator: heads by function, the estimators that take one, and additional metrics."""

from tf1ref.legacy.estimator._baseline import BaselineEstimator
from tf1ref.legacy.estimator._more_metrics import add_metrics
from tf1ref.legacy.estimator._with_heads import (
    BinaryClassHead,
    DNNEstimator,
    DNNLinearCombinedEstimator,
    LinearEstimator,
    MultiClassHead,
    regression_head,
)

__all__ = [
    "BaselineEstimator", "DNNEstimator", "DNNLinearCombinedEstimator", "LinearEstimator", "add_metrics",
    "binary_classification_head", "multi_class_head", "regression_head",
]  # fmt: skip

binary_classification_head = BinaryClassHead
multi_class_head = MultiClassHead
