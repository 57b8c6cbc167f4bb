"""The command line of `python -m tf1ref.cluster`, which `tf1ref launch` shares."""

import argparse
import contextlib

from tf1ref.cluster.description import CHOICES, JOBS
from tf1ref.cluster.render import ENGINES
from tf1ref.errors import InputError

EPILOG = """
exit codes: 0 the chief (worker 0) ended well; 1 a task failed; 2 bad usage or unreadable input, nothing was
started; 3 a task did not start in time; 4 a task stalled; 130 interrupted
"""
UP = """
Runs COMMAND once for every task of the cluster that FILE describes, or that --ps and --workers count, all on this
machine, and ends with success or names the task that failed. Each task finds the cluster and its own place in it in
the variable TF_CONFIG, and by {job}, {index}, {task}, {port}, {ps_hosts} and {worker_hosts} in COMMAND and in --env;
scripts of TensorFlow 1 that take them by flags get those from `tf1ref exec`. When all workers have ended, the ps
processes are ended too. When a task fails, or the launcher is killed, every process of the job is killed. Ctrl-C ends
the job in order; once more kills it.
"""
TASK = """
Runs COMMAND as one task of the cluster that FILE describes: once on each of several machines. All of them must
have the same FILE, with real hosts and ports. A ps serves until it is stopped, by Ctrl-C or the verb stop.
"""
RENDER = """
Writes the job that FILE describes, with COMMAND, for another engine, to standard output: a Kubernetes JobSet with
its network policy, a compose file, or an sbatch script.
"""
FILE = """
the cluster: a YAML file with the fields ps_hosts and worker_hosts, each a list of host:port, where port 0
means a free one; optional: job_name and task_id, which make a file describe one process, and the settings grace,
start_timeout, stall_timeout, end_timeout, timeout, restart, max_restarts, checkpoint_dir, success, log_limit: see
up --help; chief_hosts and evaluator_hosts; and for each job a field of its name (ps, worker) with command, env, cpus
(processors a task) and gpus (GPUs a task).
"local" is one ps and two workers; it comes with the launcher, as do "sync", "in_graph" and "evaluator"
"""
LOG_DIR = """
folder for the log files, one a task (default: a temporary one, which a job that succeeds takes with it)
"""
SECONDS = {
    "grace": "seconds a task has to end when it is asked to; then it is killed (default: 10)",
    "start_timeout": """seconds a task has to get from its start to its first step (a ps: to serving), where it tells
        its state, as tasks written with tf1ref.distributed do (default: 120)""",
    "stall_timeout": """seconds the global step that a task tells may stand still, and a task may be stopped by a signal
        (default: 300)""",
    "end_timeout": """seconds a task has from its last session to its end, and another worker from the chief's end to
        its own (default: 600)""",
}
TIMEOUT = "seconds the whole job may take (default: no limit)"
LOG_LIMIT = "megabytes at which a log is moved to LOG.1, over the one before, and begun anew (default: no limit)"
ENV = "a variable for every task; more than once for more; placeholders as in COMMAND"
PS = "how many ps tasks, in place of FILE (default: 1)"
WORKERS = "how many workers, in place of FILE (default: 1)"
CHIEF = "with --workers: a chief besides them, as estimators have it"
EVALUATOR = "with --workers: a task that evaluates what the chief saves"
SYNC = "with --workers: they train in step, so all must end well (as the description sync)"
RESTART = """
what to do when a task fails or stalls: never start it again (the default), on-failure: start that one again, job: start
all again; the last two need a checkpoint folder
"""
MAX_RESTARTS = "restarts of all tasks together (default: 3)"
CHECKPOINT_DIR = "the job's checkpoint folder: every task finds it in the variable CLUSTER_CHECKPOINT_DIR"
SUCCESS = "who must end well: the chief, which is worker 0 where there is no other (the default), or all workers"
ISOLATE = """
run the job in a network namespace of its own with loopback only (Linux): no other machine can connect, and no process
outside of the job but those that may enter the namespace: yours and root's (nsenter); where that cannot be had, nothing
is started
"""
ALLOW_NETWORK = """
let tasks be on other machines: TensorFlow's servers have no authentication, and run what anybody sends them
"""
JSON = "say what happens as one JSON object a line: event, time, and what belongs to it"
JOB = "the launcher's process number or the job's log folder (default: every running job of yours)"
STOP_JOB = "the launcher's process number or the job's log folder (default: the one running job of yours)"


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise InputError(f"{message}; see {self.prog} --help")


