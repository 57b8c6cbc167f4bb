"""What the launcher tells while a job runs: lines for people, or with --json one object a line for programs."""

import json
import os
import sys
import time
from typing import Any, TextIO

from tf1ref.cluster.running.output import Output

COLOURS = ("36", "32", "33", "35", "34", "96", "92", "93", "95", "94")  # ANSI foreground colours, no red


class Events:
    """Writes to `out`, which is usually standard output, and never waits for its reader.

    The events, in the order of a job's life: job, ports, task, log, progress, task_end, restart, rollback, alarm,
    trouble, late_failure, rotated, stop, end. A program reads those that it knows.
    """

    def __init__(self, as_json: bool = False, out: TextIO | None = None):
        out = sys.stdout if out is None else out
        self._out, self._errors, self._json = Output(out), Output(sys.stderr), as_json
        self._colour = out is not None and out.isatty() and "NO_COLOR" not in os.environ
        self._colours: dict[str, str] = {}

    def say(self, kind: str, text: str = "", **fields: Any) -> None:
        """Tells what happened: people get `text` unless it is empty, programs get {"event": kind, **fields}."""
        if self._json:
            self._object({"event": kind, **fields})
        elif text:
            self._lines("cluster", [text])

    def log(self, name: str, lines: list[str]) -> None:
        """Shows new lines of one task's log."""
        if not self._json:
            self._lines(name, lines)
        for line in lines if self._json else ():
            self._object({"event": "log", "task": name, "line": line})

    def alarm(self, text: str, **fields: Any) -> None:
        """Tells on standard error what a person must see although the job continues."""
        self._errors.write([f"cluster: alarm: {text}"])
        if self._json:
            self._object({"event": "alarm", "text": text, **fields})

    def end(self, code: int, trouble: tuple[str, str, Any] | None = None, lines: list[str] | tuple = ()) -> None:
        """Tells how the job ended: the exit code and, where it failed, the culprit's name, what it did, and its log."""
        name, what, log = trouble or (None, None, None)
        if trouble:
            said = [f"    {line}" for line in lines or ["(it wrote none)"]]
            self._errors.write([f"cluster: error: {what}; log: {log}; its last lines:", *said])
        if self._json:
            failed = {"culprit": name, "what": what, "log": str(log), "last_lines": lines} if trouble else {}
            self._object({"event": "end", "code": code, **failed})

    def finish(self) -> None:
        """Gives the reader some last time to take what it has not taken yet."""
        self._out.finish()
        self._errors.finish()

    def _lines(self, name: str, lines: list[str]) -> None:
        prefix = f"[{name}]"
        if self._colour:
            colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
            prefix = f"\033[{colour}m{prefix}\033[0m"
        self._out.write([f"{prefix} {line}" for line in lines])

    def _object(self, fields: dict[str, Any]) -> None:
        # The text is ASCII: a line stays one line, whatever a log holds, and can be read in any encoding.
        self._out.write([json.dumps({"time": round(time.time(), 3), **fields})])
