"""Runs one of TensorFlow's test files as `tf1ref exec` runs a program: CHECKOUT FILE OUT TEXT TESTS.

Private imports are led to public names: `tensorflow.contrib.losses.python.losses.loss_ops` to tf.contrib.losses, and
so on. A name that is not given becomes a placeholder, so that only the tests that use it fail. It runs the tests whose
name holds TEXT, without those of the JSON list TESTS. Each test that ends adds a line [test, outcome, message] to OUT;
outcome is pass, skip, ours or not given.
"""

import ast
import json
import os
import re
import sys
import types
import unittest
from pathlib import Path

import conformance_imports as imports

from tf1ref.compat import namespace, runtime


class Outcomes(unittest.TestResult):
    """Writes a line for each test that begins and for each that ends."""

    def __init__(self, out):
        super().__init__()
        self.out, self.failed = out, None

    def _line(self, test, outcome, message=""):
        name = test.id().split(".", 1)[-1]
        print(json.dumps([name, outcome, " ".join(message.split())[:300]]), file=self.out, flush=True)

    def startTest(self, test):
        self.failed = None
        self._line(test, "started")

    def stopTest(self, test):
        if self.failed in (None, "skip"):
            return self._line(test, self.failed or "pass")
        return self._line(test, _kind(self.failed), f"{type(self.failed).__name__}: {self.failed}")

    def addFailure(self, test, error):
        self.failed = self.failed or error[1]

    def addError(self, test, error):
        self.addFailure(test, error)
        if not isinstance(test, unittest.TestCase):  # a class or module that cannot be set up
            self._line(test, _kind(error[1]), f"{type(error[1]).__name__}: {error[1]}")

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(test, error)

    def addSkip(self, test, reason):
        self.failed = "skip"


def _kind(error):
    while error is not None:
        if isinstance(error, (imports.NotGiven, namespace.SymbolMissing, namespace.ModuleMissing)):
            return "not given"
        error = error.__cause__ or error.__context__
    return "ours"


def _tests(suite, only):
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from _tests(each, only)
        elif not each.id().endswith(".test_session") and only in each.id():
            yield each


def _unread(path, error, out):
    """A file that cannot be imported: all its tests have the file's outcome."""
    tree = ast.parse(Path(path).read_bytes())
    message = f"the file cannot be imported: {type(error).__name__}: {error}"
    inside = ((group, test) for group in tree.body if isinstance(group, ast.ClassDef) for test in group.body)
    for group, test in inside:
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test"):
            name = f"{group.name}.{test.name}"
            print(json.dumps([name, _kind(error), message[:300]]), file=out, flush=True)


def main():
    """Runs one file's tests."""
    checkout, path, out, only, waits = sys.argv[1:6]
    runtime.plot_without_display()
    runtime.before_tensorflow()
    runtime.prepare(say=lambda text: None)
    imports.install(checkout)
    from absl import flags

    # tf-slim's tests take a decorator from a package that is gone; it keeps a function from being a test.
    sys.modules.update({name: types.ModuleType(name) for name in ("nose", "nose.tools")})
    sys.modules["nose.tools"].nottest = lambda function: function
    file, stem = os.path.join(checkout, path), os.path.basename(path)[: -len(".py")]
    sys.argv = [file]
    imports.load("tensorflow.python.platform.googletest")
    flags.FLAGS([file], known_only=True)
    with open(out, "w") as opened:
        try:
            module = imports.run_file(file, stem)
        except Exception as error:
            return _unread(file, error, opened)
        # The test's main would have done that.
        if re.search(rb"enable_eager_execution\(\)|tensorflow\.python\.eager import test\b", Path(file).read_bytes()):
            namespace.root().enable_eager_execution()
        result = Outcomes(opened)
        for test in _tests(unittest.defaultTestLoader.loadTestsFromModule(module), only):
            if test.id().split(".", 1)[-1] in json.loads(waits):
                result._line(test, "skip")
            else:
                test(result)


if __name__ == "__main__":
    main()
