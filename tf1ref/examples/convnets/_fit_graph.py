"""Trains and tests one of S4's networks in a session, as compile(), fit() and ModelCheckpoint did."""

import os
import tempfile

import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.examples.convnets import _fit
from tf1ref.legacy import layers


def conv2d(x, filters, size, seed, name, **options):
    """Adds tf.layers' convolution. Its kernel starts as glorot uniform from `seed`."""
    return layers.conv2d(x, filters, size, kernel_initializer=v1.glorot_uniform_initializer(seed=seed), name=name,
                         **options)  # fmt: skip


def dense(x, units, seed, name, **options):
    """Adds tf.layers' fully connected layer. Its kernel starts as glorot uniform from `seed`."""
    return layers.dense(x, units, kernel_initializer=v1.glorot_uniform_initializer(seed=seed), name=name, **options)


def build_inference(inference):
    """Adds what testing and serving need to the default graph: pictures in; logits, losses and answers out."""
    x = v1.placeholder(v1.float32, [None, 32, 32, 3], name="x-input")
    y_ = v1.placeholder(v1.int32, [None], name="y-input")
    y = v1.identity(inference(x, False), name="y")
    losses = v1.nn.sparse_softmax_cross_entropy_with_logits(labels=y_, logits=y)
    correct = v1.equal(v1.argmax(y, 1, output_type=v1.int32), y_, name="correct")
    return {"x": x, "y_": y_, "y": y, "losses": losses, "correct": correct}


def build_training(inference):
    """Adds the network to train, its loss and Adam. Adds the network once more over the same variables, to test."""
    x = v1.placeholder(v1.float32, [None, 32, 32, 3], name="x")
    y_ = v1.placeholder(v1.int32, [None], name="labels")
    logits = inference(x, True)
    model = v1.global_variables()
    losses = v1.nn.sparse_softmax_cross_entropy_with_logits(labels=y_, logits=logits)
    penalties = v1.losses.get_regularization_losses()
    loss = v1.add_n([v1.reduce_mean(losses), *penalties])
    right = v1.equal(v1.argmax(logits, 1, output_type=v1.int32), y_)
    optimizer = v1.train.AdamOptimizer(epsilon=_fit.ADAM_EPSILON)
    # The moving averages change only because the step waits for them.
    with v1.control_dependencies(v1.get_collection(v1.GraphKeys.UPDATE_OPS)):
        gradients = optimizer.compute_gradients(loss)
        train = optimizer.apply_gradients(gradients)
    with v1.variable_scope(v1.get_variable_scope(), reuse=True):
        test = build_inference(inference)
    return {
        "x": x, "y_": y_, "train": train, "model": model, "test": test,
        "shown": (loss, v1.reduce_mean(v1.cast(right, v1.float32))),
        "penalty": v1.add_n(penalties) if penalties else v1.constant(0.0),
        "gradients": {f"gradient/{variable.op.name}": gradient for gradient, variable in gradients},
    }  # fmt: skip


def train(sess, graph, plan, steps, path):
    """Trains, and tests after each epoch and at the end. Writes the weights with the least loss to `path`."""
    saver, history, trace = v1.train.Saver(graph["model"]), _fit.History(), {}
    batches, test = _fit.data(plan, steps)
    sess.run(v1.global_variables_initializer())
    if v1.train.checkpoint_exists(path):
        saver.restore(sess, path)
    trace.update({f"initial/{v.op.name}": value for v, value in zip(graph["model"], sess.run(graph["model"]))})
    bar = console.steps(steps)
    for step in bar:
        x, y_ = next(batches)
        fetches = graph["train"], graph["shown"], {} if step else graph["gradients"]
        _, shown, gradients = sess.run(fetches, {graph["x"]: x, graph["y_"]: y_})
        history.steps.append(shown)
        trace.update(gradients)
        bar.show(loss=shown[0], accuracy=shown[1])
        if (step + 1) % plan.epoch == 0 or step + 1 == steps:
            best = history.validated(*evaluate(sess, graph["test"], test), sess.run(graph["penalty"]))
            if best:
                saver.save(sess, path, write_meta_graph=False)
    return trace | history.trace()


def evaluate(sess, graph, batches):
    """Returns every picture's loss and whether its answer is right, two lists."""
    losses, correct = [], []
    for x, y_ in batches:
        each = sess.run([graph["losses"], graph["correct"]], {graph["x"]: x, graph["y_"]: y_})
        losses.extend(each[0])
        correct.extend(each[1])
    return losses, correct


def run(inference, plan, steps, out):
    """Trains a network in a graph of its own. Returns the trace. The best weights lie at `out`/<name>.ckpt."""
    with tempfile.TemporaryDirectory() as scratch, v1.Graph().as_default(), v1.Session() as sess:
        v1.set_random_seed(plan.seed)
        graph = build_training(inference)
        trace = train(sess, graph, plan, steps, os.path.join(out or scratch, f"{plan.name}.ckpt"))
        model = {v.op.name: v for v in graph["model"]}
        rest = {v.op.name: v for v in v1.global_variables() if v.op.name not in model}
        trace.update({f"final/{name}": value for name, value in sess.run(model).items()})
        trace.update({f"slots/{name}": value for name, value in sess.run(rest).items()})
        trained = {v.op.name for v in v1.trainable_variables()}
    shapes = {name: variable.shape.as_list() for name, variable in model.items()}
    return trace | _fit.counts(
        [shape for name, shape in shapes.items() if name in trained],
        [shape for name, shape in shapes.items() if name not in trained],
    )
