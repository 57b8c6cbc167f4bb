"""A `python` for the tests that starts at once, with TensorFlow loaded. The fixtures are in tests/conftest.py."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


@contextlib.contextmanager
def started(folder, keras=False):
    """Serves while the block runs; gives the path of a `python` in `folder`, beside a command `tf1ref`.

    keras: whether the processes have Keras 2, too, as tf.keras.
    """
    python = folder / "python"
    for path, words in (python, "sys.argv[1:]"), (folder / "tf1ref", "['-m', 'tf1ref', *sys.argv[1:]]"):
        call = f"main({str(folder / 'socket')!r}, {words})"
        path.write_text(f"#!{sys.executable} -IS\n{(HERE / 'python.py').read_text()}\n\n{call}\n")
        path.chmod(0o755)
    environment = {**os.environ, **({"TF_USE_LEGACY_KERAS": "1"} if keras else {})}
    command = [sys.executable, HERE / "server.py", folder / "socket", python]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env=environment) as server:
        assert server.stdout.readline() == "ready\n"
        yield str(python)
        server.stdin.close()
        server.wait(60)
