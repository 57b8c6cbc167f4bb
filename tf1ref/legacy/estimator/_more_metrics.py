"""tf.estimator.add_metrics adds more metrics to an Estimator's evaluations."""

from tf1ref.legacy.estimator._core import Estimator
from tf1ref.legacy.estimator._functions import arguments_of
from tf1ref.legacy.estimator._spec import ModeKeys


def add_metrics(estimator, metric_fn):
    """Returns an Estimator like `estimator` whose evaluations have the metrics of metric_fn, too.

    metric_fn: takes any of labels, predictions, features and config, and returns {name: (value, update)}. Raises
    ValueError when it takes another argument.
    """
    taken = arguments_of(metric_fn)
    if not set(taken) <= {"labels", "predictions", "features", "config"}:
        raise ValueError(f"metric_fn ({metric_fn}) has following not expected args: {sorted(taken)}")

    def model_fn(features, labels, mode, config):
        spec = estimator._call(features, labels, mode)
        if mode != ModeKeys.EVAL:
            return spec
        given = {"labels": labels, "predictions": spec.predictions, "features": features, "config": config}
        more = metric_fn(**{name: given[name] for name in taken})
        return spec._replace(eval_metric_ops={**spec.eval_metric_ops, **more})

    return Estimator(model_fn, estimator.model_dir, estimator.config, warm_start_from=estimator._warm_start)
