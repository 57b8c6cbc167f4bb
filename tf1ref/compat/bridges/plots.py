"""What matplotlib took away: names of styles, keywords, functions that did nothing any more."""

import functools

import matplotlib
from matplotlib import pyplot

from tf1ref.compat.bridges.methods import renaming

STYLES = "seaborn"


def use(style):
    """pyplot.style.use, which knows seaborn's styles under their old names."""
    known = pyplot.style.available
    names = style if isinstance(style, (list, tuple)) else [style]
    old = {name: name.replace(STYLES, f"{STYLES}-v0_8", 1) for name in names if str(name).startswith(STYLES)}
    pyplot.style.use([old[name] if name not in known and name in old else name for name in names])


def get_cmap(name=None, lut=None):
    """matplotlib.cm.get_cmap."""
    return pyplot.get_cmap(name, lut)


def hold(*on):
    """Drawing onto what is there is the only way now."""


@functools.wraps(pyplot.subplot)
def subplot(*args, **kwargs):
    """pyplot.subplot: takes the colour of the background as `axisbg`, too."""
    return pyplot.subplot(*args, **renaming(kwargs, {"axisbg": "facecolor"}))


NAMES = {
    "matplotlib": {},
    "matplotlib.pyplot": {"hold": hold, "ishold": lambda: True, "subplot": subplot},
    "matplotlib.style": {"use": use},
    "matplotlib.pyplot.style": {"use": use},
    "matplotlib.cm": {} if hasattr(matplotlib.cm, "get_cmap") else {"get_cmap": get_cmap},
    "matplotlib.pyplot.cm": {} if hasattr(matplotlib.cm, "get_cmap") else {"get_cmap": get_cmap},
}
