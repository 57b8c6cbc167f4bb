"""The distributed examples as real jobs: what several processes compute, one process computes to the bit."""

import sys
import threading

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref import catalog, distributed, parity
from tf1ref.data import mnist

SECONDS = 240  # a busy machine starts three TensorFlow servers in half a minute
STEPS = 20


def launched(job, example, description, *words):
    """Runs `example` as the job `description`; returns the traces of worker 0 and of the others, and the output."""
    command = [sys.executable, "-m", "tf1ref", "run", example, "--out", "kept", *map(str, words)]
    code, out, err = job.start_command(command, "--checkpoint-dir", "saved", description=description).end(SECONDS)
    assert (code, err) == (0, ""), out + err
    assert "Traceback" not in out and job.pids() == [], out
    traces = [dict(np.load(path)) for path in sorted(job.folder.glob("kept/*/trace.npz"))]
    return traces[0], traces[1:], out


def assert_equal(graph, name, **changes):
    trace = parity.trace_of(catalog.load(name, changes).run_function, STEPS, name)
    report = parity.compare(graph, trace)
    assert report.equal and report.differing == 0, report.first


@pytest.mark.slow
def test_two_workers_of_sync_replicas_are_one_process_on_both_batches(job):
    graph, others, _ = launched(job, "distributed.sync_mnist", "sync", "--steps", STEPS)
    assert_equal(graph, "distributed.sync_mnist", WORKERS=2)
    # Each worker made every step, on batches of its own.
    (other,) = others
    assert len(other["steps/loss"]) == len(graph["steps/loss"]) == STEPS
    assert not np.any(other["steps/loss"] == graph["steps/loss"])


THREE = "ps_hosts: [localhost:0]\nworker_hosts: [localhost:0, localhost:0, localhost:0]\nsuccess: all\n"


@pytest.mark.slow
def test_three_workers_in_fixed_order_are_one_process_on_all_batches(job):
    (job.folder / "three.yml").write_text(THREE)
    words = ("--steps", STEPS, "--set", "FIXED_ORDER=True")
    graph, others, _ = launched(job, "distributed.sync_mnist", "three.yml", *words)
    assert [len(trace["steps/loss"]) for trace in others] == [STEPS, STEPS]
    assert_equal(graph, "distributed.sync_mnist", WORKERS=3)


@pytest.mark.slow
def test_a_cluster_coordinators_workers_are_one_process_too(job):
    function, others, _ = launched(job, "distributed.sync_mnist", "sync", "--steps", STEPS, "--mode", "function")
    assert others == []  # The other worker serves: it computes all gradients, and has no trace.
    assert_equal(function, "distributed.sync_mnist", WORKERS=2)


def test_the_step_is_that_of_the_mean_in_worker_order():
    module = catalog.load("distributed.sync_mnist", {"HIDDEN": 4})
    network, random = module.Network(), np.random.RandomState(0)
    before = [variable.numpy() for variable in network.all]
    gradients = [[random.randn(*v.shape).astype(np.float32) for v in before] for _ in range(3)]
    network.apply_mean(gradients)
    for i, variable in enumerate(network.all):
        mean = ((gradients[0][i] + gradients[1][i]) + gradients[2][i]) / np.float32(3)
        np.testing.assert_array_equal(variable.numpy(), before[i] - np.float32(module.LEARNING_RATE) * mean)


@pytest.mark.slow
@pytest.mark.parametrize("fixed_order", [False, True])
def test_a_worker_that_waits_for_a_token_ends_when_the_chief_has(fixed_order, tmp_path):
    module = catalog.load("distributed.sync_mnist", {"FIXED_ORDER": fixed_order, "HIDDEN": 4})
    data = [mnist.read_data_sets(one_hot=True, seed=index) for index in range(2)]

    def work(task):
        # The other worker wants more steps than the chief makes.
        return len(module.train_graph(task, data[task.index], 1000 if task.index else 10, str(tmp_path)))

    assert distributed.together(work, 2) == [10, 10]


@pytest.mark.slow
def test_ops_on_two_workers_and_a_ps_are_the_ops_of_one_machine(job):
    graph, others, _ = launched(job, "distributed.in_graph", "in_graph", "--steps", STEPS)
    assert others == []  # The other worker has no program: it serves until the launcher ends it.
    assert_equal(graph, "distributed.in_graph")


def test_ops_run_on_the_tasks_they_are_pinned_to():
    module = catalog.load("distributed.in_graph", {"SIZE": 4})

    def work(task):
        if not task.is_chief:
            return None
        with v1.Graph().as_default():
            graph, found = module.build_graph(), v1.RunMetadata()
            with task.whole_session() as session:
                session.run(v1.global_variables_initializer())
                trace = v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE)
                session.run([graph["y"], graph["y2"]], options=trace, run_metadata=found)
        nodes = [(node.node_name, device.device) for device in found.step_stats.dev_stats for node in device.node_stats]
        return {name: device.rpartition("/")[0] for name, device in nodes if name in ("x", "y", "y2")}

    places = {"x": "ps/replica:0/task:0", "y": "worker/replica:0/task:1", "y2": "worker/replica:0/task:0"}
    assert distributed.together(work, 2)[0] == {name: f"/job:{place}" for name, place in places.items()}


def test_the_failure_of_one_thread_is_raised_though_the_others_wait_for_it():
    waiting = threading.Event()

    def work(task):
        if task.index == 1:
            raise ValueError("no data")
        waiting.wait(SECONDS)

    with pytest.raises(ValueError, match="no data"):
        distributed.together(work, 2)
    assert not waiting.is_set()
    waiting.set()


SERVES = """
write = lambda state: open(os.environ["CLUSTER_PROGRESS"], "w").write(state)
if (job, index) == ("worker", 0):
    while not os.path.exists(f"{folder}/serves"): time.sleep(.01)
    time.sleep(.5)
    sys.exit(CODE)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
write("serving")
if job == "worker": open(f"{folder}/serves", "w").write("x")
while True: time.sleep(.01)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("success", "code"), [("chief", 0), ("all", 0), ("all", 7)])
def test_a_worker_that_serves_is_ended_with_the_ps(success, code, job):
    job.start(SERVES.replace("CODE", str(code)), "--end-timeout", "200", "--success", success)
    reached, out, err = job.end()
    # Its exit code is that of the chief: had it been waited for, the job would go on for the whole end time-out.
    assert (reached, job.pids()) == (min(code, 1), []), out + err
    assert ("worker 0 exited with code 7" in err) == (code == 7) and "late" not in out


@pytest.mark.slow
def test_a_worker_that_evaluates_follows_the_checkpoints_to_the_last_step(job):
    graph, (evaluator,), out = launched(job, "distributed.hooks", "evaluator", "--steps", 400)
    steps, accuracies = evaluator["evaluated/steps"], evaluator["evaluated/accuracy"]
    assert steps[-1] == 400 and np.all(np.diff(steps) > 0)
    assert accuracies[-1] == graph["final/test_accuracy"] > 0.8
    assert f"[worker 1] step 400: accuracy {accuracies[-1]:.4f} on the test set" in out
