"""Runs the examples and writes one page of all of them: `tf1ref gallery`.

Both halves of each example run for a few steps, which proves them equal. The graph half runs once more at the source's
own length where that is quick. Worker processes do it, so one that dies loses its own example only.
"""

import contextlib
import inspect
import io
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tf1ref import catalog, console, files, parity
from tf1ref.catalog import running
from tf1ref.catalog.gallery import beside
from tf1ref.data import folders

PAGE = "index.html"
WORKERS = min(2, os.cpu_count() or 1)  # a TensorFlow takes .6 GB, and uses two cores for larger programs
QUICK_SECONDS = 20
# A short run's steps take 10 to 40 times as long as those of a long one (measured): most of it builds the graph.
FORECAST = 30
STALL_SECONDS = 600  # nothing at all has ended for so long: the running examples are given up
PICTURE_WIDTH = 1100  # pixels: twice the place it has beside the text
MOST_CURVES = 4  # at most so many are drawn for a program without a picture of its own


@dataclass
class Result:
    """What running one example gave.

    steps: the number of steps, or None where the program has no steps. ran: the steps of the figures and the picture.
    equal: None where it failed. parity: the result in words. figures: as running.figures_of returns them. picture: a
    WebP of `size` (width, height) in pixels. thumbnail: a small one.
    """

    name: str
    error: str = ""
    steps: int | None = None
    ran: int | None = None
    equal: bool | None = None
    parity: str = ""
    figures: list[dict[str, Any]] = field(default_factory=list)
    stand_ins: list[str] = field(default_factory=list)
    picture: bytes = b""
    thumbnail: bytes = b""
    size: tuple[int, int] = (0, 0)
    alt: str = ""


def make(
    out: str | Path, chapter: str | None = None, steps: int = parity.STEPS, full: bool = False, force: bool = False
) -> bool:
    """Writes out/index.html. Returns True when every example ran and is equal.

    full: runs every example at the source's own length, however long that takes. Raises InputError, before anything
    runs, for an unknown chapter, for an `out` that cannot be written, and for one that holds something (without
    `force`).
    """
    from tf1ref.catalog.gallery import page as gallery_page

    examples = catalog.examples(chapter)
    was_there = os.path.isdir(out)
    folder = running.prepare(out, "", force)
    found = {}
    try:
        with console.progress_shown(), console.steps(len(examples)) as bar:

            def tell(result: Result) -> None:
                found[result.name] = result
                bar.reached(len(found), failed=sum(not r.equal for r in found.values()))

            parity.without_onednn()
            run_all([example.name for example in examples], steps, None if full else QUICK_SECONDS, tell)
        results = [found[example.name] for example in examples]
        for example in examples:
            beside.write(folder, example)
        files.write(folder / PAGE, gallery_page.page(examples, results, has_matplotlib()).encode())
    except BaseException:
        if not was_there:
            with contextlib.suppress(OSError):  # a folder with other files stays
                folder.rmdir()
        raise
    console.say(f"{folder / PAGE}: {gallery_page.summary(results)}")
    for result in results:
        if not result.equal:
            console.say(f"{result.name}: {result.error or result.parity}")
    return all(result.equal for result in results)


def run_all(names: Sequence[str], steps: int, seconds: float | None, tell: Callable[[Result], Any]) -> None:
    """Calls `examine` for every name in worker processes, and `tell` with each Result as it comes.

    A worker that dies ends its whole pool. The rest is then run one at a time, which shows which example it was.
    """
    left, workers = list(names), WORKERS

    def told(result: Result) -> None:
        left.remove(result.name)
        tell(result)

    while left:
        _round(list(left), workers, steps, seconds, told)
        if left and workers == 1:
            culprit = left[0]
            told(Result(culprit, error=f"its process died or hung: `tf1ref parity {culprit}` shows more"))
        workers = 1


def _round(names, workers, steps, seconds, tell):
    """One pool of workers; returns when all are done, or when the pool is broken."""
    with tempfile.TemporaryDirectory() as scratch:
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start, (scratch,))
        try:
            with _ctrl_c_for_us_alone():
                pending = {pool.submit(examine, name, steps, seconds): name for name in names}
            while pending:
                done, _ = wait(pending, None if seconds is None else STALL_SECONDS, FIRST_COMPLETED)
                if not done:
                    _kill()  # the pool is broken then, and every future done
                for future in done:
                    name, error = pending.pop(future), future.exception()
                    if not isinstance(error, BrokenProcessPool):
                        tell(Result(name, error=f"{type(error).__name__}: {error}") if error else future.result())
        finally:
            _kill()
            pool.shutdown()


def _kill():
    for child in multiprocessing.active_children():
        child.kill()


