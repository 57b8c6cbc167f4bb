"""tf.contrib.seq2seq: decoders, helpers, attention and beam search for sequence models."""
# ruff: noqa: F401, F403 - this module re-exports names, as in TF1

from tf1ref.legacy.contrib.seq2seq._attention import (
    AttentionMechanism,
    BahdanauAttention,
    LuongAttention,
    hardmax,
    safe_cumprod,
)
from tf1ref.legacy.contrib.seq2seq._beam import (
    BeamSearchDecoder,
    BeamSearchDecoderOutput,
    BeamSearchDecoderState,
    FinalBeamSearchDecoderOutput,
    tile_batch,
)
from tf1ref.legacy.contrib.seq2seq._beam_tree import gather_tree, gather_tree_from_array
from tf1ref.legacy.contrib.seq2seq._decoder import BasicDecoder, BasicDecoderOutput, Decoder, dynamic_decode
from tf1ref.legacy.contrib.seq2seq._helpers import (
    CustomHelper,
    GreedyEmbeddingHelper,
    Helper,
    InferenceHelper,
    SampleEmbeddingHelper,
)
from tf1ref.legacy.contrib.seq2seq._loss import sequence_loss
from tf1ref.legacy.contrib.seq2seq._monotonic import (
    BahdanauMonotonicAttention,
    LuongMonotonicAttention,
    monotonic_attention,
)
from tf1ref.legacy.contrib.seq2seq._training import (
    ScheduledEmbeddingTrainingHelper,
    ScheduledOutputTrainingHelper,
    TrainingHelper,
)
from tf1ref.legacy.contrib.seq2seq._wrapper import AttentionWrapper, AttentionWrapperState
