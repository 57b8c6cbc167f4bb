"""Which flags of a classic ps/worker script `exec` fills in under a launcher."""

import json

import pytest

from tf1ref.compat import cluster_flags
from tf1ref.errors import InputError

PLACE = {"job_name": "worker", "task_index": 1, "ps_hosts": ["a:1"], "worker_hosts": ["b:1", "c:1"]}
CLASSIC = {"--job_name": "text", "--task_index": "number", "--ps_hosts": "text", "--worker_hosts": "text"}


def words(options, *given):
    return [word for each in cluster_flags.words_for(options, list(given), PLACE) for word in each]


def test_the_four_classic_flags():
    assert words(CLASSIC) == ["--job_name=worker", "--task_index=1", "--ps_hosts=a:1", "--worker_hosts=b:1,c:1"]


def test_what_the_command_line_gives_stands():
    assert words(CLASSIC, "--job_name=ps", "-task_index", "0") == ["--ps_hosts=a:1", "--worker_hosts=b:1,c:1"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"--task_id": "number", "--job-name": "text"}, ["--task_id=1", "--job-name=worker"]),
        ({"--role": "text", "--task": "text"}, ["--role=worker", "--task=1"]),
        ({"--ps": "list", "--workers": "list"}, ["--ps", "a:1", "--workers", "b:1", "c:1"]),
        # A number of workers is no list of hosts, and one flag alone may be anything.
        ({"--workers": "number", "--index": "number", "--job_name": "text"}, ["--index=1", "--job_name=worker"]),
        ({"--workers": "number", "--task_index": "number"}, []),
        ({"--task": "text", "--steps": "number"}, []),
    ],
)
def test_other_spellings(options, expected):
    assert words(options) == expected


def test_a_chief_is_worker_0_to_a_script_that_knows_ps_and_workers():
    hosts = {"ps": ["p:1"], "chief": ["c:1"], "worker": ["w:1"]}
    place = cluster_flags.classic(hosts, "chief", 0)
    assert place == {"job_name": "worker", "task_index": 0, "ps_hosts": ["p:1"], "worker_hosts": ["c:1", "w:1"]}
    assert cluster_flags.classic(hosts, "worker", 0)["task_index"] == 1


@pytest.mark.parametrize("text", [None, "", "{}", '{"task": {"type": "worker"}}', '{"cluster": {}}'])
def test_no_cluster_is_no_place(text):
    assert cluster_flags.place_in_cluster(text) is None


@pytest.mark.parametrize(
    ("cluster", "task", "says"),
    [
        ({"ps": ["a:1"], "worker": ["b:1"]}, ("worker", 1), "there is no worker 1 in its cluster"),
        ({"ps": ["a:1"], "worker": ["b:1"]}, ("chief", 0), "there is no chief 0 in its cluster"),
        ({"ps": ["a:1"], "worker": ["b:1"]}, ("ps", -1), "there is no ps -1 in its cluster"),
        ({"ps": ["a:1"]}, ("ps", 0), "neither a chief nor a worker"),
        ({"ps": ["a:1"], "wroker": ["b:1"]}, ("ps", 0), "unknown job 'wroker'"),
        ({"ps": ["a"], "worker": ["b:1"]}, ("ps", 0), "'a' is no address"),
    ],
)
def test_a_place_that_is_not_in_its_cluster(cluster, task, says):
    text = json.dumps({"cluster": cluster, "task": {"type": task[0], "index": task[1]}})
    with pytest.raises(InputError, match="TF_CONFIG") as caught:
        cluster_flags.place_in_cluster(text)
    assert says in str(caught.value)


def test_the_forms_of_estimators_are_read():
    hosts = {"chief": ["c:1"], "ps": ["p:1"], "worker": ["w:1"]}
    for job in ("chief", "evaluator", "worker", "ps"):
        text = json.dumps({"cluster": hosts, "task": {"type": job, "index": 0}, "environment": "cloud"})
        assert cluster_flags.place_in_cluster(text) == (hosts, job, 0)