def parser(prog):
    """Returns the parser of all verbs; it raises InputError for bad usage. `prog`: what people type."""
    about = "Runs parameter-server jobs: starts the tasks of a cluster, watches them, and ends them."
    top = _Parser(prog=prog, description=about, epilog=EPILOG)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_up(verbs, prog)
    _add_task(verbs, prog)
    status = verbs.add_parser("status", help="show running jobs and their tasks", description="Shows running jobs.")
    status.add_argument("job", nargs="?", metavar="JOB", help=JOB)
    status.add_argument("--json", action="store_true", help="a list of jobs")
    about = "Ends a running job in order, as Ctrl-C does, and waits for its end."
    stop = verbs.add_parser("stop", help="end a running job", description=about)
    stop.add_argument("job", nargs="?", metavar="JOB", help=STOP_JOB)
    stop.add_argument("--now", action="store_true", help="kill it at once")
    _add_render(verbs, prog)
    return top


def _add_up(verbs, prog):
    usage = f"{prog} up FILE|--ps N --workers N [options] -- COMMAND..."
    about = "run every task of a cluster on this machine"
    up = verbs.add_parser("up", help=about, description=UP, epilog=EPILOG, usage=usage)
    _add_job_options(up)
    up.add_argument("--isolate", action="store_true", help=ISOLATE)


def _add_task(verbs, prog):
    usage = f"{prog} task FILE --job ps|worker --index I [options] -- COMMAND..."
    about = "run one task of a cluster that spans machines"
    task = verbs.add_parser("task", help=about, description=TASK, epilog=EPILOG, usage=usage)
    _add_job_options(task)
    task.add_argument("--job", choices=JOBS, help="its job (default: job_name of FILE)")
    task.add_argument("--index", type=_whole, metavar="I", help="its place there, from 0 (default: task_id of FILE)")
    task.add_argument("--allow-network", action="store_true", help=ALLOW_NETWORK)


def _add_job_options(verb):
    _add_cluster(verb)
    verb.add_argument("--log-dir", metavar="DIR", help=LOG_DIR)
    for name, text in SECONDS.items():
        verb.add_argument(f"--{name.replace('_', '-')}", type=_seconds, metavar="S", help=text)
    verb.add_argument("--timeout", type=_above_zero, metavar="S", help=TIMEOUT)
    verb.add_argument("--log-limit", type=_above_zero, metavar="MB", help=LOG_LIMIT)
    verb.add_argument("--restart", choices=CHOICES["restart"], help=RESTART)
    verb.add_argument("--max-restarts", type=_whole, metavar="N", help=MAX_RESTARTS)
    verb.add_argument("--checkpoint-dir", metavar="DIR", help=CHECKPOINT_DIR)
    verb.add_argument("--success", choices=CHOICES["success"], help=SUCCESS)
    verb.add_argument("--json", action="store_true", help=JSON)


def _add_cluster(verb):
    verb.add_argument("file", nargs="?", metavar="FILE", help=FILE)
    verb.add_argument("--ps", type=_whole, metavar="N", help=PS)
    verb.add_argument("--workers", type=_whole, metavar="N", help=WORKERS)
    verb.add_argument("--chief", action="store_true", help=CHIEF)
    verb.add_argument("--evaluator", action="store_true", help=EVALUATOR)
    verb.add_argument("--sync", action="store_true", help=SYNC)
    verb.add_argument("--env", action="append", type=_variable, default=[], metavar="NAME=VALUE", help=ENV)


def _add_render(verbs, prog):
    usage = f"{prog} render FILE --to ENGINE [options] -- COMMAND..."
    about = "write the job for Kubernetes, compose or Slurm"
    render = verbs.add_parser("render", help=about, description=RENDER, usage=usage)
    _add_cluster(render)
    render.add_argument("--to", required=True, choices=ENGINES, help="the engine")
    render.add_argument("--name", default="tf-cluster", metavar="NAME", help="the job's name (default: tf-cluster)")
    render.add_argument("--image", metavar="IMAGE", help="the container image: kubernetes and compose need it")


def _seconds(text):
    with contextlib.suppress(ValueError):
        if 0 <= float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"must be a number of seconds, not {text!r}")


def _above_zero(text):
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")


def _variable(text):
    name, equals, value = text.partition("=")
    if name and equals:
        return name, value
    raise argparse.ArgumentTypeError(f"must be NAME=VALUE, not {text!r}")


def _whole(text):
    if text.isascii() and text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}")
