"""One process of the jobs that bench_cluster.py measures: cluster_task.py bare|watched|recover FOLDER STEPS.

All train the same MLP on a fixed batch. `bare` is TF1 as one writes it by hand: a server, a device setter, a session,
nothing else. `watched` is tf1ref.distributed. `recover` goes on, watched, until a ps was lost and is back. TF_CONFIG
says which task this is; without it the whole cluster is this process. A worker leaves its times in FOLDER.
"""

import json
import os
import pathlib
import sys
import time

import numpy as np
import tensorflow.compat.v1 as v1

from tf1ref import distributed

IMPORTED = time.time()
BATCH, INPUTS, HIDDEN, CLASSES, RATE = 100, 784, 100, 10, 0.01
WAIT = 120  # seconds for the other worker
WARM_UP = 100  # steps: a set of fetches costs 20 times a step when it comes first
GAP = 1.0  # a step that took so many seconds waited for a ps


def build():
    """Adds the network to the default graph; returns the op of a step and what to feed."""
    random = np.random.RandomState(1)
    x, y_ = v1.placeholder(v1.float32, [None, INPUTS]), v1.placeholder(v1.float32, [None, CLASSES])
    w1 = v1.get_variable("w1", [INPUTS, HIDDEN], initializer=v1.glorot_uniform_initializer(seed=1))
    b1 = v1.get_variable("b1", [HIDDEN], initializer=v1.zeros_initializer())
    w2 = v1.get_variable("w2", [HIDDEN, CLASSES], initializer=v1.glorot_uniform_initializer(seed=2))
    b2 = v1.get_variable("b2", [CLASSES], initializer=v1.zeros_initializer())
    logits = v1.matmul(v1.nn.relu(v1.matmul(x, w1) + b1), w2) + b2
    loss = v1.reduce_mean(v1.nn.softmax_cross_entropy_with_logits_v2(labels=y_, logits=logits))
    step = v1.train.get_or_create_global_step()
    train = v1.train.GradientDescentOptimizer(RATE).minimize(loss, global_step=step)
    ys = np.eye(CLASSES, dtype=np.float32)[random.randint(0, CLASSES, BATCH)]
    return train, {x: random.rand(BATCH, INPUTS).astype(np.float32), y_: ys}


def measure(step, task):
    """Calls step() STEPS times, once all workers have made their first WARM_UP; writes the times."""
    index, count = task
    times = {"imported": IMPORTED}
    step()
    times["first"] = time.time()
    for _ in range(WARM_UP - 1):
        step()
    (FOLDER / f"{index}.here").touch()
    while len(list(FOLDER.glob("*.here"))) < count:
        assert time.time() < times["first"] + WAIT, "the other worker is missing"
        time.sleep(0.001)
    times["began"] = time.time()
    for _ in range(STEPS):
        step()
    times["ended"] = time.time()
    (FOLDER / f"{index}.json").write_text(json.dumps(times))


def recover(step, task):
    """Calls step() until one took GAP seconds, and writes how long that was."""
    (FOLDER / f"{task[0]}.here").touch()
    limit, gap = time.time() + WAIT, 0.0
    while gap < GAP:
        began = time.time()
        assert began < limit, "no step waited for a ps"
        step()
        gap = time.time() - began
    (FOLDER / f"{task[0]}.json").write_text(json.dumps({"gap": gap}))


def bare(hosts, job, index):
    """A task by hand; a ps is killed by who started it."""
    server = v1.train.Server(hosts, job, index)
    if job == "ps":
        server.join()
    setter = v1.train.replica_device_setter(
        worker_device=f"/job:worker/task:{index}", cluster=v1.train.ClusterSpec(hosts)
    )
    with v1.Graph().as_default(), v1.device(setter):
        train, feed = build()
        uninitialized, initialize = v1.report_uninitialized_variables(), v1.global_variables_initializer()
        with v1.Session(server.target) as session:
            if index == 0:
                session.run(initialize)
            while session.run(uninitialized).size:
                time.sleep(0.02)
            measure(lambda: session.run(train, feed), (index, len(hosts["worker"])))


def watched(task):
    """The same through tf1ref.distributed."""
    with v1.Graph().as_default(), v1.device(task.device_setter()):
        train, feed = build()
        # A loss of 200 steps at most is what the recovery promises; the rate is with the checkpoint of every 600 s.
        work, steps = (recover, 200) if MODE == "recover" else (measure, None)
        with task.session(save_checkpoint_steps=steps) as session:
            work(lambda: session.run(train, feed), (task.index, task.worker_count))


if __name__ == "__main__":
    MODE, FOLDER, STEPS = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    found = json.loads(os.environ.get("TF_CONFIG", "{}"))
    if found.get("task", {}).get("type") == "ps":
        (FOLDER / "ps.pid").write_text(str(os.getpid()))
    if MODE == "bare":
        bare(found["cluster"], found["task"]["type"], found["task"]["index"])
    else:
        distributed.run(watched)
