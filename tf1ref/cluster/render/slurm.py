"""An sbatch script for the job: the tasks are steps of one allocation, watched by the script itself."""

import json
import math
import re
import shlex

from tf1ref.cluster.contract import CHIEFS
from tf1ref.cluster.description import Description
from tf1ref.cluster.placeholders import NAMES, PATTERN
from tf1ref.cluster.render import _common

# This lies below the kernel's outgoing ports. A job's number spreads the jobs that share a node.
FIRST_PORT, PORTS = 10000, 20000
SECONDS = 1  # between two looks at the steps

SCRIPT = r"""#!/bin/bash
# @path@ for Slurm: sbatch FILE
# TensorFlow's servers have no authentication, and Slurm no network policy: everybody who can reach the nodes can use
# them. One log a task; the script ends with the job's success, and the allocation with it.
@notes@#SBATCH --job-name=@name@
#SBATCH --ntasks=@count@
#SBATCH --output=@name@-%j.log
@sbatch@
jobs=(@jobs@)
indexes=(@indexes@)
deciders="@deciders@"
workers="@workers@"
restarts=@restarts@
@exports@
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
base=$((@first@ + SLURM_JOB_ID * @count@ % @ports@))
ports=(@numbers@)
node() { echo "${nodes[$1 % ${#nodes[@]}]}"; }
address() { echo "\"$(node "$1"):${ports[$1]}\""; }
cluster="@cluster@"
@lists@
start() {
    local job=${jobs[$1]} index=${indexes[$1]}@places@
    local options=() words=()
    case $job in
@cases@
    esac
    export TF_CONFIG="{\"cluster\": $cluster, \"task\": {\"type\": \"$job\", \"index\": $index}}"
    srun --exact --nodes=1 --ntasks=1 --nodelist="$(node "$1")" --open-mode=append \
        --output="@name@-$SLURM_JOB_ID-$job-$index.log" \
        "${options[@]}" "${words[@]}" &
    pids[$1]=$!
}

finish() {
    trap - EXIT
    kill "${pids[@]}" 2>/dev/null
    wait
    exit "$1"
}
trap 'finish 143' TERM INT
trap 'finish 1' EXIT

pids=()
for rank in "${!jobs[@]}"; do start "$rank"; done
while sleep @seconds@; do
    for rank in "${!pids[@]}"; do
        kill -0 "${pids[rank]}" 2>/dev/null && continue
        wait "${pids[rank]}"
        code=$?
        unset "pids[rank]"
        [ $code -eq 0 ] && deciders="${deciders/ $rank / }" && workers="${workers/ $rank / }" && continue
        echo "${jobs[rank]} ${indexes[rank]} exited with code $code" >&2
        if [ "$deciders" = " " ]; then
            workers="${workers/ $rank / }"
        elif [ $restarts -gt 0 ]; then
            restarts=$((restarts - 1))
            start "$rank"
        else
            finish 1
        fi
    done
    [ "$workers" = " " ] && finish 0
done
"""


NO_LIKE = ("stall_timeout", "end_timeout", "log_limit", "restart")
# Placeholder: the script's variable.
VARIABLES = {name: name for name in NAMES} | {"job": "place", "index": "number"}
# Stands for a placeholder while a word is quoted: a character that no word can hold unquoted.
HOLE = "\x01"


def render(description: Description, command: list[str], name: str) -> str:
    """Returns the script. A port 0 becomes one that follows from the Slurm job's number."""
    tasks = [(job, index, description.jobs[job][index]) for job, index in description.tasks]
    deciders = _common.deciders(description)
    variables = _common.shared_variables(description, description.checkpoint_dir or "")
    used = {match["name"] for words in _all_words(description, command) for match in PATTERN.finditer(words)}
    values = {
        "path": json.dumps(description.path),
        "notes": "".join(f"# {line}\n" for line in _common.left_out(description, NO_LIKE)),
        "name": name,
        "count": len(tasks),
        "sbatch": "".join(f"#SBATCH {option}\n" for option in _sbatch(description)),
        "jobs": " ".join(job for job, _, _ in tasks),
        "indexes": " ".join(str(index) for _, index, _ in tasks),
        "deciders": _list([rank for rank, (job, index, _) in enumerate(tasks) if f"{job}-{index}" in deciders]),
        "workers": _list([rank for rank, (job, _, _) in enumerate(tasks) if job != "ps"]),
        "restarts": _common.restarts(description),
        "exports": "\n".join(f"export {key}={shlex.quote(value)}" for key, value in variables.items()),
        "first": FIRST_PORT,
        "ports": PORTS,
        "numbers": " ".join(str(a.port) if a.port else f"$((base + {rank}))" for rank, (_, _, a) in enumerate(tasks)),
        "cluster": _cluster([task for task in tasks if task[0] != "evaluator"], tasks),
        "lists": _lists(tasks) if used & {"ps_hosts", "worker_hosts"} else "",
        "places": _places(description) if used else "",
        "cases": "\n".join(_case(description, command, job) for job in description.jobs),
        "seconds": SECONDS,
    }
    return re.sub(r"@(\w+)@", lambda match: str(values[match[1]]), SCRIPT)


