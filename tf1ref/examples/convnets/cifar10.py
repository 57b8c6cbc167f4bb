"""The CIFAR-10 tutorial: queues, LRN network, averages, evaluator

Source: S1 743-872
TF1: inference -> loss -> train; losses gather in a collection; files reach conv2d through queues, without feeding; an
    evaluator of its own follows the checkpoints and restores the averages in place of the weights.
Now: the same steps as methods; tf.data reads, a queue shuffles, the penalties are a list that is returned.
Errata: S1 counts 19.5M multiply-adds; there are 18.5M, of which conv2 alone has 14.7M. S1's 86 % take hours on a GPU:
    TensorFlow's program needed 100,000 steps. STEPS takes a CPU minutes, and 10,000 lead to .8151 on the real files
    (2026-11-30). S1's 16 threads made every run different (see _cifar10_input.py). Its evaluator took 79 whole batches,
    and so 112 pictures of 10,000 twice; here each counts once. The standardization undoes the random brightness, and
    the random contrast except for the channels' means. So crop and flip are the distortions that have an effect.
See: https://www.cs.toronto.edu/~kriz/cifar.html
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import tempfile

import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref.catalog.figures import at_least, exactly
from tf1ref.data import cifar10 as data
from tf1ref.examples.convnets import _cifar10_input as pictures
from tf1ref.examples.convnets import _cifar10_precision as evaluation
from tf1ref.examples.convnets import _cifar10_train as training
from tf1ref.modules import optimizers, schedules
from tf1ref.modules.moving_average import ExponentialMovingAverage

SEED = 1
STEPS = 2000
BATCH_SIZE = 128
IMAGE_SIZE = 24
NUM_CLASSES = 10
EXAMPLES_PER_EPOCH = 50000
NUM_EXAMPLES = 10000  # number of pictures to evaluate
MIN_FRACTION_IN_QUEUE = 0.4
MAX_BRIGHTNESS = 63.0
CONTRAST_LOWER = 0.2
CONTRAST_UPPER = 1.8
CONV_DEVIATION = 0.05
LOCAL_DEVIATION = 0.04
BIAS_START = 0.1
WEIGHT_DECAY = 0.004
LRN_RADIUS = 4
LRN_BIAS = 1.0
LRN_ALPHA = 0.001
LRN_BETA = 0.75
INITIAL_LEARNING_RATE = 0.1
LEARNING_RATE_DECAY_FACTOR = 0.1
NUM_EPOCHS_PER_DECAY = 350.0
MOVING_AVERAGE_DECAY = 0.9999
LOSS_AVERAGE_DECAY = 0.9
LOG_EVERY = 10
SUMMARY_EVERY = 100
CHECKPOINT_EVERY = 1000

DECAY_STEPS = int(EXAMPLES_PER_EPOCH / BATCH_SIZE * NUM_EPOCHS_PER_DECAY)
NODES = (IMAGE_SIZE // 4) ** 2 * 64
LAYERS = ("conv1", "conv2", "local3", "local4", "softmax_linear")
CONTRAST = CONTRAST_LOWER, CONTRAST_UPPER
MIN_QUEUE = int(EXAMPLES_PER_EPOCH * MIN_FRACTION_IN_QUEUE)
DISTORTION = pictures.Distortion(IMAGE_SIZE, MAX_BRIGHTNESS, CONTRAST, BATCH_SIZE, MIN_QUEUE)
SCHEDULE = training.Schedule(LOG_EVERY, SUMMARY_EVERY, CHECKPOINT_EVERY)

EXPECTED = {"parameters": exactly(1068298), "final/precision_at_1": at_least(0.45)}


def variables(shape, deviation, seed, bias_start, weight_decay=None):
    """Adds weights and biases to the current scope, on the CPU. `weight_decay` adds a penalty to "losses"."""
    with v1.device("/cpu:0"):
        start = v1.truncated_normal_initializer(stddev=deviation, seed=seed)
        weights = v1.get_variable("weights", shape, initializer=start)
        biases = v1.get_variable("biases", shape[-1:], initializer=v1.constant_initializer(bias_start))
    if weight_decay:
        v1.add_to_collection("losses", v1.multiply(v1.nn.l2_loss(weights), weight_decay, name="weight_loss"))
    return weights, biases


def activation_summary(layer, name):
    """Adds a histogram of the activations and their sparsity, the share of zeros."""
    sparsity = v1.nn.zero_fraction(layer)
    v1.summary.histogram(f"{name}/activations", layer)
    v1.summary.scalar(f"{name}/sparsity", sparsity)
    v1.add_to_collection("sparsities", sparsity)
    return layer


def convolution(x, name, depth, seed, bias_start):
    """Adds a convolution of 5 x 5 with its activation."""
    with v1.variable_scope(name) as scope:
        weights, biases = variables([5, 5, x.shape[-1], depth], CONV_DEVIATION, seed, bias_start)
        conv = v1.nn.conv2d(x, weights, [1, 1, 1, 1], padding="SAME")
        layer = v1.nn.relu(v1.nn.bias_add(conv, biases), name=scope.name)
    return activation_summary(layer, name)


def local(x, name, units, seed):
    """Adds a fully connected layer with weight decay and its activation."""
    with v1.variable_scope(name) as scope:
        weights, biases = variables([x.shape[-1], units], LOCAL_DEVIATION, seed, BIAS_START, WEIGHT_DECAY)
        layer = v1.nn.relu(v1.matmul(x, weights) + biases, name=scope.name)
    return activation_summary(layer, name)


def inference(images):
    """Adds the network: float32 (n, 24, 24, 3) to logits (n, 10), before softmax."""
    alpha = LRN_ALPHA / (2 * LRN_RADIUS + 1)
    conv1 = convolution(images, "conv1", 64, 1, 0.0)
    pool1 = v1.nn.max_pool(conv1, [1, 3, 3, 1], [1, 2, 2, 1], padding="SAME", name="pool1")
    norm1 = v1.nn.lrn(pool1, LRN_RADIUS, bias=LRN_BIAS, alpha=alpha, beta=LRN_BETA, name="norm1")
    conv2 = convolution(norm1, "conv2", 64, 2, BIAS_START)
    norm2 = v1.nn.lrn(conv2, LRN_RADIUS, bias=LRN_BIAS, alpha=alpha, beta=LRN_BETA, name="norm2")
    pool2 = v1.nn.max_pool(norm2, [1, 3, 3, 1], [1, 2, 2, 1], padding="SAME", name="pool2")
    local3 = local(v1.reshape(pool2, [-1, NODES]), "local3", 384, 3)  # (n, 6, 6, 64) -> (n, 2304) -> (n, 384)
    local4 = local(local3, "local4", 192, 4)
    with v1.variable_scope("softmax_linear") as scope:
        weights, biases = variables([192, NUM_CLASSES], 1 / 192, 5, 0.0)
        softmax_linear = v1.add(v1.matmul(local4, weights), biases, name=scope.name)
    return activation_summary(softmax_linear, "softmax_linear")


def add_loss(logits, labels, scope=None):
    """Adds the cross entropy to "losses" and returns the sum of those losses that lie in `scope`."""
    cross_entropy = v1.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=labels)
    v1.add_to_collection("losses", v1.reduce_mean(cross_entropy, name="cross_entropy"))
    return v1.add_n(v1.get_collection("losses", scope), name="total_loss")


def build_graph():
    """Adds what evaluation and serving need to the default graph: pictures in, logits and top_k out."""
    images = v1.placeholder(v1.float32, [None, IMAGE_SIZE, IMAGE_SIZE, 3], name="images")
    labels = v1.placeholder(v1.int32, [None], name="labels")
    logits = v1.identity(inference(images), name="logits")
    return {"images": images, "labels": labels, "logits": logits, "top_k": v1.nn.in_top_k(logits, labels, 1)}


def build_training(files):
    """Adds input queues, the network on their batches, its losses with their averages, the step and the averages."""
    images, labels, queued = pictures.distorted_inputs(files, DISTORTION)
    total_loss = add_loss(inference(images), labels)
    global_step = v1.train.get_or_create_global_step()
    losses = [*v1.get_collection("losses"), total_loss]
    loss_averages = v1.train.ExponentialMovingAverage(LOSS_AVERAGE_DECAY, name="avg")
    # The sum comes first: AddN begins with a term for which nothing else waits, and otherwise its last bit would
    # depend on a race.
    with v1.control_dependencies([total_loss]):
        # The averages start from 0, so the first few are too low.
        loss_averages_op = loss_averages.apply(losses)
    for loss in losses:
        v1.summary.scalar(f"{loss.op.name}_raw", loss)
        v1.summary.scalar(f"{loss.op.name}_average", loss_averages.average(loss))
    schedule = INITIAL_LEARNING_RATE, global_step, DECAY_STEPS, LEARNING_RATE_DECAY_FACTOR
    rate = v1.train.exponential_decay(*schedule, staircase=True)
    v1.summary.scalar("learning_rate", rate)
    optimizer = v1.train.GradientDescentOptimizer(rate)
    with v1.control_dependencies([loss_averages_op]):
        gradients = optimizer.compute_gradients(total_loss)
    for gradient, variable in gradients:
        # The variable has taken the plain name.
        v1.summary.histogram(f"{variable.op.name}/values", variable)
        v1.summary.histogram(f"{variable.op.name}/gradients", gradient)
    apply_gradients = optimizer.apply_gradients(gradients, global_step=global_step)
    averages = v1.train.ExponentialMovingAverage(MOVING_AVERAGE_DECAY, global_step)
    with v1.control_dependencies([apply_gradients]):
        train_op = averages.apply(v1.trainable_variables())
    sparsities = zip(LAYERS, v1.get_collection("sparsities"))
    return {
        "queued": queued,
        "capacity": DISTORTION.capacity,
        "train": train_op,
        "shown": {"loss": total_loss, "learning_rate": rate, "labels": labels, **dict(sparsities)},
        "first": {"images": images, **{f"gradient/{v.op.name}": gradient for gradient, v in gradients}},
        "summary": v1.summary.merge_all(),
    }


def run_graph(steps=STEPS, out=None):
    """Only the checkpoints pass from the training to its evaluator. Either could be a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        train_files, test_file = data.binary_files(scratch)
        log = training.Log(steps, SCHEDULE, BATCH_SIZE)
        trace = training.train_graph(lambda: build_training(train_files), log, out or scratch, SEED)
        evaluators = evaluation.graph_evaluators(test_file, inference, BATCH_SIZE, IMAGE_SIZE, NUM_EXAMPLES)
        return {**trace, **evaluation.figures_graph(*evaluators, out or scratch, steps)}


