"""Rendered jobs against the schemas that the engines' makers publish; and what their values mean there."""

import gzip
import json
import pathlib
import re
import subprocess
import sys

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tf1ref.cluster import description, fields
from tf1ref.cluster.contract import parse_tf_config
from tf1ref.cluster.render import render

SCHEMAS = pathlib.Path(__file__).with_name("schemas")
FULL = """
ps_hosts: [localhost:0, localhost:2300]
chief_hosts: [localhost:0]
worker_hosts: [localhost:0]
evaluator_hosts: [localhost:0]
restart: job
checkpoint_dir: kept
grace: 7.5
timeout: 3601
stall_timeout: 60
end_timeout: 30
ps: {cpus: 2, env: {ROLE: "{task} $HOME $$ $(X)"}}
worker: {gpus: 2, command: [python, w.py, "--hosts={worker_hosts}", "--job={job}", "--i={index}"]}
"""
COMMAND = ["python", "train.py", "--ps={ps_hosts}", "--note=$HOME $$ $(X) ${Y} it's {{job}}"]


def closed(schema):
    """The schema, with objects that list their properties taking no others: a misspelt field is then an error."""
    if isinstance(schema, dict):
        schema = {key: closed(value) for key, value in schema.items()}
        open_ended = {"additionalProperties", "patternProperties", "x-kubernetes-preserve-unknown-fields"}
        if schema.get("type") == "object" and "properties" in schema and not open_ended & set(schema):
            schema["additionalProperties"] = False
    elif isinstance(schema, list):
        schema = [closed(each) for each in schema]
    return schema


def schema_of(name):
    with gzip.open(SCHEMAS / f"{name}.json.gz") as file:
        return json.load(file)


@pytest.fixture(params=["full", "counts"])
def described(request, tmp_path):
    if request.param == "counts":
        return description.of_counts(1, 2, sync=True)
    path = tmp_path / "full.yml"
    path.write_text(FULL)
    return fields.load(str(path))


@pytest.mark.slow
def test_the_job_set_is_one_and_its_jobs_are_kubernetes(described):
    job_set, policy = yaml.safe_load_all(render(described, COMMAND, "kubernetes", "digits", "image"))
    jsonschema.validate(job_set, closed(schema_of("jobset")))
    kubernetes_validate.validate(policy, "1.29", strict=True)
    for each in job_set["spec"]["replicatedJobs"]:
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": each["name"]}, **each["template"]}
        kubernetes_validate.validate(job, "1.29", strict=True)


@pytest.mark.slow
def test_a_field_that_the_schema_does_not_have_is_seen(described):
    job_set, _ = yaml.safe_load_all(render(described, COMMAND, "kubernetes", "digits", "image"))
    job_set["spec"]["replicatedJobs"][0]["template"]["spec"]["activeDeadlineSecond"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job_set, closed(schema_of("jobset")))


def test_the_compose_file_is_one(described):
    found = yaml.safe_load(render(described, COMMAND, "compose", "digits", "image"))
    jsonschema.Draft7Validator(schema_of("compose")).validate(found)


def expanded(text):
    """A word as Kubernetes' kubelet reads it: $$ is one $, $(NAME) a variable's value, where there is one."""
    return re.sub(r"\$\$|\$\([^)]*\)", lambda match: "$" if match[0] == "$$" else "<expanded>", text)


def full(tmp_path):
    (tmp_path / "full.yml").write_text(FULL)
    return fields.load(str(tmp_path / "full.yml"))


