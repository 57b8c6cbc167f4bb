"""A whole program as one task of a cluster, or alone as a cluster of one process."""

import functools
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import tensorflow.compat.v1 as v1

from tf1ref.cluster.ending import leave
from tf1ref.distributed.session import StartTimeout
from tf1ref.distributed.task import INTERRUPTED, Task, alone
from tf1ref.errors import InputError, one_line

START_TIMEOUT = 3  # exit code

Found = TypeVar("Found")


def together(program: Callable[[Task], Found], workers: int, **timeouts: Any) -> list[Found]:
    """Returns [program(task)] of this process's task. Without TF_CONFIG it returns those of `workers` tasks.

    These tasks run at once, a thread each. With a ps they are a whole cluster in this process. The first exception
    of any thread is raised at once. The other threads may wait for the one that failed, so they are left behind. A ps
    does not call `program`; see Task.serve.
    """
    if os.environ.get("TF_CONFIG"):
        task = Task.from_environment(**timeouts)
        if task.is_ps:
            task.serve()
        return [program(task)]
    return in_threads([functools.partial(program, task) for task in alone(workers, timeouts)], workers)


def in_threads(calls: Sequence[Callable[[], Found]], awaited: int) -> list[Found]:
    """Runs all `calls` at once, a thread each, and returns what the first `awaited` of them return.

    The first exception of any thread is raised at once. The other threads may wait for the one that failed, so they
    are left behind. So are the calls that are not awaited, such as those that serve for ever.
    """
    ended: queue.SimpleQueue = queue.SimpleQueue()

    def call(number: int, work: Callable[[], Found]) -> None:
        try:
            ended.put((number, work(), None))
        except BaseException as error:
            ended.put((number, None, error))

    for each in enumerate(calls):
        threading.Thread(target=call, args=each, daemon=True).start()
    results: dict[int, Any] = {}
    while not all(number in results for number in range(awaited)):
        number, results[number], error = ended.get()
        if error:
            raise error
    return [results[number] for number in range(awaited)]


def run(program: Callable[[Task], object], **timeouts: Any) -> NoReturn:
    """Runs `program(task)` as this process's task, and ends the process. Never returns.

    A ps serves and does not call `program`. The exit code is what `program` gave to sys.exit, else 0.
    It is 1 with a traceback when `program` raises, and 2 when TF_CONFIG cannot be used. It is 3 when another task was
    not there in time, 130 after Ctrl-C, and 143 after SIGTERM.
    """
    try:
        task = Task.from_environment(**timeouts)
        if task.is_ps:
            task.serve()
        program(task)
        code: Any = 0
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except InputError as error:
        code = _complain(error, 2)
    except StartTimeout as error:
        code = _complain(error, START_TIMEOUT)
    except BaseException as error:
        traceback.print_exc()
        if isinstance(error, v1.errors.OpError):
            # TensorFlow's message ends with where the op was made; a launcher quotes the last lines.
            _complain(f"{type(error).__name__}: {one_line(error, 400)}", 1)
        code = 1
    leave(code)


def _complain(error: object, code: int) -> int:
    print(f"tf1ref: error: {error}", file=sys.stderr)
    return code
