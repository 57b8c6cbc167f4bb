"""Reads a description file: its fields, each checked, with the line for messages."""

import difflib
import os
import pathlib
import reprlib
from typing import Any, NamedTuple

import yaml

from tf1ref.cluster.description import (
    ADDRESS,
    CHOICES,
    JOBS,
    MOST_TASKS,
    POLICY,
    SETTINGS,
    SHIPPED,
    Address,
    Description,
    JobSettings,
)
from tf1ref.errors import InputError

HOSTS = tuple(f"{job}_hosts" for job in JOBS)
FIELDS = (*HOSTS, "job_name", "task_id", *SETTINGS, *POLICY, *JOBS)
JOB_FIELDS = ("command", "env", "cpus", "gpus")
MOST_BYTES = 1 << 20  # A larger file is not a list of addresses.


class Field(NamedTuple):
    """One field: its value, its line, and the lines of the items of a list."""

    value: Any
    line: int
    lines: list[int]


class _Loader(yaml.SafeLoader):
    """Reads plain YAML without aliases: a few lines of aliases can stand for more text than a machine holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "an alias (*name); write the value out", mark)
        return super().compose_node(parent, index)


def find(path: str) -> pathlib.Path:
    """Returns the file meant by `path`: itself, or the shipped description of that bare name ("local")."""
    given = pathlib.Path(path)
    if os.path.exists(given) or given.name != str(path):
        return given
    shipped = SHIPPED / f"{given.name.removesuffix('.yml')}.yml"
    return shipped if os.path.exists(shipped) else given


def load(path: str) -> Description:
    """Reads and checks the description at `path`. Raises InputError, which names the file, the line and the field."""
    file = find(path)
    try:
        with open(file, "rb") as opened:
            data = opened.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise InputError(f"{file}: larger than {MOST_BYTES} bytes; a description is a list of addresses a job")
        fields = _fields(str(file), data.decode("utf-8"))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; give a cluster description, such as local.yml") from None
    except UnicodeDecodeError:
        raise InputError(f"{file}: not a text file; give a cluster description in YAML") from None
    except RecursionError:
        raise InputError(f"{file}: nested too deeply; a description is a list of addresses a job") from None
    except yaml.YAMLError as error:
        raise InputError(_yaml_message(file, error)) from None
    return _checked(str(file), fields)


def _yaml_message(path: pathlib.Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = f":{mark.line + 1}" if mark else ""
    problem = getattr(error, "problem", None) or "unreadable character"
    return f"{path}{line}: not plain YAML: {problem}; a description has the fields ps_hosts and worker_hosts"


def _fields(path: str, text: str) -> dict[str, Field]:
    """Returns {name: Field} with plain values, as safe_load makes them."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise InputError(f"{path}:1: not a description; it has the fields ps_hosts and worker_hosts")
        fields: dict[str, Field] = {}
        for key, node in root.value:
            name, line = loader.construct_object(key, deep=True), key.start_mark.line + 1
            if name not in FIELDS:
                raise InputError(f"{path}:{line}: unknown field {name!r}{_nearest(name, FIELDS)}")
            if name in fields:
                raise InputError(f"{path}:{line}: {name}: given twice; keep one of the two")
            items = node.value if isinstance(node, yaml.SequenceNode) else ()
            lines = [item.start_mark.line + 1 for item in items]
            fields[name] = Field(loader.construct_object(node, deep=True), line, lines)
        return fields
    finally:
        loader.dispose()


def _nearest(name: object, names: tuple[str, ...]) -> str:
    alike = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    return f"; did you mean {alike[0]}?" if alike else f"; the fields are {', '.join(names)}"


def _checked(path: str, fields: dict[str, Field]) -> Description:
    needed = ("ps", "worker") if "chief_hosts" not in fields else ("ps",)
    jobs = {job: _addresses(path, fields, job) for job in JOBS if job in needed or f"{job}_hosts" in fields}
    if len(jobs.get("chief", ())) > 1:
        raise InputError(f"{jobs['chief'][1].where}: a cluster has one chief; list one host:port")
    first: dict[Any, Address] = {}
    for address in (address for addresses in jobs.values() for address in addresses):
        other = first.setdefault((address.host.lower(), address.port or object()), address)
        if other is not address:
            raise InputError(f"{address.where}: {address} is given twice; give every task a port of its own")
    settings = {name: _setting(path, fields[name], name) for name in (*SETTINGS, *POLICY) if name in fields}
    of_jobs = {job: _job_settings(path, fields[job], job, jobs) for job in JOBS if job in fields}
    return Description(path, jobs, *_own_task(path, fields, jobs), settings=of_jobs, **settings)


