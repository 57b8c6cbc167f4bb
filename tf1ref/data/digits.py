"""Generated digits, the stand-in for MNIST: pen strokes bent, sheared and inked at random, 28 x 28 in uint8.

They are made so that the order of results is MNIST's. Geometry alone does this: every label is right, but a share of
the shapes lies between two digits, as in handwriting. Measured on the 10,000 test pictures: softmax regression, 1000
steps, 90.9 %; MLP of 500, 10,000 steps, 98.3 %; LeNet-like convnet, 3 epochs of Adam, 99.1 %. With MNIST these are 91,
98 and 99.

Only uniform random numbers, simple arithmetic and integers are used, without libm and BLAS, so all platforms agree.
"""

import functools

import numpy as np

SIDE = 28
SAMPLES = 72  # ink points along a digit's path; 0.5 to 0.9 pixels apart
KNOTS = 7  # the pen's wobble is piecewise linear between this many points of the path
CHUNK = 2000  # pictures drawn at once: about 15 MB of temporaries
FINE = 16  # ink points lie on a grid of 1/16 pixel, so that the ink is summed in integers

HEIGHT = 8.6  # pixels from the middle of a digit to its top
SHIFT = 1.0  # standard deviations of the random geometry: pixels,
AFFINE = 0.11  # entries of the 2 x 2 matrix,
SHEAR = 0.22  # slant of the writing,
WARP = 0.06  # quadratic bending,
WOBBLE = 0.075  # wobble of the pen, in units of half a height
BETWEEN = 0.06  # share of shapes drawn between two digits ...
NEAREST = 0.50  # ... at most this far on the way to the other one
GAPS = 0.10  # share of digits in which the pen skipped
FOOT = 0.3  # the blurred line is 1.7 high; what lies below this is cut off, for crisp edges

# Paths of the pen, x to the right and y downwards, in percent of half a height. "|" is a corner. A stroke may come
# twice.
PATHS = {
    0: [
        "10,-100 -40,-75 -58,0 -40,75 0,100 40,75 58,0 40,-75 5,-100",
        "30,-90 -20,-80 -45,0 -40,80 -10,98 25,60 42,-20 35,-80 -5,-95",
    ],
    1: ["0,-100 0,100", "-35,-60 0,-100 | 0,100", "-30,-62 0,-100 | 0,100 | -35,100 | 38,98"],
    2: [
        "-50,-60 -30,-92 10,-100 45,-72 40,-30 0,20 -55,95 | 0,90 60,95",
        "-48,-70 -10,-100 38,-80 35,-30 -10,40 -50,85 -60,60 -30,58 10,85 62,88",
    ],
    3: [
        "-50,-75 -10,-100 40,-80 40,-40 -5,-8 | 45,15 52,62 10,100 -35,95 -55,70",
        "-50,-92 45,-95 | -5,-20 | 45,5 52,60 10,98 -50,85",
    ],
    4: ["-38,-90 -52,10 | 55,8 | 26,9 | 34,-75 | 22,100", "22,-100 -58,22 | 58,20 | 22,21 | 22,-98 | 22,100"],
    5: [
        "52,-95 -35,-95 | -42,-12 | 10,-30 50,8 46,65 0,100 -52,80",
        "-30,-95 -40,-15 | 10,-25 45,15 40,70 -5,100 -50,85 | -5,100 40,70 45,15 10,-25 -40,-15 | -30,-95 | 55,-92",
    ],
    6: [
        "38,-97 -12,-60 -50,10 -40,75 0,100 42,75 45,30 10,5 -30,25 -48,52",
        "10,-100 -25,-50 -42,20 -35,85 5,98 38,70 30,35 0,25 -38,55",
    ],
    7: ["-55,-90 52,-90 | 15,0 -10,100", "-50,-85 55,-92 | 12,5 -12,100 | 12,5 | -28,8 | 48,0"],
    8: [
        "40,-70 0,-100 -40,-72 -30,-32 0,-2 45,40 35,85 0,100 -35,85 -45,40 0,-2 30,-32 40,-70",
        "48,-85 5,-98 -38,-65 0,-15 35,30 30,80 -8,98 -40,65 -10,15 25,-30 50,-82",
    ],
    9: [
        "42,-60 10,-100 -35,-85 -48,-40 -20,-5 20,-15 42,-60 40,0 30,100",
        "42,-60 8,-98 -35,-80 -46,-38 -15,-2 22,-15 42,-60 46,25 20,90 -38,92",
    ],
}
# The two digits that the shapes of 0, 1, 2 ... are mistaken for.
ALIKE = ((6, 2), (7, 4), (7, 3), (5, 8), (9, 6), (3, 6), (0, 5), (9, 1), (3, 9), (4, 7))


