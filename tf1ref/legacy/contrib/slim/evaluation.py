"""slim.evaluation: a checkpoint's metrics, once or as the checkpoints come. Every wait is bounded by what is asked."""

import time

import tensorflow.compat.v1 as v1

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
    """Restores one checkpoint, runs eval_op `num_evals` times, then final_op, whose values are returned.

    The summaries go to `logdir` at the checkpoint's step.
    """
    summary_op = v1.summary.merge_all() if summary_op is _USE_DEFAULT else summary_op
    step = v1.train.get_or_create_global_step()
    saver = v1.train.Saver(variables_to_restore or v1.global_variables())
    creator = v1.train.ChiefSessionCreator(
        v1.train.Scaffold(saver=saver),
        checkpoint_filename_with_path=checkpoint_path,
        master=master,
        config=session_config,
    )
    with v1.train.MonitoredSession(creator, hooks=hooks) as sess:
        if initial_op is not None:
            sess.run(initial_op, initial_op_feed_dict)
        for _ in range(num_evals if eval_op is not None else 0):
            sess.run(eval_op, eval_op_feed_dict)
        summary = None if summary_op is None else sess.run(summary_op, summary_op_feed_dict)
        value = None if final_op is None else sess.run(final_op, final_op_feed_dict)
        at = sess.run(step)
    if summary is not None and logdir:
        writer = v1.summary.FileWriterCache.get(logdir)
        writer.add_summary(summary, at)
        writer.flush()
    return value


def checkpoints_iterator(checkpoint_dir, min_interval_secs=0, timeout=None, timeout_fn=None):
    """Yields each new checkpoint of a folder; ends when `timeout` seconds bring none (None: goes on for ever)."""
    return v1.train.checkpoints_iterator(checkpoint_dir, min_interval_secs, timeout, timeout_fn)


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


def evaluation_loop(
    master,
    checkpoint_dir,
    logdir,
    num_evals=1,
    eval_interval_secs=60,
    max_number_of_evaluations=None,
    timeout=None,
    **kwargs,
):
    """Runs evaluate_once (which takes `kwargs`) for each new checkpoint; returns the last values of final_op."""
    value = None
    found = checkpoints_iterator(checkpoint_dir, eval_interval_secs, timeout)
    for number, path in enumerate(found, 1):
        value = evaluate_once(master, path, logdir, num_evals, **kwargs)
        if max_number_of_evaluations is not None and number >= max_number_of_evaluations:
            break
    return value
