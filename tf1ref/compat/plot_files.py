"""A matplotlib backend for machines without a display. `show()` writes figure-1.png, figure-2.png ... and prints it."""

import itertools
import os
import sys

import matplotlib
from matplotlib import pyplot
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

_numbers = itertools.count(1)


class FigureManager(FigureManagerBase):
    """A window that is a file. A figure that is shown again is written to the same file."""

    _path = None

    def show(self):
        """Writes the figure into the working folder."""
        if self._path is None:
            self._path = next(p for p in (f"figure-{i}.png" for i in _numbers) if not os.path.exists(p))
            print(f"tf1ref: no display: {self._path}", file=sys.stderr, flush=True)
        self.canvas.figure.savefig(self._path)

    @classmethod
    def pyplot_show(cls, *, block=None):
        """Shows every open figure and closes it, as if its window had been closed.

        A program that draws on keeps it open.
        """
        for number in pyplot.get_fignums():
            pyplot.figure(number).canvas.manager.show()
            if block or (block is None and not matplotlib.is_interactive()):
                pyplot.close(number)


class FigureCanvas(FigureCanvasAgg):
    """Agg's canvas with the manager above."""

    manager_class = FigureManager

    def start_event_loop(self, timeout=0):
        """Returns at once, for plt.waitforbuttonpress() and similar functions: a key or a click will never come."""
