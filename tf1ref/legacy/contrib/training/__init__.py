"""tf.contrib.training: hyperparameters, training ops and loops, evaluation, batches by length, sampling."""

from tensorflow.compat.v1.train import checkpoints_iterator

from tf1ref.legacy.contrib.training._evaluation import (
    StopAfterNEvalsHook,
    SummaryAtEndHook,
    evaluate_once,
    evaluate_repeatedly,
    get_or_create_eval_step,
    wait_for_new_checkpoint,
)
from tf1ref.legacy.contrib.training._gradients import (
    add_gradients_summaries,
    clip_gradient_norms,
    clip_gradient_norms_fn,
    create_train_op,
    multiply_gradients,
    train,
)
from tf1ref.legacy.contrib.training._hparam import HParams, parse_values
from tf1ref.legacy.contrib.training._queues import bucket, bucket_by_sequence_length
from tf1ref.legacy.contrib.training._resample import resample_at_rate, weighted_resample
from tf1ref.legacy.contrib.training._sampling import rejection_sample, stratified_sample
from tf1ref.legacy.contrib.training._state_batches import batch_sequences_with_states
from tf1ref.legacy.contrib.training._state_saver import NextQueuedSequenceBatch, SequenceQueueingStateSaver
from tf1ref.legacy.contrib.training._strategies import (
    GreedyLoadBalancingStrategy,
    RandomStrategy,
    byte_size_load_fn,
)

__all__ = [
    "GreedyLoadBalancingStrategy", "HParams", "NextQueuedSequenceBatch", "RandomStrategy",
    "SequenceQueueingStateSaver", "StopAfterNEvalsHook", "SummaryAtEndHook",
    "add_gradients_summaries", "batch_sequences_with_states", "bucket", "bucket_by_sequence_length",
    "byte_size_load_fn", "checkpoints_iterator", "clip_gradient_norms", "clip_gradient_norms_fn",
    "create_train_op", "evaluate_once", "evaluate_repeatedly", "get_or_create_eval_step", "multiply_gradients",
    "parse_values", "rejection_sample", "resample_at_rate", "stratified_sample", "train", "wait_for_new_checkpoint",
    "weighted_resample",
]  # fmt: skip
