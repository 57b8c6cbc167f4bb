"""What a layer accepts as its input."""


class InputSpec:
    """What a layer accepts: a rank (exact, at least, at most), and the sizes of axes by number."""

    def __init__(self, dtype=None, shape=None, ndim=None, max_ndim=None, min_ndim=None, axes=None):
        self.dtype, self.shape = dtype, shape
        self.ndim = len(shape) if shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = axes or {}


def mismatch(spec, tensor):
    """Returns what is wrong with a tensor, or None. spec: an InputSpec of this module or of Keras."""
    if spec.dtype is not None and tensor.dtype.base_dtype != spec.dtype:
        return f"expected dtype={spec.dtype}, found dtype={tensor.dtype.name}"
    shape = tensor.get_shape()
    rank = shape.rank
    if rank is None:
        needs_rank = any(limit is not None for limit in (spec.ndim, spec.min_ndim, spec.max_ndim))
        return "its rank is undefined, but the layer requires a defined rank" if needs_rank else None
    for limit, wrong in ((spec.ndim, rank != spec.ndim), (spec.min_ndim, rank < (spec.min_ndim or 0))):
        if limit is not None and wrong:
            return f"expected {'ndim' if limit is spec.ndim else 'min_ndim'}={limit}, found ndim={rank}"
    if spec.max_ndim is not None and rank > spec.max_ndim:
        return f"expected max_ndim={spec.max_ndim}, found ndim={rank}"
    sizes = shape.as_list()
    for axis, size in (spec.axes or {}).items():
        size = getattr(size, "value", size)
        if size is not None and sizes[int(axis)] not in (size, None):
            return f"expected axis {axis} to have {size} elements, found {sizes[int(axis)]}"
    if spec.shape is not None and not shape.is_compatible_with(spec.shape):
        return f"expected shape={spec.shape}, found shape={shape}"
    return None
