"""tf.contrib.training's evaluation: of one checkpoint, which is TensorFlow's own, and of each new one."""

import time

import tensorflow.compat.v1 as v1
from tensorflow.python.training import evaluation

StopAfterNEvalsHook = evaluation._StopAfterNEvalsHook
evaluate_once = evaluation._evaluate_once
get_or_create_eval_step = evaluation._get_or_create_eval_step


class SummaryAtEndHook(v1.train.SessionRunHook):
    """Writes the summaries once, when a session ends, at the global step.

    Without a summary_writer it uses that of `log_dir`. summary_op: None (the default) means all collected summaries.
    """

    def __init__(self, log_dir=None, summary_writer=None, summary_op=None, feed_dict=None):
        self._summary_op, self._feed_dict = summary_op, feed_dict
        self._replaced_op = summary_op is None
        self._summary_writer, self._log_dir = summary_writer, log_dir
        if log_dir is None and summary_writer is None:
            raise ValueError("log_dir and summary_writer are both None: give one")

    def begin(self):
        """Adds the op of the summaries to the graph."""
        if self._replaced_op:
            self._summary_op = v1.summary.merge_all()
        self._global_step = None if self._summary_op is None else v1.train.get_or_create_global_step()

    def after_create_session(self, session, coord):
        """Opens the writer of the summaries."""
        if self._summary_writer is None:
            self._summary_writer = v1.summary.FileWriterCache.get(self._log_dir)

    def end(self, session):
        """Runs the summaries and writes them."""
        if self._summary_op is not None:
            step = session.run(self._global_step)
            self._summary_writer.add_summary(session.run(self._summary_op, self._feed_dict), step)
        self._summary_writer.flush()


def wait_for_new_checkpoint(checkpoint_dir, last_checkpoint=None, seconds_to_sleep=1, timeout=None):
    """Returns the first checkpoint of a folder that is not `last_checkpoint`, or None after `timeout` seconds."""
    end = None if timeout is None else time.time() + timeout
    while True:
        found = v1.train.latest_checkpoint(checkpoint_dir)
        if found is not None and found != last_checkpoint:
            return found
        if end is not None and time.time() + seconds_to_sleep > end:
            return None
        time.sleep(seconds_to_sleep)


def evaluate_repeatedly(
    checkpoint_dir,
    master="",
    scaffold=None,
    eval_ops=None,
    feed_dict=None,
    final_ops=None,
    final_ops_feed_dict=None,
    eval_interval_secs=60,
    hooks=None,
    config=None,
    max_number_of_evaluations=None,
    timeout=None,
    timeout_fn=None,
):
    """Runs evaluate_once for each new checkpoint. Returns the last values of final_ops.

    It ends after max_number_of_evaluations. It also ends when `timeout` seconds bring no checkpoint and timeout_fn, if
    it is given, returns True. When the input ends, one evaluation ends.
    """
    # All evaluations share one counter, because a hook of this list keeps the tensor that it gets first.
    if max_number_of_evaluations == 0:
        return None
    values = None
    found = v1.train.checkpoints_iterator(checkpoint_dir, eval_interval_secs, timeout, timeout_fn)
    for number, path in enumerate(found, 1):
        ops = dict(eval_ops) if isinstance(eval_ops, dict) else eval_ops
        values = evaluate_once(
            path, master, scaffold, ops, feed_dict, final_ops, final_ops_feed_dict, hooks, config
        )  # fmt: skip
        if max_number_of_evaluations is not None and number >= max_number_of_evaluations:
            break
    return values
