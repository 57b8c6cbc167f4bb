"""tf.contrib.slim: contrib.layers under one roof, with losses, learning, evaluation, metrics and variables."""
# ruff: noqa: F401, F403 - a module of other modules' names, as it was

from tf1ref.legacy import contrib_framework as variables
from tf1ref.legacy import contrib_layers as layers
from tf1ref.legacy import slim_evaluation as evaluation
from tf1ref.legacy import slim_learning as learning
from tf1ref.legacy import slim_losses as losses
from tf1ref.legacy import slim_metrics as metrics
from tf1ref.legacy import slim_utils as utils
from tf1ref.legacy.contrib_framework import *
from tf1ref.legacy.contrib_layers import *
