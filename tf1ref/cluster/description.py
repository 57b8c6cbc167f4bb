"""The description of a cluster: which addresses serve variables (ps) and which compute (chief, worker).

    ps_hosts:
      - localhost:0         # port 0: the launcher picks a free one
    worker_hosts:
      - localhost:0
      - localhost:0

Optional are chief_hosts and evaluator_hosts. So are job_name and task_id, where a file describes one process of the
cluster, and the fields in SETTINGS and POLICY. For each job a field of its name says what its tasks get (JobSettings).
"""

import dataclasses
import pathlib
import re

from tf1ref.errors import InputError

# Tasks are started and blamed in this order: a worker that failed because its ps is gone is not blamed.
JOBS = ("ps", "chief", "worker", "evaluator")
ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):(?P<port>[0-9]{1,5})")
# Seconds: name, default.
SETTINGS = {"grace": 10.0, "start_timeout": 120.0, "stall_timeout": 300.0, "end_timeout": 600.0}
# What is done when a task fails, and which tasks decide success: the name, and the choices with the default first.
CHOICES = {"restart": ("never", "on-failure", "job"), "success": ("chief", "all")}
POLICY = (*CHOICES, "max_restarts", "checkpoint_dir", "timeout", "log_limit")
SHIPPED = pathlib.Path(__file__).with_name("descriptions")
# What the description `sync` says: a worker that hangs stops all others, too.
SYNC = {"success": "all", "stall_timeout": 120.0}
MOST_TASKS = 1000


@dataclasses.dataclass(frozen=True)
class Address:
    """Where one task listens. `where` is "FILE:LINE: FIELD", for messages."""

    host: str
    port: int
    where: str = ""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclasses.dataclass(frozen=True)
class JobSettings:
    """What each task of one job gets.

    command: words to run instead of the command line's. env: variables. cpus: the number of processors for each task
    alone. gpus: the number of GPUs for each task alone, which CUDA_VISIBLE_DEVICES tells it. None: what the launcher
    itself has.
    """

    command: tuple[str, ...] | None = None
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    cpus: int | None = None
    gpus: int | None = None
    where: str = ""


@dataclasses.dataclass(frozen=True)
class Description:
    """A checked description. Times are in seconds.

    jobs: {name of a job: tuple of Address}, of the JOBS that the cluster has.
    timeout: what the whole job may take, or None.
    log_limit: the megabytes at which a log is moved aside, or None.
    """

    path: str
    jobs: dict[str, tuple[Address, ...]]
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
    timeout: float | None = None
    log_limit: float | None = None
    settings: dict[str, JobSettings] = dataclasses.field(default_factory=dict)

    @property
    def hosts(self) -> dict[str, list[str]]:
        """The cluster as TF_CONFIG spells it: {"ps": ["host:port", ...], "worker": [...]}, without evaluators."""
        return {
            job: [str(address) for address in addresses] for job, addresses in self.jobs.items() if job != "evaluator"
        }

    @property
    def tasks(self) -> list[tuple[str, int]]:
        """Every (job, index), in the order of JOBS."""
        return [(job, index) for job, addresses in self.jobs.items() for index in range(len(addresses))]

    @property
    def chief(self) -> tuple[str, int]:
        """The task that initializes, saves and, as a rule, decides success: the chief, else worker 0."""
        return ("chief", 0) if "chief" in self.jobs else ("worker", 0)

    def of(self, job: str) -> JobSettings:
        """What the description says of the tasks of `job`."""
        return self.settings.get(job, JobSettings())


def of_counts(ps: int, workers: int, chief: bool = False, evaluator: bool = False, sync: bool = False) -> Description:
    """Returns the description of a cluster on this machine with so many tasks.

    sync: the workers train in step, so all of them must end well. Raises InputError for numbers that make no cluster.
    """
    least = {"--ps": (ps, 1), "--workers": (workers, 0 if chief else 1)}
    for option, (count, fewest) in least.items():
        if not fewest <= count <= MOST_TASKS:
            raise InputError(f"{option} {count}: must be {fewest} to {MOST_TASKS}")
    counts = {"ps": ps, "chief": int(chief), "worker": workers, "evaluator": int(evaluator)}
    options = {"ps": "--ps", "worker": "--workers"}
    jobs = {
        job: tuple(Address("localhost", 0, options.get(job, f"--{job}")) for _ in range(count))
        for job, count in counts.items()
        if count
    }
    words = ["--ps", str(ps), "--workers", str(workers), *["--chief"] * chief, *["--evaluator"] * evaluator]
    return Description(" ".join(words + ["--sync"] * sync), jobs, **(SYNC if sync else {}))  # type: ignore[arg-type]


def change(description: Description, **changes: object) -> Description:
    """Returns `description` with `changes` from a command line. A change that is None leaves the field as described.

    Raises InputError for restarts without a checkpoint folder, and for a folder that is a file.
    """
    changes = {name: value for name, value in changes.items() if value is not None}
    description = dataclasses.replace(description, **changes)  # type: ignore[arg-type]
    folder = description.checkpoint_dir
    if description.restart != "never" and folder is None:
        why = "a ps that is started again without one begins at step 0 without a word"
        raise InputError(f"restart {description.restart} needs a checkpoint folder (--checkpoint-dir): {why}")
    if folder is not None:
        try:
            wrong = "" if pathlib.Path(folder).is_dir() or not pathlib.Path(folder).exists() else "not a folder"
        except OSError as error:  # such as a name that is too long
            wrong = error.strerror
        if wrong:
            raise InputError(f"{folder}: {wrong}; give --checkpoint-dir another")
    return description


def with_env(description: Description, variables: dict[str, str]) -> Description:
    """Returns `description` with `variables` for every task. Those that the description gives a job come first."""
    settings = {job: description.of(job) for job in description.jobs}
    changed = {job: dataclasses.replace(s, env={**variables, **s.env}) for job, s in settings.items()}
    return dataclasses.replace(description, settings=changed) if variables else description
