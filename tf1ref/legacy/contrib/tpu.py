"""tf.contrib.tpu without a TPU: TPUEstimator with use_tpu=False trains on this machine as Estimator does."""

import inspect
from typing import NamedTuple

import tensorflow.compat.v1 as v1

from tf1ref.legacy import estimator

__all__ = ["InputPipelineConfig", "RunConfig", "TPUConfig", "TPUEstimator", "TPUEstimatorSpec"]


class InputPipelineConfig:
    """How a TPU host would feed its cores. Nothing here depends on it."""

    PER_SHARD_V1, PER_HOST_V1, PER_HOST_V2, BROADCAST, SLICED = 1, 2, 3, 4, 5


class TPUConfig(NamedTuple):
    """Settings that only a TPU reads. They are kept, so that programs find what they set."""

    iterations_per_loop: int = 2
    num_shards: int | None = None
    num_cores_per_replica: int | None = None
    per_host_input_for_training: object = True
    tpu_job_name: str | None = None
    initial_infeed_sleep_secs: int | None = None
    input_partition_dims: object = None
    eval_training_input_configuration: int = InputPipelineConfig.PER_HOST_V1
    experimental_host_call_every_n_steps: int = 1


class RunConfig(estimator.RunConfig):
    """tf.estimator.RunConfig with the settings of a TPU, which are kept and not used."""

    def __init__(self, tpu_config=None, evaluation_master=None, master=None, cluster=None, **kwargs):
        super().__init__(**kwargs)
        self.tpu_config = tpu_config or TPUConfig()
        self.cluster = cluster
        self.master = master or ""
        self.evaluation_master = evaluation_master or self.master


class TPUEstimatorSpec(NamedTuple):
    """The result of a TPU's model function. Metrics are (function, its tensors as a list or dict).

    The scaffold is a function. as_estimator_spec returns the EstimatorSpec.
    """

    mode: str
    predictions: object = None
    loss: object = None
    train_op: object = None
    eval_metrics: object = None
    export_outputs: object = None
    scaffold_fn: object = None
    host_call: object = None
    training_hooks: object = None
    evaluation_hooks: object = None
    prediction_hooks: object = None

    def as_estimator_spec(self):
        """Returns the EstimatorSpec. A host call runs with each training or evaluation step."""
        train_op, hooks = self.train_op, tuple(self.training_hooks or ())
        if self.host_call and train_op is not None:
            with v1.control_dependencies([train_op]):
                train_op = v1.group(train_op, _called(self.host_call))
        return estimator.EstimatorSpec(
            self.mode,
            predictions=self.predictions,
            loss=self.loss,
            train_op=train_op,
            eval_metric_ops=_called(self.eval_metrics) if self.eval_metrics else None,
            export_outputs=self.export_outputs,
            scaffold=self.scaffold_fn() if self.scaffold_fn else None,
            training_hooks=hooks,
            evaluation_hooks=self.evaluation_hooks,
            prediction_hooks=self.prediction_hooks,
        )


def _called(pair):
    function, tensors = pair
    return function(**tensors) if isinstance(tensors, dict) else function(*tensors)


class TPUEstimator(estimator.Estimator):
    """tf.estimator.Estimator whose params have the batch_size of the current mode.

    The modes are training, evaluation and prediction. Raises ValueError for use_tpu=True, since there is no TPU here,
    for a batch_size among the params, and for a model function without `params`.
    """

    def __init__(
        self,
        model_fn=None,
        model_dir=None,
        config=None,
        params=None,
        use_tpu=True,
        train_batch_size=None,
        eval_batch_size=None,
        predict_batch_size=None,
        batch_axis=None,
        eval_on_tpu=True,
        export_to_tpu=True,
        warm_start_from=None,
        **_,
    ):
        if use_tpu:
            raise ValueError("there is no TPU here: give TPUEstimator use_tpu=False")
        if params is not None and any(name in params for name in ("batch_size", "context")):
            raise ValueError(f"batch_size and context are reserved in params: {params}")
        self._sizes = {"train": train_batch_size, "eval": eval_batch_size, "infer": predict_batch_size}
        super().__init__(_adapted(model_fn), model_dir, config or RunConfig(), params, warm_start_from)

    def _sized(self, mode):
        size = self._sizes[mode]
        self._params.pop("batch_size", None)
        if size is not None:
            self._params["batch_size"] = size

    def train(self, *args, **kwargs):
        """Trains with train_batch_size as params["batch_size"]; see Estimator.train."""
        self._sized("train")
        return super().train(*args, **kwargs)

    def evaluate(self, *args, **kwargs):
        """Evaluates with eval_batch_size as params["batch_size"]; see Estimator.evaluate."""
        self._sized("eval")
        return super().evaluate(*args, **kwargs)

    def predict(self, *args, **kwargs):
        """Predicts with predict_batch_size as params["batch_size"]; see Estimator.predict."""
        self._sized("infer")
        return super().predict(*args, **kwargs)


def _adapted(model_fn):
    """Returns the model function, changed so that it returns an EstimatorSpec instead of a TPUEstimatorSpec."""

    def adapted(*args, **kwargs):
        spec = model_fn(*args, **kwargs)
        return spec.as_estimator_spec() if isinstance(spec, TPUEstimatorSpec) else spec

    adapted.__signature__ = inspect.signature(model_fn)
    return adapted
