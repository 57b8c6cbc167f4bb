"""Recognises Python 2 in what the parser refuses, and says what to write instead."""

import re

RULES = (
    (r"^\s*print\b(?!\s*\()", "print is a function: print(...)"),
    (r"^\s*except\s+[\w.()\s,]+,\s*\w+\s*:", "write `except Error as e:`"),
    (r"^\s*raise\s+[\w.]+\s*,", "write `raise Error(text)`"),
    (r"^\s*exec\s+[\"'\w]", "exec is a function: exec(...)"),
    (r"<>", "write != for <>"),
    (r"`", "write repr(...) for backquotes"),
    (r"(?<![\w.])0[0-7]+\b", "write octal numbers as 0o17"),
    (r"\bur[\"']", "there is no ur'...' any more"),
    (r"(?<![\w.])\d+[lL]\b", "integers need no L"),
    (r"lambda\s*\(", "a lambda takes no tuple: unpack it inside"),
    (r"^\s*def\s+\w+\([^)]*\([^)]*\)[^)]*\)\s*:", "a function takes no tuple: unpack it inside"),
)


def line_of(error):
    """Returns the line number of what `ast.parse` or `compile` raised."""
    return getattr(error, "lineno", None) or 1


def reason(error, source):
    """Returns one line for an error of the parser: that it is Python 2 and what to write, or what is wrong.

    source: the text (bytes) that was parsed.
    """
    lines = source.decode("utf-8", "replace").splitlines()
    number = line_of(error)
    line = lines[number - 1] if number <= len(lines) else ""
    if isinstance(error, TabError) or "tab" in str(error):
        return "Python 2: tabs and spaces are mixed; write spaces alone"
    for pattern, advice in RULES:
        if re.search(pattern, line):
            return f"Python 2: {line.strip()[:60]}: {advice}"
    return f"{getattr(error, 'msg', None) or error}: {line.strip()[:60]}"
