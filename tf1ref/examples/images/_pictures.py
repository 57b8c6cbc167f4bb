"""The picture of this chapter, 400 x 600 like the source's cup of coffee, and sheets of results."""

import io

import numpy as np
from PIL import Image, ImageOps

from tf1ref.data import folders
from tf1ref.errors import InputError

HEIGHT, WIDTH = 400, 600


def jpeg():
    """Returns a JPEG file's bytes: a flower of folder("flower_photos"), cut to size, or a generated still life.

    Raises InputError when the folder has no .jpg in class folders, or when the first one is not a picture.
    """
    return _encoded("JPEG", quality=95)


def png():
    """Returns the same picture as a PNG file's bytes."""
    return _encoded("PNG")


def still_life():
    """Returns a cup seen from above on a striped cloth, uint8 (400, 600, 3), with edges, ramps, colours and grain."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    cloth = np.where(((x + 0.3 * y) // 40 % 2 == 0)[..., None], (198, 60, 52), (238, 226, 200))
    cloth = cloth * (0.6 + 0.4 * y / HEIGHT)[..., None]
    far = np.hypot(x - 320, y - 190)
    for radius, colour in ((170, (90, 110, 190)), (160, (226, 232, 240)), (105, (250, 250, 245)), (92, (94, 56, 30))):
        cloth = np.where((far < radius)[..., None], colour, cloth)
    milk = np.hypot(x - 300, (y - 175) * 1.6) < 34 + 6 * np.sin(x / 7)
    cloth = np.where(milk[..., None], (222, 190, 150), cloth)
    leaf = np.abs(x - 90 - 0.4 * (y - 90)) + np.abs(y - 90) < 55
    cloth = np.where(leaf[..., None], (70, 150, 60), cloth)
    grain = np.random.RandomState(0).randint(-6, 7, cloth.shape)
    return np.clip(cloth + grain, 0, 255).astype(np.uint8)


def sheet(pictures, title, columns=4):
    """Returns a matplotlib Figure of {name: picture}. Floats are clipped to 0 ... 1, as on a screen."""
    from matplotlib.figure import Figure

    rows = -(-len(pictures) // columns)
    figure = Figure(figsize=(3 * columns, 2.4 * rows), layout="constrained")
    figure.suptitle(title)
    axes = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for axis in axes:
        axis.axis("off")
    for axis, (name, picture) in zip(axes, pictures.items()):
        picture = np.clip(picture, 0, 1) if picture.dtype.kind == "f" else picture
        axis.imshow(picture, cmap="gray", interpolation="nearest")
        axis.set_title(f"{name}  {picture.shape[0]} x {picture.shape[1]}", fontsize=8)
    return figure


def _encoded(form, **options):
    buffer = io.BytesIO()
    _picture().save(buffer, form, **options)
    return buffer.getvalue()


def _picture():
    folder = folders.folder("flower_photos")
    if not folder:
        folders.stand_in("flower_photos", "a generated still life stands in")
        return Image.fromarray(still_life())
    paths = sorted(folder.glob("*/*.jpg"))
    if not paths:
        raise InputError(f"{folder}: no .jpg in class folders: put the flower_photos here, or move this away")
    try:
        with Image.open(paths[0]) as picture:
            return ImageOps.fit(picture.convert("RGB"), (WIDTH, HEIGHT))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{paths[0]}: not a picture that can be read ({error}): replace it") from error
