"""A language model of two LSTM layers, its state carried from batch to batch

Source: S3 4001-4168
TF1: initial_state is fed with the final_state that the run before fetched; the model is built twice, on one set of
    variables, to train in rows of 35 words and to evaluate word by word.
Now: the state is an argument and a result; one object serves both shapes.
Errata: S3 stacks one cell object twice. Both layers then share one set of variables; from TF 1.1 on it is an error.
    Here each layer has a cell of its own. S3 writes the steps out, and asks how to avoid the transpose after them.
    dynamic_rnn avoids it. Its steps draw their masks in any order, so that a seed does not determine them. Here
    DropoutWrapper keeps the steps' order.
See: Zaremba et al., Recurrent Neural Network Regularization, arXiv:1409.2329
"""

if __name__ == "__main__":
    from tf1ref.catalog import run_file

    run_file(__file__)

import itertools

import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as v1

from tf1ref import console
from tf1ref.catalog.figures import at_most, exactly
from tf1ref.data import ptb
from tf1ref.errors import InputError
from tf1ref.legacy.contrib import seq2seq
from tf1ref.legacy.models.rnn.ptb import reader as ptb_reader
from tf1ref.legacy.nn import rnn_cell
from tf1ref.modules import optimizers, rnn, rnn_wrappers
from tf1ref.modules.rnn_unroll import RNN

SEED = 1
STEPS = 2654  # two epochs of 1327
HIDDEN_SIZE = 200
NUM_LAYERS = 2
VOCAB_SIZE = 10000
LEARNING_RATE = 1.0
TRAIN_BATCH_SIZE = 20
TRAIN_NUM_STEP = 35
EVAL_BATCH_SIZE = 1
EVAL_NUM_STEP = 1
KEEP_PROB = 0.5
MAX_GRAD_NORM = 5
INIT_SCALE = 0.05
REPORT_EVERY = 100

# On the real corpus S3 prints 200.677 (valid) and 194.740 (test) after two epochs.
EXPECTED = {"final/parameters": exactly(4651600), "final/over_start": at_most(0.5)}


def sizes():
    """Returns (the corpus, training batches in an epoch). Raises InputError for more words than the model has."""
    corpus = ptb.load()
    if len(corpus.words) > VOCAB_SIZE:
        raise InputError(
            f"ptb: {len(corpus.words)} different words, VOCAB_SIZE is {VOCAB_SIZE}: set it, or replace rare words"
        )
    return corpus, ptb.epoch_size(len(corpus.train), TRAIN_BATCH_SIZE, TRAIN_NUM_STEP)


def eval_size(words, steps, epoch_size):
    """Returns an evaluation's batches: all of `words`, or in the first epoch as many words as a row has read."""
    every = ptb.epoch_size(len(words), EVAL_BATCH_SIZE, EVAL_NUM_STEP)
    read = steps * TRAIN_NUM_STEP // (EVAL_BATCH_SIZE * EVAL_NUM_STEP)
    return every if steps >= epoch_size else min(every, read)


class Report:
    """Perplexities during training: exp of the mean loss of an epoch so far."""

    def __init__(self, epoch_size):
        self.epoch_size, self.losses, self.reports, self.valid = epoch_size, [], [], []

    def add(self, loss):
        """Takes the loss of a step. Returns (the perplexity so far, whether the epoch ends with it)."""
        epoch = len(self.losses) // self.epoch_size * self.epoch_size
        self.losses.append(loss)
        perplexity = np.exp(np.mean(self.losses[epoch:]))
        if (len(self.losses) - 1 - epoch) % REPORT_EVERY == 0:
            self.reports.append(perplexity)
        return perplexity, len(self.losses) % self.epoch_size == 0

    def trace(self, variables):
        """Returns what was kept, by trace key. over_start: the last perplexity divided by the first."""
        perplexity = {"train_perplexity": np.array(self.reports), "valid_perplexity": np.array(self.valid)}
        epoch = (len(self.losses) - 1) // self.epoch_size * self.epoch_size
        perplexity["final/over_start"] = np.exp(np.mean(self.losses[epoch:]) - self.losses[0])
        count = sum(value.size for value in variables.values())
        return {"steps/loss": np.array(self.losses), **perplexity, "final/parameters": count}


