"""A training step of resnet18, mnist_lstm and ptb_lm: session, tf.function twin, Keras 3 with the same layers."""

import time

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from bench import Contest

from tf1ref import catalog
from tf1ref.examples.convnets import _fit, _fit_function, _fit_graph

SUBJECT = "The same layers, sizes, dropout, penalties, clipping and optimizer; one batch of random numbers."
# A round is short: what slows the machine then slows all ways of it. More rounds give a steadier median.
STEPS = {"resnet18": 1, "mnist_lstm": 8, "ptb_lm": 3}


def contests():
    """Yields a Contest for each network."""
    for name, batch, graph, function, keras in (
        ("resnet18", pictures(), resnet18_graph, resnet18_function, keras_resnet18),
        ("mnist_lstm", rows(), mnist_lstm_graph, mnist_lstm_function, keras_mnist_lstm),
        ("ptb_lm", words(), ptb_lm_graph, ptb_lm_function, keras_ptb_lm),
    ):
        steps = {"keras": keras_step(*keras(), *batch), "session": graph(*batch), "tf.function": function(*batch)}
        ways = {way: lambda step=step, name=name: rate(step, STEPS[name]) for way, step in steps.items()}
        yield Contest(name, "steps/s", "keras", ways)


def rate(step, steps):
    """Calls step() `steps` times; returns calls a second. A step waits for its loss, as a training that shows it."""
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return steps / (time.perf_counter() - began)


def pictures():
    """32 pictures of CIFAR-10's shape and their labels."""
    random = np.random.RandomState(1)
    return random.rand(32, 32, 32, 3).astype(np.float32), random.randint(0, 10, 32).astype(np.int32)


def rows():
    """128 pictures of MNIST's shape and their labels, one-hot."""
    random = np.random.RandomState(1)
    return random.rand(128, 784).astype(np.float32), np.eye(10, dtype=np.float32)[random.randint(0, 10, 128)]


def words():
    """20 rows of 35 words, and the words after them."""
    ids = np.random.RandomState(1).randint(0, 10000, (20, 36)).astype(np.int32)
    return ids[:, :-1], ids[:, 1:]


def session_with(build):
    """(a session of its own graph, what build() returned)."""
    with v1.Graph().as_default() as graph:
        v1.set_random_seed(1)
        built = build()
        sess = v1.Session(graph=graph)
        sess.run(v1.global_variables_initializer())
    return sess, built


def resnet18_graph(x, y_):
    """A step of the session's loop."""
    module = catalog.load("convnets.resnet18")
    sess, graph = session_with(lambda: _fit_graph.build_training(module.inference))
    return lambda: sess.run([graph["train"], graph["shown"]], {graph["x"]: x, graph["y_"]: y_})


def resnet18_function(x, y_):
    """A step of the twin's loop."""
    training = _fit_function.Training(catalog.load("convnets.resnet18").ResNet18())
    return lambda: training.train(tf.constant(x), tf.constant(y_))[0].numpy()


def mnist_lstm_graph(x, y_):
    """A step of the session's loop, dropout at work."""
    module = catalog.load("sequences.mnist_lstm")
    sess, graph = session_with(module.build_graph)
    feed = {graph["x"]: x, graph["y_"]: y_, graph["output_keep_prob"]: module.KEEP_PROB}
    return lambda: sess.run([graph["loss"], graph["train"]], feed)


def mnist_lstm_function(x, y_):
    """A step of the twin's loop: two calls."""
    module = catalog.load("sequences.mnist_lstm")
    network, keep = module.Network(), tf.constant(module.KEEP_PROB)

    def step():
        loss, _, gradients = network.with_dropout(tf.constant(x), tf.constant(y_), keep)
        network.apply(gradients)
        loss.numpy()

    return step


