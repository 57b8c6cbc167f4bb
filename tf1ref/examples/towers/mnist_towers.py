"""LeNet-5 in three towers, trained in step: one tower a device

Source: S0 2022-2327
TF1: a name scope a tower, get_variable with reuse, a collection of losses filtered by scope, average_gradients.
Now: the towers are calls of one object under tf.device; each has its own tape.
Errata: S0's average_gradients returns inside its loop, so that only the first of the eight variables is ever trained.
    S0 feeds every tower the same batch, so that three towers do what one does. Here each tower takes its share, and 500
    becomes 510, which three can share. S0's reshape takes one batch size only. Its rate of .99, its weights of
    deviation 1 and relu6 on its logits make it diverge. Here these are .02, .1 and no activation. S0 says itself that
    it was never run. (x_train - 255) / 255 wraps uint8 to (x + 1) % 256 / 255 (see mnist/_pixels.py). This program does
    the same.
See: Krizhevsky, One Weird Trick for Parallelizing Convolutional Neural Networks, arXiv:1404.5997
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_least, at_most
from tf1ref.data import mnist
from tf1ref.examples.mnist._pixels import less_255
from tf1ref.examples.towers.cifar10_towers import make_logical_devices
from tf1ref.modules import optimizers, schedules

SEED = 1
STEPS = 1000
DEVICES = ("/cpu:0", "/cpu:1", "/cpu:2")  # logical devices, one for each tower; in the source "/gpu:0" to "/gpu:2"
JOINED_BATCH = 510
CONV1_DEEP = 32
CONV2_DEEP = 64
CONV_SIZE = 5
FC_SIZE = 512
NODES = 3136
WEIGHT_DEVIATION = 0.1
L2_RATE = 0.00005
LEARNING_RATE = 0.02
LEARNING_RATE_DECAY = 0.9
DECAY_STEPS = 5000
# This many steps lie between two comparisons with one device. S0 prints the loss as often.
COMPARE_EVERY = 100

EXPECTED = {
    "compared/loss_difference": at_most(2e-6),  # compared with one device on the joined batch, with the same weights
    "compared/weights_difference": at_most(1e-6),  # after the step
    "final/test_accuracy": at_least(0.97),  # S0 prints no figure; a single LeNet of S0 passes .97
}


def add_layer_variables(names, shape, bias_shape, seed):
    """Adds a layer's weights and biases, and the weights' L2 loss to the collection `losses`."""
    start = v1.truncated_normal_initializer(stddev=WEIGHT_DEVIATION, seed=seed)
    weights = v1.get_variable(names[0], shape, initializer=start)
    v1.add_to_collection("losses", L2_RATE * v1.reduce_sum(v1.square(weights)))
    start = v1.truncated_normal_initializer(stddev=WEIGHT_DEVIATION, seed=seed + 10)
    return weights, v1.get_variable(names[1], bias_shape, initializer=start)


def add_cnn_layer(inputs, depth, seed):
    """Adds a 5 x 5 convolution, relu6 and 2 x 2 max pooling: (n, h, w, c) to (n, h / 2, w / 2, depth)."""
    names, shape = ("filter_weight", "biases"), [CONV_SIZE, CONV_SIZE, inputs.shape[3], depth]
    weights, biases = add_layer_variables(names, shape, [depth], seed)
    conv = v1.nn.conv2d(inputs, weights, strides=[1, 1, 1, 1], padding="SAME")
    z_out = v1.nn.relu6(v1.nn.bias_add(conv, biases))
    return v1.nn.max_pool(z_out, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")


def add_layer(inputs, out_size, seed):
    """Adds inputs * weights + biases."""
    names, shape = ("f_weighs", "f_bais"), [inputs.shape[1], out_size]
    weights, biases = add_layer_variables(names, shape, [1, out_size], seed)
    return v1.matmul(inputs, weights) + biases


def inference(x):
    """Adds the network, from (n, 28, 28, 1) to logits (n, 10). With reuse it uses the same variables again."""
    with v1.variable_scope("cnn1"):
        out_2 = add_cnn_layer(x, CONV1_DEEP, 1)
    with v1.variable_scope("cnn3"):
        out_4 = add_cnn_layer(out_2, CONV2_DEEP, 2)
    with v1.variable_scope("f1"):
        out_5 = v1.nn.relu6(add_layer(v1.reshape(out_4, [-1, NODES]), FC_SIZE, 3))  # -> (n, 512)
    with v1.variable_scope("f2"):
        return add_layer(out_5, 10, 4)


def tower_loss(scope, x, y_):
    """Adds one tower's network and loss. From the collection `losses` it takes those of its own name scope."""
    cross_entropy = v1.nn.softmax_cross_entropy_with_logits_v2(labels=y_, logits=inference(x))
    return v1.add_n([v1.reduce_mean(cross_entropy), *v1.get_collection("losses", scope)])


