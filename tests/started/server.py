"""Starts Python processes at once: each is forked from this one, which has loaded TensorFlow and has not used it.

    server.py SOCKET PYTHON

TensorFlow takes 4 s to load. python.py asks over the Unix socket; its three standard files come with the question.
PYTHON is what the new processes take for their interpreter.
"""

import atexit
import json
import multiprocessing.process
import multiprocessing.spawn  # noqa: F401  it keeps the path of the real interpreter for its own children
import os
import runpy
import select
import signal
import socket
import sys
import threading
import traceback

LONGEST = 1 << 20  # bytes of a question: a command line and an environment


def load(keras):
    """Loads TensorFlow as the command does; and Keras, or not. The command itself is each process's own."""
    from tf1ref import console

    console.import_tensorflow()
    import tensorflow as tf

    if keras:
        assert tf.keras.layers.Dense  # Keras loads when it is used
    for name in [name for name in sys.modules if name.partition(".")[0] == "tf1ref"]:
        del sys.modules[name]


def serve(path):
    """Answers at the socket `path` until standard input ends."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        print("ready", flush=True)
        while sys.stdin not in select.select([sys.stdin, listening], [], [])[0]:
            asking, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _keep(asking)
            asking.close()
            _forget_the_ended()


def _forget_the_ended():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _keep(asking):
    """Forks the process that was asked for, hands signals on to it, and answers with its exit code."""
    question, files, _, _ = socket.recv_fds(asking, LONGEST, 3)
    seen, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child = os.fork()
    if child == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in (seen, tell, asking.detach()):
            os.close(number)
        _become(files, **json.loads(question))
    for number in files:
        os.close(number)
    ended = 0
    while not ended:
        ready, _, _ = select.select([asking, seen], [], [])
        if seen in ready:
            os.read(seen, 64)
        if asking in ready:
            for number in asking.recv(64) or bytes([signal.SIGKILL]):  # nothing comes from an asker that is gone
                os.kill(child, number)
        ended, status = os.waitpid(child, os.WNOHANG)
    try:
        asking.sendall(json.dumps(os.waitstatus_to_exitcode(status)).encode())
    finally:
        os._exit(0)


def _become(files, words, options, cwd, env, ignored):
    """Makes this process `python OPTIONS... WORDS...`; never returns."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        plain = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in ignored else plain)
    os.chdir(cwd)
    multiprocessing.process.ORIGINAL_DIR = cwd  # from which its children take the path of the program
    os.environ.clear()
    os.environ.update(env)
    # A test may write a module twice within a second and of one size: the second would run from the first's bytecode.
    sys.dont_write_bytecode = True
    code = 1
    try:
        sys.stdin, sys.stdout, sys.stderr = (_opened(number) for number in range(3))
        code = _code_of(_run, words, "-I" in options)
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        if code == -signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        os._exit(code)


def _opened(number):
    mode, by_line = ("r", False) if number == 0 else ("w", number == 2 or os.isatty(number))
    errors = "backslashreplace" if number == 2 else None
    return open(number, mode, encoding="utf-8", errors=errors, closefd=False, buffering=1 if by_line else -1)


def _run(words, alone):
    """Runs `-m MODULE`, `-c CODE` or FILE. `alone`: neither its folder nor PYTHONPATH is searched for modules."""
    if not alone:
        of_file = os.path.dirname(os.path.realpath(words[0]))
        first = {"-m": os.getcwd(), "-c": ""}.get(words[0], of_file)
        sys.path[:0] = [first, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


def _code_of(run, *arguments):
    """Runs it; returns the exit code of a Python process that has run it, or the negative number of its signal."""
    try:
        run(*arguments)
    except SystemExit as e:
        if isinstance(e.code, int):
            return e.code & 0xFF
        if e.code is not None:
            print(e.code, file=sys.stderr)
        return int(e.code is not None)
    except BaseException as e:
        traceback.print_exc()
        return -signal.SIGINT if isinstance(e, KeyboardInterrupt) else 1
    return 0


if __name__ == "__main__":
    del sys.path[0]  # this file's folder
    load("TF_USE_LEGACY_KERAS" in os.environ)
    path, sys.executable = sys.argv[1:]
    serve(path)
    os._exit(0)  # at once: to tidy TensorFlow up takes seconds