class Network(tf.Module):
    """The ten variables, named as in the graph, and what is computed of them."""

    def __init__(self):
        super().__init__()

        def layer(name, shape, deviation, seed, bias_start):
            start = tf.random.truncated_normal(shape, stddev=deviation, seed=seed)
            weights = tf.Variable(start, name=f"{name}/weights")
            return weights, tf.Variable(tf.fill(shape[-1:], bias_start), name=f"{name}/biases")

        self.conv1 = layer("conv1", [5, 5, 3, 64], CONV_DEVIATION, 1, 0.0)
        self.conv2 = layer("conv2", [5, 5, 64, 64], CONV_DEVIATION, 2, BIAS_START)
        self.local3 = layer("local3", [NODES, 384], LOCAL_DEVIATION, 3, BIAS_START)
        self.local4 = layer("local4", [384, 192], LOCAL_DEVIATION, 4, BIAS_START)
        self.softmax_linear = layer("softmax_linear", [192, NUM_CLASSES], 1 / 192, 5, 0.0)
        self.all = [*self.conv1, *self.conv2, *self.local3, *self.local4, *self.softmax_linear]

    @staticmethod
    def lrn(x):
        """Computes local response normalization."""
        return tf.nn.lrn(x, LRN_RADIUS, bias=LRN_BIAS, alpha=LRN_ALPHA / (2 * LRN_RADIUS + 1), beta=LRN_BETA)

    def activations(self, images):
        """Returns every layer's output, in the order of LAYERS: the last one is the logits."""

        def convolution(x, weights, biases):
            return tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, weights, [1, 1, 1, 1], padding="SAME"), biases))

        def pool(x):
            return tf.nn.max_pool(x, [1, 3, 3, 1], [1, 2, 2, 1], padding="SAME")

        conv1 = convolution(images, *self.conv1)
        conv2 = convolution(self.lrn(pool(conv1)), *self.conv2)
        flat = tf.reshape(pool(self.lrn(conv2)), [-1, NODES])  # (n, 6, 6, 64) -> (n, 2304)
        local3 = tf.nn.relu(tf.matmul(flat, self.local3[0]) + self.local3[1])
        local4 = tf.nn.relu(tf.matmul(local3, self.local4[0]) + self.local4[1])
        logits = tf.add(tf.matmul(local4, self.softmax_linear[0]), self.softmax_linear[1])
        return conv1, conv2, local3, local4, logits

    def logits(self, images):
        """Turns (n, 24, 24, 3) into (n, 10)."""
        return self.activations(images)[-1]

    def losses(self, logits, labels):
        """Returns the penalties, the cross entropy and, last, their sum; the graph's names."""
        cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=labels)
        losses = [tf.multiply(tf.nn.l2_loss(w), WEIGHT_DECAY) for w, _ in (self.local3, self.local4)]
        losses.append(tf.reduce_mean(cross_entropy))
        return [*losses, tf.add_n(losses)]


