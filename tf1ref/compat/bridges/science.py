"""What SciPy, scikit-image and scikit-learn removed: scipy.misc's picture functions, windows, and moved modules."""

import importlib
import importlib.util

import numpy as np
from PIL import Image

_METHODS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "cubic": 3}


def bytescale(data, cmin=None, cmax=None, high=255, low=0):
    """scipy.misc.bytescale: scales an array from [cmin, cmax] (default: its own range) to bytes in [low, high]."""
    data = np.asarray(data)
    if data.dtype == np.uint8:
        return data
    cmin = data.min() if cmin is None else cmin
    cmax = data.max() if cmax is None else cmax
    scale = float(high - low) / ((cmax - cmin) or 1)
    return (((data - cmin) * scale + low).clip(low, high) + 0.5).astype(np.uint8)


def toimage(arr, high=255, low=0, cmin=None, cmax=None, pal=None, mode=None, channel_axis=None):
    """scipy.misc.toimage: a Pillow image of an array, scaled to bytes.

    arr: [height, width], or with an axis of 3 or 4 channels.
    """
    data = np.asarray(arr)
    if data.ndim == 3 and data.shape[-1] not in (3, 4):
        axis = channel_axis if channel_axis is not None else next(i for i, n in enumerate(data.shape) if n in (3, 4))
        data = np.moveaxis(data, axis, -1)
    if mode == "F":
        return Image.fromarray(data.astype(np.float32))
    return Image.fromarray(bytescale(data, cmin, cmax, high, low))


def fromimage(im, flatten=False, mode=None):
    """scipy.misc.fromimage: the array of a Pillow image. flatten: returns grey levels as floats."""
    im = im.convert(mode) if mode and mode != im.mode else im
    im = im.convert("RGBA" if "transparency" in im.info else "RGB") if im.mode == "P" else im
    im = im.convert("L") if im.mode == "1" else im
    return np.array(im.convert("F") if flatten else im)


def imread(name, flatten=False, mode=None):
    """scipy.misc.imread: the array of a picture file."""
    with Image.open(name) as im:
        return fromimage(im, flatten, mode)


def imsave(name, arr, format=None):
    """scipy.misc.imsave: writes an array as a picture file. The array's range is scaled to bytes."""
    toimage(arr, channel_axis=2).save(name, format) if format else toimage(arr, channel_axis=2).save(name)


def imresize(arr, size, interp="bilinear", mode=None):
    """scipy.misc.imresize: a resized picture as bytes. `size` is a percentage, a fraction, or (height, width)."""
    im = toimage(arr, mode=mode)
    if isinstance(size, (int, np.integer)):
        size = size / 100.0
    if isinstance(size, (float, np.floating)):
        new = tuple((np.array(im.size) * size).astype(int))
    else:
        new = (size[1], size[0])
    return fromimage(im.resize(tuple(int(n) for n in new), resample=_METHODS[interp]))


def imrotate(arr, angle, interp="bilinear"):
    """scipy.misc.imrotate: a picture as bytes, rotated counter-clockwise by `angle` degrees."""
    return fromimage(toimage(arr).rotate(angle, resample=_METHODS[interp]))


def imshow(arr):
    """scipy.misc.imshow: shows a picture in a window."""
    toimage(arr).show()


def _there(path):
    """Returns the object at a dotted path, or None where it is not installed, or is a module."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name) if module else None
    except (ImportError, AttributeError):
        return None


_WINDOWS = ("gaussian", "hann", "hanning", "hamming", "blackman", "bartlett", "boxcar", "triang", "kaiser")
_SPECIAL = ("comb", "factorial", "factorial2", "factorialk", "logsumexp")


class _Lazy(dict):
    """Names that are looked up only when they are used: {name: object, or the dotted path of one}."""

    def __getitem__(self, name):
        path = super().__getitem__(name)
        if not isinstance(path, str):
            return path
        found = _there(path)
        if found is None:
            found = importlib.import_module(path)
        self[name] = found
        return found


NAMES = {
    "scipy.misc": _Lazy(
        {
            "imread": imread, "imsave": imsave, "imresize": imresize, "imrotate": imrotate, "imshow": imshow,
            "toimage": toimage, "fromimage": fromimage, "bytescale": bytescale,
            **{name: f"scipy.special.{name}" for name in _SPECIAL},
            "face": "scipy.datasets.face", "ascent": "scipy.datasets.ascent",
            "derivative": "scipy.differentiate.derivative",
        }
    ),
    "scipy.misc.pilutil": {"imread": imread, "imsave": imsave, "imresize": imresize, "toimage": toimage},
    "scipy.signal": _Lazy({name: f"scipy.signal.windows.{name.replace('hanning', 'hann')}" for name in _WINDOWS}),
    "scipy.integrate": _Lazy(
        {"simps": "scipy.integrate.simpson", "trapz": "scipy.integrate.trapezoid",
         "cumtrapz": "scipy.integrate.cumulative_trapezoid"}
    ),
    "scipy.stats": _Lazy({"itemfreq": "tf1ref.compat.bridges.science.itemfreq"}),
    "scipy.ndimage": _Lazy({"imread": imread}),
    "scipy.linalg": _Lazy({"triu": "numpy.triu", "tril": "numpy.tril"}),
    "skimage.measure": _Lazy(
        {"compare_ssim": "skimage.metrics.structural_similarity",
         "compare_psnr": "skimage.metrics.peak_signal_noise_ratio",
         "compare_mse": "skimage.metrics.mean_squared_error"}
    ),
    "sklearn": _Lazy(
        {"cross_validation": "tf1ref.compat.bridges.learn", "grid_search": "sklearn.model_selection",
         "learning_curve": "sklearn.model_selection", "lda": "sklearn.discriminant_analysis"}
    ),
    "sklearn.externals": _Lazy({"joblib": "joblib", "six": "six"}),
    "sklearn.manifold": _Lazy({"TSNE": "tf1ref.compat.bridges.learn.tsne"}),
    "sklearn.preprocessing": _Lazy({"Imputer": "sklearn.impute.SimpleImputer"}),
    "sklearn.mixture": _Lazy({"GMM": "sklearn.mixture.GaussianMixture"}),
    "sklearn.metrics": _Lazy({"calinski_harabaz_score": "sklearn.metrics.calinski_harabasz_score"}),
}  # fmt: skip


def itemfreq(values):
    """scipy.stats.itemfreq: an array [n, 2] of the distinct values, sorted, and how often each occurs."""
    items, counts = np.unique(values, return_counts=True)
    return np.array([items, counts]).T
