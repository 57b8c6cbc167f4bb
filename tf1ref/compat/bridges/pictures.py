"""What Pillow removed in version 10: names of filters and of transformations."""

from PIL import Image

_PLACES = (Image.Resampling, Image.Transpose, Image.Transform, Image.Dither, Image.Palette, Image.Quantize)

NAMES = {
    "PIL.Image": {
        **{each.name: each for place in _PLACES for each in place if not hasattr(Image, each.name)},
        "ANTIALIAS": Image.Resampling.LANCZOS,
        "LINEAR": Image.Resampling.BILINEAR,
        "CUBIC": Image.Resampling.BICUBIC,
        "fromstring": Image.frombytes,
    },
}
