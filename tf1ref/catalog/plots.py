"""Pictures of traces. Needs matplotlib (the extra "plots")."""

import io
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from tf1ref import files
from tf1ref.errors import InputError

THUMBNAIL = (192, 128)  # twice the place that it has in the gallery's contents


def need_matplotlib() -> None:
    """Raises InputError where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as e:
        raise InputError('--plots needs matplotlib: pip install "tf1ref[plots]"') from e


def save(module: ModuleType, trace: Mapping[str, Any], path: Path) -> None:
    """Writes the program's own picture of its trace, or its curves, to `path` (.png). The file is never half."""
    figure = module.plot(trace) if hasattr(module, "plot") else curves(trace, (module.__doc__ or "").split("\n")[0])
    picture = io.BytesIO()
    figure.savefig(picture, dpi=120, format=path.suffix[1:])
    files.write(path, picture.getvalue())


def curves(trace: Mapping[str, Any], title: str = "") -> Any:
    """Returns a matplotlib Figure with one panel for each scalar under `steps/`."""
    from matplotlib.figure import Figure

    rows = {key: np.asarray(value) for key, value in trace.items() if key.startswith("steps/")}
    rows = {key: value for key, value in rows.items() if value.ndim == 1 and value.dtype.kind in "fiu"}
    figure = Figure(figsize=(8, 2.6 * max(1, len(rows))), layout="constrained")
    figure.suptitle(title)
    for axis, (key, value) in zip(np.ravel(figure.subplots(max(1, len(rows)), 1)), rows.items()):
        axis.plot(value, linewidth=0.8)
        axis.set(xlabel="step", ylabel=key.removeprefix("steps/"))
    return figure


def thumbnail(picture: bytes) -> bytes:
    """Returns a small WebP of a picture, at most THUMBNAIL pixels in size."""
    from PIL import Image

    small, file = Image.open(io.BytesIO(picture)), io.BytesIO()
    small.thumbnail(THUMBNAIL)
    small.save(file, "WEBP", quality=80)
    return file.getvalue()
