"""The description of a cluster: which addresses serve variables (ps) and which compute (worker).

    ps_hosts:
      - localhost:0         # port 0: the launcher picks a free one
    worker_hosts:
      - localhost:0
      - localhost:0

Optional: job_name and task_id, where a file describes one process of the cluster, and the fields in SETTINGS
and POLICY.
"""

import dataclasses
import difflib
import pathlib
import re

import yaml

from tf1ref.errors import InputError

JOBS = ("ps", "worker")
ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):(?P<port>[0-9]{1,5})")
# Seconds: name, default.
SETTINGS = {"grace": 10.0, "start_timeout": 120.0, "stall_timeout": 300.0, "end_timeout": 600.0}
# What is done when a task fails, and which tasks decide success: name, the choices, the default first.
CHOICES = {"restart": ("never", "on-failure"), "success": ("chief", "all")}
POLICY = (*CHOICES, "max_restarts", "checkpoint_dir")
FIELDS = ("ps_hosts", "worker_hosts", "job_name", "task_id", *SETTINGS, *POLICY)
SHIPPED = pathlib.Path(__file__).with_name("descriptions")


@dataclasses.dataclass(frozen=True)
class Address:
    """Where one task listens. `where` is "FILE:LINE: FIELD", for messages."""

    host: str
    port: int
    where: str = ""

    def __str__(self):
        return f"{self.host}:{self.port}"


@dataclasses.dataclass(frozen=True)
class Description:
    """A checked description. `jobs` maps "ps" and "worker" to tuples of Address; times are in seconds."""

    path: str
    jobs: dict
    job_name: str | None = None
    task_id: int | None = None
    grace: float = SETTINGS["grace"]
    start_timeout: float = SETTINGS["start_timeout"]
    stall_timeout: float = SETTINGS["stall_timeout"]
    end_timeout: float = SETTINGS["end_timeout"]
    restart: str = CHOICES["restart"][0]
    success: str = CHOICES["success"][0]
    max_restarts: int = 3
    checkpoint_dir: str | None = None

    @property
    def hosts(self):
        """The cluster as TF_CONFIG spells it: {"ps": ["host:port", ...], "worker": [...]}."""
        return {job: [str(address) for address in addresses] for job, addresses in self.jobs.items()}


def find(path):
    """Returns the file meant by `path`: itself, or the shipped description of that bare name ("local")."""
    given = pathlib.Path(path)
    if given.exists() or given.name != str(path):
        return given
    shipped = SHIPPED / f"{given.name.removesuffix('.yml')}.yml"
    return shipped if shipped.exists() else given


def load(path):
    """Reads and checks the description at `path`; InputError names the file, the line and the field."""
    path = find(path)
    try:
        fields = _fields(str(path), path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a cluster description, such as local.yml") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file; give a cluster description in YAML") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply; a description is a list of addresses a job") from None
    except yaml.YAMLError as error:
        raise InputError(_yaml_message(path, error)) from None
    return _checked(str(path), fields)


def change(description, **changes):
    """Returns `description` with `changes` from a command line (None: as described); checks what goes together.

    Raises InputError for restarts without a checkpoint folder, and for a folder that is none.
    """
    changes = {name: value for name, value in changes.items() if value is not None}
    description = dataclasses.replace(description, **changes)
    folder = description.checkpoint_dir
    if description.restart != "never" and folder is None:
        why = "a ps that is started again without one begins at step 0 without a word"
        raise InputError(f"restart {description.restart} needs a checkpoint folder (--checkpoint-dir): {why}")
    if folder is not None and pathlib.Path(folder).exists() and not pathlib.Path(folder).is_dir():
        raise InputError(f"{folder}: not a folder; give --checkpoint-dir another")
    return description


def _yaml_message(path, error):
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = f":{mark.line + 1}" if mark else ""
    problem = getattr(error, "problem", None) or "unreadable character"
    return f"{path}{line}: not plain YAML: {problem}; a description has the fields ps_hosts and worker_hosts"


