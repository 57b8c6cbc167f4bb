"""Removed methods and attributes: what `x.name` gives when the class of x has no `name` any more."""

import functools
import types

import numpy as np


def _itemset(array):
    def itemset(*arguments):
        *index, value = arguments
        if len(index) == 1 and not isinstance(index[0], tuple):
            array.flat[index[0]] = value
        else:
            array[tuple(index[0] if len(index) == 1 else index) or ...] = value

    return itemset


def _newbyteorder(array):
    return lambda order="S": array.view(array.dtype.newbyteorder(order))


def _append(frame):
    import pandas

    def append(other, ignore_index=False, **kwargs):
        others = list(other) if isinstance(other, (list, tuple)) else [other]
        as_row = (dict, pandas.Series) if frame.ndim == 2 else ()
        rows = [pandas.DataFrame([o]) if isinstance(o, as_row) else o for o in others]
        return pandas.concat([frame, *rows], ignore_index=ignore_index)

    return append


class _Ix:
    """pandas' .ix: it looks up by label, or by place where the label does not exist."""

    def __init__(self, frame):
        self.frame = frame

    def __getitem__(self, key):
        try:
            return self.frame.loc[key]
        except (KeyError, TypeError, IndexError):
            return self.frame.iloc[key]

    def __setitem__(self, key, value):
        try:
            self.frame.loc[key]
        except (KeyError, TypeError, IndexError):
            self.frame.iloc[key] = value
        else:
            self.frame.loc[key] = value


def _textsize(drawing):
    def textsize(text, font=None, **kwargs):
        left, top, right, bottom = drawing.textbbox((0, 0), text, font=font, **kwargs)
        return right, bottom

    return textsize


def _getsize(font):
    return lambda text, **kwargs: tuple(font.getbbox(text, **kwargs)[2:])


def _histogram(draw):
    """Axes.hist and pyplot.hist with the argument `normed`, which is `density` today."""

    @functools.wraps(draw)
    def hist(*args, **kwargs):
        if "normed" in kwargs:
            kwargs["density"] = kwargs.pop("normed")
        return draw(*args, **kwargs)

    return hist


def _gca(axes):
    return lambda **kwargs: axes.__self__.add_subplot(**kwargs) if kwargs else axes()


def _agg(method):
    """GroupBy.agg of a function of a group's whole frame, which pandas called when it failed for the columns."""

    @functools.wraps(method)
    def agg(func=None, *args, **kwargs):
        try:
            return method(func, *args, **kwargs)
        except Exception:
            groups = method.__self__
            if not callable(func) or not hasattr(groups, "groups"):
                raise
            import pandas

            found = {name: func(group, *args, **kwargs) for name, group in groups}
            return pandas.DataFrame(found, index=groups.obj.columns).T

    return agg


# {attribute: function that computes it from an object without it}.
LOST = {
    "tostring": lambda a: a.tobytes,
    "itemset": _itemset,
    "ptp": lambda a: functools.partial(np.ptp, a),
    "newbyteorder": _newbyteorder,
    "has_key": lambda d: d.__contains__,
    "iteritems": lambda d: lambda: iter(d.items()),
    "iterkeys": lambda d: lambda: iter(d.keys()),
    "itervalues": lambda d: lambda: iter(d.values()),
    "viewitems": lambda d: d.items,
    "viewkeys": lambda d: d.keys,
    "viewvalues": lambda d: d.values,
    "next": lambda i: i.__next__,
}
# The same for the objects of one package, in files that import it.
LOST_OF = {
    "pandas": {
        "append": _append,
        "as_matrix": lambda f: lambda columns=None: (f if columns is None else f[columns]).values,
        "get_value": lambda f: lambda row, column: f.at[row, column],
        "ix": _Ix,
        "sort": lambda f: lambda columns=None, **more: f.sort_values(columns, **more) if columns else f.sort_index(),
    },
    "PIL": {"textsize": _textsize, "getsize": _getsize},
    "h5py": {"value": lambda d: d[()]},
    "matplotlib": {
        "hold": lambda _: lambda *on: None,
        "set_window_title": lambda canvas: canvas.manager.set_window_title,
        "set_axis_bgcolor": lambda axes: axes.set_facecolor,
        "get_axis_bgcolor": lambda axes: axes.get_facecolor,
    },
}
# {attribute: function that wraps the existing one}, in files that import the package.
CHANGED_OF = {"matplotlib": {"hist": _histogram, "gca": _gca}, "pandas": {"agg": _agg, "aggregate": _agg}}


def wanted(packages):
    """Returns the names of the attributes to replace in a file that imports these packages."""
    names = set(LOST)
    for table in (LOST_OF, CHANGED_OF):
        names |= {name for package in packages & table.keys() for name in table[package]}
    return names


def attribute(owner, name):
    """Returns `owner.name`. An attribute that its class lost is computed."""
    try:
        found = getattr(owner, name)
    except AttributeError:
        made = LOST.get(name) or next((t[name] for t in LOST_OF.values() if name in t), None)
        if made is None:
            raise
        try:
            return made(owner)
        except (AttributeError, ImportError):
            pass
        raise
    where = owner.__name__ if isinstance(owner, types.ModuleType) else type(owner).__module__ or ""
    change = CHANGED_OF.get(where.partition(".")[0], {}).get(name)
    return change(found) if change else found


def renaming(kwargs, names):
    """Returns keyword arguments under their new names. names: {old: new}."""
    return {names.get(name, name): value for name, value in kwargs.items()}
