"""The same training twice: legacy's layers in a session, tf1ref.modules in a tf.function."""

import pytest
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.modules import optimizers

SEED, STEPS = 7, 20
RULES = {
    "adam": (lambda: v1.train.AdamOptimizer(0.02), lambda: optimizers.Adam(0.02)),
    "descent": (lambda: v1.train.GradientDescentOptimizer(0.3), lambda: optimizers.GradientDescent(0.3)),
}


@pytest.fixture
def train_in_session():
    """train(build, batches, rule, checkpoint) -> trace; build(x) adds the model and returns its outputs."""

    def train(build, batches, rule="adam", checkpoint=None):
        with v1.Graph().as_default(), v1.Session() as sess:
            v1.set_random_seed(SEED)
            x = v1.placeholder(batches.dtype, batches.shape[1:])
            loss = v1.add_n([v1.reduce_mean(v1.square(each - 0.3)) for each in v1.nest.flatten(build(x))])
            optimizer = RULES[rule][0]()
            pairs = optimizer.compute_gradients(loss)
            with v1.control_dependencies(v1.get_collection(v1.GraphKeys.UPDATE_OPS)):
                step = optimizer.apply_gradients(pairs)
            sess.run(v1.global_variables_initializer())
            variables = {v.op.name: v for v in v1.global_variables()}
            trace = {f"initial/{name}": value for name, value in sess.run(variables).items()}
            fetches = {"loss": loss, **{f"gradient/{v.op.name}": gradient for gradient, v in pairs}}
            for number in range(STEPS):
                values, _ = sess.run([fetches, step], {x: batches[number % len(batches)]})
                trace.update({f"steps/{number}/{name}": value for name, value in values.items()})
            trace.update({f"final/{name}": value for name, value in sess.run(variables).items()})
            if checkpoint:
                v1.train.Saver().save(sess, checkpoint, write_meta_graph=False)
        return trace

    return train


@pytest.fixture
def train_in_function():
    """train(make, batches, rule) -> (trace, variables by name); make() -> (outputs of x, layers)."""

    def train(make, batches, rule="adam"):
        tf.random.set_seed(SEED)
        call, layers = make()
        named = {name: variable for layer in layers for name, variable in layer.variables_by_name().items()}
        trained = [variable for variable in named.values() if variable.trainable]
        optimizer = RULES[rule][1]()
        optimizer.create(trained)
        state = {**named, **optimizer.variables_by_name()}

        @tf.function
        def step(x):
            with tf.GradientTape() as tape:
                loss = tf.add_n([tf.reduce_mean(tf.square(each - 0.3)) for each in tf.nest.flatten(call(x))])
            return loss, optimizer.minimize(tape, loss, trained)

        trace = {f"initial/{name}": variable.numpy() for name, variable in state.items()}
        for number in range(STEPS):
            loss, gradients = step(tf.constant(batches[number % len(batches)]))
            trace[f"steps/{number}/loss"] = loss.numpy()
            for variable, gradient in zip(trained, gradients):
                trace[f"steps/{number}/gradient/{variable.name.partition(':')[0]}"] = gradient.numpy()
        trace.update({f"final/{name}": variable.numpy() for name, variable in state.items()})
        return trace, state

    return train


@pytest.fixture
def assert_trains_alike(train_in_session, train_in_function, assert_same):
    """Asserts that both halves have the same trace to the bit, and that all trained variables moved; returns it."""

    def check(build, make, batches, rule="adam"):
        expected = train_in_session(build, batches, rule)
        assert_same(expected, train_in_function(make, batches, rule)[0])
        moved = [name for name in expected if name.startswith("steps/0/gradient/") and expected[name].any()]
        assert len(moved) == len([name for name in expected if name.startswith("steps/0/gradient/")])
        return expected

    return check
