"""mnist.lenet5: each half restores the other's checkpoint and goes on from there; the model is the source's."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from tf1ref.data import mnist
from tf1ref.examples.mnist import lenet5
from tf1ref.modules import checkpoints

pytestmark = pytest.mark.slow  # the first test builds networks and trains them

STEPS = 3


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of MNIST files with 600 training and 100 test pictures, of noise."""
    folder, random = tmp_path_factory.mktemp("mnist"), np.random.RandomState(1)
    for name, count in (("train", 600), ("t10k", 100)):
        noise = random.randint(0, 256, (count, 28, 28)).astype(np.uint8)
        mnist.write_idx(folder / f"{name}-images-idx3-ubyte.gz", noise)
        mnist.write_idx(folder / f"{name}-labels-idx1-ubyte.gz", (np.arange(count) % 10).astype(np.uint8))
    return folder


def data_sets(pictures):
    """500 pictures to train on, 100 to validate; the same batches every time."""
    return mnist.read_data_sets(one_hot=True, reshape=False, validation_size=100, seed=lenet5.SEED, where=pictures)


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    """Both halves, trained for STEPS steps: {half: (trace, folder)}."""
    halves = {"graph": lenet5.train_graph, "function": lenet5.train_function}
    folders = {half: str(tmp_path_factory.mktemp(half)) for half in halves}
    return {half: (train(data_sets(pictures), STEPS, folders[half]), folders[half]) for half, train in halves.items()}


def values(folder):
    """{name: value} of the latest checkpoint in a folder."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(folder))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_the_checkpoints_are_the_same(trained, assert_same):
    graph, function = (values(folder) for _, folder in trained.values())
    assert graph["global_step"] == STEPS
    assert (graph["layer1-conv1/weight"] != graph["layer1-conv1/weight/ExponentialMovingAverage"]).any()
    assert_same(graph, function)
    assert_same(graph, {k.removeprefix("final/"): v for k, v in trained["graph"][0].items() if k[:6] == "final/"})


def function_from(prefix, batch):
    """Restores the function half, takes a step: what was restored, the loss, what it holds then."""
    training = lenet5.Training()
    named = training.variables_by_name()
    checkpoints.restore(prefix, named)
    restored = {name: variable.numpy() for name, variable in named.items()}
    loss = training.train(tf.constant(batch[0]), tf.constant(batch[1], tf.float32))[0].numpy()
    return restored, loss, {name: variable.numpy() for name, variable in named.items()}


def graph_from(prefix, batch):
    """Restores the graph half with a Saver, takes a step: what was restored, the loss, what it holds then."""
    with v1.Graph().as_default(), v1.Session() as sess:
        graph = lenet5.build_training()
        named = {variable.op.name: variable for variable in v1.global_variables()}
        v1.train.Saver().restore(sess, prefix)
        restored = sess.run(named)
        _, loss = sess.run([graph["train"], graph["loss"]], {graph["x"]: batch[0], graph["y_"]: batch[1]})
        return restored, loss, sess.run(named)


def test_each_half_goes_on_from_the_others_checkpoint(trained, pictures, assert_same):
    batch = data_sets(pictures).train.next_batch(lenet5.BATCH_SIZE)
    (_, of_graph), (_, of_function) = trained["graph"], trained["function"]
    restored, loss, after = function_from(checkpoints.latest(of_graph), batch)
    assert_same(restored, values(of_graph))
    graph_restored, graph_loss, graph_after = graph_from(v1.train.latest_checkpoint(of_function), batch)
    assert_same(graph_restored, values(of_function))
    assert loss == graph_loss
    assert after["global_step"] == STEPS + 1
    assert (after["layer6-fc2/bias"] != restored["layer6-fc2/bias"]).all()
    assert_same(after, graph_after)


def test_each_half_evaluates_the_others_averages(trained, pictures):
    validation = data_sets(pictures).validation
    (_, of_graph), (_, of_function) = trained["graph"], trained["function"]
    reached = lenet5.evaluate_graph(validation, of_function), lenet5.evaluate_function(validation, of_graph)
    assert reached[0] == reached[1]
    named = values(of_graph)
    network = lenet5.LeNet5()
    for variable in network.all:
        variable.assign(named[variable.name.removesuffix(":0") + "/ExponentialMovingAverage"])
    answers = network.logits(tf.constant(validation.images), False).numpy().argmax(1)
    assert reached[0] == pytest.approx((answers == validation.labels.argmax(1)).mean(), abs=1e-6)


def test_the_layers_have_the_sources_sizes(trained):
    sizes = {}
    for name, value in values(trained["graph"][1]).items():
        layer, _, kind = name.partition("/")
        if kind in ("weight", "bias"):
            sizes[layer] = sizes.get(layer, 0) + value.size
    assert sizes == {
        "layer1-conv1": 5 * 5 * 1 * 32 + 32,
        "layer3-conv2": 5 * 5 * 32 * 64 + 64,
        "layer5-fc1": 3136 * 512 + 512,
        "layer6-fc2": 512 * 10 + 10,
    }
    assert sum(sizes.values()) == 1_663_370


def shown(folder, tag):
    """[(step, value)] of a scalar as TensorBoard reads it: v1's writer calls them scalars, TF2's tensors."""
    events = EventAccumulator(folder).Reload()
    if tag in events.Tags()["scalars"]:
        return [(event.step, event.value) for event in events.Scalars(tag)]
    return [(event.step, make_ndarray(event.tensor_proto).item()) for event in events.Tensors(tag)]


@pytest.mark.parametrize("half", ["graph", "function"])
def test_tensorboard_shows_loss_and_learning_rate(trained, half):
    trace, folder = trained[half]
    assert shown(folder, "loss") == [(1, float(trace["steps/loss"][0]))]
    assert shown(folder, "learning_rate") == [(1, float(np.float32(lenet5.LEARNING_RATE_BASE)))]