def ptb_lm_graph(x, y_):
    """A step of the session's loop, the state fetched and fed."""
    sess, (model, _) = session_with(catalog.load("sequences.ptb_lm").build_models)
    state = [sess.run(model.initial_state)]

    def step():
        feed = {model.input_data: x, model.targets: y_, model.initial_state: state[0]}
        _, state[0], _ = sess.run([model.loss, model.final_state, model.train_op], feed)

    return step


def ptb_lm_function(x, y_):
    """A step of the twin's loop, the state an argument and a result."""
    model = catalog.load("sequences.ptb_lm").LanguageModel()
    state = [model.rnn.cell.zero_state(len(x))]

    def step():
        loss, state[0], _ = model.train(tf.constant(x), tf.constant(y_), state[0])
        loss.numpy()

    return step


def keras_step(model, optimizer, loss_of, x, y_):
    """A step in a tf.function of its own: no fit(), which would add its callbacks to every step."""
    variables = model.trainable_variables
    optimizer.build(variables)

    @tf.function
    def train(x, y_):
        with tf.GradientTape() as tape:
            loss = tf.add_n([loss_of(y_, model(x, training=True)), *model.losses])
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return lambda: train(tf.constant(x), tf.constant(y_)).numpy()


def keras_resnet18():
    """(model, optimizer, loss function)."""
    import keras
    from keras import layers

    module = catalog.load("convnets.resnet18")

    def conv_bn(x, filters, size, stride):
        x = layers.Conv2D(filters, size, strides=stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    first = keras.Input((32, 32, 3))
    x = layers.ReLU()(conv_bn(first, module.GROUPS[0][0], 3, 1))
    for _, filters, stride in module.BLOCKS:
        y = conv_bn(layers.ReLU()(conv_bn(x, filters, 3, stride)), filters, 3, 1)
        x = layers.ReLU()(layers.Add()([y, x if stride == 1 else conv_bn(x, filters, 1, stride)]))
    penalty = keras.regularizers.L2(module.L2)
    y = layers.Dense(10, kernel_regularizer=penalty)(layers.GlobalAveragePooling2D()(x))
    optimizer = keras.optimizers.Adam(epsilon=_fit.ADAM_EPSILON)
    return keras.Model(first, y), optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def keras_mnist_lstm():
    """(model, optimizer, loss function)."""
    import keras
    from keras import layers

    module = catalog.load("sequences.mnist_lstm")
    recurrent = []
    for number in range(module.NUM_LAYERS):
        last = number == module.NUM_LAYERS - 1
        recurrent += [layers.LSTM(module.HIDDEN_SIZE, return_sequences=not last), layers.Dropout(1 - module.KEEP_PROB)]
    model = keras.Sequential(
        [
            keras.Input((module.ROWS * module.COLUMNS,)),
            layers.Reshape((module.ROWS, module.COLUMNS)),
            *recurrent,
            layers.Dense(module.CLASS_NUM, activation="softmax"),
        ]
    )
    return model, keras.optimizers.Adam(module.LEARNING_RATE), keras.losses.CategoricalCrossentropy()


def keras_ptb_lm():
    """(model, optimizer, loss function); stateful layers carry their state over by themselves."""
    import keras
    from keras import layers

    module = catalog.load("sequences.ptb_lm")
    drop = 1 - module.KEEP_PROB
    recurrent = []
    for _ in range(module.NUM_LAYERS):
        recurrent += [layers.LSTM(module.HIDDEN_SIZE, return_sequences=True, stateful=True), layers.Dropout(drop)]
    model = keras.Sequential(
        [
            keras.Input((module.TRAIN_NUM_STEP,), batch_size=module.TRAIN_BATCH_SIZE, dtype="int32"),
            layers.Embedding(module.VOCAB_SIZE, module.HIDDEN_SIZE),
            layers.Dropout(drop),
            *recurrent,
            layers.Dense(module.VOCAB_SIZE),
        ]
    )
    optimizer = keras.optimizers.SGD(module.LEARNING_RATE, global_clipnorm=module.MAX_GRAD_NORM)
    return model, optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True)