def _all_words(description: Description, command: list[str]) -> list[str]:
    settings = [description.of(job) for job in description.jobs]
    return [*command, *(word for each in settings for word in (*(each.command or ()), *each.env.values()))]


def _sbatch(description: Description) -> list[str]:
    """The options of the allocation beyond the number of its tasks."""
    settings = {job: description.of(job) for job in description.jobs}
    options = [f"--signal=B:TERM@{math.ceil(description.grace)}"]
    if description.timeout is not None:
        options.append(f"--time={math.ceil(description.timeout / 60)}")
    if cpus := max(each.cpus or 0 for each in settings.values()):
        options.append(f"--cpus-per-task={cpus}")
    if gpus := sum((each.gpus or 0) * len(description.jobs[job]) for job, each in settings.items()):
        options.append(f"--gpus={gpus}")
    return options


def _case(description: Description, command: list[str], job: str) -> str:
    settings = description.of(job)
    words = list(settings.command or command)
    if settings.env:
        words = ["env", *(f"{key}={value}" for key, value in settings.env.items()), *words]
    asked = {"cpus-per-task": settings.cpus, "gpus": settings.gpus}
    options = " ".join(f"--{name}={count}" for name, count in asked.items() if count is not None)
    set_options = f"options=({options}); " if options else ""
    return f"        {job}) {set_options}words=({' '.join(map(_quoted, words))}) ;;"


def _quoted(word: str) -> str:
    """The word as bash reads it, its placeholders as variables of the script."""
    held = PATTERN.sub(lambda m: f"{{{m['name']}}}" if m["literal"] else f"{HOLE}{m['name']}{HOLE}", word)
    return re.sub(f"{HOLE}(\\w+){HOLE}", lambda match: f"'\"${VARIABLES[match[1]]}\"'", shlex.quote(held))


def _lists(tasks: list) -> str:
    """The addresses with commas, as classic scripts take them: the chief is the first worker."""
    jobs = {"ps": ("ps",), "worker": (*CHIEFS, "worker")}
    lines = []
    for name, members in jobs.items():
        found = [f"$(node {rank}):${{ports[{rank}]}}" for rank, (job, _, _) in enumerate(tasks) if job in members]
        lines.append(f'{name}_hosts="{",".join(found)}"\n')
    return "".join(lines)


def _places(description: Description) -> str:
    """What the placeholders stand for, at the start of the function `start`."""
    lines = ['local place=$job number=$index task="$job-$index" port=${ports[$1]}']
    if "chief" in description.jobs:
        lines += ['[ "$job" = worker ] && number=$((index + 1))', '[ "$job" = chief ] && place=worker']
    return "".join(f"\n    {line}" for line in lines)


def _list(ranks: list[int]) -> str:
    """As the script searches it: every rank between two spaces."""
    return "".join(f" {rank} " for rank in ranks).replace("  ", " ") or " "


def _cluster(listed: list, tasks: list) -> str:
    """The cluster of TF_CONFIG in bash's double quotes, each address filled in by a call of `address`."""
    jobs: dict[str, list[str]] = {}
    for rank, task in enumerate(tasks):
        if task in listed:
            jobs.setdefault(task[0], []).append(f"$(address {rank})")
    return "{" + ", ".join(f'\\"{job}\\": [{", ".join(calls)}]' for job, calls in jobs.items()) + "}"
