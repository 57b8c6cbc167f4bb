"""tf1ref launch: the launcher with examples as commands."""

import argparse
import json
import sys

import pytest
import yaml

from tf1ref.cli import launch as cli_cluster
from tf1ref.cluster.contract import parse_tf_config
from tf1ref.errors import InputError


def launch(*words):
    parser = argparse.ArgumentParser()
    cli_cluster.add_verbs(parser.add_subparsers())
    arguments = parser.parse_args(["launch", *words])
    return arguments.verb(arguments)


def test_an_example_is_run_by_tf1ref_run_in_every_task(capsys):
    words = ["--to", "compose", "--image", "i", "--", "distributed.async_mnist", "--steps", "9", "--out", "kept"]
    assert launch("render", "local", *words) == 0
    services = yaml.safe_load(capsys.readouterr().out)["services"]
    for service in services.values():
        # Not the interpreter of this machine: the container has its own.
        command = ["python", "-m", "tf1ref", "run", "distributed.async_mnist", "--steps", "9", "--out", "kept"]
        assert service["command"] == command


def test_any_other_command_is_run_as_it_is(tmp_path, capfd):
    # The workers end once the ps has told, too: with them, the job ends.
    here, logs = tmp_path / "ps", str(tmp_path / "logs")
    tell = "import json, os, pathlib, time; text = os.environ['TF_CONFIG']; print(text, flush=True)\n"
    tell += f"ps, here = json.loads(text)['task']['type'] == 'ps', pathlib.Path({str(here)!r})\n"
    tell += "if ps: here.touch()\n"
    tell += "for _ in range(600):\n    if ps or not here.exists(): time.sleep(.1)\n"
    assert launch("local", "--log-dir", logs, "--json", "--grace", "5", "--", sys.executable, "-c", tell) == 0
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    told = [parse_tf_config(event["line"])[1:] for event in events if event["event"] == "log"]
    assert sorted(told) == [("ps", 0), ("worker", 0), ("worker", 1)]
    assert launch("status", logs) == 0
    assert "ended with exit code 0; logs in" in capfd.readouterr().out


@pytest.mark.parametrize(
    "words, kind, problem",
    [
        (["local", "--", "distributed.async_mnits"], InputError, "distributed.async_mnist"),
        (["local", "--", "no.such_command"], InputError, "no such command"),
        (["local"], InputError, "no command"),
        (["local", "--ps", "1", "--", sys.executable], InputError, "--ps and local: the file says"),
        (["--ps", "0", "--workers", "2", "--", sys.executable], InputError, "--ps 0: must be 1 to"),
        (["--workers", "0", "--", sys.executable], InputError, "--workers 0: must be 1 to"),
        (["--timeout", "-1", "local", "--", sys.executable], InputError, "--timeout: must be a number above 0"),
        (["local", "--env", "x", "--", sys.executable], InputError, "--env: must be NAME=VALUE"),
        (["local", "--", sys.executable, "--task={indx}"], InputError, "nearest: index"),
        (["local", "--env", "A={joob}", "--", sys.executable], InputError, "nearest: job"),
        (["local", "--nope", "--", "distributed.async_mnist"], InputError, "--nope; see tf1ref launch --help"),
        (["missing.yml", "--", "distributed.async_mnist"], InputError, "missing.yml: No such file"),
        (["--grace", "1", "missing.yml", "--", "python"], InputError, "missing.yml: No such file"),
        ([], InputError, "see tf1ref launch --help"),
        (["stop", "no-folder"], InputError, "no running job"),
    ],
)
def test_bad_usage_is_one_line(words, kind, problem):
    with pytest.raises(kind) as caught:
        launch(*words)
    assert problem in str(caught.value) and "\n" not in str(caught.value)


def test_help_is_the_launchers_own(capsys):
    with pytest.raises(SystemExit) as caught:
        launch("--help")
    assert caught.value.code == 0 and "usage: tf1ref launch [-h] VERB" in capsys.readouterr().out
