"""The job for other engines: golden files, what their fields mean, and the Slurm script run for real."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest
import yaml

from tf1ref.cluster import __main__, description, fields
from tf1ref.cluster.contract import parse_tf_config
from tf1ref.cluster.render import render
from tf1ref.errors import InputError

GOLDEN = pathlib.Path(__file__).parents[2] / "cluster" / "rendered"
COMMAND = ["python", "train.py", "--note=$HOME $(X) it's"]
FILES = {"kubernetes": "kubernetes.yml", "compose": "compose.yml", "slurm": "slurm.sh"}
SECONDS = 60


def rendered(engine, **changes):
    found = fields.load(GOLDEN / "description.yml")
    # The path is shown in the file: not that of this checkout.
    found = description.change(found, path="description.yml", **changes)
    return render(found, COMMAND, engine, "digits", "registry.example/tf:2.21")


@pytest.mark.parametrize("engine", FILES)
def test_the_file_is_the_golden_one(engine):
    # To renew one after a change that is meant, write what `rendered` returns, and read it.
    assert rendered(engine) == (GOLDEN / FILES[engine]).read_text()


def kubernetes(**changes):
    job_set, policy = yaml.safe_load_all(rendered("kubernetes", **changes))
    jobs = {job["name"]: job["template"]["spec"] for job in job_set["spec"]["replicatedJobs"]}
    return job_set, policy, jobs


def test_every_pod_gets_its_own_task_and_the_name_the_others_know_it_by():
    job_set, _, jobs = kubernetes()
    assert (job_set["apiVersion"], job_set["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    network = job_set["spec"]["network"]
    assert network["enableDNSHostnames"] is True
    for name, spec in jobs.items():
        (container,) = spec["template"]["spec"]["containers"]
        hosts, job, index = parse_tf_config({e["name"]: e["value"] for e in container["env"]}["TF_CONFIG"])
        assert f"{job}-{index}" == name
        # JobSet names the pods of a job SET-JOB-0-0 and their domain by the subdomain.
        host, port = hosts[job][index].split(":")
        assert host == f"{job_set['metadata']['name']}-{name}-0-0.{network['subdomain']}"
        assert container["ports"] == [{"containerPort": int(port)}]
        assert len(host.partition(".")[0]) < 64
    assert list(jobs) == ["ps-0", "worker-0", "worker-1"]


def test_a_pod_runs_the_command_once_and_is_not_started_again_by_itself():
    _, _, jobs = kubernetes()
    for spec in jobs.values():
        assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 1, 1)
        pod = spec["template"]["spec"]
        assert (spec["backoffLimit"], pod["restartPolicy"], pod["terminationGracePeriodSeconds"]) == (0, "Never", 5)
        assert pod["containers"][0]["command"] == ["python", "train.py", "--note=$$HOME $$(X) it's"]
        assert pod["containers"][0]["image"] == "registry.example/tf:2.21"
        assert pod["containers"][0]["volumeMounts"] == [{"name": "checkpoints", "mountPath": "/checkpoints"}]
        assert pod["volumes"] == [{"name": "checkpoints", "persistentVolumeClaim": {"claimName": "digits-checkpoints"}}]
        environment = {e["name"]: e["value"] for e in pod["containers"][0]["env"]}
        assert (environment["CLUSTER_CHECKPOINT_DIR"], environment["CLUSTER_START_TIMEOUT"]) == ("/checkpoints", "120")


@pytest.mark.parametrize(
    "changes, success, restarts",
    [
        ({}, ["worker-0"], 2),
        ({"success": "all"}, ["worker-0", "worker-1"], 2),
        ({"restart": "never"}, ["worker-0"], 0),
    ],
)
def test_success_and_restarts_are_the_descriptions(changes, success, restarts):
    spec = kubernetes(**changes)[0]["spec"]
    assert spec["successPolicy"] == {"operator": "All", "targetReplicatedJobs": success}
    assert spec["failurePolicy"] == {"maxRestarts": restarts}


def test_only_the_jobs_own_pods_may_connect():
    job_set, policy, _ = kubernetes()
    assert (policy["apiVersion"], policy["kind"]) == ("networking.k8s.io/v1", "NetworkPolicy")
    own = {"matchLabels": {"jobset.sigs.k8s.io/jobset-name": job_set["metadata"]["name"]}}
    assert policy["spec"]["podSelector"] == own and policy["spec"]["policyTypes"] == ["Ingress"]
    ports = [{"protocol": "TCP", "port": 2222}, {"protocol": "TCP", "port": 2300}]
    assert policy["spec"]["ingress"] == [{"from": [{"podSelector": own}], "ports": ports}]


def test_compose_has_a_service_a_task_on_a_network_without_outside():
    found = yaml.safe_load(rendered("compose"))
    assert found["name"] == "digits" and found["networks"] == {"cluster": {"internal": True}}
    assert list(found["services"]) == ["ps-0", "worker-0", "worker-1"]
    for name, service in found["services"].items():
        hosts, job, index = parse_tf_config(service["environment"]["TF_CONFIG"])
        assert f"{job}-{index}" == name == hosts[job][index].partition(":")[0]
        assert hosts == {"ps": ["ps-0:2222"], "worker": ["worker-0:2222", "worker-1:2300"]}
        assert service["command"] == ["python", "train.py", "--note=$$HOME $$(X) it's"]
        assert (service["image"], service["networks"]) == ("registry.example/tf:2.21", ["cluster"])
        assert "ports" not in service and service["stop_grace_period"] == "5s"
        assert service["restart"] == "on-failure:2"
        assert service["volumes"] == [{"type": "bind", "source": "./kept", "target": "/checkpoints"}]
    without = yaml.safe_load(rendered("compose", restart="never"))
    assert {service["restart"] for service in without["services"].values()} == {"no"}


FAKES = {
    "scontrol": '#!/bin/bash\n[ "$1 $2 $3" = "show hostnames n[1-2]" ] && printf "localhost\\n127.0.0.1\\n"\n',
    # As srun: its own options up to the command, output to the file of --output.
    "srun": "#!/bin/bash\nwhile [[ $1 == --* ]]; do [[ $1 == --output=* ]] && log=${1#--output=}; shift; done\n"
    'exec "$@" >>"$log" 2>&1\n',
}
# A ps serves; the workers say what they see and end as their argument tells.
PROGRAM = """
import json, os, pathlib, sys, time
task = json.loads(os.environ['TF_CONFIG'])['task']
name = f"{task['type']}-{task['index']}"
with open(f'{name}.starts', 'a+') as file:
    file.write(f'{os.getpid()}\\n')
    file.flush(); file.seek(0)
    starts = len(file.readlines())
