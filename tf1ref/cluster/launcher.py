"""Finds everything that can be wrong with a job before it starts, while nothing runs yet."""

import contextlib
import dataclasses
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator

from tf1ref.cluster import devices, isolation, placeholders
from tf1ref.cluster.description import Description
from tf1ref.cluster.ports import Ports, in_use, is_local
from tf1ref.cluster.record import Record, registry
from tf1ref.cluster.running.events import Events
from tf1ref.cluster.running.job import Job
from tf1ref.cluster.running.situation import DONE
from tf1ref.errors import InputError

OTHER_MACHINE = "is another machine"


def up(
    description: Description,
    command: list[str],
    log_dir: str | None = None,
    isolate: bool = False,
    as_json: bool = False,
) -> int:
    """Runs `command` (a list) once for every task of `description`. Returns the exit code.

    The description says which tasks decide success. Logs go to `log_dir`. By default they go to a temporary folder,
    which is removed when the job succeeds. isolate: moves this process and the job into a network namespace of its own.
    Raises InputError, with nothing started, when a port, a host, the command or the folder cannot be used.
    """
    _check_commands(description, command)
    if isolate:
        isolation.enter()
    with contextlib.closing(Ports()) as ports:
        return _run(_resolve(description, ports), command, log_dir, as_json, isolated=isolate)


def run_one(
    description: Description,
    job: str,
    index: int,
    command: list[str],
    log_dir: str | None = None,
    allow_network: bool = False,
    as_json: bool = False,
) -> int:
    """Runs `command` as one task of a cluster that may span machines. Returns the exit code, which is the task's
    success.

    Raises InputError as `up` does. It also does so when another task's address is not on this machine, unless
    `allow_network` is given, because others can then connect to the server that this starts.
    """
    _check_commands(description, command)
    own = description.jobs[job][index]
    for address in itertools.chain(*description.jobs.values()):
        problem = is_local(address.host)
        if problem and (problem != OTHER_MACHINE or address is own):
            raise InputError(f"{address.where}: {address.host} {problem}; give an address of the machine of the task")
        if not address.port:
            raise InputError(f"{address.where}: port 0 is for up; every machine must know the ports, so choose them")
        if problem and not allow_network:
            danger = "TensorFlow's servers run what anybody sends who can connect"
            raise InputError(f"{address.where}: {address.host} {problem}; {danger}: if you want it, --allow-network")
    if problem := in_use(own.port):
        raise InputError(f"{own.where}: port {own.port} is {problem}; choose another")
    return _run(description, command, log_dir, as_json, only=(job, index))


def _run(
    description: Description,
    command: list[str],
    log_dir: str | None,
    as_json: bool,
    only: tuple[str, int] | None = None,
    isolated: bool = False,
) -> int:
    shares = devices.share(description)
    events, folder = Events(as_json), _log_folder(log_dir)
    with contextlib.closing(Record(folder)) as record, _finishing(events):
        job = Job(description, folder, events, record, shares, only)
        addresses = [description.jobs[task.job][task.index] for task in job.tasks if task.job != "evaluator"]
        ports = [address.port for address in addresses]
        where = "on every interface, without authentication"
        if isolated:
            where = "in a network namespace of their own, where nothing outside can connect"
        names = ", ".join(task.name for task in job.tasks)
        events.say("job", f"{names}; logs in {folder}", tasks=names.split(", "), logs=str(folder), pid=os.getpid())
        listen = f"TensorFlow's servers listen {where}: {' '.join(f'*:{port}' for port in ports)}"
        events.say("ports", listen, ports=ports, isolated=isolated)
        if registry(events.alarm) is None:
            events.alarm("no folder for this user's running jobs can be had: status and stop need the log folder")
        code = job.run(command)
    if code == DONE and log_dir is None:
        shutil.rmtree(folder, ignore_errors=True)
    return code


@contextlib.contextmanager
def _finishing(events: Events) -> Iterator[None]:
    try:
        yield
    finally:
        events.finish()


def _check_commands(description: Description, command: list[str]) -> None:
    """Raises InputError for a command that cannot be run, the command line's or a job's, or a bad placeholder."""
    given = [description.of(job) for job in description.jobs]
    if command:
        _check_command(command)
    elif any(settings.command is None for settings in given):
        raise InputError("no command; write it after --, such as -- python train.py")
    for settings in given:
        if settings.command is not None:
            _check_command(list(settings.command), f"{settings.where}: command: ")
        placeholders.check(list(settings.env.values()))


def _check_command(command: list[str], where: str = "") -> None:
    placeholders.check(command)
    if not placeholders.PATTERN.search(command[0]) and shutil.which(command[0]) is None:
        there = os.path.exists(command[0])
        problem = "not an executable file" if there else "no such command"
        advice = "" if where else "; write the command after --, such as -- python train.py"
        raise InputError(f"{where}{command[0]}: {problem}{advice}")


def _log_folder(log_dir: str | None) -> str:
    if log_dir is None:
        return tempfile.mkdtemp(prefix="cluster-")
    try:
        os.makedirs(log_dir, exist_ok=True)
    except OSError as error:
        raise InputError(f"{log_dir}: {error.strerror}; give --log-dir another folder") from None
    if not os.access(log_dir, os.W_OK | os.X_OK):
        raise InputError(f"{log_dir}: cannot be written; give --log-dir another folder")
    return log_dir


def _resolve(description: Description, ports: Ports) -> Description:
    """Returns `description` with a port for every 0. Raises InputError where an address cannot be served here."""
    given: set[int] = set()
    for address in itertools.chain(*description.jobs.values()):
        if problem := is_local(address.host):
            advice = "up runs every task on this machine, so write localhost"
            if problem == OTHER_MACHINE:
                advice += ", or run each with task --allow-network on its own"
            raise InputError(f"{address.where}: {address.host} {problem}; {advice}")
        if not address.port:
            continue
        # Servers listen on all interfaces, so one port serves one task whatever the hosts are called.
        if problem := "given twice" if address.port in given else in_use(address.port):
            advice = "choose another, or 0 for a free one"
            raise InputError(f"{address.where}: port {address.port} is {problem}; {advice}")
        given.add(address.port)
    jobs = {
        job: tuple(a if a.port else dataclasses.replace(a, port=ports.pick(given)) for a in addresses)
        for job, addresses in description.jobs.items()
    }
    return dataclasses.replace(description, jobs=jobs)
