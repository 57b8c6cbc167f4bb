"""With which constants the tests run an example, and which examples are too long for them at full length.

The negative controls change one float constant by 1 % and ask whether a few steps show it.
"""

# `scripts/test` runs these in a smaller network only, where 1 % shows, too; `scripts/test --all` at full size as well.
SMALL = {
    "convnets.alexnet8": {"UNITS": (64, 64)},
    "convnets.cifar10": {"BATCH_SIZE": 16, "MIN_FRACTION_IN_QUEUE": 0.002, "NUM_EXAMPLES": 32, "SUMMARY_EVERY": 0},
    "convnets.inception10": {"BLOCKS": ((4, 2), (4, 1), (8, 2)), "INITIAL_CHANNELS": 4},
    "convnets.resnet18": {"GROUPS": ((8, 2, 1), (8, 1, 2), (16, 1, 2))},
    "convnets.vgg16": {"BLOCKS": ((8, 1), (8, 1), (16, 1), (16, 1), (16, 1)), "UNITS": (32, 32)},
    "distributed.async_mnist": {"BATCH_SIZE": 50, "CONV1_DEEP": 4, "CONV2_DEEP": 8, "FC_SIZE": 32},
    "mnist.deep_cnn": {"BATCH_SIZE": 10, "CONV1_DEEP": 4, "CONV2_DEEP": 8, "DENSE": 32},
    "mnist.lenet5": {"BATCH_SIZE": 20, "CONV1_DEEP": 4, "CONV2_DEEP": 8, "FC_SIZE": 32},
    "mnist.lenet5_relu6": {"BATCH_SIZE": 50, "CONV1_DEEP": 4, "CONV2_DEEP": 8, "FC_SIZE": 32},
    "mnist.resume": {"HIDDEN_NODE": 8},
    "sequences.mnist_lstm": {"HIDDEN_SIZE": 8, "NUM_LAYERS": 2, "BATCH_SIZE": 16},
    "sequences.ptb_lm": {"HIDDEN_SIZE": 16, "TRAIN_NUM_STEP": 7},
    "sequences.sine_dense": {"EVALUATION_EPOCHS": 2},
    "sequences.sine_linear": {"EVALUATION_EPOCHS": 2},
    "sequences.sine_lstm_estimator": {"EVALUATION_EPOCHS": 2},
    "sequences.stock": {"DAYS_IN": 8, "BATCH_SIZE": 16, "TEST_DAYS": 30},
    "towers.mnist_towers": {"JOINED_BATCH": 30, "CONV1_DEEP": 4, "CONV2_DEEP": 4, "NODES": 196},
}

# Compared in the small network only: at full size each half fills a queue with 20,000 pictures, for half a minute.
SMALL_ONLY = {"convnets.cifar10"}

# The control of one constant also needs these others, because a few steps do not show it otherwise.
CONTROL = {
    "convnets.cifar10": {  # the rate falls every 136,718 steps; the average's decay counts from step 89,990
        "LEARNING_RATE_DECAY_FACTOR": {"NUM_EPOCHS_PER_DECAY": 0.00319},
        "NUM_EPOCHS_PER_DECAY": {"NUM_EPOCHS_PER_DECAY": 0.00319},
        "MOVING_AVERAGE_DECAY": {"MOVING_AVERAGE_DECAY": 0.5},
    },
    "distributed.async_mnist": {"LEARNING_RATE_DECAY": {"DECAY_STEPS": 5}},
    "images.boxes": {"MIN_OBJECT_COVERED": {"MIN_OBJECT_COVERED": 0.9, "DRAWS": 200}},  # nearly every draw meets 0.1
    "images.colors": {
        "SATURATION": {"SATURATION": 0.4},  # every negative factor gives the same gray
        "MAX_HUE": {"MAX_HUE": 0.4},  # more than 0.5 is refused
    },
    "iris.iris_optimizers": {"EPSILON": {"EPSILON": 0.01}},
    "mnist.lenet5": {  # dropout is off; the average's decay counts from step 891; the rate falls at 550
        "KEEP_PROB": {"DROPOUT": True},
        "MOVING_AVERAGE_DECAY": {"MOVING_AVERAGE_DECAY": 0.5},
        "LEARNING_RATE_DECAY": {"TRAIN_EXAMPLES": 100},
    },
    "mnist.lenet5_relu6": {"LEARNING_RATE_DECAY": {"DECAY_STEPS": 5}},  # the rate falls after 5000 steps
    # With num_updates the average's decay is (1 + n) / (10 + n) until that passes .99, at step 891.
    "mnist.mlp_ema": {"MOVING_AVERAGE_DECAY": {"MOVING_AVERAGE_DECAY": 0.5}},
    "mnist.mlp_l2": {"LEARNING_RATE_DECAY": {"DECAY_STEPS": 5}},  # the rate falls after 5000 steps
    "mnist.train_and_eval": {"MOVING_AVERAGE_DECAY": {"MOVING_AVERAGE_DECAY": 0.5}},
    "regression.linear_network": {"THRESHOLD": {"THRESHOLD": 0.499}},  # two points have .5, and none is near .6
    "towers.mnist_towers": {"LEARNING_RATE_DECAY": {"DECAY_STEPS": 1}},
    "sequences.letters": {"EPSILON": {"EPSILON": 0.01}},
    "sequences.stock": {"EPSILON": {"EPSILON": 0.01}},
    "transfer.bottleneck": {  # only a graph that takes pictures uses these: the small one does, from its tensor Mul on
        "INPUT_MEAN": {"JPEG_DATA_TENSOR_NAME": "Mul:0"},
        "INPUT_STD": {"JPEG_DATA_TENSOR_NAME": "Mul:0"},
    },
    "transfer.inception_features": {
        "INPUT_MEAN": {"JPEG_DATA_TENSOR_NAME": "Mul:0"},
        "INPUT_STD": {"JPEG_DATA_TENSOR_NAME": "Mul:0"},
        "DECAY_RATE": {"DECAY_STEPS": 10},
    },
}

# At the source's own number of steps these take half a minute and more, and are for `scripts/test --all`.
MINUTES = {
    "mnist.augmentation",
    "mnist.dense128",
    "mnist.fully_connected_feed",
    "mnist.mlp_ema",
    "mnist.own_images",
    "mnist.predict_digit",
    "mnist.resume",
    "regression.circle",
    "regression.quadratic",
    "sequences.mnist_lstm",
    "sequences.sine_dense",
    "sequences.sine_linear",
    "sequences.sine_lstm_estimator",
    "towers.cifar10_towers",
    "transfer.bottleneck",
    "unsupervised.autoencoder",
    "unsupervised.rbm",
}

# These take many minutes; those with convolutions do, too.
LONG = {
    "mnist.mlp_l2",
    "mnist.train_and_eval",
    "sequences.ptb_lm",
    "sequences.stock",
    "transfer.inception_features",
}


def constants(name, constant=None):
    """Returns {constant: value} for both runs of `name` in the control of `constant`, or of any other for None."""
    return {**SMALL.get(name, {}), **CONTROL.get(name, {}).get(constant, {})}
