"""The verb doctor: a page on this machine, to paste into a bug report."""

import json

from tf1ref import console
from tf1ref.cli.verbs import verb


def add_verbs(verbs):
    """Adds `tf1ref doctor [--json]`."""
    text = "Look at this installation and this machine: a page to paste into a bug report; exit code 1 for a problem."
    verb(verbs, "doctor", _doctor, text).add_argument("--json", action="store_true", help="as JSON, a list of findings")


def _doctor(arguments):
    from tf1ref import doctor

    found = doctor.examine()
    problems = [each for each in found if each.problem]
    if arguments.json:
        console.say(json.dumps([each._asdict() for each in found], indent=2))
        return 1 if problems else 0
    group = None
    for each in found:
        if each.group != group:
            group = each.group
            console.say(group)
        mark = "!" if each.problem else " "
        console.say(f"{mark} {each.name:<22} {console.clean(each.found)}")
        if each.problem:
            console.say(f"  {'':<22} {console.clean(each.problem)}")
    count = console.counted(len(problems), "problem")
    console.say(f"{count}: see the lines with !" if problems else "no problem was found")
    return 1 if problems else 0
