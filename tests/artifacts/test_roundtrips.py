"""Every model example: frozen, to the bit; its checkpoint into its twin and back; some as a wrapped function."""

import contextlib
import inspect

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import catalog
from tf1ref.artifacts import sources as freeze_sources
from tf1ref.artifacts.convert import convert
from tf1ref.artifacts.freeze import freeze
from tf1ref.artifacts.graph import answers, constants, effects, graphs
from tf1ref.artifacts.verify import verify
from tf1ref.catalog.programs import source_named
from tf1ref.errors import InputError
from tf1ref.modules import checkpoints

pytestmark = pytest.mark.usefixtures("small_network")

QUICK = ("basics.variables", "training.batch_norm", "mnist.lenet5", "sequences.lstm_cells")
# Half a minute, and no op that inception_block and resnet18 have not; a graph that is on a cluster.
LEFT_OUT = ("convnets.inception_v3", "distributed.in_graph")
FEWEST = 60  # models: fewer, and what chooses them is wrong


@pytest.fixture
def build_once(monkeypatch):
    """Has an example build its graph once a test, and not each time that a tool asks for it."""
    kept, build = {}, freeze_sources._built

    def built(program, prefix):
        if (program.name, prefix) not in kept:
            kept[program.name, prefix] = build(program, prefix)
        return kept[program.name, prefix]

    monkeypatch.setattr(freeze_sources, "_built", built)


def every():
    """(name, whether it is a quick one) of each example that has a twin: a tf.Module."""
    names = [e.name for e in catalog.examples() if "(tf.Module)" in e.path.read_text() and e.name not in LEFT_OUT]
    return [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in names]


def frozen_outputs(source):
    """Names of the endpoints that only variables and inputs lead to: no queue, no file, no step of training."""
    found = []
    for name in source.endpoints.values():
        needed = source.graph.pruned([name])
        nodes = {n.name: n for n in needed.node}
        node = nodes[name.partition(":")[0]]
        kept = node.op in ("Placeholder", *constants.VARIABLES) or effects.state(needed.node)
        # Ops that decode take a file's bytes, which nobody can make up.
        kept = kept or any(n.op.startswith("Decode") for n in needed.node)
        writes = any(constants.WRITES.fullmatch(n.op) for n in graphs.all_nodes(needed))
        if not (kept or writes or effects.outside(graphs.all_nodes(needed))):
            found.append(name)
    return list(dict.fromkeys(found))


def twin(module, names):
    """The largest twin that can be made without arguments and whose variables are all among `names`."""
    found = []
    for one in vars(module).values():
        if inspect.isclass(one) and issubclass(one, tf.Module) and one.__module__ == module.__name__:
            with contextlib.suppress(TypeError, ValueError, tf.errors.InvalidArgumentError):  # a GPU that is not here
                made = one()
                variables = {v.name.removesuffix(":0"): v for v in made.variables}
                if variables.keys() <= names and variables:
                    found.append(variables)
    return max(found, key=len, default=None)


def wrapped(graph_def, feed, outputs):
    """The answers of a frozen graph as an eager function, and the graph that the function holds."""
    function = v1.wrap_function(lambda: v1.import_graph_def(graph_def, name=""), [])
    graph = function.graph
    with contextlib.ExitStack() as stack:
        before = tf.config.optimizer.get_experimental_options()
        stack.callback(tf.config.optimizer.set_experimental_options, before or {"disable_meta_optimizer": False})
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        pruned = function.prune(
            [graph.get_tensor_by_name(n) for n in feed], [graph.get_tensor_by_name(n) for n in outputs]
        )
        reached = pruned(*[tf.constant(value, graph.get_tensor_by_name(n).dtype) for n, value in feed.items()])
    return dict(zip(outputs, (t.numpy() for t in reached))), graph.as_graph_def()


