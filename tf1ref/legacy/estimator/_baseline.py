"""The baselines of tf.estimator: models that ignore all features. A real model must beat them."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.estimator._canned import SUM, _features, classes_head, get_optimizer_instance
from tf1ref.legacy.estimator._core import Estimator
from tf1ref.legacy.estimator._heads import RegressionHead

RATE = 0.3


class BaselineEstimator(Estimator):
    """One trained bias for each logit of a head, the variable baseline/bias. Only the features' batch size is used."""

    def __init__(self, head, model_dir=None, optimizer="Ftrl", config=None):
        weights = getattr(head, "weight_column", None)

        def model_fn(features, labels, mode):
            with v1.variable_scope("baseline"):
                start = v1.zeros_initializer()
                bias = v1.get_variable("bias", shape=[head.logits_dimension], initializer=start, trainable=True)
                logits = v1.multiply(bias, v1.ones([_batch_size(features, weights), head.logits_dimension]))

            def train(loss):
                return get_optimizer_instance(optimizer, RATE).minimize(loss, global_step=v1.train.get_global_step())

            return head.spec(features, mode, labels, logits, train)

        super().__init__(model_fn, model_dir, config)


def _batch_size(features, weight_column):
    """Returns the batch size, and checks while running that all features but the weights have it.

    Raises ValueError for features that are not a dict, or are scalars.
    """
    sizes = []
    for name, feature in _features(features).items():
        if name == getattr(weight_column, "key", weight_column):
            continue
        if feature.get_shape().ndims == 0:
            raise ValueError(f"Feature {name} must have at least one dimension, not {feature.get_shape()}")
        sizes.append(v1.shape(feature)[0])
    with v1.control_dependencies([v1.assert_equal(sizes[0], size) for size in sizes[1:]]):
        return v1.identity(sizes[0])


class BaselineClassifier(BaselineEstimator):
    """Learns how often each class occurs."""

    def __init__(
        self, model_dir=None, n_classes=2, weight_column=None, label_vocabulary=None, optimizer="Ftrl", config=None,
        loss_reduction=SUM,
    ):  # fmt: skip
        super().__init__(classes_head(n_classes, label_vocabulary, weight_column, loss_reduction), model_dir, optimizer,
                         config)  # fmt: skip


class BaselineRegressor(BaselineEstimator):
    """Learns the mean of the labels."""

    def __init__(
        self, model_dir=None, label_dimension=1, weight_column=None, optimizer="Ftrl", config=None, loss_reduction=SUM
    ):
        head = RegressionHead(label_dimension, weight_column=weight_column, loss_reduction=loss_reduction)
        super().__init__(head, model_dir, optimizer, config)
