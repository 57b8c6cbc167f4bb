"""tf.contrib.slim.summaries: summaries of tensors under their own names."""

import tensorflow.compat.v1 as v1

__all__ = [
    "add_histogram_summaries", "add_histogram_summary", "add_image_summaries", "add_image_summary",
    "add_scalar_summaries", "add_scalar_summary", "add_zero_fraction_summaries", "add_zero_fraction_summary",
]  # fmt: skip


def _name(tensor, name, prefix):
    name = tensor.op.name if name is None else name
    return f"{prefix}/{name}" if prefix else name


def add_histogram_summary(tensor, name=None, prefix=None):
    """Returns a histogram summary of a tensor."""
    return v1.summary.histogram(_name(tensor, name, prefix), tensor)


def add_image_summary(tensor, name=None, prefix=None, print_summary=False):
    """Returns an image summary of a tensor of [n, height, width, channels]. print_summary: prints it at each run."""
    name = _name(tensor, name, prefix)
    return _collected(v1.summary.image(name, tensor, collections=[]), tensor, name, print_summary)


def add_scalar_summary(tensor, name=None, prefix=None, print_summary=False):
    """Returns a scalar summary of a tensor without axes. print_summary: prints the value at each run."""
    name = _name(tensor, name, prefix)
    return _collected(v1.summary.scalar(name, tensor, collections=[]), tensor, name, print_summary)


def _collected(summary, tensor, name, printed):
    if printed:
        summary = v1.Print(summary, [tensor], f"{name}: ")
    v1.add_to_collection(v1.GraphKeys.SUMMARIES, summary)
    return summary


def add_zero_fraction_summary(tensor, name=None, prefix=None, print_summary=False):
    """Returns a scalar summary of the fraction of zeros in a tensor."""
    name = f"Fraction of Zero Values/{_name(tensor, name, prefix)}"
    return add_scalar_summary(v1.nn.zero_fraction(tensor), name, print_summary=print_summary)


def add_histogram_summaries(tensors, prefix=None):
    """Returns a histogram summary of each tensor."""
    return [add_histogram_summary(each, prefix=prefix) for each in tensors]


def add_image_summaries(tensors, prefix=None):
    """Returns an image summary of each tensor."""
    return [add_image_summary(each, prefix=prefix) for each in tensors]


def add_scalar_summaries(tensors, prefix=None, print_summary=False):
    """Returns a scalar summary of each tensor."""
    return [add_scalar_summary(each, prefix=prefix, print_summary=print_summary) for each in tensors]


def add_zero_fraction_summaries(tensors, prefix=None):
    """Returns a summary of the fraction of zeros of each tensor."""
    return [add_zero_fraction_summary(each, prefix=prefix) for each in tensors]
