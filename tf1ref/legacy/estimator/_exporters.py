"""tf.estimator's exporters, which decide when train_and_evaluate writes a SavedModel, and which ones it keeps."""

import os

import tensorflow.compat.v1 as v1


class Exporter:
    """The base class. `name` is the folder below model_dir/export. `export` is called after each evaluation."""

    name = None

    def export(self, estimator, export_path, checkpoint_path, eval_result, is_the_final_export):
        """Returns the folder that it wrote, or None."""
        raise NotImplementedError


class _Writer(Exporter):
    def __init__(self, name, serving_input_receiver_fn, assets_extra=None, as_text=False, exports_to_keep=None):
        if exports_to_keep is not None and exports_to_keep <= 0:
            raise ValueError("`exports_to_keep`, if provided, must be positive number")
        self.name, self._receiver = name, serving_input_receiver_fn
        self._assets, self._as_text, self._keep = assets_extra, as_text, exports_to_keep

    def _write(self, estimator, export_path, checkpoint_path):
        written = estimator.export_saved_model(
            export_path, self._receiver, assets_extra=self._assets, as_text=self._as_text,
            checkpoint_path=checkpoint_path,
        )  # fmt: skip
        if self._keep:
            stamps = sorted(int(name.strip("/")) for name in v1.gfile.ListDirectory(export_path)
                            if name.strip("/").isdigit())  # fmt: skip
            for stamp in stamps[: -self._keep]:
                v1.gfile.DeleteRecursively(os.path.join(export_path, str(stamp)))
        return written


class FinalExporter(_Writer):
    """Exports a SavedModel after the last evaluation, to model_dir/export/name."""

    def __init__(self, name, serving_input_receiver_fn, assets_extra=None, as_text=False):
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text)

    def export(self, estimator, export_path, checkpoint_path, eval_result, is_the_final_export):
        """Returns the folder that it wrote, or None."""
        return self._write(estimator, export_path, checkpoint_path) if is_the_final_export else None


class LatestExporter(_Writer):
    """Exports after every evaluation, and keeps the last `exports_to_keep` folders. None keeps all."""

    def __init__(self, name, serving_input_receiver_fn, assets_extra=None, as_text=False, exports_to_keep=5):
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text, exports_to_keep)

    def export(self, estimator, export_path, checkpoint_path, eval_result, is_the_final_export):
        """Returns the folder that it wrote."""
        return self._write(estimator, export_path, checkpoint_path)


def _loss_smaller(best_eval_result, current_eval_result):
    """Returns whether the loss fell. Raises ValueError for results without a loss."""
    for result in (best_eval_result, current_eval_result):
        if not result or "loss" not in result:
            raise ValueError("the evaluation's result has no loss in it: give a compare_fn")
    return best_eval_result["loss"] > current_eval_result["loss"]


class BestExporter(_Writer):
    """Exports when an evaluation is better than all before. Those of earlier runs are read from their events.

    compare_fn: a function (best_eval_result, current_eval_result) -> whether the second is better.
    event_file_pattern: a pattern below model_dir, such as "eval/*.tfevents.*". Without it, earlier runs are not read.
    """

    def __init__(
        self,
        name="best_exporter",
        serving_input_receiver_fn=None,
        event_file_pattern=None,
        compare_fn=_loss_smaller,
        assets_extra=None,
        as_text=False,
        exports_to_keep=5,
    ):
        if compare_fn is None:
            raise ValueError("`compare_fn` must not be None.")
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text, exports_to_keep)
        self._compare, self._pattern = compare_fn, event_file_pattern
        self._best, self._model_dir = None, None

    def export(self, estimator, export_path, checkpoint_path, eval_result, is_the_final_export):
        """Returns the folder that it wrote, or None when the evaluation is not better."""
        if self._model_dir != estimator.model_dir and self._pattern:
            self._model_dir = estimator.model_dir
            self._best = self._best_of_events(os.path.join(estimator.model_dir, self._pattern))
        if self._best is not None and not self._compare(
            best_eval_result=self._best, current_eval_result=eval_result
        ):  # fmt: skip
            return None
        self._best = eval_result
        return self._write(estimator, export_path, checkpoint_path)

    def _best_of_events(self, pattern):
        best = None
        for path in v1.gfile.Glob(pattern):
            for event in v1.train.summary_iterator(path):
                found = {v.tag: v.simple_value for v in event.summary.value if v.HasField("simple_value")}
                if found and (best is None or self._compare(best_eval_result=best, current_eval_result=found)):
                    best = found
        return best
