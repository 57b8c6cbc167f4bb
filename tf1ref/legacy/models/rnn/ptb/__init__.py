"""tensorflow.models.rnn.ptb: the language model of the Penn Treebank tutorial."""
