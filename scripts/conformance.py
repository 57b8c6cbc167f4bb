"""Holds the rebuilt APIs against the tests of those who wrote the originals.

    scripts/conformance.py --tensorflow DIR --slim DIR --estimator DIR [SUITE ...]

The test files stay in your own checkouts: a TensorFlow tree of 1.x or 2.0 that still has contrib, google-research's
tf-slim, and tensorflow/estimator at a tag of 1.15. Each file runs unchanged in a process of its own, as a
program does under `tf1ref exec`, with its private imports led to the public names (scripts/conformance_run.py). What
counts as TensorFlow's own stands test by test, with the reason, in scripts/conformance.yml; so does what stays out,
because fewer than five public programs use the name that is tested. Neither counts for the share.
Exit codes: 0 every test passes that is not TensorFlow's own, 1 some do not, 2 bad usage.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import yaml

from tf1ref import console, errors

REASONS = Path(__file__).with_suffix(".yml")
RUNNER = Path(__file__).with_name("conformance_run.py")
COLUMNS = ("suite", ">run", ">pass", ">ours", ">not given", ">stays out", ">TensorFlow's own", ">share")
# What a checkout is told by.
MARKS = {
    "tensorflow": "tensorflow/contrib/layers/python/layers/layers.py",
    "slim": "tf_slim/learning.py",
    "estimator": "tensorflow_estimator/python/estimator/estimator.py",
}
CONTRIB = "tensorflow/contrib/"
LAYERS, RNN, SEQ2SEQ = (f"{CONTRIB}{n}" for n in (
    "layers/python/layers/", "rnn/python/kernel_tests/", "seq2seq/python/kernel_tests/"))  # fmt: skip
EST = "tensorflow_estimator/python/estimator/"


def _files(folder, names):
    return [f"{folder}{name}{'' if '_test_' in name else '_test'}.py" for name in names.split()]


# Suite -> which checkout, and its files there.
SUITES = {
    "layers": ("tensorflow", _files("tensorflow/python/layers/", "base core convolutional normalization pooling")),
    "rnn_cell": ("tensorflow", _files("tensorflow/python/kernel_tests/", "rnn_cell rnn") + _files(
        RNN, "core_rnn_cell rnn_cell rnn fused_rnn_cell gru_ops lstm_ops")),
    "seq2seq": ("tensorflow", _files(SEQ2SEQ, "attention_wrapper basic_decoder beam_search_decoder beam_search_ops "
                                              "decoder loss")),
    "legacy_seq2seq": ("tensorflow", _files(f"{CONTRIB}legacy_seq2seq/python/kernel_tests/", "seq2seq")),
    "crf": ("tensorflow", _files(f"{CONTRIB}crf/python/kernel_tests/", "crf")),
    "lookup": ("tensorflow", _files(f"{CONTRIB}lookup/", "lookup_ops")),
    "contrib.layers": ("tensorflow", _files(LAYERS, "layers regularizers initializers optimizers summaries utils "
                                                    "normalization encoders embedding_ops")),
    "contrib.framework": ("tensorflow", _files(f"{CONTRIB}framework/python/", "ops/variables ops/arg_scope ops/ops "
                          "ops/prettyprint_ops ops/checkpoint_ops framework/tensor_util framework/checkpoint_utils")),
    "slim": ("slim", _files("tf_slim/", "learning evaluation summaries")),
    "slim.nets": ("slim", _files("tf_slim/nets/", "alexnet inception_v1 inception_v2 inception_v3 overfeat resnet_v1 "
                                                  "resnet_v2 vgg")),
    "contrib.losses": ("tensorflow", _files(
        f"{CONTRIB}losses/python/", "losses/loss_ops metric_learning/metric_loss_ops")),
    "contrib.metrics": ("tensorflow", _files(f"{CONTRIB}metrics/python/", "ops/metric_ops metrics/classification "
                                                                          "kernel_tests/histogram_ops ops/set_ops")),
    "contrib.training": ("tensorflow", _files(f"{CONTRIB}training/python/training/", "hparam training evaluation "
                         "bucket_ops sampling_ops resample device_setter feeding_queue_runner tensor_queue_dataset "
                         "sgdr_learning_rate_decay batch_sequences_with_states sequence_queueing_state_saver")),
    "contrib.eager": ("tensorflow", _files(f"{CONTRIB}eager/python/", "datasets metrics network saver tfe evaluator")),
    "contrib.data": ("tensorflow", _files(
        f"{CONTRIB}data/python/kernel_tests/", "assert_element_shape slide_dataset_op reduce_dataset")),
    "losses": ("tensorflow", _files("tensorflow/python/kernel_tests/", "losses")),
    "metrics": ("tensorflow", _files("tensorflow/python/kernel_tests/", "metrics")),
    # In canned/v1 are the estimators that tf.estimator had; those beside it are of TensorFlow 2.
    "estimator": ("estimator", _files(EST, "estimator training model_fn exporter run_config util early_stopping "
                  "canned/head canned/optimizers canned/parsing_utils canned/v1/linear_test_v1 "
                  "canned/v1/linear_estimator_test_v1 canned/v1/dnn_test_fc_v2_v1 canned/v1/dnn_estimator_test_v1 "
                  "canned/v1/dnn_linear_combined_test_v1 canned/v1/dnn_linear_combined_estimator_test_v1 "
                  "canned/v1/baseline_test_v1 canned/v1/baseline_estimator_test_v1 export/export inputs/numpy_io "
                  "inputs/pandas_io hooks/hooks hooks/basic_session_run_hooks")),
}  # fmt: skip
OUTCOMES = ("pass", "ours", "not given", "stays out", "own", "passes though listed")
LIMIT = 1200  # seconds that one file may take
STAYS = "stays out"  # how the reason begins for a name that fewer than five public programs use; it has their number
WAITS = "would wait"  # how the reason begins of a test that is not run, since the file would never end


class Suite(NamedTuple):
    """What became of the tests of one suite: {outcome: {test: message}}."""

    name: str
    outcomes: dict

    def row(self):
        """Returns the cells of the table."""
        count = {kind: len(tests) for kind, tests in self.outcomes.items()}
        mine = count["pass"] + count["ours"] + count["not given"]
        share = f"{100 * count['pass'] / mine:.1f} %" if mine else "-"
        listed = [count["stays out"], count["own"]]
        return [self.name, mine + sum(listed), count["pass"], count["ours"], count["not given"], *listed, share]


def main():
    """Parses the command line, runs the suites, prints the table; returns the exit code."""
    given = _arguments()
    names = given.suites or list(SUITES)
    for name in names:
        if name not in SUITES:
            raise errors.InputError(f"{name}: no such suite{errors.nearest(name, SUITES)}")
    wanted = [name for name in names if getattr(given, SUITES[name][0])]
    for name in given.suites:
        if name not in wanted:
            raise errors.InputError(f"{name}: give its checkout with --{SUITES[name][0]} DIR")
    if not wanted:
        raise errors.InputError("give a checkout: --tensorflow DIR, --slim DIR or --estimator DIR")
    for kind in {SUITES[name][0] for name in wanted}:
        if not os.path.isfile(os.path.join(getattr(given, kind), MARKS[kind])):
            raise errors.InputError(f"--{kind} {getattr(given, kind)}: no checkout of it, there is no {MARKS[kind]}")
    for name in wanted:
        if not _present(name, getattr(given, SUITES[name][0])):
            raise errors.InputError(
                f"--{SUITES[name][0]} {getattr(given, SUITES[name][0])}: it has none of the files of {name}, "
                f"such as {SUITES[name][1][0]}"
            )
    reasons = _reasons()
    suites = [_run(name, getattr(given, SUITES[name][0]), reasons, given.only) for name in wanted]
    _report(suites, given)
    return 1 if any(suite.outcomes["ours"] or suite.outcomes["not given"] for suite in suites) else 0


def _arguments():
    parser = argparse.ArgumentParser(prog="conformance.py", description=__doc__.splitlines()[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(SUITES))
    for kind in MARKS:
        parser.add_argument(f"--{kind}", metavar="DIR")
    parser.add_argument("--only", metavar="TEXT", help="only tests whose name holds TEXT")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--failures", action="store_true", help="name each test that does not pass")
    return parser.parse_args()


def _reasons():
    """Returns {suite: {test: reason}}."""
    found = {}
    for suite, reasons in (yaml.safe_load(REASONS.read_text()) or {}).items():
        found[suite] = {test: reason for reason, tests in reasons.items() for test in tests}
    return found


def _present(name, checkout):
    """Returns the files of a suite that the checkout has. Releases of TensorFlow differ in them."""
    return [path for path in SUITES[name][1] if Path(checkout, path).is_file()]


def _run(name, checkout, reasons, only):
    own, found = reasons.get(name, {}), {kind: {} for kind in OUTCOMES}
    waits = [test for test, reason in own.items() if reason.startswith(WAITS)]
    for path in _present(name, checkout):
        for test, outcome, message in _outcomes(Path(checkout).resolve(), path, only, waits):
            if test in own:
                found["stays out" if own[test].startswith(STAYS) else "own"][test] = own[test]
                if outcome == "pass":
                    found["passes though listed"][test] = own[test]
            elif outcome != "skip":
                found[outcome][test] = message
    return Suite(name, found)


def _outcomes(checkout, path, only, waits):
    """Yields (test, outcome, message) of one file, run in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "outcomes.jsonl")
        command = [sys.executable, str(RUNNER), str(checkout), path, str(out), only or "", json.dumps(waits)]
        environment = {**os.environ, "TMPDIR": scratch, "TEST_TMPDIR": scratch, "TF_CPP_MIN_LOG_LEVEL": "3"}
        try:
            done = subprocess.run(command, cwd=scratch, env=environment, capture_output=True, text=True, timeout=LIMIT)
            ended = f"the process ended with {done.returncode}: {(done.stderr.strip().splitlines() or ['-'])[-1]}"
        except subprocess.TimeoutExpired:
            ended = f"the file did not end within {LIMIT} s"
        lines = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    if not lines:
        if not (only and ended.startswith("the process ended with 0")):  # otherwise the file has no such test
            yield Path(path).stem, "ours", ended
        return
    seen = {test for test, outcome, _ in lines if outcome != "started"}
    yield from (tuple(line) for line in lines if line[1] != "started")
    yield from ((test, "ours", ended) for test, outcome, _ in lines if outcome == "started" and test not in seen)


def _report(suites, given):
    if given.json:
        print(json.dumps({suite.name: suite.outcomes for suite in suites}, indent=1))
        return
    rows = [suite.row() for suite in suites]
    total = Counter()
    for suite in suites:
        total.update({kind: len(tests) for kind, tests in suite.outcomes.items()})
    everything = Suite("total", {kind: dict.fromkeys(range(total[kind])) for kind in suites[0].outcomes})
    console.table(COLUMNS, [*rows, everything.row()])
    for suite in suites:
        for test in suite.outcomes["passes though listed"]:
            print(f"{suite.name}: {test} passes, though {REASONS.name} lists it")
        for path in sorted({*SUITES[suite.name][1]} - {*_present(suite.name, getattr(given, SUITES[suite.name][0]))}):
            print(f"{suite.name}: the checkout has no {path}")
        for kind in ("ours", "not given") if given.failures else ():
            for test, message in suite.outcomes[kind].items():
                print(f"{suite.name}: {kind}: {test}: {message}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except errors.InputError as e:
        console.error(str(e))
        sys.exit(2)
