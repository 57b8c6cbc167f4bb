"""An sbatch script for the job: the tasks are steps of one allocation, watched by the script itself."""

import json
import re
import shlex

from tf1ref.cluster.contract import CHECKPOINT_DIR, START_TIMEOUT

# Below the kernel's outgoing ports; a job's number spreads the jobs that share a node.
FIRST_PORT, PORTS = 10000, 20000
SECONDS = 1  # between two looks at the steps

SCRIPT = r"""#!/bin/bash
# @path@ for Slurm: sbatch FILE
# TensorFlow's servers have no authentication, and Slurm no network policy: everybody who can reach the nodes can use
# them. One log a task; the script ends with the job's success, and the allocation with it.
#SBATCH --job-name=@name@
#SBATCH --ntasks=@count@
#SBATCH --output=@name@-%j.log

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

start() {
    local job=${jobs[$1]} index=${indexes[$1]}
    export TF_CONFIG="{\"cluster\": $cluster, \"task\": {\"type\": \"$job\", \"index\": $index}}"
    srun --exact --nodes=1 --ntasks=1 --nodelist="$(node "$1")" --open-mode=append \
        --output="@name@-$SLURM_JOB_ID-$job-$index.log" \
        @command@ &
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


def slurm(description, command, name):
    """Returns the script. A port 0 becomes one that follows from the Slurm job's number."""
    tasks = [(job, index, address) for job in description.jobs for index, address in enumerate(description.jobs[job])]
    workers = [rank for rank, (job, _, _) in enumerate(tasks) if job == "worker"]
    variables = {START_TIMEOUT: f"{description.start_timeout:g}"}
    if description.checkpoint_dir is not None:
        variables[CHECKPOINT_DIR] = description.checkpoint_dir
    values = {
        "path": json.dumps(description.path),
        "name": name,
        "count": len(tasks),
        "jobs": " ".join(job for job, _, _ in tasks),
        "indexes": " ".join(str(index) for _, index, _ in tasks),
        "deciders": _list(workers if description.success == "all" else workers[:1]),
        "workers": _list(workers),
        "restarts": description.max_restarts if description.restart == "on-failure" else 0,
        "exports": "\n".join(f"export {key}={shlex.quote(value)}" for key, value in variables.items()),
        "first": FIRST_PORT,
        "ports": PORTS,
        "numbers": " ".join(str(a.port) if a.port else f"$((base + {rank}))" for rank, (_, _, a) in enumerate(tasks)),
        "cluster": _cluster(tasks),
        "seconds": SECONDS,
        "command": shlex.join(command),
    }
    return re.sub(r"@(\w+)@", lambda match: str(values[match[1]]), SCRIPT)


def _list(ranks):
    """As the script searches it: every rank between two spaces."""
    return "".join(f" {rank} " for rank in ranks).replace("  ", " ") or " "


def _cluster(tasks):
    """The cluster of TF_CONFIG in bash's double quotes, each address filled in by a call of `address`."""
    jobs = {}
    for rank, (job, _, _) in enumerate(tasks):
        jobs.setdefault(job, []).append(f"$(address {rank})")
    return "{" + ", ".join(f'\\"{job}\\": [{", ".join(calls)}]' for job, calls in jobs.items()) + "}"
