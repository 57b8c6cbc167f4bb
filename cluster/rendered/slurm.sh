#!/bin/bash
# "description.yml" for Slurm: sbatch FILE
# TensorFlow's servers have no authentication, and Slurm no network policy: everybody who can reach the nodes can use
# them. One log a task; the script ends with the job's success, and the allocation with it.
#SBATCH --job-name=digits
#SBATCH --ntasks=3
#SBATCH --output=digits-%j.log
#SBATCH --signal=B:TERM@5

jobs=(ps worker worker)
indexes=(0 0 1)
deciders=" 1 "
workers=" 1 2 "
restarts=2
export CLUSTER_START_TIMEOUT=120
export CLUSTER_GRACE=5
export CLUSTER_CHECKPOINT_DIR=kept
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
base=$((10000 + SLURM_JOB_ID * 3 % 20000))
ports=($((base + 0)) $((base + 1)) 2300)
node() { echo "${nodes[$1 % ${#nodes[@]}]}"; }
address() { echo "\"$(node "$1"):${ports[$1]}\""; }
cluster="{\"ps\": [$(address 0)], \"worker\": [$(address 1), $(address 2)]}"

start() {
    local job=${jobs[$1]} index=${indexes[$1]}
    local options=() words=()
    case $job in
        ps) words=(python train.py '--note=$HOME $(X) it'"'"'s') ;;
        worker) words=(python train.py '--note=$HOME $(X) it'"'"'s') ;;
    esac
    export TF_CONFIG="{\"cluster\": $cluster, \"task\": {\"type\": \"$job\", \"index\": $index}}"
    srun --exact --nodes=1 --ntasks=1 --nodelist="$(node "$1")" --open-mode=append \
        --output="digits-$SLURM_JOB_ID-$job-$index.log" \
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
while sleep 1; do
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