def _fields(path, text):
    """Returns {name: (value, line, lines of the list's items)}; plain values, as safe_load makes them."""
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise InputError(f"{path}:1: not a description; it has the fields ps_hosts and worker_hosts")
        fields = {}
        for key, node in root.value:
            name, line = loader.construct_object(key, deep=True), key.start_mark.line + 1
            if name not in FIELDS:
                raise InputError(f"{path}:{line}: unknown field {name!r}{_nearest(name)}")
            if name in fields:
                raise InputError(f"{path}:{line}: {name}: given twice; keep one of the two")
            items = node.value if isinstance(node, yaml.SequenceNode) else ()
            lines = [item.start_mark.line + 1 for item in items]
            fields[name] = (loader.construct_object(node, deep=True), line, lines)
        return fields
    finally:
        loader.dispose()


def _nearest(name):
    alike = difflib.get_close_matches(str(name), FIELDS, n=1, cutoff=0.5)
    return f"; did you mean {alike[0]}?" if alike else f"; the fields are {', '.join(FIELDS)}"


def _checked(path, fields):
    jobs = {job: _addresses(path, fields, f"{job}_hosts") for job in JOBS}
    first = {}
    for address in (address for addresses in jobs.values() for address in addresses):
        other = first.setdefault((address.host.lower(), address.port or object()), address)
        if other is not address:
            raise InputError(f"{address.where}: {address} is given twice; give every task a port of its own")
    settings = {name: _setting(path, fields, name) for name in (*SETTINGS, *POLICY) if name in fields}
    return Description(path, jobs, *_own_task(path, fields, jobs), **settings)


def _addresses(path, fields, name):
    if name not in fields:
        raise InputError(f"{path}:1: {name}: missing; list at least one host:port, such as localhost:0")
    value, line, lines = fields[name]
    if not isinstance(value, list):
        raise InputError(f"{path}:{line}: {name}: must be a list of host:port, not {value!r}")
    if not value:
        raise InputError(f"{path}:{line}: {name}: empty; list at least one host:port")
    return tuple(_address(item, f"{path}:{at}: {name}") for item, at in zip(value, lines, strict=True))


def _address(item, where):
    match = ADDRESS.fullmatch(item) if isinstance(item, str) else None
    if not match:
        raise InputError(f"{where}: {item!r} is no address; write host:port, such as localhost:2222")
    if int(match["port"]) > 65535:
        raise InputError(f"{where}: port {match['port']} is out of range; 1 to 65535, or 0 for a free one")
    return Address(match["host"], int(match["port"]), where)


def _setting(path, fields, name):
    value, line, _ = fields[name]
    if problem := _problem(name, value):
        raise InputError(f"{path}:{line}: {name}: {problem}, not {value!r}")
    return float(value) if name in SETTINGS else value


def _problem(name, value):
    """Returns what `value` should have been ("must be ..."), or None where the field `name` takes it."""
    if name in CHOICES:
        return None if value in CHOICES[name] else f"must be {' or '.join(CHOICES[name])}"
    if name == "checkpoint_dir":
        return None if isinstance(value, str) and value else "must be the path of a folder"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name == "max_restarts":
        return None if number and isinstance(value, int) and value >= 0 else "must be a whole number"
    return None if number and 0 <= value < float("inf") else "must be a number of seconds"


def _own_task(path, fields, jobs):
    """Returns (job_name, task_id) of a file that describes one process, else (None, None)."""
    given = [name for name in ("job_name", "task_id") if name in fields]
    if not given:
        return None, None
    if len(given) == 1:
        line = fields[given[0]][1]
        raise InputError(f"{path}:{line}: {given[0]}: job_name and task_id go together; give both or neither")
    (job, job_line, _), (index, index_line, _) = fields["job_name"], fields["task_id"]
    if job not in JOBS:
        raise InputError(f"{path}:{job_line}: job_name: must be ps or worker, not {job!r}")
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(jobs[job]):
        last = len(jobs[job]) - 1
        raise InputError(f"{path}:{index_line}: task_id: must be 0 to {last} ({job}_hosts), not {index!r}")
    return job, index
