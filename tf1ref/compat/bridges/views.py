"""Modules as a program of the time sees them: today's module, with the names it lost back in their place.

Only the program's own files see views; what is installed imports the modules themselves.
"""

import importlib
import sys
import types

# Modules of Python itself that lost names, or are lost.
STANDARD = (
    "cgi", "collections", "fractions", "imp", "inspect", "itertools", "math", "os", "pickle", "platform", "string",
    "sys", "time", "types", "urllib", "xml",
)  # fmt: skip
# Package -> the file beside this one whose NAMES say what it lost: {module: {name: object}}.
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
# Modules of Python 2 and the module that took their place.
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
    """A module and the names that it lost; setting a name sets it in the module itself."""

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

    def __dir__(self):
        return sorted({*dir(self._base), *self._names})


_views = {}


def of(package, module):
    """Returns the view of a top-level package, or the module itself where nothing of it is lost.

    module: what the import gave; None when it is the package that went.
    """
    if package not in LIBRARIES or package == "sys" and module is None:
        return module
    if package not in _views:
        lost = importlib.import_module(f"tf1ref.compat.bridges.{LIBRARIES[package]}").NAMES
        below = {path: names for path, names in lost.items() if path.partition(".")[0] == package}
        for path in list(below):  # a module that only leads to others
            for end in range(1, path.count(".") + 1):
                below.setdefault(".".join(path.split(".")[:end]), {})
        _views[package] = View(package, module, below.get(package, {}), below)
    return _views[package]


def knows(path):
    """Whether the module `path` went, and something of it is given back."""
    package = path.partition(".")[0]
    if package in MOVED:
        return True
    view = of(package, sys.modules.get(package))
    return isinstance(view, View) and (path in view._below or any(p.startswith(path + ".") for p in view._below))
