"""What `tf1ref check` prints: by file, the names that do not run as they are; or JSON."""

import json
import sys

from tf1ref import console


def show_check(found, as_json=False):
    """Prints `found`, a check.Found. Returns True when nothing is missing and every file could be parsed."""
    count = {verdict: sum(use.verdict == verdict for use in found.uses) for verdict in ("runs", "exec", "missing")}
    if as_json:
        _print_json(found, count)
    else:
        _print_check(found, count)
    return not (any(use.alarms for use in found.uses) or found.problems)


def _print_json(found, count):
    uses = [{**use._asdict(), "verdict": use.verdict} for use in found.uses]
    worlds = {file: {"world": world.number, "because": world.because} for file, world in found.worlds.items()}
    problems = [p._asdict() for p in found.problems]
    whole = {"files": found.files, **count, "worlds": worlds, "python2": found.python2}
    json.dump({**whole, "uses": uses, "problems": problems}, sys.stdout, indent=2)
    console.say()


def _print_check(found, count):
    for problem in found.problems:
        console.say(f"{problem.file}:{problem.line}: {problem.text}")
    grouped = {}
    for use in found.uses:
        if not (use.python and use.exec):
            row = (use.name, use.python, use.exec, use.guarded, use.instead)
            grouped.setdefault(use.file, {}).setdefault(row, []).append(use.line)
    for file, names in grouped.items():
        rows = [
            (", ".join(map(str, lines)), name, _cell(python, guarded), _cell(under_exec, guarded), instead)
            for (name, python, under_exec, guarded, instead), lines in names.items()
        ]
        title = file.replace("[cell ", ", cell ").rstrip("]") + _about(file, found)
        console.table((">lines", "name", "python", "exec", "instead"), rows, title=title)
    behind = sum(use.verdict == "missing" and use.guarded for use in found.uses)
    console.say(
        f"{console.counted(found.files, 'file')}, {len(found.uses)} uses of TensorFlow: "
        f"{count['runs']} run as they are, {count['exec']} under `tf1ref exec`, {count['missing']} missing"
        + (f" ({behind} of them behind a test, which is no alarm)" if behind else "")
    )


def _cell(runs, guarded):
    return console.verdict(runs or guarded, "yes" if runs else "tested for", "NO")


def _about(file, found):
    """Says which world a file is of, and which Python."""
    of = file.partition("[cell ")[0]
    world = found.worlds.get(of)
    said = [] if world is None else [f"TensorFlow {world.number}" + (f" ({world.because})" if world.because else "")]
    return f": {', '.join(said + ['Python 2'] * (of in found.python2))}" if said or of in found.python2 else ""


def show_fixes(changes, written):
    """Prints the diffs of fix.fixed, and how to apply them."""
    for change in changes:
        sys.stdout.write(change.diff())
    count, files = sum(change.count for change in changes), len(changes)
    done = "written; `tf1ref check` says what is left" if written else "--write applies them"
    console.note(f"{console.counted(count, 'replacement')} in {console.counted(files, 'file')}: {done}")