def test_every_setting_is_where_the_engine_has_it(tmp_path):
    text = render(full(tmp_path), COMMAND, "kubernetes", "digits", "image")
    job_set, _ = yaml.safe_load_all(text)
    jobs = {job["name"]: job["template"]["spec"] for job in job_set["spec"]["replicatedJobs"]}
    assert list(jobs) == ["ps-0", "ps-1", "chief-0", "worker-0", "evaluator-0"]
    assert job_set["spec"]["successPolicy"]["targetReplicatedJobs"] == ["chief-0"]
    assert {job["activeDeadlineSeconds"] for job in jobs.values()} == {3601}
    pods = {name: job["template"]["spec"] for name, job in jobs.items()}
    assert {pod["terminationGracePeriodSeconds"] for pod in pods.values()} == {8}
    container = {name: pod["containers"][0] for name, pod in pods.items()}
    assert container["ps-0"]["resources"]["limits"] == {"cpu": "2"}
    assert container["worker-0"]["resources"]["limits"] == {"nvidia.com/gpu": "2"}
    assert "nothing for: stall_timeout 60.0, end_timeout 30.0." in text
    env = {e["name"]: expanded(e["value"]) for e in container["ps-1"]["env"]}
    assert env["ROLE"] == "ps-1 $HOME $$ $(X)" and env["CLUSTER_EVALUATOR"] == "1"
    hosts, job, index = parse_tf_config({e["name"]: e["value"] for e in container["evaluator-0"]["env"]}["TF_CONFIG"])
    assert (job, index, sorted(hosts)) == ("evaluator", 0, ["chief", "ps", "worker"])
    words = [expanded(word) for word in container["chief-0"]["command"]]
    assert words[3] == "--note=$HOME $$ $(X) ${Y} it's {job}"
    assert words[2] == f"--ps={','.join(hosts['ps'])}"
    worker = container["worker-0"]["command"]
    assert worker[2:] == [f"--hosts={hosts['chief'][0]},{hosts['worker'][0]}", "--job=worker", "--i=1"]


def test_compose_shares_out_devices_and_says_what_it_lacks(tmp_path):
    text = render(full(tmp_path), COMMAND, "compose", "digits", "image")
    services = yaml.safe_load(text)["services"]
    assert services["ps-0"]["cpus"] == 2 and services["chief-0"]["stop_grace_period"] == "8s"
    (device,) = services["worker-0"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["count"] == 2
    assert "nothing for: timeout 3601.0, stall_timeout 60.0, end_timeout 30.0, restart job." in text


def test_slurm_gets_its_time_its_signal_and_its_devices(tmp_path):
    text = render(full(tmp_path), COMMAND, "slurm", "digits")
    options = [line.removeprefix("#SBATCH --") for line in text.splitlines() if line.startswith("#SBATCH")]
    assert {"time=61", "signal=B:TERM@8", "cpus-per-task=2", "gpus=2", "ntasks=5"} <= set(options)
    subprocess.run(["bash", "-n"], input=text, text=True, check=True, timeout=60)


def test_slurms_words_are_what_bash_makes_of_them(tmp_path):
    text = render(full(tmp_path), COMMAND, "slurm", "digits")
    cases = text[text.index("    case $job in") : text.index("    esac") + len("    esac")]
    lists = [line for line in text.splitlines() if line.startswith(("ps_hosts=", "worker_hosts="))]
    shown = {}
    for job in ("chief", "worker"):
        places = (
            f"job={job} index=0 place=worker number=1 task={job}-0 port=1; node() {{ echo n$1; }}; ports=(1 2 3 4 5)\n"
        )
        script = places + "\n".join(lists) + f"\n{cases}\nprintf '%s\\n' \"${{words[@]}}\"\n"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=60)
        shown[job] = done.stdout.splitlines()
    assert shown["chief"] == ["python", "train.py", "--ps=n0:1,n1:2", "--note=$HOME $$ $(X) ${Y} it's {job}"]
    assert shown["worker"] == ["python", "w.py", "--hosts=n2:3,n3:4", "--job=worker", "--i=1"]


def test_no_manifest_names_this_machines_python(tmp_path):
    words = [sys.executable, "-m", "tf1ref", "launch", "render", "local", "--to", "compose", "--image", "i"]
    done = subprocess.run(
        [*words, "--", "distributed.hooks"], capture_output=True, text=True, check=True, timeout=120, cwd=tmp_path
    )
    assert sys.executable not in done.stdout and "- python\n" in done.stdout