class PTBModel:
    """The graph of one shape, in a variable scope that the second one reuses."""

    def __init__(self, is_training, batch_size, num_steps):
        self.input_data = v1.placeholder(v1.int32, [batch_size, num_steps])
        self.targets = v1.placeholder(v1.int32, [batch_size, num_steps])
        cells = [rnn_cell.BasicLSTMCell(HIDDEN_SIZE) for _ in range(NUM_LAYERS)]
        if is_training:
            cells = [rnn_cell.DropoutWrapper(c, output_keep_prob=KEEP_PROB, seed=10 + i) for i, c in enumerate(cells)]
        cell = rnn_cell.MultiRNNCell(cells)
        self.initial_state = cell.zero_state(batch_size, v1.float32)

        def uniform(name, shape, seed):
            start = v1.random_uniform_initializer(-INIT_SCALE, INIT_SCALE, seed=seed)
            return v1.get_variable(name, shape, initializer=start)

        # (batch, steps) -> (batch, steps, 200)
        inputs = v1.nn.embedding_lookup(uniform("embedding", [VOCAB_SIZE, HIDDEN_SIZE], 2), self.input_data)
        if is_training:
            inputs = v1.nn.dropout(inputs, rate=1 - KEEP_PROB, seed=20)
        outputs, self.final_state = v1.nn.dynamic_rnn(cell, inputs, initial_state=self.initial_state, scope="RNN")
        weight, bias = uniform("weight", [HIDDEN_SIZE, VOCAB_SIZE], 3), uniform("bias", [VOCAB_SIZE], 4)
        self.logits = v1.tensordot(outputs, weight, axes=(-1, 0)) + bias  # (batch, steps, 200) -> (batch, steps, 10000)
        self.loss = seq2seq.sequence_loss(self.logits, self.targets, v1.ones([batch_size, num_steps]))  # -> ()
        self.train_op = v1.no_op()
        if is_training:
            variables = v1.trainable_variables()
            gradients = v1.gradients(self.loss * num_steps, variables)
            self.gradients, _ = v1.clip_by_global_norm(gradients, MAX_GRAD_NORM)
            optimizer = v1.train.GradientDescentOptimizer(LEARNING_RATE)
            self.train_op = optimizer.apply_gradients(zip(self.gradients, variables))


def build_models():
    """Adds the model that trains and the one that evaluates to the default graph."""
    initializer = v1.random_uniform_initializer(-INIT_SCALE, INIT_SCALE, seed=1)
    with v1.variable_scope("language_model", reuse=None, initializer=initializer):
        train_model = PTBModel(True, TRAIN_BATCH_SIZE, TRAIN_NUM_STEP)
    with v1.variable_scope("language_model", reuse=True, initializer=initializer):
        return train_model, PTBModel(False, EVAL_BATCH_SIZE, EVAL_NUM_STEP)


def build_graph():
    """Adds the model that evaluates, one word at a time, to the default graph."""
    _, model = build_models()
    endpoints = {"x": model.input_data, "y": v1.identity(model.logits, name="y")}
    return {**endpoints, "y_": model.targets, "loss": model.loss, "state": model.final_state}


def run_batches(session, model, data, count, extra=None):
    """Yields the loss of each of `count` batches from a queue, and what `extra` fetches in the first."""
    state = session.run(model.initial_state)
    for step in range(count):
        x, y = session.run(data)
        feed = {model.input_data: x, model.targets: y, model.initial_state: state}
        fetches = [model.loss, model.final_state, extra if step == 0 and extra else {}, model.train_op]
        loss, state, found, _ = session.run(fetches, feed)
        yield loss, found