def average_gradients(tower_grads):
    """Adds the mean over the towers: [[(gradient, variable)]] to [(gradient, variable)], for every variable."""
    average_grads = []
    for grad_and_vars in zip(*tower_grads):
        grads = v1.stack([grad for grad, _ in grad_and_vars])  # (towers, *shape of the variable)
        average_grads.append((v1.reduce_mean(grads, 0), grad_and_vars[0][1]))
    return average_grads


def build_towers(x, y_, optimizer):
    """Adds a tower on each device, for its share of the batch. Returns their losses and averaged gradients."""
    all_loss, all_grads = [], []
    shares = zip(DEVICES, v1.split(x, len(DEVICES)), v1.split(y_, len(DEVICES)))
    for i, (device, x_share, y_share) in enumerate(shares):
        variables = v1.variable_scope(v1.get_variable_scope(), reuse=i > 0)
        with v1.device(device), v1.name_scope(f"gpu_{i}") as scope, variables:
            all_loss.append(tower_loss(scope, x_share, y_share))
            all_grads.append(optimizer.compute_gradients(all_loss[-1]))
    return all_loss, average_gradients(all_grads)


def build_graph():
    """Adds the towers, the step on their averaged gradients, and one device on the joined batch for comparison."""
    with v1.device("/cpu:0"):
        global_step = v1.train.get_or_create_global_step()
        x = v1.placeholder(v1.float32, [None, 28, 28, 1], name="x")
        y_ = v1.placeholder(v1.float32, [None, 10], name="y_")
        args = LEARNING_RATE, global_step, DECAY_STEPS, LEARNING_RATE_DECAY
        optimizer = v1.train.GradientDescentOptimizer(v1.train.exponential_decay(*args, staircase=True))
        losses, pairs = build_towers(x, y_, optimizer)
        train_op = optimizer.apply_gradients(pairs, global_step=global_step)
        with v1.variable_scope(v1.get_variable_scope(), reuse=True), v1.name_scope("joined") as scope:
            joined_loss = tower_loss(scope, x, y_)
            joined = v1.gradients(joined_loss, v1.trainable_variables())
            y = v1.identity(inference(x), name="y")
        correct = v1.equal(v1.argmax(y, 1), v1.argmax(y_, 1))
        accuracy = v1.reduce_mean(v1.cast(correct, v1.float32), name="accuracy")
    averaged = [gradient for gradient, _ in pairs]
    row = {"losses": losses, "averaged": averaged, "joined_loss": joined_loss, "joined": joined}
    return {"x": x, "y_": y_, "y": y, "losses": losses, "train": train_op, "accuracy": accuracy, "row": row}


