"""The distributed examples as clusters of several tasks: what they compute, one process computes to the bit."""

import threading

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref import catalog, distributed, parity
from tf1ref.cluster import contract
from tf1ref.errors import InputError

SECONDS = 240  # a busy machine starts three TensorFlow servers in half a minute
STEPS = 20


def launched(job, example, description, *words):
    """Runs `example` as the job `description`; returns the traces of worker 0 and of the others, and the output."""
    command = [job.python, "-m", "tf1ref", "run", example, "--out", "kept", *map(str, words)]
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
def test_two_workers_of_sync_replicas_are_one_process_on_both_batches(started_job):
    graph, others, _ = launched(started_job, "distributed.sync_mnist", "sync", "--steps", STEPS)
    assert_equal(graph, "distributed.sync_mnist", WORKERS=2)
    # Each worker made every step, on batches of its own.
    (other,) = others
    assert len(other["steps/loss"]) == len(graph["steps/loss"]) == STEPS
    assert not np.any(other["steps/loss"] == graph["steps/loss"])


@pytest.mark.slow
def test_three_workers_in_fixed_order_are_one_process_on_all_batches():
    changes = {"WORKERS": 3, "FIXED_ORDER": True}
    graph = parity.trace_of(catalog.load("distributed.sync_mnist", changes).run_graph, STEPS, "sync_mnist")
    assert_equal(graph, "distributed.sync_mnist", **changes)


@pytest.mark.slow
def test_a_cluster_coordinators_workers_are_one_process_too(started_job):
    function, others, _ = launched(
        started_job, "distributed.sync_mnist", "sync", "--steps", STEPS, "--mode", "function"
    )
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
    made = {}

    def work(hosts, job_name, task_index):
        # The other worker wants more steps than the chief makes.
        trace = module.run_task(hosts, job_name, task_index, 1000 if task_index else 10, str(tmp_path))
        made[task_index] = len(trace["steps/loss"])

    module._tasks.run_tasks(work, workers=2, awaited=2)
    assert made == {0: 10, 1: 10}


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
def test_a_worker_that_evaluates_follows_the_checkpoints_to_the_last_step(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(contract.CHECKPOINT_DIR, str(tmp_path / "saved"))
    module, found = catalog.load("distributed.hooks", {"SAVE_EVERY": 20}), {}

    def work(hosts, job_name, task_index):
        found[task_index] = module.run_task(hosts, job_name, task_index, 40, str(tmp_path))

    module._tasks.run_tasks(work, workers=2, awaited=2)
    evaluated, accuracies = found[1]["evaluated/steps"], found[1]["evaluated/accuracy"]
    assert evaluated[-1] == 40 and np.all(np.diff(evaluated) > 0)
    assert accuracies[-1] == found[0]["final/test_accuracy"] > 0.5
    assert f"step 40: accuracy {accuracies[-1]:.4f} on the test set" in capsys.readouterr().out


def test_a_worker_that_evaluates_needs_a_folder_and_a_chief(tmp_path, monkeypatch):
    module = catalog.load("distributed.hooks", {"WAIT_SECONDS": 1})
    with pytest.raises(InputError, match="--checkpoint-dir"):
        module.evaluate_graph(None, 10)
    monkeypatch.setenv(contract.CHECKPOINT_DIR, str(tmp_path))
    with pytest.raises(RuntimeError, match="no new checkpoint in 1 s"):
        module.evaluate_graph(None, 10)


def test_the_checkpoints_of_a_task_are_those_of_the_job(tmp_path, monkeypatch):
    monkeypatch.setenv(contract.CHECKPOINT_DIR, str(tmp_path))
    with v1.Graph().as_default(), v1.Session() as session:
        step = v1.train.get_or_create_global_step()
        saver = v1.train.Saver()
        session.run(step.initializer)
        path = saver.save(session, str(tmp_path / "model.ckpt"), global_step=40)
    task = distributed.Task.__new__(distributed.Task)  # Nothing here asks its server.
    assert list(task.checkpoints(last_step=40)) == [path]
