"""tf.estimator: Estimator and its kin, canned models, input functions, export."""
# ruff: noqa: F401 - a module of other modules' names, as it was

from tf1ref.legacy.estimator import export, inputs
from tf1ref.legacy.estimator._canned import (
    DNNClassifier,
    DNNLinearCombinedClassifier,
    DNNLinearCombinedRegressor,
    DNNRegressor,
    LinearClassifier,
    LinearRegressor,
)
from tf1ref.legacy.estimator._core import Estimator
from tf1ref.legacy.estimator._spec import EstimatorSpec, ModeKeys, RunConfig
from tf1ref.legacy.estimator._training import EvalSpec, FinalExporter, LatestExporter, TrainSpec, train_and_evaluate