def train_graph(session, models, queues, sizes_, steps, trace):
    """Trains some epochs, and evaluates the validation words after each."""
    (train_model, eval_model), (train_queue, eval_queue, test_queue) = models, queues
    corpus, epoch_size = sizes_
    names = [v.op.name for v in v1.trainable_variables()]
    first = {f"gradient/{k}": v1.convert_to_tensor(g) for k, g in zip(names, train_model.gradients)}
    report, bar = Report(epoch_size), console.steps(steps)
    for step in bar:
        if step % epoch_size == 0:
            losses = run_batches(session, train_model, train_queue, epoch_size, None if step else first)
        loss, found = next(losses)
        trace.update(found)
        perplexity, epoch_ends = report.add(loss)
        bar.show(perplexity=perplexity)
        if epoch_ends:
            every = run_batches(session, eval_model, eval_queue, eval_size(corpus.valid, steps, epoch_size))
            report.valid.append(np.exp(np.mean([loss for loss, _ in every])))
    every = run_batches(session, eval_model, test_queue, eval_size(corpus.test, steps, epoch_size))
    trace["final/test_perplexity"] = np.exp(np.mean([loss for loss, _ in every]))
    return report


def run_graph(steps=STEPS):
    """A run shorter than an epoch evaluates the first words only. The perplexity is exp of the mean loss."""
    corpus, epoch_size = sizes()
    trace = {}
    with v1.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(SEED)
        models = build_models()
        evaluated = EVAL_BATCH_SIZE, EVAL_NUM_STEP
        queues = [
            ptb_reader.ptb_producer(corpus.train, TRAIN_BATCH_SIZE, TRAIN_NUM_STEP),
            ptb_reader.ptb_producer(corpus.valid, *evaluated),
            ptb_reader.ptb_producer(corpus.test, *evaluated),
        ]
        variables = {v.op.name: v for v in v1.trainable_variables()}
        session.run(v1.global_variables_initializer())
        trace.update({f"initial/{k}": v for k, v in session.run(variables).items()})
        coord = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(sess=session, coord=coord)
        report = train_graph(session, models, queues, (corpus, epoch_size), steps, trace)
        coord.request_stop()
        coord.join(threads, stop_grace_period_secs=10)
        values = session.run(variables)
    return {**trace, **{f"final/{k}": v for k, v in values.items()}, **report.trace(values)}