@contextlib.contextmanager
def _ctrl_c_for_us_alone():
    """Keeps the terminal's SIGINT away from processes that start inside. This process answers it and kills them."""
    pressed = []
    handler = signal.signal(signal.SIGINT, lambda *_: pressed.append(True))  # a process half started would complain
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # child processes inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
    if pressed:
        raise KeyboardInterrupt


def _start(scratch):
    """Prepares a worker. It prints nothing, keeps its temporary files in the gallery's, and ends with its parent."""
    tempfile.tempdir = scratch
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nothing, stream)

    def follow():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def examine(name: str, steps: int, seconds: float | None) -> Result:
    """Runs example `name` and returns its Result. An error is a Result, too.

    steps: the number of steps to compare, at most the source's. seconds: how long the source's own run may take. None
    allows any time.
    """
    result = Result(name)
    try:
        console.import_tensorflow()
        import tensorflow as tf

        tf.config.list_logical_devices()  # a process whose devices are first needed inside a graph loses soft placement
        _examine(result, steps, seconds)
    except Exception as e:
        result.equal = None
        result.error = str(e) if isinstance(e, parity.ProgramFailed) else f"{type(e).__name__}: {e}"
    return result


def _examine(result, steps, seconds):
    folders.stood_in.clear()
    folders.stand_in.cache_clear()
    module = catalog.load(result.name)
    parameters = inspect.signature(module.run_graph).parameters
    result.steps = parameters["steps"].default if "steps" in parameters else None
    result.ran = short = result.steps and min(steps, result.steps)
    start = time.monotonic()
    trace = parity.trace_of(module.run_graph, short, result.name)
    taken = time.monotonic() - start
    report = parity.compare(
        trace,
        parity.trace_of(module.run_function, short, result.name),
        ulps=getattr(module, "ULPS", 0),
        name=result.name,
    )
    result.equal, result.parity = report.equal, _in_words(report, short)
    if short != result.steps and (seconds is None or taken / short * result.steps < FORECAST * seconds):
        longer = within(seconds, lambda: parity.trace_of(module.run_graph, result.steps, result.name))
        if longer is not None:
            trace, result.ran = longer, result.steps
    result.figures = running.figures_of(module, result.ran, {}, trace)
    if has_matplotlib():
        _draw(result, module, trace)
    result.stand_ins = sorted(folders.stood_in)


def _in_words(report, steps):
    over = f" over {steps:,} steps" if steps else ""
    if not report.equal:
        count = f"{report.differing:,} differing{over}, the first in " if report.differing else ""
        return count + report.first
    exact = "0 differing bits" if not report.differing else f"at most {report.max_ulp} units in the last place apart"
    return f"{report.elements:,} elements{over}, {exact}"


class _TooLong(BaseException):
    """Ends a call. It is not an Exception, because the programs' own handlers must not catch it."""


def within(seconds: float | None, call: Callable[[], Any]) -> Any:
    """Returns call(), or None when it has not ended after `seconds` (None: no limit). For the main thread only."""
    if seconds is None:
        return call()
    expired = []

    def stop(*_):
        expired.append(True)
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return call()
    except BaseException:
        # TensorFlow turns what is raised inside its callbacks into errors of its own.
        if expired:
            return None
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _draw(result, module, trace):
    """Keeps the program's own picture of its trace, or its first curves. Without either it keeps nothing."""
    from tf1ref.catalog import plots

    if hasattr(module, "plot"):
        figure = module.plot(trace)
    else:
        curves = {key: value for key, value in trace.items() if _is_curve(key, value)}
        if not curves:
            return
        figure = plots.curves(dict(list(curves.items())[:MOST_CURVES]))
    file, dpi = io.BytesIO(), PICTURE_WIDTH / figure.get_size_inches()[0]
    figure.savefig(file, dpi=dpi, format="webp", pil_kwargs={"quality": 90})  # photographs as PNG are 1 MB each
    result.picture, result.alt = file.getvalue(), _alt(figure)
    result.size = tuple(int(inches * dpi) for inches in figure.get_size_inches())
    result.thumbnail = plots.thumbnail(result.picture)


def _is_curve(key, value):
    return key.startswith("steps/") and value.ndim == 1 and value.dtype.kind in "fiu" and value.size >= parity.STEPS


def has_matplotlib() -> bool:
    """True where the extra "plots" is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def _alt(figure):
    """The titles, axes and legends of a figure as text."""
    said = [figure.get_suptitle()]
    for axis in figure.axes:
        legend = axis.get_legend()
        said += [axis.get_title(), " over ".join(filter(None, (axis.get_ylabel(), axis.get_xlabel())))]
        said.append(", ".join(text.get_text() for text in legend.get_texts()) if legend else "")
    return "; ".join(dict.fromkeys(" ".join(words.split()) for words in said if words.strip()))