def _addresses(path: str, fields: dict[str, Field], job: str) -> tuple[Address, ...]:
    name = f"{job}_hosts"
    if name not in fields:
        raise InputError(f"{path}:1: {name}: missing; list at least one host:port, such as localhost:0")
    value, line, lines = fields[name]
    if not isinstance(value, list):
        raise InputError(f"{path}:{line}: {name}: must be a list of host:port, not {reprlib.repr(value)}")
    if not value:
        raise InputError(f"{path}:{line}: {name}: empty; list at least one host:port")
    if len(value) > MOST_TASKS:
        raise InputError(f"{path}:{line}: {name}: {len(value)} tasks; a job has at most {MOST_TASKS}")
    return tuple(_address(item, f"{path}:{at}: {name}") for item, at in zip(value, lines, strict=True))


def _address(item: object, where: str) -> Address:
    match = ADDRESS.fullmatch(item) if isinstance(item, str) else None
    if not match:
        raise InputError(f"{where}: {reprlib.repr(item)} is no address; write host:port, such as localhost:2222")
    if int(match["port"]) > 65535:
        raise InputError(f"{where}: port {match['port']} is out of range; 1 to 65535, or 0 for a free one")
    return Address(match["host"], int(match["port"]), where)


def _setting(path: str, field: Field, name: str) -> Any:
    if problem := _problem(name, field.value):
        raise InputError(f"{path}:{field.line}: {name}: {problem}, not {reprlib.repr(field.value)}")
    return float(field.value) if name in (*SETTINGS, "timeout", "log_limit") else field.value


def _problem(name: str, value: object) -> str | None:
    """Returns what `value` should have been ("must be ..."), or None where the field `name` takes it."""
    if name in CHOICES:
        return None if value in CHOICES[name] else f"must be {_or(CHOICES[name])}"
    if name == "checkpoint_dir":
        return None if isinstance(value, str) and value else "must be the path of a folder"
    number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
    if name == "max_restarts":
        return None if number and isinstance(value, int) else "must be a whole number"
    if name in ("timeout", "log_limit"):
        unit = "seconds" if name == "timeout" else "megabytes"
        return None if number and value else f"must be a number of {unit} above 0"
    return None if number else "must be a number of seconds"


def _or(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _job_settings(path: str, field: Field, job: str, jobs: dict[str, tuple[Address, ...]]) -> JobSettings:
    where = f"{path}:{field.line}: {job}"
    if job not in jobs:
        raise InputError(f"{where}: the cluster has no such task; list {job}_hosts, too")
    if not isinstance(field.value, dict):
        raise InputError(f"{where}: must have the fields {', '.join(JOB_FIELDS)}, not {reprlib.repr(field.value)}")
    for name, value in field.value.items():
        if name not in JOB_FIELDS:
            raise InputError(f"{where}: unknown field {name!r}{_nearest(name, JOB_FIELDS)}")
        if problem := _job_problem(name, value):
            raise InputError(f"{where}: {name}: {problem}, not {reprlib.repr(value)}")
    given = dict(field.value)
    command = tuple(map(str, given["command"])) if "command" in given else None
    env = {name: str(value) for name, value in given.get("env", {}).items()}
    return JobSettings(command, env, given.get("cpus"), given.get("gpus"), where)


def _job_problem(name: str, value: object) -> str | None:
    plain = (str, int, float)
    if name == "command":
        fits = isinstance(value, list) and value and all(isinstance(word, plain) for word in value)
        return None if fits else "must be a list of words"
    if name == "env":
        fits = isinstance(value, dict) and all(
            isinstance(k, str) and k and "=" not in k and "\0" not in k and isinstance(v, plain)
            for k, v in value.items()
        )
        return None if fits else "must map names to values"
    least = 1 if name == "cpus" else 0
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= least
    return None if fits else f"must be a whole number of at least {least}"


def _own_task(path: str, fields: dict[str, Field], jobs: dict[str, tuple[Address, ...]]) -> tuple[Any, Any]:
    """Returns (job_name, task_id) of a file that describes one process, else (None, None)."""
    given = [name for name in ("job_name", "task_id") if name in fields]
    if not given:
        return None, None
    if len(given) == 1:
        line = fields[given[0]].line
        raise InputError(f"{path}:{line}: {given[0]}: job_name and task_id go together; give both or neither")
    (job, job_line, _), (index, index_line, _) = fields["job_name"], fields["task_id"]
    if not isinstance(job, str) or job not in jobs:
        raise InputError(f"{path}:{job_line}: job_name: must be {_or(tuple(jobs))}, not {reprlib.repr(job)}")
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(jobs[job]):
        last = len(jobs[job]) - 1
        raise InputError(f"{path}:{index_line}: task_id: must be 0 to {last} ({job}_hosts), not {reprlib.repr(index)}")
    return job, index
