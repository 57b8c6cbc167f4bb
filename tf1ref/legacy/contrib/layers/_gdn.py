"""tf.contrib.layers.gdn, generalized divisive normalization (Ballé, Laparra and Simoncelli, arXiv:1511.06281)."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy._formats import data_format_of, from_last, to_last
from tf1ref.legacy.contrib.framework._arg_scope import add_arg_scope


@add_arg_scope
def gdn(
    inputs, inverse=False, beta_min=1e-6, gamma_init=0.1, reparam_offset=2**-18, data_format="channels_last",
    activity_regularizer=None, trainable=True, name=None, reuse=None,
):  # fmt: skip
    """Divides each channel by sqrt(beta + gamma @ (the squares of all channels)), or multiplies for inverse=True.

    inputs: [n, ..., channels] of rank 3 to 5. beta starts at 1 and stays above beta_min; gamma starts at gamma_init on
    its diagonal and stays above 0. The variables reparam_beta and reparam_gamma hold their roots, shifted by
    reparam_offset. Raises ValueError for another rank or data_format, and for an unknown number of channels.
    """
    inputs, place = v1.convert_to_tensor(inputs), data_format_of(data_format)
    rank, dtype = inputs.get_shape().ndims, inputs.dtype.base_dtype
    if rank not in (3, 4, 5):
        raise ValueError(f"gdn takes inputs of rank 3 to 5, not {inputs.get_shape()}")
    with v1.variable_scope(name, "gdn", [inputs], reuse=reuse):
        x = to_last(inputs, place)
        size, shift = x.get_shape().as_list()[-1], reparam_offset**2
        if size is None:
            raise ValueError("The channel dimension of the inputs to `GDN` must be defined.")

        def made(name, shape, start, bound):
            root = v1.get_variable(
                name, shape, dtype, lambda *_, **__: v1.sqrt(start(*shape[-1:], dtype=dtype) + shift),
                trainable=trainable,
            )  # fmt: skip
            return v1.square(_bounded(v1.convert_to_tensor(root), bound)) - shift

        beta = made("reparam_beta", [size], v1.ones, (beta_min + shift) ** 0.5)
        gamma = made(
            "reparam_gamma", [size, size], lambda n, dtype: gamma_init * v1.eye(n, dtype=dtype), reparam_offset
        )
        kernel = v1.reshape(gamma, [1] * (rank - 2) + [size, size])
        norm = v1.sqrt(v1.nn.bias_add(v1.nn.convolution(v1.square(x), kernel, "VALID"), beta))
        outputs = from_last(x * norm if inverse else x / norm, place)
        outputs.set_shape(inputs.get_shape())
        if activity_regularizer is not None:
            v1.add_to_collection(v1.GraphKeys.REGULARIZATION_LOSSES, activity_regularizer(outputs))
        return outputs


def _bounded(values, bound):
    """Returns max(values, bound). A value below the bound keeps a gradient that moves it up."""

    @v1.custom_gradient
    def bounded(x):
        def gradient(upstream):
            return v1.where((x >= bound) | (upstream < 0), upstream, v1.zeros_like(upstream))

        return v1.maximum(x, bound), gradient

    return bounded(values)
