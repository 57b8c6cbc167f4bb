"""tf.contrib.seq2seq."""
# ruff: noqa: F401, F403 - a module of other modules' names, as it was

from tf1ref.legacy.seq2seq_loss import sequence_loss
