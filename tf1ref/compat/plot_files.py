"""A matplotlib backend for machines without a display: `show()` writes figure-1.png, figure-2.png ... and says so."""

import itertools
import os
import sys

import matplotlib
from matplotlib import pyplot
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

_numbers = itertools.count(1)


class FigureManager(FigureManagerBase):
    """A window that is a file: shown again, the figure is written to the same file again."""

    _path = None

    def show(self):
        """Writes the figure into the working folder."""
        if self._path is None:
            self._path = next(p for p in (f"figure-{i}.png" for i in _numbers) if not os.path.exists(p))
            print(f"tf1ref: no display: {self._path}", file=sys.stderr, flush=True)
        self.canvas.figure.savefig(self._path)

    @classmethod
    def pyplot_show(cls, *, block=None):
        """Shows every open figure; closes it, as who looked at the window would, unless the program goes on drawing."""
        for number in pyplot.get_fignums():
            pyplot.figure(number).canvas.manager.show()
            if block or (block is None and not matplotlib.is_interactive()):
                pyplot.close(number)


class FigureCanvas(FigureCanvasAgg):
    """Agg's canvas with the manager above."""

    manager_class = FigureManager

    def start_event_loop(self, timeout=0):
        """Returns at once: no key and no click will ever come, for plt.waitforbuttonpress() and its like."""
