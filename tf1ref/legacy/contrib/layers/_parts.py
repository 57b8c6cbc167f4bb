"""What the functions of contrib.layers share: initializers, collections of variables, names of outputs."""

import contextlib
import math
import weakref
from collections import OrderedDict

import tensorflow.compat.v1 as v1

# The names of outputs that were collected. Not every version lets graph tensors have other attributes.
_ALIASES = weakref.WeakKeyDictionary()


def xavier_initializer(uniform=True, seed=None, dtype=v1.float32):
    """Returns an initializer with variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    return variance_scaling_initializer(factor=1.0, mode="FAN_AVG", uniform=uniform, seed=seed, dtype=dtype)


xavier_initializer_conv2d = xavier_initializer


def variance_scaling_initializer(factor=2.0, mode="FAN_IN", uniform=False, seed=None, dtype=v1.float32):
    """Returns an initializer with variance factor / n. n is FAN_IN, FAN_OUT, or FAN_AVG, the mean of both.

    The default is that of He et al. (2015). uniform=False draws from a normal distribution that is cut at two standard
    deviations, scaled by sqrt(1.3) for what is cut off, as TF1's contrib does.
    Raises TypeError for an unknown dtype or mode.
    """
    if not v1.as_dtype(dtype).is_floating:
        raise TypeError("Cannot create initializer for non-floating point type.")
    if mode not in ("FAN_IN", "FAN_OUT", "FAN_AVG"):
        raise TypeError(f"Unknown mode {mode} [FAN_IN, FAN_OUT, FAN_AVG]")

    def initializer(shape, dtype=dtype, partition_info=None):
        if not v1.as_dtype(dtype).is_floating:
            raise TypeError("Cannot create initializer for non-floating point type.")
        ends = [float(size) for size in shape[-2:]] or [1.0]
        fan_in, fan_out = ends[0], ends[-1]
        field = math.prod(float(size) for size in shape[:-2])
        n = {"FAN_IN": fan_in, "FAN_OUT": fan_out, "FAN_AVG": (fan_in + fan_out) / 2.0}[mode] * field
        if uniform:
            limit = math.sqrt(3.0 * factor / n)
            return v1.random_uniform(shape, -limit, limit, dtype, seed=seed)
        return v1.truncated_normal(shape, 0.0, math.sqrt(1.3 * factor / n), dtype, seed=seed)

    return initializer


def get_variable_collections(variables_collections, name):
    """Returns the collections for variable `name`: its entry when they are a dict, else the list itself."""
    return variables_collections.get(name) if isinstance(variables_collections, dict) else variables_collections


def collect_named_outputs(collections, alias, outputs):
    """Gives `outputs` the name `alias` and adds them to the collections. Returns them."""
    if collections:
        append_tensor_alias(outputs, alias)
        v1.add_to_collections(collections, outputs)
    return outputs


def append_tensor_alias(tensor, alias):
    """Gives a tensor one more name. Returns it."""
    alias = alias[:-1] if alias.endswith("/") else alias
    names = _ALIASES.setdefault(tensor.op, {}).setdefault(tensor.name, [])
    names.append(alias)
    with contextlib.suppress(AttributeError):
        tensor.aliases = names  # where programs look for them
    return tensor


def get_tensor_aliases(tensor):
    """Returns the names that a tensor was given, or the name of its op."""
    return _ALIASES.get(tensor.op, {}).get(tensor.name) or [tensor.name.partition(":")[0]]


def convert_collection_to_dict(collection, clear_collection=False):
    """Returns {name: tensor} of a collection of outputs, in the order in which they were collected."""
    found = OrderedDict(
        (alias, value) for value in v1.get_collection(collection) for alias in get_tensor_aliases(value)
    )
    if clear_collection:
        v1.get_default_graph().clear_collection(collection)
    return found


def channels_axis(data_format, rank):
    """Returns the axis of the channels. Raises ValueError for an unknown data_format.

    data_format: "NCHW" or another one with the channels first; "NHWC" or another with them last; None means last.
    """
    if data_format in (None, "NHWC", "NWC", "NDHWC"):
        return rank - 1
    if data_format in ("NCHW", "NCW", "NCDHW"):
        return 1
    known = "NCDHW or NDHWC" if rank == 5 else "NCHW or NHWC"
    raise ValueError(f"data_format has to be either {known}, not {data_format!r}")
