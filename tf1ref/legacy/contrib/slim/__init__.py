"""tf.contrib.slim: contrib.layers together with losses, learning, evaluation, metrics and variables."""
# ruff: noqa: F401, F403 - this module re-exports names, as in TF1

from tf1ref.legacy.contrib import framework as variables
from tf1ref.legacy.contrib import layers, losses, metrics
from tf1ref.legacy.contrib.framework import *
from tf1ref.legacy.contrib.layers import *
from tf1ref.legacy.contrib.layers import _utils as utils
from tf1ref.legacy.contrib.slim import evaluation, learning
