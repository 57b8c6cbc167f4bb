"""Training steps a second: session, callable, tf.function twin, its concrete function, a loop inside it, Keras fit."""

import time

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1
from bench import Contest

from tf1ref import catalog
from tf1ref.data import mnist

SUBJECT = "The same model, data, batch of 100 and optimizer. Every way draws its own shuffled batches."
STEPS = {"mnist.softmax": 1000, "mnist.lenet5": 100}
INSIDE = 100  # steps a call of the loop inside the function: 31 MB of pictures


def contests():
    """Yields a Contest for each program."""
    for name, steps in STEPS.items():
        module = catalog.load(name)
        data = mnist.read_data_sets(one_hot=True, reshape=name == "mnist.softmax", seed=1).train
        ways = {
            **session_ways(module, data, steps),
            **function_ways(module, data, steps),
            "keras fit": keras_way(name, module, data, steps),
        }
        yield Contest(name, "steps/s", "keras fit", ways)


def rate(step, steps):
    """Calls step() `steps` times; returns calls a second."""
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return steps / (time.perf_counter() - began)


def session_ways(module, data, steps):
    """Session.run with a feed_dict, and a callable made once, which skips the checks of feeds and fetches."""
    with v1.Graph().as_default() as graph:
        v1.set_random_seed(1)
        ends = module.build_training() if hasattr(module, "build_training") else module.build_graph()
        train = ends.get("train", ends.get("train_step"))
        sess = v1.Session(graph=graph)
        sess.run(v1.global_variables_initializer())
    call = sess.make_callable([train, ends["loss"]], feed_list=[ends["x"], ends["y_"]])

    def run():
        xs, ys = data.next_batch(module.BATCH_SIZE)
        sess.run([train, ends["loss"]], feed_dict={ends["x"]: xs, ends["y_"]: ys})

    return {
        "session": lambda: rate(run, steps),
        "callable": lambda: rate(lambda: call(*data.next_batch(module.BATCH_SIZE)), steps),
    }


def function_ways(module, data, steps):
    """The twin, a call a step; the function that it traced, which skips the look at the arguments' types, as a callable
    skips the checks of feeds; and, where the twin has one, its loop over batches inside the function.
    """
    twin = module.Training() if hasattr(module, "Training") else module.Model()
    train = getattr(twin, "train", None) or twin.train_step

    def batch():
        xs, ys = data.next_batch(module.BATCH_SIZE)
        return tf.constant(xs), tf.constant(ys, tf.float32)

    traced = train.get_concrete_function(*batch())
    ways = {
        "tf.function": lambda: rate(lambda: train(*batch()), steps),
        "its concrete function": lambda: rate(lambda: traced(*batch()), steps),
    }
    if hasattr(twin, "train_batches"):

        def loop():
            # The same pictures in the same order as INSIDE calls give.
            xs, ys = data.next_batch(INSIDE * module.BATCH_SIZE)
            xs, ys = xs.reshape(INSIDE, module.BATCH_SIZE, -1), ys.reshape(INSIDE, module.BATCH_SIZE, -1)
            twin.train_batches(tf.constant(xs), tf.constant(ys, tf.float32))

        ways["loop inside tf.function"] = lambda: INSIDE * rate(loop, steps // INSIDE)
    return ways


def keras_way(name, module, data, steps):
    """Keras 3's fit, compiled as Keras does by default, on as many pictures as the other ways see."""
    model = keras_softmax(module) if name == "mnist.softmax" else keras_lenet5(module)
    count = steps * module.BATCH_SIZE
    images, labels = data.images[:count], data.labels[:count].astype(np.float32)

    def fit():
        began = time.perf_counter()
        model.fit(images, labels, batch_size=module.BATCH_SIZE, epochs=1, shuffle=True, verbose=0)
        return len(images) / module.BATCH_SIZE / (time.perf_counter() - began)

    return fit


def keras_softmax(module):
    """784 to 10 logits, gradient descent at the same rate."""
    import keras

    model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, kernel_initializer="zeros")])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(module.MEAN_RATE), loss)
    return model


def keras_lenet5(module):
    """The same layers, penalties, decaying rate and moving averages."""
    import keras
    from keras import layers

    def start(seed):
        return keras.initializers.TruncatedNormal(stddev=module.WEIGHT_DEVIATION, seed=seed)

    def l2():
        return keras.regularizers.L2(module.REGULARIZATION_RATE / 2)  # Keras' L2 does not halve the sum of squares

    bias = keras.initializers.Constant(module.FC_BIAS)
    conv = {"padding": "same", "activation": "relu"}
    model = keras.Sequential(
        [
            keras.Input((module.IMAGE_SIZE, module.IMAGE_SIZE, module.NUM_CHANNELS)),
            layers.Conv2D(module.CONV1_DEEP, module.CONV_SIZE, kernel_initializer=start(1), **conv),
            layers.MaxPooling2D(),
            layers.Conv2D(module.CONV2_DEEP, module.CONV_SIZE, kernel_initializer=start(2), **conv),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(
                module.FC_SIZE,
                activation="relu",
                kernel_initializer=start(3),
                bias_initializer=bias,
                kernel_regularizer=l2(),
            ),
            layers.Dense(
                module.NUM_LABELS, kernel_initializer=start(4), bias_initializer=bias, kernel_regularizer=l2()
            ),
        ]
    )
    schedule = keras.optimizers.schedules.ExponentialDecay(
        module.LEARNING_RATE_BASE, int(module.DECAY_STEPS), module.LEARNING_RATE_DECAY, staircase=True
    )
    optimizer = keras.optimizers.SGD(schedule, use_ema=True, ema_momentum=module.MOVING_AVERAGE_DECAY)
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True))
    return model
