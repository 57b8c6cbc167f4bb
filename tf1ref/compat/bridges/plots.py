"""What matplotlib removed: names of styles, keywords, and functions without effect."""

import functools

import matplotlib
from matplotlib import pyplot

from tf1ref.compat.bridges.methods import renaming

STYLES = "seaborn"


def use(style):
    """pyplot.style.use with the old names of seaborn's styles."""
    known = pyplot.style.available
    names = style if isinstance(style, (list, tuple)) else [style]
    old = {name: name.replace(STYLES, f"{STYLES}-v0_8", 1) for name in names if str(name).startswith(STYLES)}
    pyplot.style.use([old[name] if name not in known and name in old else name for name in names])


def get_cmap(name=None, lut=None):
    """matplotlib.cm.get_cmap, which returns a colour map by its name."""
    return pyplot.get_cmap(name, lut)


def hold(*on):
    """pyplot.hold does nothing: plots are always drawn onto what is there."""


@functools.wraps(pyplot.subplot)
def subplot(*args, **kwargs):
    """pyplot.subplot with the argument `axisbg`, the colour of the background."""
    return pyplot.subplot(*args, **renaming(kwargs, {"axisbg": "facecolor"}))


NAMES = {
    "matplotlib": {},
    "matplotlib.pyplot": {"hold": hold, "ishold": lambda: True, "subplot": subplot},
    "matplotlib.style": {"use": use},
    "matplotlib.pyplot.style": {"use": use},
    "matplotlib.cm": {} if hasattr(matplotlib.cm, "get_cmap") else {"get_cmap": get_cmap},
    "matplotlib.pyplot.cm": {} if hasattr(matplotlib.cm, "get_cmap") else {"get_cmap": get_cmap},
}