class Training(tf.Module):
    """A network, the averages of its weights and losses, the step counter and the optimizer."""

    LOSSES = ("local3/weight_loss", "local4/weight_loss", "cross_entropy", "total_loss")

    def __init__(self):
        super().__init__()
        self.network = Network()
        self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="global_step")
        self.averages = ExponentialMovingAverage(MOVING_AVERAGE_DECAY, self.global_step)
        self.averages.create(self.network.all)
        self.loss_averages = [tf.Variable(0.0, trainable=False, name=f"{name}/avg") for name in self.LOSSES]
        self.optimizer = optimizers.GradientDescent(self.learning_rate)

    def learning_rate(self):
        """Returns the rate at the present step."""
        schedule = INITIAL_LEARNING_RATE, self.global_step, DECAY_STEPS, LEARNING_RATE_DECAY_FACTOR
        return schedules.exponential_decay(*schedule, staircase=True)

    def variables_by_name(self):
        """Returns {name: variable} of what the graph's Saver would save."""
        own = [*self.network.all, self.global_step, *self.loss_averages]
        return {**{v.name.partition(":")[0]: v for v in own}, **self.averages.variables_by_name()}

    @tf.function
    def train(self, images, labels, summarize):
        """Makes one step, then updates the averages. Returns what every step shows, and the gradients."""
        rate, keep = self.learning_rate(), 1.0 - tf.constant(LOSS_AVERAGE_DECAY)
        with tf.GradientTape() as tape:
            layers = self.network.activations(images)
            losses = self.network.losses(layers[-1], labels)
        with tf.control_dependencies(losses[-1:]):
            for average, loss in zip(self.loss_averages, losses):
                average.assign_sub((average - loss) * keep)
        gradients = tape.gradient(losses[-1], self.network.all)
        with tf.summary.record_if(summarize):
            named_losses, pairs = zip(self.LOSSES, losses, self.loss_averages), zip(gradients, self.network.all)
            training.write_summaries(self.global_step, zip(LAYERS, layers), named_losses, rate, pairs)
        self.optimizer.apply(zip(gradients, self.network.all), self.global_step)
        self.averages.apply(self.network.all)
        sparsities = {name: tf.nn.zero_fraction(layer) for name, layer in zip(LAYERS, layers)}
        return {"loss": losses[-1], "learning_rate": rate, "labels": labels, **sparsities}, gradients


def run_function(steps=STEPS, out=None):
    """Only the checkpoints pass here, too. They have the same names as the graph's."""
    tf.random.set_seed(SEED)
    with tempfile.TemporaryDirectory() as scratch:
        train_files, test_file = data.binary_files(scratch)
        log, inputs = training.Log(steps, SCHEDULE, BATCH_SIZE), pictures.DistortedInputs(train_files, DISTORTION)
        trace = training.train_function(Training(), inputs, log, out or scratch)
        evaluators = evaluation.function_evaluators(test_file, Network, BATCH_SIZE, IMAGE_SIZE, NUM_EXAMPLES)
        return {**trace, **evaluation.figures_function(*evaluators, out or scratch, steps)}


def plot(trace):
    """Returns a figure of loss and sparsity over the steps, and ten distorted pictures of the first batch."""
    return training.picture(trace, LAYERS, [data.CLASSES[label] for label in trace["steps/labels"][0]])
