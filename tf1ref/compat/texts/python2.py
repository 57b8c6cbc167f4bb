"""Recognizes Python 2, says what to write instead, and translates it with fissix (extra `python2`)."""

import ast
import functools
import importlib.util
import logging
import re

from tf1ref.compat.bridges import views

RULES = (
    (r"^\s*print\b(?!\s*\()", "print is a function: print(...)"),
    (r"^\s*except\s+[\w.()\s,]+,\s*\w+\s*:", "write `except Error as e:`"),
    (r"^\s*raise\s+[\w.]+\s*,", "write `raise Error(text)`"),
    (r"^\s*exec\s+[\"'\w]", "exec is a function: exec(...)"),
    (r"<>", "write != for <>"),
    (r"`", "write repr(...) for backquotes"),
    (r"(?<![\w.])0[0-7]+\b", "write octal numbers as 0o17"),
    (r"\bur[\"']", "Python 3 has no ur'...'"),
    (r"(?<![\w.])\d+[lL]\b", "integers need no L"),
    (r"lambda\s*\(", "a lambda takes no tuple: unpack it inside"),
    (r"^\s*def\s+\w+\([^)]*\([^)]*\)[^)]*\)\s*:", "a function takes no tuple: unpack it inside"),
)


def line_of(error):
    """Returns the line number of an error that `ast.parse` or `compile` raised."""
    return getattr(error, "lineno", None) or 1


def reason(error, source):
    """Returns one line for an error of the parser: what to write instead of Python 2, or what is wrong.

    source: the text that was parsed, as bytes.
    """
    lines = source.decode("utf-8", "replace").splitlines()
    number = line_of(error)
    line = lines[number - 1] if number <= len(lines) else ""
    if isinstance(error, TabError) or "tab" in str(error):
        return "Python 2: tabs and spaces are mixed; use only spaces"
    for pattern, advice in RULES:
        if re.search(pattern, line):
            return f"Python 2: {line.strip()[:60]}: {advice}"
    return f"{getattr(error, 'msg', None) or error}: {line.strip()[:60]}"


# Names that only Python 2 had, and {method of its dictionaries: number of arguments}. The methods of six take more.
NAMES = {"xrange", "raw_input", "unicode", "basestring", "unichr", "long", "execfile"}
METHODS = {"has_key": 1, "iteritems": 0, "iterkeys": 0, "itervalues": 0}
# Fixers that are left out, because they add a line at the top or rename what compat/bridges gives back anyway.
LEFT_OUT = ("reduce", "reload", "intern", "urllib", "imports", "imports2", "sys_exc", "asserts", "import")


def can_translate():
    """Returns whether fissix is installed."""
    return importlib.util.find_spec("fissix") is not None


def is_evident(tree):
    """Returns whether a file that Python 3 can parse uses a module, name or method that only Python 2 had.

    >>> is_evident(ast.parse("import urllib2"))
    True
    """
    nodes = list(ast.walk(tree))
    kept = _guarded(nodes)
    bound = {n.id for n in nodes if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    bound |= {a.asname or a.name for a in nodes if isinstance(a, ast.alias)}
    bound |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    for node in nodes:
        if id(node) in kept:
            continue
        if isinstance(node, ast.Import) and any(a.name.partition(".")[0] in views.MOVED for a in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and not node.level and node.module in views.MOVED:
            return True
        if isinstance(node, ast.Name) and node.id in NAMES - bound:
            return True
        is_method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if is_method and METHODS.get(node.func.attr) == len(node.args):
            return True
    return False


def _guarded(nodes):
    """Returns the ids of the nodes in `try` and `if`, which may depend on the version of Python."""
    places = (n for n in nodes if isinstance(n, (ast.Try, ast.If, ast.IfExp)) and not _is_main(n))
    return {id(inner) for place in places for inner in ast.walk(place)}


def _is_main(node):
    inner = ast.walk(node.test) if isinstance(node, ast.If) else ()
    return any(isinstance(n, ast.Name) and n.id == "__name__" for n in inner)


@functools.cache
def _tool(relative, prints):
    from fissix import refactor

    logging.getLogger("RefactoringTool").setLevel(logging.CRITICAL)
    left_out = LEFT_OUT[:-1] if relative else LEFT_OUT
    fixers = refactor.get_fixers_from_package("fissix.fixes")
    wanted = [f for f in fixers if f.rpartition("fix_")[2] not in left_out]
    return refactor.RefactoringTool(wanted, {"print_function": not prints})


def translated(data, path, in_package=False, prints=True):
    """Returns the text of a Python 2 file as Python 3, line by line, or None when it is not Python 2 either.

    prints: `print` is a statement. in_package: neighbours that are imported by their bare names become relative
    imports.
    """
    text = _decoded(data)
    if not text.endswith("\n"):
        text += "\n"
    text = re.sub(r"^[ \t]+", lambda m: m[0].expandtabs(8), text, flags=re.M)
    try:
        return str(_tool(in_package, prints).refactor_string(text, path or "program"))
    # fissix raises whatever its parser, its tokenizer or a fixer raises.
    except Exception:
        return None


def _decoded(data):
    coding = re.match(rb"(?:.*\n)?[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", data)
    try:
        return data.decode(coding[1].decode() if coding else "utf-8", "replace").lstrip("\ufeff").replace("\r\n", "\n")
    except LookupError:
        return data.decode("utf-8", "replace")
