"""A matplotlib backend for machines without a display: `show()` writes figure-1.png, figure-2.png ... and says so."""

import itertools
import os
import sys

from matplotlib import pyplot
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

_numbers = itertools.count(1)


class FigureManager(FigureManagerBase):
    """Shows nothing; `pyplot_show` is called by plt.show()."""

    @classmethod
    def pyplot_show(cls, *, block=None):
        """Writes every open figure into the working folder, and closes it as a window would be closed."""
        for number in pyplot.get_fignums():
            path = next(p for p in (f"figure-{i}.png" for i in _numbers) if not os.path.exists(p))
            pyplot.figure(number).savefig(path)
            print(f"tf1ref: no display: {path}", file=sys.stderr, flush=True)
            if block is not False:
                pyplot.close(number)


class FigureCanvas(FigureCanvasAgg):
    """Agg's canvas with the manager above."""

    manager_class = FigureManager
