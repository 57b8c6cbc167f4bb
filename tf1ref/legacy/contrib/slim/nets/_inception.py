"""What all Inceptions share: layers and branches out of a table, and the head.

A layer is written as "96:3x3/2!=name": 96 channels, a kernel of 3 x 3, stride 2, VALID padding, and the scope. The
defaults are stride 1, SAME padding, and a scope such as Conv2d_0b_3x3. "max" and "avg" are pools, by default of 3 x 3.
Layers of a branch are separated by spaces, and "a|b" concatenates two layers with the same input.
"""

import re

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.framework import arg_scope
from tf1ref.legacy.contrib.layers import (
    avg_pool2d,
    batch_norm,
    conv2d,
    dropout,
    fully_connected,
    l2_regularizer,
    max_pool2d,
    variance_scaling_initializer,
)

LAYER = re.compile(r"(?P<what>\d+|max|avg)(:(?P<size>\dx\d))?(/(?P<stride>\d))?(?P<valid>!?)(=(?P<scope>\w+))?")
KERNEL = {"max": "3x3", "avg": "3x3"}
TITLES = {"max": "MaxPool", "avg": "AvgPool"}


def trunc_normal(deviation):
    """Returns the initializer of a truncated normal distribution around 0."""
    return v1.truncated_normal_initializer(0.0, deviation)


def depths(multiplier, min_depth):
    """Returns the function that scales a number of channels. Raises ValueError for a multiplier of 0 or less."""
    if multiplier <= 0:
        raise ValueError("depth_multiplier is not greater than zero.")
    return lambda channels: max(int(channels * multiplier), min_depth)


def base(inputs, table, final_endpoint, depth, name, scope, reduced=None, projected=None):
    """Returns (output, {end point: output}) of the layers of a table, up to final_endpoint.

    table: {end point: a layer, a tuple of branches, or a function of (inputs, depth, scope)}. depth: from `depths`.
    reduced, projected: initializers of a branch's first 1 x 1 convolution, and of the one after its pool.
    Raises ValueError for an end point that is not in the table.
    """
    end_points, net = {}, inputs
    with v1.variable_scope(scope, name, [inputs]):
        for end_point, layer in table.items():
            if callable(layer):
                net = layer(net, depth, end_point)
            elif isinstance(layer, str):
                net = _layer(net, layer, depth, end_point)
            else:
                with v1.variable_scope(end_point):
                    branches = [
                        _branch(net, number, layers.split(), depth, reduced, projected)
                        for number, layers in enumerate(layer)
                    ]
                    net = v1.concat(branches, 3)
            end_points[end_point] = net
            if end_point == final_endpoint:
                return net, end_points
    raise ValueError(f"Unknown final endpoint {final_endpoint}")


def _branch(net, number, layers, depth, reduced, projected):
    letters = iter("abcdefgh")
    with v1.variable_scope(f"Branch_{number}"):
        for place, text in enumerate(layers):
            start = projected if layers[0][0] in "ma" else reduced if place == 0 and len(layers) > 1 else None
            outputs = [_layer(net, each, depth, None, letters, start) for each in text.split("|")]
            net = outputs[0] if len(outputs) == 1 else v1.concat(outputs, 3)
    return net


def _layer(net, text, depth, scope, letters=None, start=None):
    read = LAYER.fullmatch(text)
    what, stride = read["what"], int(read["stride"] or 1)
    size = read["size"] or KERNEL[what]
    if letters:
        place = "1a" if stride > 1 else f"0{next(letters)}"
        scope = read["scope"] or f"{TITLES.get(what, 'Conv2d')}_{place}_{size}"
    kernel = [int(side) for side in size.split("x")]
    common = {"stride": stride, "padding": "VALID" if read["valid"] else "SAME", "scope": scope}
    if what in TITLES:
        return (max_pool2d if what == "max" else avg_pool2d)(net, kernel, **common)
    return conv2d(net, depth(int(what)), kernel, **common, **({"weights_initializer": start} if start else {}))


def head(net, num_classes, keep_prob, spatial_squeeze, scopes):
    """Returns (the features after dropout, the logits). scopes: of the dropout and of the convolution."""
    net = dropout(net, keep_prob, scope=scopes[0])
    logits = conv2d(net, num_classes, [1, 1], activation_fn=None, normalizer_fn=None, scope=scopes[1])
    return net, v1.squeeze(logits, [1, 2], name="SpatialSqueeze") if spatial_squeeze else logits


def pool(net, size):
    """Returns the mean of windows of size x size, or of the whole of a smaller input."""
    kernel = smaller(net, size)
    return avg_pool2d(net, kernel, padding="VALID", scope="AvgPool_1a_{}x{}".format(*kernel))


def smaller(net, size):
    """Returns the kernel [size, size], or the height and width of [n, height, width, channels] if they are smaller."""
    return [size if known is None else min(known, size) for known in net.shape.as_list()[1:3]]


def scope_of(weight_decay, batch_norm_var_collection="moving_vars", use_batch_norm=True, **more):
    """Returns the arg_scope of an Inception. more: further arguments of batch_norm."""
    moving = {"moving_mean": [batch_norm_var_collection], "moving_variance": [batch_norm_var_collection]}
    norm = {
        "decay": 0.9997,
        "epsilon": 0.001,
        "updates_collections": v1.GraphKeys.UPDATE_OPS,
        "variables_collections": {"beta": None, "gamma": None, **moving},
        **more,
    }
    convolution = {
        "weights_initializer": variance_scaling_initializer(),
        "activation_fn": v1.nn.relu,
        "normalizer_fn": batch_norm if use_batch_norm else None,
        "normalizer_params": norm if use_batch_norm else {},
    }
    decay = l2_regularizer(weight_decay)
    with arg_scope([conv2d, fully_connected], weights_regularizer=decay), arg_scope([conv2d], **convolution) as scope:
        return scope