print(os.environ['TF_CONFIG'], os.environ.get('CLUSTER_CHECKPOINT_DIR'), flush=True)
ends = json.loads(sys.argv[1])
if name not in ends: time.sleep(60)
while ends[name] == 0 and not all(pathlib.Path(f'{other}.starts').exists() for other in ends): time.sleep(.05)
sys.exit(ends[name] if starts == 1 or ends[name] == 9 else 0)
"""


@pytest.fixture
def slurm(tmp_path):
    """Runs the script of a description with `changes` over PROGRAM; returns its exit code and errors."""
    for name, text in FAKES.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "task.py").write_text(PROGRAM)

    def run(ends, **changes):
        found = description.change(fields.load(GOLDEN / "description.yml"), **changes)
        script = render(found, [sys.executable, "task.py", json.dumps(ends)], "slurm", "digits")
        (tmp_path / "job.sh").write_text(script)
        own = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "SLURM_JOB_ID": "77"}
        process = subprocess.Popen(
            ["bash", "job.sh"],
            cwd=tmp_path,
            env={**os.environ, **own, "SLURM_JOB_NODELIST": "n[1-2]"},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            return process.wait(SECONDS), process.stderr.read()
        finally:
            pids = [pid for path in tmp_path.glob("*.starts") for pid in path.read_text().split()]
            left = [pid for pid in pids if pathlib.Path(f"/proc/{pid}").exists()]
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.stderr.close()
            assert not left

    run.folder = tmp_path
    return run


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


@pytest.mark.slow
@needs_bash
def test_the_slurm_script_ends_with_the_chiefs_success_and_ends_the_ps(slurm):
    assert slurm({"worker-0": 0, "worker-1": 0}) == (0, "")
    config, folder = (slurm.folder / "digits-77-worker-1.log").read_text().rsplit(maxsplit=1)
    hosts, job, index = parse_tf_config(config)
    # 3 tasks round robin on 2 nodes; ports from the job's number where the description leaves them free.
    assert hosts == {"ps": ["localhost:10231"], "worker": ["127.0.0.1:10232", "localhost:2300"]}
    assert (job, index, folder) == ("worker", 1, "kept")


@pytest.mark.slow
@needs_bash
def test_the_slurm_script_fails_with_the_task_that_failed(slurm):
    code, err = slurm({"worker-1": 7}, restart="never")
    assert (code, err) == (1, "worker 1 exited with code 7\n")


@pytest.mark.slow
@needs_bash
def test_the_slurm_script_starts_a_failed_task_again_within_the_budget(slurm):
    code, err = slurm({"worker-0": 7, "worker-1": 0})
    assert (code, err) == (0, "worker 0 exited with code 7\n")
    assert len((slurm.folder / "worker-0.starts").read_text().split()) == 2


@pytest.mark.slow
@needs_bash
def test_the_slurm_scripts_budget_ends(slurm):
    code, err = slurm({"worker-0": 9})
    assert (code, err) == (1, "worker 0 exited with code 9\n" * 3)


@pytest.mark.slow
@needs_bash
def test_the_slurm_script_with_all_workers_as_the_rule(slurm):
    code, err = slurm({"worker-0": 0, "worker-1": 7}, restart="never", success="all")
    assert (code, err) == (1, "worker 1 exited with code 7\n")


@pytest.mark.parametrize(
    "words, problem",
    [
        (["--to", "kubernetes"], "--image"),
        (["--to", "compose", "--name", "Digits", "--image", "i"], "--name Digits: not a name"),
        (["--to", "slurm", "--name", "x" * 41], "not a name"),
        (["--to", "nomad"], "nomad"),
        ([], "--to"),
    ],
)
def test_bad_usage_of_render(words, problem, capsys):
    assert __main__.main(["render", "local", *words, "--", "python"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and problem in err


def test_render_writes_the_file_to_standard_output(capsys):
    words = ["render", "local", "--to", "slurm", "--name", "digits", "--", "python", "a b"]
    assert __main__.main(words) == 0
    out = capsys.readouterr().out
    assert out.startswith("#!/bin/bash\n") and "ps) words=(python 'a b') ;;\n" in out


def test_restarts_need_a_checkpoint_folder_here_too(tmp_path):
    path = tmp_path / "policy.yml"
    path.write_text("ps_hosts: [localhost:0]\nworker_hosts: [localhost:0]\nrestart: on-failure\n")
    with pytest.raises(InputError, match="checkpoint folder"):
        __main__.run(["render", str(path), "--to", "slurm", "--", "python"], "cluster")
