"""The process in which `tf1ref exec` runs one TF1 program: python -m tf1ref.compat [--seed S] [--trust] [-m] PROGRAM.

Exit codes: the program's own; 1 when it raises or asks for what is gone; 2 when there is no such program.
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
from tf1ref.compat import hints, importer, namespace, number_calls, python2, runtime


def main():
    """Parses the command line, runs the program, returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tf1ref.compat")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--trust", action="store_true")
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("-m", action="store_true", dest="module")
    parser.add_argument("program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    # As `python` has it: the script's folder, or the working folder for -m, stands first.
    first = os.getcwd() if given.module else os.path.dirname(os.path.abspath(given.program))
    sys.path[0] = first
    path = given.program
    if given.module:
        path = _file_of(given.program)
        if path is None:
            console.error(f"exec -m {given.program}: no such module in {first} or among the installed ones")
            return 2
    try:
        code = _compiled(path)
    except (OSError, SyntaxError, ValueError) as e:
        console.error(_syntax(e, path) if isinstance(e, SyntaxError) else f"exec {path}: cannot be read: {e}")
        return 1 if isinstance(e, SyntaxError) else 2
    sys.argv = [path, *given.arguments]
    return _run(code, path, given)


def _file_of(module):
    try:
        spec = importlib.util.find_spec(module)
        if spec and spec.submodule_search_locations:
            spec = importlib.util.find_spec(f"{module}.__main__")
    except (ImportError, ValueError):
        return None
    return spec.origin if spec and spec.has_location else None


def _compiled(path):
    with open(path, "rb") as file:
        tree = ast.parse(file.read(), path)
    return compile(number_calls.taught(tree), path, "exec", dont_inherit=True)


def _syntax(error, path):
    path = error.filename or path
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return f"{path}:{python2.line_of(error)}: {python2.reason(error, file.read())}"
    return f"{path}: {error}"


def _run(code, path, given):
    runtime.plot_without_display()
    console.import_tensorflow()
    runtime.prepare(seed=given.seed, trust=given.trust, say=lambda text: console.error(f"exec: {text}"))
    importer.install()
    module = types.ModuleType("__main__")
    module.__file__ = path
    module.__package__ = given.program.rpartition(".")[0] if given.module else None
    sys.modules["__main__"] = module
    try:
        exec(code, module.__dict__)
    except SystemExit:
        raise  # the interpreter knows what its argument means
    except (namespace.SymbolMissing, namespace.ModuleMissing) as e:
        where = own_frames(e.__traceback__)
        at = f"{where[-1].filename}:{where[-1].lineno}: " if where else ""
        console.error(f"{at}{e}; `tf1ref check {path}` lists every such name")
        return 1
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


def own_frames(tb):
    """Returns the frames of a traceback that are the program's: not the libraries', not ours."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    not_own = (package, os.path.dirname(os.__file__), "<frozen")
    installed = f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}"
    frames = traceback.extract_tb(tb)
    return [f for f in frames if not f.filename.startswith(not_own) and not any(i in f.filename for i in installed)]


def _print(error, whole):
    frames = traceback.extract_tb(error.__traceback__) if whole else own_frames(error.__traceback__)
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(frames)]
    sys.stdout.flush()
    sys.stderr.write("".join([*lines, *traceback.format_exception_only(type(error), error)]))
    if hint := hints.of(error):
        console.error(f"exec: {hint}")


if __name__ == "__main__":
    sys.exit(main())
