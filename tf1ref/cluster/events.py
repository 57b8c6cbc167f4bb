"""What the launcher says while a job runs: lines for people, or with --json one object a line for programs."""

import json
import sys
import time

from tf1ref.cluster.stream import Stream


class Events:
    """Writes to `out`, standard output as a rule. An output that is gone ends the saying, not the job.

    The events, in the order of a job's life: job, ports, task, log, progress, task_end, restart, rollback, alarm,
    trouble, late_failure, stop, end. A program reads those that it knows.
    """

    def __init__(self, as_json=False, out=None):
        self._out = sys.stdout if out is None else out
        self._stream = None if as_json else Stream(self._out)

    def say(self, kind, text="", **fields):
        """Says what happened: `text` to people, where it is not empty, {"event": kind, **fields} to programs."""
        if self._stream is None:
            self._object({"event": kind, **fields})
        elif text:
            self._stream.write("cluster", [text])

    def log(self, name, lines):
        """Shows new lines of one task's log."""
        if self._stream is not None:
            self._stream.write(name, lines)
        for line in lines if self._stream is None else ():
            self._object({"event": "log", "task": name, "line": line})

    def alarm(self, text, **fields):
        """Says on standard error what a person must see though the job goes on."""
        print(f"cluster: alarm: {text}", file=sys.stderr, flush=True)
        if self._stream is None:
            self._object({"event": "alarm", "text": text, **fields})

    def end(self, code, trouble=None, lines=()):
        """Says how the job ended: the exit code and, where it failed, the culprit's name, what it did, its log."""
        name, what, log = trouble or (None, None, None)
        if trouble:
            print(f"cluster: error: {what}; log: {log}; its last lines:", file=sys.stderr)
            for line in lines or ["(it wrote none)"]:
                print(f"    {line}", file=sys.stderr)
        if self._stream is None:
            failed = {"culprit": name, "what": what, "log": str(log), "last_lines": lines} if trouble else {}
            self._object({"event": "end", "code": code, **failed})

    def _object(self, fields):
        if self._out is None:
            return
        try:
            # ASCII: a line is one line, whatever a log holds, and readable in any encoding.
            print(json.dumps({"time": round(time.time(), 3), **fields}), file=self._out, flush=True)
        except (OSError, ValueError):
            self._out = None
