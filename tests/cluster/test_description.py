import sys

import pytest

from tf1ref.cluster import __main__, description, fields
from tf1ref.errors import InputError

GOOD = "ps_hosts: [localhost:0]\nworker_hosts:\n  - localhost:0\n"


def load(tmp_path, text):
    path = tmp_path / "cluster.yml"
    path.write_text(text)
    return fields.load(path)


def test_the_sources_own_file_describes_one_process(tmp_path):
    found = load(
        tmp_path,
        "# 分布式配置文件\njob_name: ps\nps_hosts:\n  - tf_ps_1:2000\nworker_hosts:\n"
        "  - tf_worker_1:3000\n  - tf_worker_2:3000\n  - tf_worker_3:3000\ntask_id: 0\n",
    )
    assert (found.job_name, found.task_id) == ("ps", 0)
    assert found.hosts == {
        "ps": ["tf_ps_1:2000"],
        "worker": ["tf_worker_1:3000", "tf_worker_2:3000", "tf_worker_3:3000"],
    }


def test_settings_have_defaults_and_can_be_given(tmp_path):
    assert load(tmp_path, GOOD).grace == description.SETTINGS["grace"]
    assert load(tmp_path, GOOD + "grace: 3\nstart_timeout: 0.5\n").start_timeout == 0.5
    found = load(tmp_path, GOOD)
    assert (found.restart, found.success, found.max_restarts, found.checkpoint_dir) == ("never", "chief", 3, None)
    found = load(tmp_path, GOOD + "restart: on-failure\nmax_restarts: 0\nsuccess: all\ncheckpoint_dir: kept\n")
    assert (found.restart, found.success, found.max_restarts, found.checkpoint_dir) == ("on-failure", "all", 0, "kept")


@pytest.mark.parametrize("name", ["local", "local.yml"])
def test_the_shipped_description_is_found_by_its_bare_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_counts(name) == (1, 2)


def test_a_file_of_that_name_here_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "local.yml").write_text(GOOD)
    assert load_counts("local.yml") == (1, 1)


def load_counts(name):
    hosts = fields.load(name).hosts
    return len(hosts["ps"]), len(hosts["worker"])


def test_ipv6_addresses_and_free_ports_may_repeat(tmp_path):
    found = load(tmp_path, "ps_hosts: ['[::1]:0', '[::1]:0']\nworker_hosts: [a-b.example:1]\n")
    assert found.hosts["ps"] == ["[::1]:0", "[::1]:0"]


