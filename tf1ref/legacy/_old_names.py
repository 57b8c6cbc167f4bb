"""Functions whose arguments changed in TensorFlow 1.0. Here they take the old order and the new one.

They are `tf.concat(axis, values)`, `tf.split(axis, number, value)`, the cross entropies by position, the sampled losses
with the inputs before the labels, and the summaries that had a tag of their own. TensorFlow 2 changed tf.device.
"""

import tensorflow as tf
import tensorflow.compat.v1 as v1


def device(device_name):
    """tf.device, which in a graph also takes a function of the op, such as tf.train.replica_device_setter's.

    Raises RuntimeError for a function in eager execution.
    """
    return v1.device(device_name) if callable(device_name) else tf.device(device_name)


def concat(values, axis, name="concat"):
    """Joins tensors along `axis`. The order before 1.0, (axis, values), is accepted, too.

    >>> with v1.Graph().as_default(), v1.Session() as sess:
    ...     print(sess.run(concat(0, [[1], [2]])))
    [1 2]
    """
    if isinstance(values, int) and not isinstance(axis, int):
        values, axis = axis, values
    return v1.concat(values, axis, name=name)


def split(*args, **kwargs):
    """tf.split(value, num_or_size_splits, axis=0). The order before 1.0, (axis, number, value), is accepted, too.

    >>> with v1.Graph().as_default():
    ...     print(len(split(0, 2, v1.zeros([4, 3]))))
    2
    """
    if "split_dim" in kwargs:
        kwargs["axis"] = kwargs.pop("split_dim")
    if "num_split" in kwargs:
        kwargs["num_or_size_splits"] = kwargs.pop("num_split")
    if len(args) == 3 and isinstance(args[0], int) and not isinstance(args[2], int):
        args = args[2], args[1], args[0]
    return v1.split(*args, **kwargs)


def _by_position(args, kwargs):
    """Returns keyword arguments for a cross entropy that is called by position.

    Before 1.0 the order was (logits, labels, name). Since then the names are required.
    """
    for name, value in zip(("logits", "labels", "name"), args):
        if name in kwargs:
            raise TypeError(f"{name} is given twice, by position and by name")
        kwargs[name] = value
    if "targets" in kwargs:
        kwargs["labels"] = kwargs.pop("targets")
    return kwargs


def softmax_cross_entropy_with_logits(*args, **kwargs):
    """tf.nn.softmax_cross_entropy_with_logits, which also takes (logits, labels) by position."""
    kwargs.pop("_sentinel", None)
    return v1.nn.softmax_cross_entropy_with_logits(**_by_position(args, kwargs))


def sparse_softmax_cross_entropy_with_logits(*args, **kwargs):
    """tf.nn.sparse_softmax_cross_entropy_with_logits, which also takes (logits, labels) by position."""
    kwargs.pop("_sentinel", None)
    return v1.nn.sparse_softmax_cross_entropy_with_logits(**_by_position(args, kwargs))


def sigmoid_cross_entropy_with_logits(*args, **kwargs):
    """tf.nn.sigmoid_cross_entropy_with_logits, which also takes (logits, targets) by position."""
    kwargs.pop("_sentinel", None)
    return v1.nn.sigmoid_cross_entropy_with_logits(**_by_position(args, kwargs))


def nce_loss(weights, biases, labels, inputs, *args, **kwargs):
    """tf.nn.nce_loss, which also takes (weights, biases, inputs, labels) by position."""
    return v1.nn.nce_loss(weights, biases, *_labels_first(labels, inputs), *args, **kwargs)


def sampled_softmax_loss(weights, biases, labels, inputs, *args, **kwargs):
    """tf.nn.sampled_softmax_loss, which also takes (weights, biases, inputs, labels) by position."""
    return v1.nn.sampled_softmax_loss(weights, biases, *_labels_first(labels, inputs), *args, **kwargs)


def _labels_first(labels, inputs):
    """Returns (labels, inputs). Labels are integers and inputs are not, so their types show the order."""
    labels, inputs = v1.convert_to_tensor(labels), v1.convert_to_tensor(inputs)
    return (inputs, labels) if inputs.dtype.is_integer and not labels.dtype.is_integer else (labels, inputs)


def scalar_summary(tags, values, collections=None, name=None):
    """tf.summary.scalar under the tag `tags` (a string)."""
    return v1.summary.scalar(name or tags, values, collections=collections)


def histogram_summary(tag, values, collections=None, name=None):
    """tf.summary.histogram under the tag `tag`."""
    return v1.summary.histogram(name or tag, values, collections=collections)


def image_summary(tag, tensor, max_images=3, collections=None, name=None):
    """tf.summary.image under the tag `tag`, for pictures of [n, height, width, channels]."""
    return v1.summary.image(name or tag, tensor, max_outputs=max_images, collections=collections)


def audio_summary(tag, tensor, sample_rate, max_outputs=3, collections=None, name=None):
    """tf.summary.audio under the tag `tag`, for sounds of [n, frames] or [n, frames, channels]."""
    return v1.summary.audio(name or tag, tensor, sample_rate, max_outputs=max_outputs, collections=collections)
