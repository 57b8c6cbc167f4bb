"""tf.estimator: Estimator and its kin, canned models, input functions, export."""
# ruff: noqa: F401 - a module of other modules' names, as it was

from tf1ref.legacy import estimator_export as export
from tf1ref.legacy import estimator_inputs as inputs
from tf1ref.legacy.estimator_canned import (
    DNNClassifier,
    DNNLinearCombinedClassifier,
    DNNLinearCombinedRegressor,
    DNNRegressor,
    LinearClassifier,
    LinearRegressor,
)
from tf1ref.legacy.estimator_core import Estimator
from tf1ref.legacy.estimator_spec import EstimatorSpec, ModeKeys, RunConfig
from tf1ref.legacy.estimator_training import EvalSpec, FinalExporter, LatestExporter, TrainSpec, train_and_evaluate
