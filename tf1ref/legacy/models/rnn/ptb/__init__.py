"""The language model of the Penn Treebank tutorial."""
