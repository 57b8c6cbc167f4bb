"""The results of an evaluation as an event, and the events as results."""

import os

import numpy as np
import tensorflow.compat.v1 as v1


def _write_dict_to_summary(output_dir, dictionary, current_global_step):
    """Writes {name: value} as one event of a folder. The global step is not written, and neither are other types.

    Numbers become simple values, arrays tensors, and serialized summaries the images and so on that they hold.
    """
    summary = v1.Summary()
    for key, value in dictionary.items():
        if key == v1.GraphKeys.GLOBAL_STEP or value is None:
            continue
        if isinstance(value, (int, float, np.integer, np.floating)):
            summary.value.add(tag=key, simple_value=float(value))
        elif isinstance(value, bytes):
            _add_serialized(summary, key, value)
        elif isinstance(value, np.ndarray):
            summary.value.add(tag=key).tensor.CopyFrom(v1.make_tensor_proto(value))
        else:
            v1.logging.warning("Skipping summary for %s, must be a number, an array or a summary.", key)
    # Code does not run eagerly inside a graph, and the writer needs that. One writer a process, as in TF1: a file's
    # name is the second at which it was opened, so a second writer could empty the file of the first.
    with v1.Graph().as_default():
        writer = v1.summary.FileWriterCache.get(output_dir)
    writer.add_summary(summary, int(current_global_step))
    writer.flush()


def _add_serialized(summary, key, value):
    try:
        found = v1.Summary.FromString(value)
    except Exception as error:  # protobuf raises DecodeError, which has no public place
        v1.logging.warning("Skipping summary for %s, cannot parse string to Summary: %s", key, error)
        return
    for number, each in enumerate(found.value):
        each.tag = f"{key}/{number}"
        summary.value.add().CopyFrom(each)


def read_eval_metrics(eval_dir):
    """Returns {step: {metric: value}} of the events of a folder, by step. It is empty without events."""
    found = {}
    for path in sorted(v1.gfile.Glob(os.path.join(eval_dir, "events.out.tfevents.*"))):
        for event in v1.train.summary_iterator(path):
            values = {v.tag: v.simple_value for v in event.summary.value if v.HasField("simple_value")}
            if values:
                found.setdefault(event.step, {}).update(values)
    return dict(sorted(found.items()))
