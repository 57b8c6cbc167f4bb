"""tf.contrib.checkpoint: the parts of object-based checkpoints, from where TensorFlow keeps them today."""

import tensorflow.compat.v1 as v1
from tensorflow.python.trackable import autotrackable, data_structures

# The manager keeps the newest checkpoints of a folder.
CheckpointManager = v1.train.CheckpointManager
# The base of a class whose attributes are saved: variables, layers, and lists or dicts of them.
Checkpointable = autotrackable.AutoTrackable
# List is append-only and Mapping has keys of type str. Both keep what they hold in the checkpoint.
List, Mapping = data_structures.List, data_structures.Mapping
# An attribute that is assigned in this wrapper is the bare value, and the checkpoint does not hold it.
NoDependency = data_structures.NoDependency
