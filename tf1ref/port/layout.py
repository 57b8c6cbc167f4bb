"""Lays out lines as formatters do. A long line is split at its last bracket, then at the commas inside."""

WIDTH = 100
OPEN, CLOSE = "([{", ")]}"


def statement(text, indent=0, comment=""):
    """Returns the lines of one statement, `indent` steps of four spaces in.

    A comment that does not fit is left out.

    >>> statement("y = x + 1", 1, comment="[2]")
    ['    y = x + 1  # [2]']
    >>> len(statement(f'return {{"a": {"x" * 50}, "b": {"y" * 50}}}'))
    4
    """
    space = "    " * indent
    line = (space + text).rstrip()
    if len(line) <= WIDTH:
        whole = f"{line}  # {comment}" if comment else line
        return [whole if len(whole) <= WIDTH else line]
    lines = _split(text, indent)
    if comment and len(lines) > 1 and len(lines[-1]) + len(comment) + 4 <= WIDTH:
        lines[-1] += f"  # {comment}"
    return lines


def _split(text, indent, comma=""):
    space = "    " * indent
    if len(space + text + comma) <= WIDTH:
        return [space + text + comma]
    if text.startswith("return ") and len(split(text[7:])) > 1:
        text = f"return ({text[7:]})"
    found = _last_bracket(text)
    if not found:
        return [space + text + comma]
    first, last = found
    left, equals, right = text.partition(" = ")
    if equals and left.replace(", ", "").isidentifier() and len(space + text[: first + 1]) > WIDTH and right[0] != "(":
        return [f"{space}{left} = (", *_split(right, indent + 1), space + ")"]
    head, body, tail = text[: first + 1], text[first + 1 : last], text[last:]
    inner = "    " * (indent + 1)
    if tail == text[last] and len(inner + body) <= WIDTH and not comma and (_one_line(head) or _comprehension(body)):
        return [space + head, inner + body, space + tail]
    lines = [space + head]
    whole = _comprehension(body) or (split(body) if _is_one(head, body) else [])
    for part in whole or split(body):
        lines += _split(part, indent + 1, "" if whole else ",")
    return [*lines, space + tail + comma]


def _is_one(head, body):
    """True for brackets around one value, where a comma would make it a tuple: x[...] and (...), but not f(...)."""
    follows = head[-2:-1].isalnum() or head[-2:-1] in tuple("_])")
    value = head[-1] == ("[" if follows else "(")
    return value and len(split(body)) == 1 and body.rstrip()[-1] != ","


def _comprehension(text):
    """Returns [element, "for ..."] of "element for ...", and an empty list for another text."""
    depth = 0
    for i, letter in _code(text):
        depth += (letter in OPEN) - (letter in CLOSE)
        if not depth and text[i : i + 5] == " for ":
            return [text[:i], text[i + 1 :]]
    return []


def _one_line(head):
    """Returns True for the brackets of a call, whose arguments may share a line.

    A list, a dict or a tuple has a line for each element.
    """
    return head.endswith("(") and (head[-2:-1].isalnum() or head[-2:-1] in tuple("_])"))


def split(text, at=","):
    """Splits `text` at the commas outside of brackets and strings.

    >>> split("a, f(b, c), 'd, e'")
    ['a', 'f(b, c)', "'d, e'"]
    """
    parts, depth, start, lambdas = [], 0, 0, []
    for i, letter in _code(text):
        # The arguments of a lambda are not parts.
        if text.startswith("lambda", i):
            depth += 1
            lambdas.append(depth)
        elif letter == ":" and lambdas[-1:] == [depth]:
            depth = lambdas.pop() - 1
        depth += (letter in OPEN) - (letter in CLOSE)
        if letter == at and not depth:
            parts.append(text[start:i])
            start = i + 1
    return [part.strip() for part in [*parts, text[start:]] if part.strip()]


def _last_bracket(text):
    """Returns (start, end) of the last pair of outermost brackets that is not empty, or None.

    An index of numbers stays behind the call that it reads.
    """
    depth, start, found = 0, 0, None
    for i, letter in _code(text):
        if letter in OPEN:
            depth, start = depth + 1, i if not depth else start
        elif letter in CLOSE:
            depth -= 1
            reads = found and found[1] == start - 1 and not text[start + 1 : i].strip("0123456789-:,. ")
            if not depth and i > start + 1 and not reads:
                found = start, i
    return found


def _code(text):
    """Yields (index, letter) of `text` outside of its strings."""
    quote, i = "", 0
    while i < len(text):
        letter = text[i]
        if quote:
            i += letter == "\\"
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        else:
            yield i, letter
        i += 1
