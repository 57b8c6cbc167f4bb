"""tensorflow.examples.tutorials: the tutorials by their subject."""
