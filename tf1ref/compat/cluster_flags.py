"""Gives a classic ps/worker script its place under a launcher: through its flags, and through the hosts that it
names.

The launcher states the place in TF_CONFIG. Scripts of TensorFlow 1 take it as --job_name, --task_index, --ps_hosts
and
--worker_hosts, through absl (tf.app.flags) or argparse. Some scripts name the hosts in their text.
"""

import argparse
import contextlib
import functools
import json
import sys
from collections.abc import Callable
from typing import Any

from tf1ref.cluster import contract
from tf1ref.cluster.placeholders import classic

# The four flags, and how scripts spell them. `-` and `_` are equal.
SPELLINGS = {
    "ps_hosts": ("ps_hosts", "ps_host", "ps", "ps_list", "ps_servers", "ps_nodes", "parameter_servers", "param_hosts"),
    "worker_hosts": ("worker_hosts", "worker_host", "workers", "worker_list", "worker_servers", "worker_nodes"),
    "job_name": ("job_name", "job", "jobname", "job_type", "task_type", "role"),
    "task_index": ("task_index", "task_id", "task", "taskid", "task_num", "worker_index", "index"),
}
KINDS = {name: kind for kind, names in SPELLINGS.items() for name in names}


def install(hosts: dict[str, list[str]], job: str, index: int, say: Callable[[str], None]) -> None:
    """Fills the flags of the program that runs next, and replaces the hosts in its text by the launcher's.

    say: a function that takes one line for each change. Values from the command line are kept.
    """
    place, told = classic(hosts, job, index), set()

    def tell(words: list[str]) -> None:
        line = " ".join(words)
        if words and line not in told:
            told.add(line)
            say(f"the launcher fills in {line}")

    _fill_absl(place, tell)
    _fill_argparse(place, tell)
    _replace_hosts(hosts, place, say)


def words_for(options: dict[str, Any], given: list[str], place: dict[str, Any]) -> list[list[str]]:
    """Returns the words for those of `options` that the command line `given` leaves out, as one list for each flag.

    options: {"--name": how it takes its value: "text", "number" or "list"}. Returns nothing when the program has
    fewer than two of the four flags, because a single --task or --workers means something else.
    """
    found: dict[str, tuple[str, str]] = {}
    for option, takes in options.items():
        kind = KINDS.get(option.lstrip("-").replace("-", "_").lower())
        # A number of workers is not a list of hosts. An index may be given as text.
        fits = kind and (takes != "number" or kind == "task_index") and (takes != "list" or kind.endswith("hosts"))
        if kind and fits:
            found.setdefault(kind, (option, takes))
    if len(found) < 2:
        return []
    names = {word.partition("=")[0].lstrip("-") for word in given if word.startswith("-")}
    words = []
    for kind, (option, takes) in sorted(found.items(), key=lambda item: item[1][1] != "list"):
        if option.lstrip("-") in names:
            continue
        value = place[kind]
        if takes == "list":
            words.append([option, *value])
        else:
            words.append([f"{option}={','.join(value) if isinstance(value, list) else value}"])
    return words


def _fill_absl(place: dict[str, Any], tell: Callable[[list[str]], None]) -> None:
    from absl import flags

    plain = flags.FlagValues.__call__
    kinds = {"int": "number", "float": "number", "bool": "switch"}

    @functools.wraps(plain)
    def call(self: Any, argv: Any, known_only: bool = False) -> Any:
        if self is flags.FLAGS and len(argv) > 0:
            options = {f"--{name}": kinds.get(self[name].flag_type(), "text") for name in self}
            words = words_for({o: t for o, t in options.items() if t != "switch"}, list(argv[1:]), place)
            tell([word for each in words for word in each])
            argv = [argv[0], *(word for each in words for word in each), *argv[1:]]
        return plain(self, argv, known_only)

    flags.FlagValues.__call__ = call


def _fill_argparse(place: dict[str, Any], tell: Callable[[list[str]], None]) -> None:
    plain = argparse.ArgumentParser.parse_known_args

    @functools.wraps(plain)
    def parse_known_args(self: argparse.ArgumentParser, args: Any = None, namespace: Any = None) -> Any:
        # Only the program's own command line is changed. The parser of a subcommand gets its words from the first
        # one.
        if args is None or list(args) == sys.argv[1:]:
            words = words_for(_options_of(self), sys.argv[1:], place)
            tell([word for each in words for word in each])
            args = [*(word for each in words for word in each), *sys.argv[1:]]
        return plain(self, args, namespace)

    argparse.ArgumentParser.parse_known_args = parse_known_args  # type: ignore[method-assign]


def _options_of(parser: argparse.ArgumentParser) -> dict[str, str]:
    options = {}
    for option, action in parser._option_string_actions.items():
        if not isinstance(action, argparse._StoreAction) or not option.startswith("--"):
            continue
        takes = "list" if action.nargs in ("+", "*") else "number" if action.type in (int, float) else "text"
        options[option] = takes
    return options


def _replace_hosts(hosts: dict[str, list[str]], place: dict[str, Any], say: Callable[[str], None]) -> None:
    """Replaces the machines in a program's own tf.train.ClusterSpec, which do not exist, by the launcher's."""
    from tensorflow.python.training import server_lib

    plain, told = server_lib.ClusterSpec.__init__, []
    merged = {"ps": place["ps_hosts"], "worker": place["worker_hosts"]}

    @functools.wraps(plain)
    def init(self: Any, cluster: Any) -> None:
        plain(self, cluster)
        own = self.as_dict() if isinstance(cluster, dict) else {}
        for ours in (hosts, merged):
            if own and set(own) == {job for job, addresses in ours.items() if addresses}:
                if own != ours:
                    named = ", ".join(str(address) for addresses in own.values() for address in addresses)
                    if not told:
                        say(f"the program names hosts of its own ({named[:200]}): the launcher's take their place")
                    told.append(named)
                    plain(self, {job: addresses for job, addresses in ours.items() if addresses})
                return

    server_lib.ClusterSpec.__init__ = init


def place_in_cluster(text: str | None) -> tuple[dict[str, list[str]], str, int] | None:
    """Returns (hosts, job, index) from the text of TF_CONFIG, or None when it names no cluster.

    Raises InputError for a text that is not valid, such as a task that is not in its cluster.
    """
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        if not json.loads(text or "{}").get("cluster"):
            return None
    return contract.parse_tf_config(text or "")
