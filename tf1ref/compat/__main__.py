"""The process in which `tf1ref exec` runs one program: python -m tf1ref.compat [options] PROGRAM [ARGUMENTS...].

The exit code is the program's own. It is 1 when the program raises an error or needs a name that is gone, and 2 when
the program does not exist, cannot be read, or needs an extra that is not installed.
"""

import argparse
import ast
import contextlib
import importlib.util
import os
import sys
import traceback
import types

from tf1ref import console
from tf1ref.cluster import contract
from tf1ref.compat import cluster_flags, clusters, hints, importer, namespace, recording, runtime
from tf1ref.compat.names import advice
from tf1ref.compat.texts import notebooks, python2, reading, worlds
from tf1ref.errors import InputError, NotInstalled


def main():
    """Parses the command line and runs the program. Returns the exit code."""
    given = _parser().parse_args()
    # As with `python`, the first entry is the script's folder, or the working folder for -m.
    first = os.getcwd() if given.module else os.path.dirname(os.path.abspath(given.program))
    sys.path[0] = first
    path = given.program
    if given.module:
        path = _file_of(given.program)
        if path is None:
            console.error(f"exec -m {given.program}: no such module in {first} or among the installed modules")
            return 2
    try:
        with open(path, "rb") as file:
            data = file.read()
        program = _Notebook(data, path, given) if path.endswith(".ipynb") else _Script(data, path, given)
        if given.record:
            recorder = recording.Recorder(given.record, path, given.arguments, own_line, given.steps, given.stop)
            program = recording.Recorded(program, recorder)
    except (OSError, ValueError) as e:
        console.error(f"exec {path}: cannot be read: {e}")
        return 2
    except InputError as e:
        console.error(f"exec {e}")
        return 2
    except SyntaxError as e:
        console.error(_syntax(e, path))
        return 2
    sys.argv = [path, *given.arguments]
    return _run(program, path, given)


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tf1ref.compat")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--world", type=int, choices=(1, 2))
    parser.add_argument("--out")
    parser.add_argument("--trust", action="store_true")
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("--record")
    parser.add_argument("--steps", type=int, default=recording.STEPS)
    parser.add_argument("--stop", action="store_true")
    parser.add_argument("-m", action="store_true", dest="module")
    parser.add_argument("program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


def _file_of(module):
    try:
        spec = importlib.util.find_spec(module)
        if spec and spec.submodule_search_locations:
            spec = importlib.util.find_spec(f"{module}.__main__")
    except (ImportError, ValueError):
        return None
    return spec.origin if spec and spec.has_location else None


class _Script:
    """A .py file: its world, and how to run it."""

    def __init__(self, data, path, given):
        self.code = reading.code(data, path, in_package=bool(given.module and "." in given.program))
        self.world = given.world or worlds.of_file(reading.parse(data, path).tree, os.path.abspath(path)).number

    def run(self, scope):
        exec(self.code, scope)


class _Notebook:
    """A notebook: its world, and how to run its cells."""

    def __init__(self, data, path, given):
        from tf1ref.compat import cells

        text, _ = notebooks.as_one_program(data, path)
        self.runner = cells.Runner(data, path, given.trust, given.out)
        try:
            tree = reading.parse(text, path).tree
        # A cell that cannot be parsed is reported when it is its turn to run.
        except SyntaxError:
            tree = ast.Module([], [])
        self.world = given.world or worlds.of_file(tree, os.path.abspath(path)).number

    def run(self, scope):
        self.runner.run(scope)


def _syntax(error, path):
    path = error.filename or path
    with contextlib.suppress(OSError), open(path, "rb") as file:
        said = f"{path}:{python2.line_of(error)}: {python2.reason(error, file.read())}"
        lacking = "Python 2" in said and not python2.can_translate()
        return said + "; pip install 'tf1ref[python2]' runs it" * lacking
    return f"{path}: {error}"


def _run(program, path, given):
    try:
        place = cluster_flags.place_in_cluster(os.environ.get("TF_CONFIG"))
    except InputError as e:
        console.error(f"exec {path}: {e}")
        return 2
    if place:
        contract.report(contract.LOADING)
    runtime.plot_without_display()
    runtime.before_tensorflow()
    console.import_tensorflow()
    runtime.prepare(given.seed, given.trust, _say, program.world)
    clusters.install(_say)
    if place:
        cluster_flags.install(*place, _say)
    importer.install(program.world)
    module = types.ModuleType("__main__")
    module.__file__ = path
    module.__package__ = given.program.rpartition(".")[0] if given.module else None
    sys.modules["__main__"] = module
    try:
        program.run(module.__dict__)
    except SystemExit:
        # The interpreter knows what the argument of SystemExit means.
        raise
    except (namespace.SymbolMissing, namespace.ModuleMissing) as e:
        console.error(f"{_at(e)}{e}; `tf1ref check {path}` lists every such name")
        return 2 if advice.lacks_extra(e.path, e.world) else 1
    except NotInstalled as e:
        console.error(f"{_at(e)}{e}")
        return 2
    except KeyboardInterrupt:
        console.error("exec: interrupted")
        return 130
    except SyntaxError as e:
        console.error(_syntax(e, path))
        return 1
    except BaseException as e:
        _print(e, whole=given.debug)
        return 1
    return 0


def _at(error):
    """Returns "FILE:LINE: " of the program's line that raised an error, or ""."""
    where = own_frames(error.__traceback__)
    return f"{where[-1].filename}:{where[-1].lineno}: " if where else ""


def _say(text):
    console.error(f"exec: {text}")


def own_line(op):
    """Returns (file, line, function) of the innermost line of the program that made `op`, or None."""
    frames = [f for f in op.traceback or () if importer.is_own_file(f.filename)]
    return (frames[-1].filename, frames[-1].lineno, frames[-1].name) if frames else None


def own_frames(tb):
    """Returns the frames of a traceback that belong to the program, without those of libraries and of tf1ref."""
    return [f for f in traceback.extract_tb(tb) if f.filename.endswith("]") or importer.is_own_file(f.filename)]


def _print(error, whole):
    frames = traceback.extract_tb(error.__traceback__) if whole else own_frames(error.__traceback__)
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(frames)]
    sys.stdout.flush()
    sys.stderr.write("".join([*lines, *traceback.format_exception_only(type(error), error)]))
    if hint := hints.of(error):
        console.error(f"exec: {hint}")


if __name__ == "__main__":
    try:
        ended = main()
    except SystemExit as end:
        ended = end.code
    clusters.leave(ended)
