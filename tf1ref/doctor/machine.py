"""What the doctor finds without TensorFlow: versions, processor, data, what clusters need, limits, disk."""

import multiprocessing
import os
import pathlib
import platform
import re
import shutil
import socket
import sys
import tempfile

from tf1ref import __version__
from tf1ref.cluster import devices, isolation
from tf1ref.cluster.ports import EPHEMERAL, Ports
from tf1ref.cluster.record import registry
from tf1ref.data import folders
from tf1ref.doctor import Finding
from tf1ref.errors import InputError

# What TensorFlow's own wheels are built for (AVX), and what its kernels use where it is there.
NEEDED, USED = "avx", ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_bf16")
# A job of a ps and two workers opens about 200 files, the launcher 4 a task; a checkpoint writer a few more.
FEWEST_FILES = 256
LEAST_DISK = 1 << 30
ISOLATE_SECONDS = 30


def software() -> list[Finding]:
    """tf1ref, Python and the system."""
    return [
        Finding("software", "tf1ref", __version__),
        Finding("software", "Python", platform.python_version()),
        Finding("software", "system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
    ]


def processor() -> list[Finding]:
    """The processors that may be used, and which of the instructions that TensorFlow uses they have."""
    found = [Finding("processor", "processors", f"{len(devices.cpus())} of {os.cpu_count()} may be used")]
    flags = _flags()
    if flags:
        has = [flag for flag in USED if flag in flags]
        problem = None if NEEDED in flags else "TensorFlow's wheels need AVX"
        found.append(Finding("processor", "instructions", " ".join(has) or "none of AVX's", problem))
    if memory := _memory():
        found.append(Finding("processor", "memory", memory))
    return found


def _flags() -> set[str]:
    """The processor's flags as Linux says them; empty where it does not (another system, another architecture)."""
    match = re.search(r"^flags\s*:\s*(.*)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return set(match[1].split()) if match else set()


def _memory() -> str:
    sizes = dict(re.findall(r"^(MemTotal|MemAvailable):\s*(\d+) kB", _read("/proc/meminfo"), re.MULTILINE))
    return f"{int(sizes['MemAvailable']) >> 20} of {int(sizes['MemTotal']) >> 20} GB free" if len(sizes) == 2 else ""


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def data() -> list[Finding]:
    """The folders of data sets, and what lies in them."""
    try:
        root = folders.root()
    except InputError as error:
        return [Finding("data", "$TF1REF_DATA", os.environ.get("TF1REF_DATA", ""), str(error))]
    found = [Finding("data", "$TF1REF_DATA", str(root or "not set")), Finding("data", "cache", str(folders.cache()))]
    for name, patterns in folders.FILES.items():
        try:
            folder = folders.folder(name)
        except InputError as error:
            found.append(Finding("data", name, "cannot be read", str(error)))
            continue
        files = sum(1 for pattern in patterns for _ in folder.glob(pattern)) if folder else 0
        problem = f"{folder} has none of {', '.join(patterns)}" if folder and not files else None
        what = f"{folder}: {files} files" if files else "no files: a generated stand-in is used"
        found.append(Finding("data", name, what, problem))
    return found


def cluster() -> list[Finding]:
    """What `tf1ref launch` needs: ports, localhost, a place for its records; and what --isolate needs."""
    ports = Ports()
    try:
        found = [
            Finding("cluster", "ports", f"{ports.pick()} is free; outgoing ones: {_read(EPHEMERAL).strip() or '?'}")
        ]
    except InputError as error:
        found = [Finding("cluster", "ports", "none is free", str(error))]
    finally:
        ports.close()
    found.append(_localhost())
    told: list[str] = []
    folder = registry(told.append)
    problem = None if folder else "status and stop need the log folder of a job"
    found.append(Finding("cluster", "records", "; ".join([*told, str(folder or "none")]), problem))
    found.append(Finding("cluster", "--isolate", _isolation()))
    return found


def _localhost() -> Finding:
    try:
        with socket.create_server(("localhost", 0)) as server:
            socket.create_connection(server.getsockname()[:2], timeout=5).close()
        return Finding("cluster", "localhost", "connects to itself")
    except OSError as error:
        return Finding("cluster", "localhost", str(error), "tasks of a cluster cannot reach each other")


def _isolation() -> str:
    """Whether a network namespace can be had, tried in a process of its own: one cannot leave it again."""
    process = multiprocessing.get_context("fork").Process(target=_enter) if sys.platform == "linux" else None
    if process is None:
        return "not on this system"
    process.start()
    process.join(ISOLATE_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
    return "a network namespace can be had" if process.exitcode == 0 else "no network namespace can be had here"


def _enter() -> None:
    try:
        isolation.enter()
    except InputError:
        os._exit(1)
    os._exit(0)


def limits() -> list[Finding]:
    """The limits of this process that a job meets first."""
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    processes, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    problem = (
        f"a cluster needs {FEWEST_FILES}: ulimit -n"
        if files != resource.RLIM_INFINITY and files < FEWEST_FILES
        else None
    )
    return [
        Finding("limits", "open files", _limit(files), problem),
        Finding("limits", "processes and threads", _limit(processes)),
    ]


def _limit(value: int) -> str:
    return "no limit" if value < 0 or value >= 1 << 62 else str(value)


def disk() -> list[Finding]:
    """The free space where files are written."""
    places = {"temporary files": tempfile.gettempdir(), "this folder": os.getcwd(), "cache": _there(folders.cache())}
    found = []
    for name, path in places.items():
        try:
            free = shutil.disk_usage(path).free
        except OSError as error:
            found.append(Finding("disk", name, path, f"cannot be read: {error.strerror}"))
            continue
        problem = "less than 1 GB: checkpoints and logs may not fit" if free < LEAST_DISK else None
        if not os.access(path, os.W_OK):
            problem = "cannot be written" if name == "temporary files" else problem
        found.append(Finding("disk", name, f"{free / (1 << 30):.1f} GB free in {path}", problem))
    return found


def _there(path: pathlib.Path) -> str:
    while not path.exists():
        path = path.parent
    return str(path)
