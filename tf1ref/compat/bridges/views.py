"""Modules as an old program expects them: today's module together with the names that it lost.

Only the program's own files see views. Installed packages import the modules themselves.
"""

import importlib
import sys
import types

# Modules of Python that lost names, or were removed.
STANDARD = (
    "cgi", "collections", "fractions", "imp", "inspect", "itertools", "math", "os", "pickle", "platform", "string",
    "sys", "time", "types", "urllib", "xml",
)  # fmt: skip
# {package: file in this folder}. NAMES of the file says what was lost: {module: {name: object}}.
LIBRARIES = {
    "PIL": "pictures",
    "matplotlib": "plots",
    "numpy": "arrays",
    "pandas": "tables",
    "scipy": "science",
    "skimage": "science",
    "sklearn": "science",
    "yaml": "python",
    **dict.fromkeys(STANDARD, "python"),
}
# {module of Python 2: module that replaces it}.
MOVED = {
    "BaseHTTPServer": "http.server",
    "ConfigParser": "configparser",
    "Cookie": "http.cookies",
    "HTMLParser": "html.parser",
    "Queue": "queue",
    "SocketServer": "socketserver",
    "StringIO": "io",
    "Tkinter": "tkinter",
    "__builtin__": "builtins",
    "cPickle": "pickle",
    "cStringIO": "io",
    "commands": "subprocess",
    "cookielib": "http.cookiejar",
    "copy_reg": "copyreg",
    "httplib": "http.client",
    "md5": "hashlib",
    "thread": "_thread",
    "tkMessageBox": "tkinter.messagebox",
    "urllib2": "urllib.request",
    "urlparse": "urllib.parse",
    "xmlrpclib": "xmlrpc.client",
}


class View(types.ModuleType):
    """A module together with the names that it lost. Setting a name sets it in the module itself."""

    def __init__(self, path, base, names, below):
        super().__init__(path, getattr(base, "__doc__", None))
        self.__dict__.update(_path=path, _base=base, _names=names, _below=below)

    def __getattr__(self, name):
        path = f"{self._path}.{name}"
        if name in self._names:
            return self._names[name]
        found = getattr(self._base, name, None) if self._base else None
        if found is None and path in sys.modules:
            found = sys.modules[path]
        if path in self._below:
            return self.__dict__.setdefault(name, View(path, found, self._below[path], self._below))
        if found is None:
            return getattr(self._base or self._nothing(), name)
        return found

    def _nothing(self):
        return types.ModuleType(self._path)

    def __setattr__(self, name, value):
        setattr(self._base, name, value) if self._base else super().__setattr__(name, value)

    def __delattr__(self, name):
        # unittest.mock deletes what it has set, and sets the old value again.
        delattr(self._base, name) if self._base else super().__delattr__(name)

    def __dir__(self):
        return sorted({*dir(self._base), *self._names})


_views = {}


def of(package, module):
    """Returns the view of a top-level package, or the module itself when it lost nothing.

    module: the result of the import, or None when the package itself was removed.
    """
    if package not in LIBRARIES or package == "sys" and module is None:
        return module
    if package not in _views:
        lost = importlib.import_module(f"tf1ref.compat.bridges.{LIBRARIES[package]}").NAMES
        below = {path: names for path, names in lost.items() if path.partition(".")[0] == package}
        # This module only leads to others.
        for path in list(below):
            for end in range(1, path.count(".") + 1):
                below.setdefault(".".join(path.split(".")[:end]), {})
        _views[package] = View(package, module, below.get(package, {}), below)
    return _views[package]


def knows(path):
    """Returns whether the module `path` was removed and something of it is given back."""
    package = path.partition(".")[0]
    if package in MOVED:
        return True
    view = of(package, sys.modules.get(package))
    if not isinstance(view, View):
        return False
    parent, _, name = path.rpartition(".")
    # A module may be given back as a name of the package that it was in.
    return name in view._below.get(parent, ()) or any(f"{p}.".startswith(f"{path}.") for p in view._below)