# text, the line that must be named, a word that must be named
BAD = {
    "unknown field": (GOOD + "worker_host: [a:1]\n", 4, "did you mean worker_hosts?"),
    "unlike any field": (GOOD + "zzz: 1\n", 4, "the fields are"),
    "number as a field": (GOOD + "1: 2\n", 4, "unknown field 1"),
    "field twice": (GOOD + "ps_hosts: [localhost:1]\n", 4, "ps_hosts: given twice"),
    "no ps": ("worker_hosts: [localhost:0]\n", 1, "ps_hosts: missing"),
    "no worker": ("ps_hosts: [localhost:0]\n", 1, "worker_hosts: missing"),
    "empty workers": ("ps_hosts: [localhost:0]\nworker_hosts: []\n", 2, "worker_hosts: empty"),
    "text for a list": ("ps_hosts: localhost:0\nworker_hosts: [localhost:0]\n", 1, "must be a list"),
    "nothing for a list": ("ps_hosts: [localhost:0]\nworker_hosts:\n", 2, "must be a list"),
    "no port": ("ps_hosts: [localhost:0]\nworker_hosts:\n  - localhost:1\n  - localhost\n", 4, "'localhost'"),
    "port is a word": ("ps_hosts: ['localhost:http']\nworker_hosts: [a:1]\n", 1, "is no address"),
    "port too large": ("ps_hosts:\n  - localhost:65536\nworker_hosts: [a:1]\n", 2, "out of range"),
    "negative port": ("ps_hosts:\n  - localhost:-1\nworker_hosts: [a:1]\n", 2, "is no address"),
    "address is a number": ("ps_hosts: [2222]\nworker_hosts: [a:1]\n", 1, "2222 is no address"),
    "line break in an address": ('ps_hosts: ["a\\nb:1"]\nworker_hosts: [a:1]\n', 1, "is no address"),
    "two tasks, one address": ("ps_hosts: [a:1]\nworker_hosts:\n  - b:1\n  - A:1\n", 4, "A:1 is given twice"),
    "grace is a word": (GOOD + "grace: soon\n", 4, "grace: must be a number"),
    "grace below zero": (GOOD + "grace: -1\n", 4, "grace: must be a number"),
    "grace is endless": (GOOD + "grace: .inf\n", 4, "grace: must be a number"),
    "grace is a truth": (GOOD + "grace: true\n", 4, "grace: must be a number"),
    "stall_timeout is a word": (GOOD + "stall_timeout: soon\n", 4, "stall_timeout: must be a number of seconds"),
    "restart as it likes": (GOOD + "restart: always\n", 4, "restart: must be never, on-failure or job, not 'always'"),
    "restart without a folder": (GOOD + "restart: on-failure\n", None, "needs a checkpoint folder"),
    "success of nobody": (GOOD + "success: [chief]\n", 4, "success: must be chief or all"),
    "half a restart": (GOOD + "max_restarts: 1.5\n", 4, "max_restarts: must be a whole number"),
    "fewer than no restarts": (GOOD + "max_restarts: -1\n", 4, "max_restarts: must be a whole number"),
    "a truth of restarts": (GOOD + "max_restarts: true\n", 4, "max_restarts: must be a whole number"),
    "checkpoint_dir is a number": (GOOD + "checkpoint_dir: 7\n", 4, "checkpoint_dir: must be the path"),
    "checkpoint_dir is empty": (GOOD + "checkpoint_dir: ''\n", 4, "checkpoint_dir: must be the path"),
    "task_id alone": (GOOD + "task_id: 0\n", 4, "job_name and task_id go together"),
    "unknown job": (GOOD + "job_name: chief\ntask_id: 0\n", 4, "job_name: must be ps or worker"),
    "index outside the job": (GOOD + "job_name: worker\ntask_id: 1\n", 5, "task_id: must be 0 to 0"),
    "index is a word": (GOOD + "job_name: worker\ntask_id: one\n", 5, "task_id"),
    "an alias bomb": (
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi")),
        2,
        "an alias (*name); write the value out",
    ),
    "an alias as a value": (GOOD + "checkpoint_dir: *kept\n", 4, "an alias (*name)"),
    "two chiefs": (GOOD + "chief_hosts:\n  - a:1\n  - a:2\n", 6, "a cluster has one chief"),
    "settings of nobody": (GOOD + "evaluator: {cpus: 1}\n", 4, "evaluator: the cluster has no such task"),
    "settings in a word": (GOOD + "worker: fast\n", 4, "worker: must have the fields command, env, cpus, gpus"),
    "unknown setting": (GOOD + "worker: {gpu: 1}\n", 4, "worker: unknown field 'gpu'; did you mean gpus?"),
    "no processor": (GOOD + "worker: {cpus: 0}\n", 4, "worker: cpus: must be a whole number of at least 1"),
    "more processors than there are": (GOOD + "worker: {cpus: 100000}\n", 4, "worker: cpus: 100000 processors a task"),
    "more GPUs than there are": (GOOD + "worker: {gpus: 999}\n", 4, "worker: gpus: the job needs 999 GPUs"),
    "a command in one word": (GOOD + "ps: {command: python}\n", 4, "ps: command: must be a list of words"),
    "a command that is not there": (GOOD + "ps: {command: [no-such-command]}\n", 4, "no-such-command: no such command"),
    "a list of variables": (GOOD + "ps: {env: [A]}\n", 4, "ps: env: must map names to values"),
    "a timeout of nothing": (GOOD + "timeout: 0\n", 4, "timeout: must be a number of seconds above 0"),
    "not YAML": ("ps_hosts: [localhost:0\nworker_hosts: [a:1]\n", 2, "not plain YAML"),
    "a tag that would run code": (GOOD + "grace: !!python/object/apply:os.getpid []\n", 4, "not plain YAML"),
    "two documents": (GOOD + "---\n" + GOOD, 4, "not plain YAML"),
    "a list": ("- localhost:0\n", 1, "not a description"),
    "nothing": ("", 1, "not a description"),
    "only a comment": ("# nothing\n", 1, "not a description"),
}


@pytest.mark.parametrize("text, line, word", BAD.values(), ids=BAD)
def test_a_wrong_field_is_one_line_with_file_line_and_field(text, line, word, tmp_path, capsys):
    path = tmp_path / "cluster.yml"
    path.write_text(text)
    # The command would be found: it is the description that stops it.
    assert __main__.main(["up", str(path), "--", sys.executable, "-c", "1"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    where = f"{path}:{line}: " if line else ""  # None: what is wrong is what two fields say together
    assert err.startswith(f"cluster: error: {where}") and word in err


def test_chiefs_evaluators_and_settings_of_a_job(tmp_path):
    found = load(
        tmp_path,
        "ps_hosts: [localhost:0]\nchief_hosts: [localhost:0]\nevaluator_hosts: [localhost:0]\ntimeout: 60\n"
        "ps: {env: {OMP_NUM_THREADS: 1}}\nchief:\n  command: [python, train.py]\n  cpus: 2\n  gpus: 1\n",
    )
    assert found.tasks == [("ps", 0), ("chief", 0), ("evaluator", 0)] and found.chief == ("chief", 0)
    assert list(found.hosts) == ["ps", "chief"]  # TF_CONFIG's cluster is without evaluators
    assert found.timeout == 60 and found.of("ps").env == {"OMP_NUM_THREADS": "1"} and found.of("ps").command is None
    chief = found.of("chief")
    assert (chief.command, chief.cpus, chief.gpus) == (("python", "train.py"), 2, 1)


def test_a_cluster_of_counts():
    found = description.of_counts(2, 3, chief=True, evaluator=True)
    assert {job: len(addresses) for job, addresses in found.jobs.items()} == {
        "ps": 2,
        "chief": 1,
        "worker": 3,
        "evaluator": 1,
    }
    assert (found.success, description.of_counts(1, 1, sync=True).success) == ("chief", "all")


@pytest.mark.slow
def test_nesting_without_end_is_an_error_too(tmp_path):
    with pytest.raises(InputError, match="nested too deeply"):
        load(tmp_path, "ps_hosts: " + "[" * 5000)


@pytest.mark.parametrize(
    "name, word", [("missing.yml", "No such file"), ("folder", "directory"), ("bytes", "not a text file")]
)
def test_a_file_that_cannot_be_read(name, word, tmp_path, capsys):
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    assert __main__.main(["up", str(tmp_path / name), "--", sys.executable]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and word in err and str(tmp_path / name) in err