def generate(count, seed):
    """Returns `count` pictures, uint8 (count, 28, 28) with ink 255 on 0, and labels, uint8 (count,), drawn from `seed`.

    >>> images, labels = generate(2, seed=1)
    >>> images.shape, labels.shape
    ((2, 28, 28), (2,))
    """
    random = np.random.Generator(np.random.PCG64(seed))
    labels = random.integers(0, 10, count, dtype=np.uint8)
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for start in range(0, count, CHUNK):
        part = labels[start : start + CHUNK]
        images[start : start + CHUNK] = _ink(random, _bend(random, _shapes(random, part)))
    return images, labels


@functools.lru_cache(maxsize=1)
def load():
    """Returns (train images, train labels, test images, test labels): 60,000 and 10,000, drawn once a process."""
    arrays = generate(60_000, seed=1) + generate(10_000, seed=2)
    for array in arrays:
        array.flags.writeable = False  # shared by every caller
    return arrays


def _smooth(points):
    """Returns a Catmull-Rom curve through `points` (k, 2), 16 pieces between two of them."""
    ends = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    a, b, c, d = ends[:-3, None], ends[1:-2, None], ends[2:-1, None], ends[3:, None]
    t = (np.arange(16) / 16)[:, None]
    curve = b + t * ((c - a) / 2 + t * (a - 2.5 * b + 2 * c - d / 2 + t * (1.5 * (b - c) + (d - a) / 2)))
    return np.concatenate([curve.reshape(-1, 2), points[-1:]])


def _trace(path):
    """Returns a path's text as SAMPLES points (SAMPLES, 2) at equal distances."""
    pieces, last = [], []
    for piece in path.split("|"):
        points = last + [[int(n) / 100 for n in pair.split(",")] for pair in piece.split()]
        pieces.append(_smooth(np.array(points)))
        last = points[-1:]
    line = np.concatenate(pieces)
    far = np.concatenate([[0], np.cumsum(np.sqrt(np.square(np.diff(line, axis=0)).sum(1)))])
    even = np.arange(SAMPLES) * (far[-1] / (SAMPLES - 1))
    return np.stack([np.interp(even, far, line[:, 0]), np.interp(even, far, line[:, 1])], 1)


@functools.lru_cache(maxsize=1)
def _templates():
    """Returns every traced path (paths, SAMPLES, 2), and each digit's first path and number of paths."""
    counts = np.array([len(PATHS[digit]) for digit in range(10)])
    traced = np.stack([_trace(path) for digit in range(10) for path in PATHS[digit]])
    return traced.astype(np.float32), np.cumsum(counts) - counts, counts


def _bell(random, *shape):
    """Returns numbers of mean 0 and deviation 1 within -3 and 3: the sum of three uniform ones."""
    return 2 * random.random((3, *shape), np.float32).sum(0) - 3


