"""What pandas removed: functions that became methods, and moved names."""

import pandas


def _rolling(name):
    def rolled(arg, window, min_periods=None, center=False, **kwargs):
        return getattr(arg.rolling(window, min_periods=min_periods, center=center), name)(**kwargs)

    return rolled


def _ewma(arg, com=None, span=None, halflife=None, alpha=None, **kwargs):
    return arg.ewm(com=com, span=span, halflife=halflife, alpha=alpha, **kwargs).mean()


def read_csv(path, *args, **kwargs):
    """pandas.read_csv with the arguments that it has lost."""
    if kwargs.pop("squeeze", False):
        return pandas.read_csv(path, *args, **kwargs).squeeze("columns")
    if "error_bad_lines" in kwargs:
        kwargs["on_bad_lines"] = "error" if kwargs.pop("error_bad_lines") else "skip"
    if kwargs.pop("delim_whitespace", False):
        kwargs["sep"] = r"\s+"
    for gone in ("warn_bad_lines", "infer_datetime_format", "prefix", "mangle_dupe_cols", "tupleize_cols"):
        kwargs.pop(gone, None)
    return pandas.read_csv(path, *args, **kwargs)


NAMES = {
    "pandas": {
        **{f"rolling_{name}": _rolling(name) for name in ("mean", "std", "var", "sum", "min", "max", "median")},
        "ewma": _ewma,
        "read_csv": read_csv,
        "scatter_matrix": pandas.plotting.scatter_matrix,
        "TimeGrouper": pandas.Grouper,
        "Int64Index": pandas.Index,
        "Float64Index": pandas.Index,
    },
    "pandas.tools.plotting": {n: getattr(pandas.plotting, n) for n in dir(pandas.plotting) if not n.startswith("_")},
    "pandas.io.json": {"json_normalize": pandas.json_normalize},
}
