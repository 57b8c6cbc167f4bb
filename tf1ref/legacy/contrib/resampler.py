"""tf.contrib.resampler: values of pictures between their pixels (Jaderberg et al., 2015, Spatial Transformer)."""

import tensorflow.compat.v1 as v1

__all__ = ["resampler"]


def resampler(data, warp, name="resampler"):
    """Returns the bilinear interpolation of `data` at the points `warp`, [batch, ..., channels].

    data: [batch, height, width, channels]. warp: [batch, ..., 2], each an (x, y) in pixels. Outside the picture all is
    0. Gradients reach both. Raises ValueError for other ranks and for points that have not two numbers.

    >>> with v1.Graph().as_default(), v1.Session() as sess:
    ...     picture = v1.reshape(v1.range(4.0), [1, 2, 2, 1])
    ...     print(sess.run(resampler(picture, [[[0.5, 0.5]]])))
    [[[1.5]]]
    """
    with v1.name_scope(name, "resampler", [data, warp]):
        data = v1.convert_to_tensor(data, name="data")
        warp = v1.convert_to_tensor(warp, dtype=data.dtype, name="warp")
        if data.shape.rank != 4:
            raise ValueError(f"data must be [batch, height, width, channels], not {data.shape}")
        if warp.shape.rank is None or warp.shape.rank < 2 or warp.shape[-1] != 2:
            raise ValueError(f"warp must be [batch, ..., 2], not {warp.shape}")
        x, y = v1.unstack(warp, axis=-1)
        left, top = v1.floor(x), v1.floor(y)
        right, bottom = x - left, y - top  # how far the point lies from the left and from the top
        return (
            _pixels(data, left, top, (1 - right) * (1 - bottom))
            + _pixels(data, left + 1, top, right * (1 - bottom))
            + _pixels(data, left, top + 1, (1 - right) * bottom)
            + _pixels(data, left + 1, top + 1, right * bottom)
        )


def _pixels(data, x, y, share):
    """Returns data[batch, y, x] * share, and 0 for a pixel outside."""
    height, width = v1.shape(data)[1], v1.shape(data)[2]
    x, y = v1.cast(x, v1.int32), v1.cast(y, v1.int32)
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    x, y = v1.clip_by_value(x, 0, width - 1), v1.clip_by_value(y, 0, height - 1)
    found = v1.gather_nd(data, v1.stack([y, x], axis=-1), batch_dims=1)
    return found * v1.expand_dims(v1.where(inside, share, v1.zeros_like(share)), -1)
