"""A TF1 program, as tutorials of 2018 were: an encoder and decoder with attention learn to reverse digits."""

import numpy as np
import tensorflow as tf
from tensorflow.python.layers.core import Dense

PAD, GO, EOS = 10, 11, 12
VOCAB, UNITS, EMBED, BATCH, BEAM = 13, 64, 16, 64, 4
tf.set_random_seed(3)
np.random.seed(3)


def batch(size):
    lengths = np.random.randint(2, 7, size)
    source = np.full([size, 6], PAD)
    target = np.full([size, 7], PAD)
    for row, length in enumerate(lengths):
        digits = np.random.randint(0, 10, length)
        source[row, :length] = digits
        target[row, : length + 1] = list(digits[::-1]) + [EOS]
    return source, lengths, target[:, : lengths.max() + 1], lengths + 1


source = tf.placeholder(tf.int32, [None, None], name="source")
source_length = tf.placeholder(tf.int32, [None])
target = tf.placeholder(tf.int32, [None, None])
target_length = tf.placeholder(tf.int32, [None])
batch_size = tf.shape(source)[0]

embedding = tf.get_variable("embedding", [VOCAB, EMBED])
with tf.variable_scope("encoder"):
    forward, backward = [tf.contrib.rnn.GRUCell(UNITS // 2) for _ in range(2)]
    (out_fw, out_bw), states = tf.nn.bidirectional_dynamic_rnn(
        forward, backward, tf.nn.embedding_lookup(embedding, source), source_length, dtype=tf.float32
    )
    memory, encoded = tf.concat([out_fw, out_bw], 2), tf.concat(states, 1)

projection = Dense(VOCAB, use_bias=False, name="projection")


def decoder_cell(memory, lengths):
    attention = tf.contrib.seq2seq.BahdanauAttention(UNITS, memory, memory_sequence_length=lengths)
    return tf.contrib.seq2seq.AttentionWrapper(
        tf.contrib.rnn.GRUCell(UNITS), attention, attention_layer_size=UNITS, name="attention"
    )


def decode(helper, reuse=None):
    with tf.variable_scope("decode", reuse=reuse):
        cell = decoder_cell(memory, source_length)
        start = cell.zero_state(batch_size, tf.float32).clone(cell_state=encoded)
        decoder = tf.contrib.seq2seq.BasicDecoder(cell, helper, start, output_layer=projection)
        return tf.contrib.seq2seq.dynamic_decode(decoder, impute_finished=True, maximum_iterations=8)


fed = tf.concat([tf.fill([batch_size, 1], GO), target[:, :-1]], 1)
outputs, _, _ = decode(tf.contrib.seq2seq.TrainingHelper(tf.nn.embedding_lookup(embedding, fed), target_length))
weights = tf.sequence_mask(target_length, tf.shape(target)[1], dtype=tf.float32)
loss = tf.contrib.seq2seq.sequence_loss(outputs.rnn_output, target, weights)
optimizer = tf.train.AdamOptimizer(0.01)
gradients, variables = zip(*optimizer.compute_gradients(loss))
clipped, _ = tf.clip_by_global_norm(gradients, 5.0)
train = optimizer.apply_gradients(zip(clipped, variables))

starts = tf.tile([GO], [batch_size])
greedy, _, _ = decode(tf.contrib.seq2seq.GreedyEmbeddingHelper(embedding, starts, EOS), reuse=True)
with tf.variable_scope("decode", reuse=True):
    cell = decoder_cell(
        tf.contrib.seq2seq.tile_batch(memory, multiplier=BEAM),
        tf.contrib.seq2seq.tile_batch(source_length, multiplier=BEAM),
    )
    start = cell.zero_state(batch_size * BEAM, tf.float32).clone(
        cell_state=tf.contrib.seq2seq.tile_batch(encoded, multiplier=BEAM)
    )
    search = tf.contrib.seq2seq.BeamSearchDecoder(
        cell, embedding, starts, EOS, start, BEAM, output_layer=projection, length_penalty_weight=0.6
    )
    found, _, _ = tf.contrib.seq2seq.dynamic_decode(search, maximum_iterations=8)

for variable in tf.trainable_variables():
    print(variable.op.name, variable.shape.as_list())
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for step in range(250):
        x, x_length, y, y_length = batch(BATCH)
        _, value = sess.run([train, loss], {source: x, source_length: x_length, target: y, target_length: y_length})
        if step % 50 == 0:
            print("step", step, "loss", value)
    x, x_length, y, y_length = batch(200)
    greedy_ids, beam_ids = sess.run([greedy.sample_id, found.predicted_ids], {source: x, source_length: x_length})
for name, ids in (("greedy", greedy_ids), ("beam", beam_ids[:, :, 0])):
    right = [list(row[:n]) == list(want[:n]) for row, want, n in zip(ids, y, y_length)]
    print(name, np.mean(right))
