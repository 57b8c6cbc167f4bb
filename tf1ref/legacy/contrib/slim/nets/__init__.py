"""tf.contrib.slim.nets: well-known networks for pictures, with the scopes of their published checkpoints."""