def _shapes(random, labels):
    """Returns paths (n, SAMPLES, 2) for `labels`. A few of them are on the way to a similar digit."""
    traced, first, counts = _templates()
    n = len(labels)
    pick = random.random((4, n), np.float32)
    other = np.array(ALIKE)[labels, (pick[0] * 2).astype(int)]
    own, away = (traced[first[d] + (pick[1] * counts[d]).astype(int)] for d in (labels, other))
    way = np.where(pick[2] < BETWEEN, (0.3 + 0.7 * pick[3]) * NEAREST, 0).astype(np.float32)[:, None, None]
    return own + way * (away - own)


def _bend(random, shapes):
    """Returns the shapes after wobble, bending, an affine map and a shift: pixel coordinates (2, n, SAMPLES)."""
    n = len(shapes)
    place = np.arange(SAMPLES) * ((KNOTS - 1) / (SAMPLES - 1))
    left = np.minimum(place.astype(int), KNOTS - 2)
    share = (place - left).astype(np.float32)
    knots = WOBBLE * _bell(random, 2, n, KNOTS)
    x, y = shapes.transpose(2, 0, 1) + knots[..., left] * (1 - share) + knots[..., left + 1] * share
    a = _bell(random, 13, n)[..., None]
    bent_x = (1 + AFFINE * a[0]) * x - (SHEAR * a[1] + 0.1) * y  # writing leans to the right
    bent_y = (1 + AFFINE * a[5]) * y + AFFINE * a[6] * x
    bent_x += WARP * (a[2] * x * y + a[3] * x * x + a[4] * y * y)
    bent_y += WARP * (a[7] * x * y + a[8] * x * x + a[9] * y * y)
    size = HEIGHT * (1 + 0.06 * a[10])
    middle = (SIDE - 1) / 2
    return np.stack([middle + size * bent_x + SHIFT * a[11], middle + size * bent_y + SHIFT * a[12]])


def _ink(random, points):
    """Draws points (2, n, SAMPLES) as strokes of a random width: uint8 (n, 28, 28)."""
    n = points.shape[1]
    fine = np.clip((points * FINE).astype(np.int32), 0, (SIDE - 1) * FINE - 1)  # ink never leaves the picture
    (x, y), (right, down) = fine // FINE, fine % FINE
    gap = random.random((3, n, 1), np.float32)
    begin, length = gap[1] * SAMPLES, (gap[0] < GAPS) * (4 + gap[2] * 8)
    place = np.arange(SAMPLES)
    wet = ~((place >= begin) & (place < begin + length))
    at = np.arange(n, dtype=np.int32)[:, None] * SIDE * SIDE + y * SIDE + x
    sheet = np.zeros(n * SIDE * SIDE)  # float64 sums of integers: exact
    for step, weight in (
        (0, (FINE - right) * (FINE - down)),
        (1, right * (FINE - down)),
        (SIDE, (FINE - right) * down),
        (SIDE + 1, right * down),
    ):
        sheet += np.bincount((at + step).ravel(), (weight * wet).ravel(), n * SIDE * SIDE)
    sheet = _blur(_blur(sheet.astype(np.int32).reshape(n, SIDE, SIDE)))
    # A long path has its ink points further apart. The blurred line is drawn up to full black: the further it
    # is, the broader the pen.
    length = np.sqrt(np.square(np.diff(points)).sum(0)).sum(1)[:, None, None]
    pen = 180 + 260 * random.random((n, 1, 1), np.float32)
    grain = 0.92 + 0.08 * random.random((n, SIDE, SIDE), np.float32)
    return np.clip((sheet * (length / 1e6) - FOOT) * pen * grain, 0, 255).astype(np.uint8)


def _blur(sheet):
    """Returns `sheet` (n, 28, 28) smeared by 1 2 1 along both axes; what leaves the picture is lost."""
    for axis in (1, 2):
        there = np.moveaxis(sheet, axis, 0)
        out = 2 * there
        out[1:] += there[:-1]
        out[:-1] += there[1:]
        sheet = np.moveaxis(out, 0, axis)
    return sheet
