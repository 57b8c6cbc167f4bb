"""What tf.estimator's parts refuse, and their place in a cluster, by TensorFlow 1.15's documentation."""

import json

import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.legacy import estimator

HOSTS = {"ps": ["a:1", "b:2"], "worker": ["c:3", "d:4"], "chief": ["e:5"]}


def placed(monkeypatch, job, index=0, cluster=HOSTS, **more):
    text = {"cluster": cluster, "task": {"type": job, "index": index}, **more}
    monkeypatch.setenv("TF_CONFIG", json.dumps(text))
    return estimator.RunConfig()


def test_a_task_knows_its_place(monkeypatch):
    expected = {("chief", 0): (0, "grpc://e:5", True), ("worker", 1): (2, "grpc://d:4", False)}
    expected[("ps", 1)] = (4, "grpc://b:2", False)
    for (job, index), (number, master, chief) in expected.items():
        config = placed(monkeypatch, job, index)
        assert (config.global_id_in_cluster, config.master, config.is_chief) == (number, master, chief)
        assert (config.num_ps_replicas, config.num_worker_replicas) == (2, 3)
    # A worker sees no other worker, so that its session begins without them.
    assert list(placed(monkeypatch, "worker", 1).session_config.device_filters) == ["/job:ps", "/job:worker/task:1"]
    outside = placed(monkeypatch, "evaluator", eval_session_master="m")
    assert (outside.master, outside.evaluation_master, outside.session_config) == ("", "m", None)
    first = placed(monkeypatch, "worker", 0, {"worker": ["c:3", "d:4"]})
    assert first.is_chief and not placed(monkeypatch, "worker", 1, {"worker": ["c:3", "d:4"]}).is_chief
    monkeypatch.setenv("TF_CONFIG", '{"model_dir": "x", "session_master": "s"}')
    assert (estimator.RunConfig().model_dir, estimator.RunConfig("x").master) == ("x", "s")


@pytest.mark.parametrize(
    ("job", "index", "cluster", "says"),
    [
        ("worker", 0, {"ps": ["a:1"]}, "must have one"),
        ("chief", 0, {"chief": ["a:1", "b:1"]}, "only one"),
        ("chief", 0, {"chief": ["a:1"], "master": ["b:1"]}, "job `chief` is not supported"),
        ("ps", 2, HOSTS, "2 is not a valid task_id"),
        ("worker", -1, HOSTS, "non-negative"),
        ("tpu", 0, HOSTS, "tpu is not a valid task_type"),
        ("", 0, HOSTS, "task type must be set"),
        ("worker", None, HOSTS, "task index must be set"),
        ("chief", 0, {}, "must be WORKER"),
        ("worker", 0, {"worker": ["nowhere"]}, "write host:port"),
        ("evaluator", 0, {"master": ["a:1"]}, "`evaluator` is not supported"),
    ],
)
def test_a_place_that_is_not_there_is_refused(monkeypatch, job, index, cluster, says):
    with pytest.raises(ValueError, match=says):
        placed(monkeypatch, job, index, cluster)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"model_dir": ""}, "non-empty"),
        ({"save_summary_steps": -1}, ">= 0"),
        ({"session_config": {}}, "ConfigProto"),
        ({"keep_checkpoint_every_n_hours": 0}, "> 0"),
        ({"tf_random_seed": 1.0}, "integer"),
        ({"device_fn": lambda x: "/cpu:0"}, 'one argument "op"'),
        ({"save_checkpoints_steps": 1, "save_checkpoints_secs": 1}, "cannot be both set"),
    ],
)
def test_run_config_checks_its_values(given, says):
    with pytest.raises(ValueError, match=says):
        estimator.RunConfig(**given)
    with pytest.raises(ValueError, match=says):
        estimator.RunConfig().replace(**given)
    with pytest.raises(ValueError, match="Replacing master is not supported"):
        estimator.RunConfig().replace(master="m")


