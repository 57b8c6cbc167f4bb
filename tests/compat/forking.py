"""Runs programs as `tf1ref exec` does, in forked children of one process that has TensorFlow loaded: 1 s each, not 10.

A line of JSON in, {"cwd", "words", "env"}; a line of JSON out, {"returncode", "stdout", "stderr"}.
"""

import json
import os
import signal
import sys
import tempfile

MOST_SECONDS = 120


def main():
    from tf1ref import console
    from tf1ref.compat import runtime

    runtime.plot_without_display()
    runtime.before_tensorflow()
    console.import_tensorflow()
    import tensorflow as tf

    assert tf.keras.layers.Dense  # Keras is loaded once for all
    for line in sys.stdin:
        asked = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if child == 0:
                _become(asked, out, err)
            _, status = os.waitpid(child, 0)
            answer = {"returncode": os.waitstatus_to_exitcode(status), "stdout": _text(out), "stderr": _text(err)}
        print(json.dumps(answer), flush=True)


def _become(asked, out, err):
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        os.chdir(asked["cwd"])
        os.environ.update(asked["env"])
        signal.alarm(MOST_SECONDS)
        sys.argv = ["exec", *asked["words"]]
        from tf1ref.compat.__main__ import main as run

        code = run()
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else 0 if e.code is None else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _text(file):
    file.seek(0)
    return file.read().decode(errors="replace")


if __name__ == "__main__":
    main()
