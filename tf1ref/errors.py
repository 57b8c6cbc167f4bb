"""The one exception that means "your input cannot be used": one line for people, exit code 2."""

import difflib
import re
from collections.abc import Iterable

# TensorFlow wraps its message in the place where the op was made. These parts are removed.
NOISE = re.compile(
    r"Graph execution error: (Detected at .*?Node: '[^']*' )*|Detected at node .*?\(most recent call last\): "
    r"|Node: '[^']*' | Original stack trace for .*"
    r"|\{\{function_node [^}]*\}\} | \[Op:\w+\]( name:.*)?| Hint: If you want to see a list of allocated tensors .*"
)


class InputError(Exception):
    """Bad usage or unreadable input. The message is one line: what is wrong, where, and what to do."""


class NotInstalled(InputError, ImportError):
    """A package that one of the extras brings is not installed. The message says how to install it."""


def nearest(name: str, names: Iterable[str], count: int = 3) -> str:
    """Returns "; nearest: a, b" with the `names` most like `name`, or "" when none is like it."""
    names = list(names)
    folded = {n.lower(): n for n in names}
    alike = difflib.get_close_matches(name.lower(), list(folded), n=count, cutoff=0.5)
    alike = [folded[n] for n in alike] or [n for n in names if name.lower() in n.lower()][:count]
    return "; nearest: " + ", ".join(alike) if alike else ""


def one_line(error: BaseException, most: int = 200) -> str:
    """Returns the text of an exception as one line of at most `most` characters."""
    text = NOISE.sub("", " ".join(str(getattr(error, "message", "") or error).split()))
    return text if len(text) <= most else text[: most - 3] + "..."
