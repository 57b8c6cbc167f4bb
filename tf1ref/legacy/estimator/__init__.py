"""tf.estimator: Estimator and its variants, canned models, input functions, export. Its hooks are tf.train's."""
# ruff: noqa: F401 - this module re-exports names, as in TF1

from tensorflow.compat.v1.train import (
    CheckpointSaverHook,
    CheckpointSaverListener,
    FeedFnHook,
    FinalOpsHook,
    GlobalStepWaiterHook,
    LoggingTensorHook,
    NanLossDuringTrainingError,
    NanTensorHook,
    ProfilerHook,
    SecondOrStepTimer,
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
    StepCounterHook,
    StopAtStepHook,
    SummarySaverHook,
    VocabInfo,
)

from tf1ref.legacy.estimator import experimental, export, inputs
from tf1ref.legacy.estimator._baseline import BaselineClassifier, BaselineEstimator, BaselineRegressor
from tf1ref.legacy.estimator._canned import (
    DNNClassifier,
    DNNLinearCombinedClassifier,
    DNNLinearCombinedRegressor,
    DNNRegressor,
    LinearClassifier,
    LinearRegressor,
)
from tf1ref.legacy.estimator._core import Estimator
from tf1ref.legacy.estimator._exporters import BestExporter, Exporter, FinalExporter, LatestExporter
from tf1ref.legacy.estimator._parsing import classifier_parse_example_spec, regressor_parse_example_spec
from tf1ref.legacy.estimator._run_config import RunConfig
from tf1ref.legacy.estimator._spec import EstimatorSpec, ModeKeys, WarmStartSettings
from tf1ref.legacy.estimator._training import EvalSpec, TrainSpec, train_and_evaluate
from tf1ref.legacy.estimator._with_heads import (
    BinaryClassHead,
    DNNEstimator,
    DNNLinearCombinedEstimator,
    LinearEstimator,
    MultiClassHead,
    RegressionHead,
    add_metrics,
)