def test_a_spec_checks_its_parts():
    with v1.Graph().as_default():
        elsewhere = v1.constant(1.0)
    with v1.Graph().as_default():
        loss = v1.constant(1.0)
        spec = estimator.EstimatorSpec("eval", loss=loss)
        assert spec._replace(predictions={"y": loss}).predictions == {"y": loss}
        one = estimator.export.RegressionOutput(loss)
        outputs = estimator.EstimatorSpec("infer", loss, export_outputs={"a": one}).export_outputs
        assert outputs == {"a": one, "serving_default": one}
        for kind, says, mode, given in (
            (TypeError, "loss must be Tensor", "eval", {"loss": 1.0}),
            (TypeError, r"predictions\[y\] must be Tensor", "infer", {"predictions": {"y": 1.0}}),
            (TypeError, "train_op must be Operation", "train", {"loss": loss, "train_op": "t"}),
            (TypeError, "must be SessionRunHook", "eval", {"loss": loss, "evaluation_hooks": [1]}),
            (TypeError, "must be a dict", "eval", {"loss": loss, "eval_metric_ops": loss}),
            (TypeError, "update_op", "eval", {"loss": loss, "eval_metric_ops": {"m": loss}}),
            (TypeError, "must be dict", "infer", {"predictions": loss, "export_outputs": one}),
            (TypeError, "ExportOutput", "infer", {"predictions": loss, "export_outputs": {"a": loss}}),
            (ValueError, "default", "infer", {"predictions": loss, "export_outputs": {"a": one, "b": one}}),
            (ValueError, "from the default graph", "eval", {"loss": elsewhere}),
        ):
            with pytest.raises(kind, match=says):
                estimator.EstimatorSpec(mode, **given)
        with pytest.raises(ValueError, match="cannot be changed"):
            spec._replace(mode="train")


def test_the_specs_of_a_training_are_checked():
    final = estimator.FinalExporter("a", lambda: None)
    assert estimator.EvalSpec(dict, exporters=final).exporters == (final,)
    for kind, says, make in (
        (TypeError, "must be callable", lambda: estimator.TrainSpec("no")),
        (ValueError, "max_steps > 0", lambda: estimator.TrainSpec(dict, max_steps=0)),
        (TypeError, "SessionRunHook", lambda: estimator.EvalSpec(dict, hooks=[1])),
        (TypeError, "must be string", lambda: estimator.EvalSpec(dict, name=1)),
        (ValueError, "throttle_secs >= 0", lambda: estimator.EvalSpec(dict, throttle_secs=-1)),
        (TypeError, "must be an Exporter", lambda: estimator.EvalSpec(dict, exporters=[1])),
        (ValueError, "unique names", lambda: estimator.EvalSpec(dict, exporters=[final, final])),
        (TypeError, "`eval_spec` must have type", lambda: estimator.train_and_evaluate(1, 2, 3)),
    ):
        with pytest.raises(kind, match=says):
            make()


def counting(features, labels, mode):
    """A model that only counts; its loss is the step."""
    step = v1.train.get_global_step()
    return estimator.EstimatorSpec(
        mode, predictions=features, loss=v1.cast(step, v1.float32), train_op=v1.assign_add(step, 1)
    )


def numbers():
    return tf.data.Dataset.range(8)


def test_the_second_checkpoint_and_the_last_are_evaluated(tmp_path):
    """So 1.15 did: the throttle counts from the first evaluation, and an export is final at max_steps only."""
    steps = []

    class Watching(estimator.Exporter):
        name = "w"

        def export(self, estimator, export_path, checkpoint_path, eval_result, is_the_final_export):
            steps.append((int(eval_result["global_step"]), is_the_final_export))

    made = estimator.Estimator(counting, tmp_path, estimator.RunConfig(save_checkpoints_steps=2))
    evaluation = estimator.EvalSpec(numbers, steps=1, exporters=Watching())
    metrics, exports = estimator.train_and_evaluate(made, estimator.TrainSpec(numbers, max_steps=7), evaluation)
    assert steps == [(2, False), (7, True)] and metrics["loss"] == 7 and exports == [None]


def test_an_estimator_checks_what_it_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = estimator.Estimator(counting, "m", params=None)
    assert made.model_fn.__code__.co_varnames[:4] == ("features", "labels", "mode", "config")
    for kind, says, call in (
        (TypeError, "must be a SessionRunHook", lambda: made.train(numbers, hooks=["h"])),
        (TypeError, "list of CheckpointSaverListener", lambda: made.train(numbers, saving_listeners=["l"])),
        (ValueError, "len 2 tuple", lambda: made.train(lambda: (1, 2, 3))),
        (ValueError, "instance of `RunConfig`", lambda: estimator.Estimator(counting, config="c")),
        (TypeError, "warm_start_from must be", lambda: estimator.Estimator(counting, warm_start_from=1)),
        (ValueError, "different values", lambda: estimator.Estimator(counting, "a", estimator.RunConfig("b"))),
    ):
        with pytest.raises(kind, match=says):
            call()


def test_an_op_runs_where_its_device_is_missing(tmp_path):
    def model_fn(features, labels, mode):
        with v1.device("/gpu:7"):
            return estimator.EstimatorSpec(mode, predictions=features * 2)

    found = estimator.Estimator(model_fn, tmp_path).predict(lambda: numbers().batch(4))
    assert list(found) == [0, 2, 4, 6, 8, 10, 12, 14]
