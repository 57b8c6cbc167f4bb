"""python -m cluster: see `python -m cluster --help`."""

import argparse
import contextlib
import dataclasses
import sys

from cluster import description, launcher
from cluster.errors import UsageError

USAGE = 2
EPILOG = """
exit codes: 0 the chief (worker 0) ended well; 1 a task failed; 2 bad usage or unreadable input, nothing was
started; 3 a task did not start in time; 130 interrupted
"""
UP = """
Runs COMMAND once for every task of the cluster that FILE describes, all on this machine, and ends with
success or names the task that failed. Each task finds the cluster and its own place in it in the variable
TF_CONFIG. When all workers have ended, the ps processes are ended too. When a task fails, or the launcher is
killed, every process of the job is killed. Ctrl-C ends the job in order; once more kills it.
"""
FILE = """
the cluster: a YAML file with the fields ps_hosts and worker_hosts, each a list of host:port, where port 0
means a free one; optional: grace and start_timeout, as below. job_name and task_id, which make a file
describe one process, are checked and not needed here. "local.yml" is one ps and two workers, and comes with
the launcher
"""
LOG_DIR = """
folder for the log files, one a task (default: a temporary one, which a job that succeeds takes with it)
"""
GRACE = "seconds a task has to end when it is asked to; then it is killed (default: 10)"
START_TIMEOUT = """
seconds a task has to get from its start to its first step (a ps: to serving), where it tells its state, as
tasks written with tf1ref.distributed do (default: 120)
"""


class _Parser(argparse.ArgumentParser):
    """Bad usage is one line, as every error: what, and what to do."""

    def error(self, message):
        print(f"cluster: error: {message}; see {self.prog} --help", file=sys.stderr)
        sys.exit(USAGE)


def _parser():
    parser = _Parser(
        prog="python -m cluster",
        description="Runs parameter-server jobs: starts the tasks of a cluster, watches them, and ends them.",
        epilog=EPILOG,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    up = verbs.add_parser(
        "up",
        help="run every task of a cluster on this machine",
        description=UP,
        epilog=EPILOG,
        usage="python -m cluster up FILE [options] -- COMMAND...",
    )
    up.add_argument("file", metavar="FILE", help=FILE)
    up.add_argument("--log-dir", metavar="DIR", help=LOG_DIR)
    up.add_argument("--grace", type=_seconds, metavar="S", help=GRACE)
    up.add_argument("--start-timeout", type=_seconds, metavar="S", help=START_TIMEOUT)
    return parser


def _seconds(text):
    with contextlib.suppress(ValueError):
        if 0 <= float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"must be a number of seconds, not {text!r}")


def main(arguments=None):
    """Runs the command line `arguments` (default: sys.argv); returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    split = arguments.index("--") if "--" in arguments else len(arguments)
    options = _parser().parse_args(arguments[:split])
    command = arguments[split + 1 :]
    try:
        if not command:
            raise UsageError("no command; write it after --, such as -- python train.py")
        cluster = description.load(options.file)
        given = {name: getattr(options, name) for name in description.SETTINGS}
        cluster = dataclasses.replace(cluster, **{k: v for k, v in given.items() if v is not None})
        return launcher.up(cluster, command, options.log_dir)
    except UsageError as error:
        print(f"cluster: error: {error}", file=sys.stderr)
        return USAGE


if __name__ == "__main__":
    sys.exit(main())
