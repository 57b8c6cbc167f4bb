"""What the functions of contrib.layers share: initializers, collections of variables, aliases of outputs."""

import math
import weakref
from collections import OrderedDict

import tensorflow.compat.v1 as v1

# Names of outputs that were collected; graph tensors take no attributes of others' in every version.
_ALIASES = weakref.WeakKeyDictionary()


def xavier_initializer(uniform=True, seed=None, dtype=v1.float32):
    """Glorot and Bengio (2010): variance 2 / (fan_in + fan_out)."""
    return variance_scaling_initializer(factor=1.0, mode="FAN_AVG", uniform=uniform, seed=seed, dtype=dtype)


xavier_initializer_conv2d = xavier_initializer


def variance_scaling_initializer(factor=2.0, mode="FAN_IN", uniform=False, seed=None, dtype=v1.float32):
    """Variance factor / n, where n is FAN_IN, FAN_OUT or their mean, FAN_AVG; the default is He et al. (2015).

    Not uniform: a normal cut at two deviations, scaled by sqrt(1.3) for what is cut off, as TF1's contrib has it.
    Raises TypeError for a dtype or mode it does not know.
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
    """Returns the collections for variable `name`: of a dict its entry, else the list itself."""
    return variables_collections.get(name) if isinstance(variables_collections, dict) else variables_collections


def collect_named_outputs(collections, alias, outputs):
    """Gives `outputs` the name `alias` and adds them to the collections. Returns them."""
    if collections:
        append_tensor_alias(outputs, alias)
        v1.add_to_collections(collections, outputs)
    return outputs


def append_tensor_alias(tensor, alias):
    """Adds one more name to a tensor. Returns it."""
    alias = alias[:-1] if alias.endswith("/") else alias
    _ALIASES.setdefault(tensor.op, {}).setdefault(tensor.name, []).append(alias)
    return tensor


def get_tensor_aliases(tensor):
    """Returns the names a tensor was given, or its op's."""
    return _ALIASES.get(tensor.op, {}).get(tensor.name) or [tensor.name.partition(":")[0]]


def convert_collection_to_dict(collection, clear_collection=False):
    """Returns {name: tensor} of a collection of outputs, in the order they were collected."""
    found = OrderedDict(
        (alias, value) for value in v1.get_collection(collection) for alias in get_tensor_aliases(value)
    )
    if clear_collection:
        v1.get_default_graph().clear_collection(collection)
    return found


def channels_axis(data_format, rank):
    """Returns the axis of the channels: "NHWC" and the like, None, or "NCHW" and its like. Raises ValueError."""
    if data_format in (None, "NHWC", "NWC", "NDHWC"):
        return rank - 1
    if data_format in ("NCHW", "NCW", "NCDHW"):
        return 1
    raise ValueError(f"data_format has to be either NCHW or NHWC, not {data_format!r}")