class LanguageModel(tf.Module):
    """A table of word vectors, two cells, a dense layer and the optimizer."""

    def __init__(self):
        super().__init__()

        def uniform(name, shape, seed):
            return tf.Variable(tf.random.uniform(shape, -INIT_SCALE, INIT_SCALE, seed=seed), name=name)

        def start(shape, _):
            # When code runs eagerly, the second draw with a seed continues where the first one ended.
            return tf.function(lambda: tf.random.uniform(shape, -INIT_SCALE, INIT_SCALE, seed=1))()

        self.cells = [rnn.BasicLSTMCell(HIDDEN_SIZE, initializer=start) for _ in range(NUM_LAYERS)]
        self.embedding = uniform("language_model/embedding", [VOCAB_SIZE, HIDDEN_SIZE], 2)
        self.rnn = RNN(rnn_wrappers.MultiRNNCell(self.cells), name="language_model/RNN").create(HIDDEN_SIZE)
        self.weight = uniform("language_model/weight", [HIDDEN_SIZE, VOCAB_SIZE], 3)
        self.bias = uniform("language_model/bias", [VOCAB_SIZE], 4)
        self.optimizer = optimizers.GradientDescent(LEARNING_RATE)

    def variables_by_name(self):
        """Returns {name in the graph: variable}."""
        last = {"language_model/weight": self.weight, "language_model/bias": self.bias}
        return {"language_model/embedding": self.embedding, **self.rnn.variables_by_name(), **last}

    def loss(self, x, y, outputs):
        """Returns the mean cross entropy of outputs (batch, steps, 200)."""
        logits = tf.tensordot(outputs, self.weight, axes=(-1, 0)) + self.bias  # -> (batch, steps, 10000)
        # The op takes a row for each word: (batch * steps,) and (batch * steps, 10000).
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=tf.reshape(y, [-1]), logits=tf.reshape(logits, [-1, VOCAB_SIZE])
        )
        return tf.reduce_sum(losses) / (tf.cast(tf.size(y), tf.float32) + 1e-12)

    @tf.function
    def train(self, x, y, state):
        """Makes one step. Returns the loss before it, the state after the last word, and the clipped gradients."""
        wrapped = [
            rnn_wrappers.DropoutWrapper(cell, output_keep_prob=KEEP_PROB, seed=10 + number)
            for number, cell in enumerate(self.cells)
        ]
        layers = RNN(rnn_wrappers.MultiRNNCell(wrapped), name="language_model/RNN")
        variables = list(self.variables_by_name().values())
        with tf.GradientTape() as tape:
            # (batch, steps) -> (batch, steps, 200)
            inputs = tf.nn.dropout(tf.nn.embedding_lookup(self.embedding, x), rate=1 - KEEP_PROB, seed=20)
            outputs, state = layers(inputs, initial_state=state)
            loss = self.loss(x, y, outputs)
            scaled = loss * TRAIN_NUM_STEP
        gradients, _ = tf.clip_by_global_norm(tape.gradient(scaled, variables), MAX_GRAD_NORM)
        self.optimizer.apply(zip(gradients, variables))
        return loss, state, gradients

    @tf.function
    def evaluate(self, x, y, state):
        """Returns the loss, and the state after the last word."""
        outputs, state = self.rnn(tf.nn.embedding_lookup(self.embedding, x), initial_state=state)
        return self.loss(x, y, outputs), state

    def perplexity(self, words, count):
        """Returns exp of the mean loss of the first `count` batches."""
        state, losses = self.rnn.cell.zero_state(EVAL_BATCH_SIZE), []
        for x, y in itertools.islice(batches(words, EVAL_BATCH_SIZE, EVAL_NUM_STEP), count):
            loss, state = self.evaluate(x, y, state)
            losses.append(loss.numpy())
        return np.exp(np.mean(losses))


def batches(ids, batch_size, num_steps):
    """Yields (x, y), int32 (batch, steps) each, of one epoch after the other."""
    data = ids[: len(ids) // batch_size * batch_size].reshape(batch_size, -1)
    while True:
        for i in range(ptb.epoch_size(len(ids), batch_size, num_steps)):
            x, y = (data[:, i * num_steps + ahead : (i + 1) * num_steps + ahead] for ahead in (0, 1))
            yield tf.constant(x), tf.constant(y)


def run_function(steps=STEPS):
    """The state is an argument and a result. An epoch begins with zeros."""
    tf.random.set_seed(SEED)
    corpus, epoch_size = sizes()
    model = LanguageModel()
    variables = model.variables_by_name()
    trace = {f"initial/{k}": v.numpy() for k, v in variables.items()}
    report, bar = Report(epoch_size), console.steps(steps)
    for step, (x, y) in zip(bar, batches(corpus.train, TRAIN_BATCH_SIZE, TRAIN_NUM_STEP)):
        if step % epoch_size == 0:
            state = model.rnn.cell.zero_state(TRAIN_BATCH_SIZE)
        loss, state, gradients = model.train(x, y, state)
        if step == 0:
            dense = [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]
            trace.update({f"gradient/{k}": g for k, g in zip(variables, dense)})
        perplexity, epoch_ends = report.add(loss.numpy())
        bar.show(perplexity=perplexity)
        if epoch_ends:
            report.valid.append(model.perplexity(corpus.valid, eval_size(corpus.valid, steps, epoch_size)))
    trace["final/test_perplexity"] = model.perplexity(corpus.test, eval_size(corpus.test, steps, epoch_size))
    values = {name: variable.numpy() for name, variable in variables.items()}
    return {**trace, **{f"final/{k}": v for k, v in values.items()}, **report.trace(values)}