@pytest.mark.slow
@pytest.mark.parametrize("name", every())
def test_frozen_it_answers_the_same_and_its_twin_takes_its_checkpoint(name, tmp_path, build_once):
    """Both in one test: most of its time goes into building the graph."""
    source = freeze_sources.find(source_named(name))
    outputs = frozen_outputs(source)
    if outputs:
        report = freeze(source_named(name), outputs, tmp_path / "m.pb")
        assert report.compared, report.not_compared
        if name in QUICK:
            verified = verify(source_named(name), tmp_path / "m.pb", outputs=outputs)
            assert verified.equal and verified.compared and sum(row.differing for row in verified.rows) == 0
            check_wrapped(v1.GraphDef.FromString((tmp_path / "m.pb").read_bytes()), outputs)
    saved = {}
    for variable in constants.variables(source.graph_def):
        with contextlib.suppress(InputError):  # a variable of a metric, which no collection holds
            saved.update(source.read([variable]))
    variables = twin(catalog.load(name), saved.keys())
    if variables:
        check_twin({n: saved[n] for n in variables}, variables, tmp_path)
    elif not outputs:
        pytest.skip("no model: no endpoint that variables and inputs alone lead to, and no twin without arguments")


def check_wrapped(graph_def, outputs):
    """Asks session and function on the first inputs that fit."""
    model = answers.Model(graphs.Graph(graph_def), outputs)
    if any({"seed", "seed2"} <= node.attr.keys() for node in graphs.all_nodes(graph_def)):
        return  # dropout: a session and a function count their random numbers otherwise
    if graph_def.library.function:
        return  # an eager process knows the example's own functions by the same names
    for feed in answers.inputs(model.inputs):
        with contextlib.suppress(answers.Refused):
            expected = model.answers(feed)
            reached, held = wrapped(graph_def, feed, outputs)
            assert {n.name for n in graph_def.node} == {n.name for n in held.node}
            assert answers.difference(expected, reached) == ""
            return


def check_twin(values, variables, folder):
    """Saves `values` as the graph's Saver does, restores them into `variables`, and saves those: the same bytes."""
    random = np.random.default_rng(1)
    with v1.Graph().as_default(), v1.Session() as sess:
        for n, value in values.items():  # what a twin starts from is the same: other values show what is restored
            drawn = random.standard_normal(value.shape).astype(value.dtype) if value.dtype.kind == "f" else value
            v1.get_variable(n, initializer=drawn)
        sess.run(v1.global_variables_initializer())
        prefix = v1.train.Saver().save(sess, str(folder / "graph"))
    checkpoints.restore(prefix, variables)
    again = checkpoints.save(str(folder / "twin"), "graph", variables)
    same(prefix, again)


def same(prefix, again):
    for part in (".index", ".data-00000-of-00001"):
        with open(prefix + part, "rb") as one, open(again + part, "rb") as other:
            assert one.read() == other.read()


def test_enough_examples_are_models():
    names = [p.values[0] for p in every()]
    assert len(names) >= FEWEST and set(QUICK) <= set(names)


@pytest.mark.slow
def test_a_twin_takes_a_converted_checkpoint_and_gives_it_back(tmp_path):
    """Names into objects, objects restored by tf.train.Checkpoint, saved by it, and into names again."""
    module = catalog.load("mnist.lenet5")
    with v1.Graph().as_default(), v1.Session() as sess:
        module.build_graph()
        sess.run(v1.global_variables_initializer())
        prefix = v1.train.Saver().save(sess, str(tmp_path / "graph"))
    network = module.LeNet5()
    for variable in network.variables:
        variable.assign(tf.zeros_like(variable))
    fresh = tf.train.Checkpoint(network=network).save(str(tmp_path / "fresh" / "ckpt"))
    report = convert(prefix, tmp_path / "objects", "objects", like=fresh)
    assert len(report.names.matched) == len(network.variables) and not report.names.unused
    tf.train.Checkpoint(network=network).restore(
        tf.train.latest_checkpoint(str(tmp_path / "objects"))
    ).assert_consumed()
    trained = tf.train.Checkpoint(network=network).save(str(tmp_path / "trained" / "ckpt"))
    convert(trained, tmp_path / "names", "checkpoint")
    assert verify(prefix, tmp_path / "names").equal and verify(trained, tmp_path / "names").equal
    same(prefix, tf.train.latest_checkpoint(str(tmp_path / "names")))
