"""slim.evaluation: the metrics of a checkpoint, once or for each new one. The arguments bound every wait."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib import training
from tf1ref.legacy.contrib.training import checkpoints_iterator, wait_for_new_checkpoint

__all__ = ["checkpoints_iterator", "evaluate_once", "evaluation_loop", "wait_for_new_checkpoint"]

_USE_DEFAULT = 0


def evaluate_once(
    master,
    checkpoint_path,
    logdir,
    num_evals=1,
    initial_op=None,
    initial_op_feed_dict=None,
    eval_op=None,
    eval_op_feed_dict=None,
    final_op=None,
    final_op_feed_dict=None,
    summary_op=_USE_DEFAULT,
    summary_op_feed_dict=None,
    variables_to_restore=None,
    session_config=None,
    hooks=None,
):
    """Restores one checkpoint, runs eval_op `num_evals` times, then final_op. Returns final_op's values.

    The summaries go to `logdir` at the checkpoint's step. When the input ends, the evaluation ends.
    """
    return training.evaluate_once(
        checkpoint_path,
        master=master,
        scaffold=_scaffold(initial_op, initial_op_feed_dict, variables_to_restore),
        eval_ops=eval_op,
        feed_dict=eval_op_feed_dict,
        final_ops=final_op,
        final_ops_feed_dict=final_op_feed_dict,
        hooks=_hooks(hooks, num_evals, logdir, summary_op, summary_op_feed_dict),
        config=session_config,
    )


def _scaffold(initial_op, initial_op_feed_dict, variables_to_restore, init_fn=None):
    saver = None if variables_to_restore is None else v1.train.Saver(variables_to_restore)
    given = None if init_fn is None else (lambda scaffold, session: init_fn(session))
    return v1.train.Scaffold(init_op=initial_op, init_feed_dict=initial_op_feed_dict, init_fn=given, saver=saver)


def _hooks(hooks, num_evals, logdir, summary_op, summary_op_feed_dict):
    summary_op = v1.summary.merge_all() if summary_op is _USE_DEFAULT else summary_op
    found = [training.StopAfterNEvalsHook(num_evals)]
    if summary_op is not None and logdir:
        found.append(training.SummaryAtEndHook(logdir, summary_op=summary_op, feed_dict=summary_op_feed_dict))
    return [*found, *(hooks or [])]


def evaluation_loop(
    master,
    checkpoint_dir,
    logdir,
    num_evals=1,
    initial_op=None,
    initial_op_feed_dict=None,
    init_fn=None,
    eval_op=None,
    eval_op_feed_dict=None,
    final_op=None,
    final_op_feed_dict=None,
    summary_op=_USE_DEFAULT,
    summary_op_feed_dict=None,
    variables_to_restore=None,
    eval_interval_secs=60,
    max_number_of_evaluations=None,
    session_config=None,
    timeout=None,
    timeout_fn=None,
    hooks=None,
):
    """Evaluates each new checkpoint of a folder as evaluate_once does. Returns the last values of final_op.

    It ends after max_number_of_evaluations. It also ends when `timeout` seconds bring no checkpoint and timeout_fn, if
    it is given, returns True.
    """
    return training.evaluate_repeatedly(
        checkpoint_dir,
        master=master,
        scaffold=_scaffold(initial_op, initial_op_feed_dict, variables_to_restore, init_fn),
        eval_ops=eval_op,
        feed_dict=eval_op_feed_dict,
        final_ops=final_op,
        final_ops_feed_dict=final_op_feed_dict,
        eval_interval_secs=eval_interval_secs,
        hooks=_hooks(hooks, num_evals, logdir, summary_op, summary_op_feed_dict),
        config=session_config,
        max_number_of_evaluations=max_number_of_evaluations,
        timeout=timeout,
        timeout_fn=timeout_fn,
    )
