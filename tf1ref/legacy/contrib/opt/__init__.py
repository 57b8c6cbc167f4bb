"""tf.contrib.opt: optimizers with decoupled weight decay, lazy and Nesterov Adam, wrappers, SciPy's minimizers."""

from tf1ref.legacy.contrib.opt._adam import AdaMaxOptimizer, LazyAdamOptimizer, NadamOptimizer
from tf1ref.legacy.contrib.opt._decay import (
    AdamWOptimizer,
    DecoupledWeightDecayExtension,
    MomentumWOptimizer,
    extend_with_decoupled_weight_decay,
)
from tf1ref.legacy.contrib.opt._scipy import ExternalOptimizerInterface, ScipyOptimizerInterface
from tf1ref.legacy.contrib.opt._wrappers import (
    MovingAverageOptimizer,
    MultitaskOptimizerWrapper,
    clip_gradients_by_global_norm,
)

__all__ = [
    "AdaMaxOptimizer",
    "AdamWOptimizer",
    "DecoupledWeightDecayExtension",
    "ExternalOptimizerInterface",
    "LazyAdamOptimizer",
    "MomentumWOptimizer",
    "MovingAverageOptimizer",
    "MultitaskOptimizerWrapper",
    "NadamOptimizer",
    "ScipyOptimizerInterface",
    "clip_gradients_by_global_norm",
    "extend_with_decoupled_weight_decay",
]
