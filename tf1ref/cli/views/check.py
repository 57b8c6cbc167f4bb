"""What `tf1ref check` prints: by file, the names that do not run as they are; or JSON."""

import json
import sys

from tf1ref import console


def show_check(found, as_json=False):
    """Prints what check.check Found; True when nothing is missing and every file could be parsed."""
    files, uses, problems = found
    count = {verdict: sum(use.verdict == verdict for use in uses) for verdict in ("runs", "exec", "missing")}
    if as_json:
        listed = {"uses": [u._asdict() for u in uses], "problems": [p._asdict() for p in problems]}
        json.dump({"files": files, **count, **listed}, sys.stdout, indent=2)
        console.say()
    else:
        _print_check(files, uses, problems, count)
    return not (count["missing"] or problems)


def _print_check(files, uses, problems, count):
    for problem in problems:
        console.say(f"{problem.file}:{problem.line}: {problem.text}")
    grouped = {}
    for use in uses:
        if use.verdict != "runs":
            grouped.setdefault(use.file, {}).setdefault((use.name, use.verdict, use.instead), []).append(use.line)
    for file, names in grouped.items():
        rows = [
            (", ".join(map(str, lines)), name, console.verdict(verdict == "exec", "exec", "MISSING"), instead)
            for (name, verdict, instead), lines in names.items()
        ]
        console.table((">lines", "name", "runs", "instead"), rows, title=file)
    console.say(
        f"{files} file{'s' * (files != 1)}, {len(uses)} uses of TensorFlow: {count['runs']} run as they are, "
        f"{count['exec']} under `tf1ref exec`, {count['missing']} missing"
    )
