"""tensorflow.examples: the files that came with the tutorials."""