def compared(rows, names):
    """Returns the trace of rows {losses, averaged (gradients), joined_loss, joined (gradients)}.

    It has the distances between the towers and the one device.
    """
    rates = [LEARNING_RATE * LEARNING_RATE_DECAY ** (i * COMPARE_EVERY // DECAY_STEPS) for i in range(len(rows))]
    apart = [max(np.abs(a - b).max() for a, b in zip(row["averaged"], row["joined"])) for row in rows]
    joined = np.array([row["joined_loss"] for row in rows])
    return {
        "compared/joined_loss": joined,
        "compared/loss_difference": np.abs(np.mean([row["losses"] for row in rows], axis=1) - joined),
        "compared/weights_difference": np.array(rates) * np.array(apart),
        **{f"gradient/{name}": gradient for name, gradient in zip(names, rows[0]["averaged"])},
    }


def parts_of(data):
    """Yields pictures and labels of the test set in parts that are small enough for one run."""
    for i in range(0, data.num_examples, 1000):
        yield less_255(data.images[i : i + 1000]), data.labels[i : i + 1000]


def run_graph(steps=STEPS):
    """Trains the towers. Every COMPARE_EVERY steps one device computes the same step beside them."""
    data, rows, losses = mnist.read_data_sets(one_hot=True, dtype=np.uint8, reshape=False, seed=SEED), [], []
    # device_count makes several logical CPUs of a session's CPU.
    config = v1.ConfigProto(device_count={"CPU": len(set(DEVICES))}, allow_soft_placement=True)
    with v1.Graph().as_default(), v1.Session(config=config) as sess:
        v1.set_random_seed(SEED)
        graph = build_graph()
        variables = {v.op.name: v for v in v1.global_variables()}
        sess.run(v1.global_variables_initializer())
        trace = {f"initial/{k}": v for k, v in sess.run(variables).items()}
        bar = console.steps(steps)
        for i in bar:
            xs, ys = data.train.next_batch(JOINED_BATCH)
            feed = {graph["x"]: less_255(xs), graph["y_"]: ys}
            if i % COMPARE_EVERY == 0:
                rows.append(sess.run(graph["row"], feed))
            losses.append(sess.run([graph["train"], graph["losses"]], feed)[1])
            bar.show(loss=np.mean(losses[-1]))
        trace.update({f"final/{k}": v for k, v in sess.run(variables).items()})
        feeds = [{graph["x"]: images, graph["y_"]: labels} for images, labels in parts_of(data.test)]
        trace["final/test_accuracy"] = np.mean([sess.run(graph["accuracy"], feed) for feed in feeds])
        trace.update(compared(rows, [v.op.name for v in v1.trainable_variables()]))
    return {**trace, "steps/losses": np.array(losses)}


class LeNet5(tf.Module):
    """The same eight variables, and a step that calls the network on every device."""

    def __init__(self):
        super().__init__()

        def layer(scope, names, shape, bias_shape, seed):
            weights = tf.random.truncated_normal(shape, stddev=WEIGHT_DEVIATION, seed=seed)
            biases = tf.random.truncated_normal(bias_shape, stddev=WEIGHT_DEVIATION, seed=seed + 10)
            values = zip(names, (weights, biases))
            return tuple(tf.Variable(value, name=f"{scope}/{name}") for name, value in values)

        conv, full = ("filter_weight", "biases"), ("f_weighs", "f_bais")
        self.conv1 = layer("cnn1", conv, [CONV_SIZE, CONV_SIZE, 1, CONV1_DEEP], [CONV1_DEEP], 1)
        self.conv3 = layer("cnn3", conv, [CONV_SIZE, CONV_SIZE, CONV1_DEEP, CONV2_DEEP], [CONV2_DEEP], 2)
        self.f1 = layer("f1", full, [NODES, FC_SIZE], [1, FC_SIZE], 3)
        self.f2 = layer("f2", full, [FC_SIZE, 10], [1, 10], 4)
        self.all = [*self.conv1, *self.conv3, *self.f1, *self.f2]
        self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False, name="global_step")
        self.optimizer = optimizers.GradientDescent(self.learning_rate)

    def learning_rate(self):
        """Returns the rate at the present step."""
        args = LEARNING_RATE, self.global_step, DECAY_STEPS, LEARNING_RATE_DECAY
        return schedules.exponential_decay(*args, staircase=True)

    def variables_by_name(self):
        """Returns {name: variable} of what the graph's Saver would save."""
        return {v.name.partition(":")[0]: v for v in [self.global_step, *self.all]}

    def logits(self, x):
        """Turns (n, 28, 28, 1) into (n, 10)."""
        for weights, biases in (self.conv1, self.conv3):
            conv = tf.nn.conv2d(x, weights, strides=[1, 1, 1, 1], padding="SAME")
            z_out = tf.nn.relu6(tf.nn.bias_add(conv, biases))
            x = tf.nn.max_pool(z_out, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")
        hidden = tf.nn.relu6(tf.matmul(tf.reshape(x, [-1, NODES]), self.f1[0]) + self.f1[1])  # -> (n, 512)
        return tf.matmul(hidden, self.f2[0]) + self.f2[1]

    def loss_and_gradients(self, x, y_):
        """Returns the loss and the gradients of one tower, or of one device on the joined batch."""
        with tf.GradientTape() as tape:
            cross_entropy = tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=self.logits(x))
            weights = (self.conv1[0], self.conv3[0], self.f1[0], self.f2[0])
            penalties = [L2_RATE * tf.reduce_sum(tf.square(each)) for each in weights]
            loss = tf.add_n([tf.reduce_mean(cross_entropy), *penalties])
        return loss, tape.gradient(loss, self.all)

    def towers(self, x, y_):
        """Returns each tower's loss, and their averaged gradients."""
        losses, gradients = [], []
        shares = zip(DEVICES, tf.split(x, len(DEVICES)), tf.split(y_, len(DEVICES)))
        for i, (device, *share) in enumerate(shares):
            # The scope is needed. The graph optimizer sorts add_n's terms by name, mul_10 before mul_8. Without
            # scopes, the many penalties of three towers would be added in another order than in the graph half.
            with tf.device(device), tf.name_scope(f"gpu_{i}"):
                loss, of_tower = self.loss_and_gradients(*share)
            losses.append(loss)
            gradients.append(of_tower)
        return losses, [tf.reduce_mean(tf.stack(each), 0) for each in zip(*gradients)]

    @tf.function
    def train(self, x, y_):
        """Makes one step. Returns the towers' losses before it."""
        losses, gradients = self.towers(x, y_)
        self.optimizer.apply(zip(gradients, self.all), self.global_step)
        return losses

    @tf.function
    def compare(self, x, y_):
        """Returns what the towers and one device compute for the same batch."""
        losses, averaged = self.towers(x, y_)
        with tf.name_scope("joined"):
            joined_loss, joined = self.loss_and_gradients(x, y_)
        return {"losses": losses, "averaged": averaged, "joined_loss": joined_loss, "joined": joined}

    @tf.function
    def accuracy(self, x, y_):
        """Returns the share of right answers."""
        correct = tf.equal(tf.argmax(self.logits(x), 1), tf.argmax(y_, 1))
        return tf.reduce_mean(tf.cast(correct, tf.float32))


def run_function(steps=STEPS):
    """The same towers on the same batches."""
    make_logical_devices(len(DEVICES))
    tf.random.set_seed(SEED)
    data, rows, losses = mnist.read_data_sets(one_hot=True, dtype=np.uint8, reshape=False, seed=SEED), [], []
    network = LeNet5()
    variables = network.variables_by_name()
    trace = {f"initial/{k}": v.numpy() for k, v in variables.items()}
    bar = console.steps(steps)
    for i in bar:
        xs, ys = data.train.next_batch(JOINED_BATCH)
        batch = tf.constant(less_255(xs)), tf.constant(ys, tf.float32)
        if i % COMPARE_EVERY == 0:
            rows.append(tf.nest.map_structure(lambda tensor: tensor.numpy(), network.compare(*batch)))
        losses.append([loss.numpy() for loss in network.train(*batch)])
        bar.show(loss=np.mean(losses[-1]))
    trace.update({f"final/{k}": v.numpy() for k, v in variables.items()})
    pairs = [(tf.constant(images), tf.constant(labels, tf.float32)) for images, labels in parts_of(data.test)]
    trace["final/test_accuracy"] = np.mean([network.accuracy(*pair).numpy() for pair in pairs])
    trace.update(compared(rows, [v.name.partition(":")[0] for v in network.all]))
    return {**trace, "steps/losses": np.array(losses)}
