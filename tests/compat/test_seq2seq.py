"""contrib.seq2seq, crf and lookup as a TF1 program finds them: under their old names, and trained by `tf1ref exec`."""

from pathlib import Path

import pytest

from tf1ref.compat import check as checking
from tf1ref.compat import namespace
from tf1ref.compat.names import resolver
from tf1ref.legacy.contrib import crf, lookup, seq2seq
from tf1ref.legacy.contrib.rnn import _more as rnn_cell_more

PROGRAM = Path(__file__).with_name("reverse_digits_program.py")
# What TF 1.15's contrib.seq2seq offered to graphs.
SEQ2SEQ = [
    "BahdanauMonotonicAttention", "LuongMonotonicAttention", "monotonic_attention",
    "AttentionMechanism", "AttentionWrapper", "AttentionWrapperState", "BahdanauAttention", "BasicDecoder",
    "BasicDecoderOutput", "BeamSearchDecoder", "BeamSearchDecoderOutput", "BeamSearchDecoderState", "CustomHelper",
    "Decoder", "FinalBeamSearchDecoderOutput", "GreedyEmbeddingHelper", "Helper", "InferenceHelper",
    "LuongAttention", "SampleEmbeddingHelper", "ScheduledEmbeddingTrainingHelper", "ScheduledOutputTrainingHelper",
    "TrainingHelper", "dynamic_decode", "gather_tree", "hardmax", "safe_cumprod", "sequence_loss", "tile_batch",
]  # fmt: skip
NAMES = ["decode/memory_layer/kernel", *(f"decode/decoder/attention/{name}" for name in (
    "gru_cell/gates/kernel", "gru_cell/gates/bias", "gru_cell/candidate/kernel", "gru_cell/candidate/bias",
    "bahdanau_attention/query_layer/kernel", "bahdanau_attention/attention_v", "attention_layer/kernel",
)), "decode/decoder/projection/kernel"]  # fmt: skip


def test_under_their_old_names():
    contrib = namespace.root().contrib
    assert [name for name in SEQ2SEQ if getattr(contrib.seq2seq, name) is not getattr(seq2seq, name)] == []
    assert contrib.seq2seq.python.ops.attention_wrapper.BahdanauAttention is seq2seq.BahdanauAttention
    assert contrib.crf.crf_decode is crf.crf_decode
    assert contrib.lookup.index_table_from_file is lookup.index_table_from_file
    assert contrib.rnn.NASCell is rnn_cell_more.NASCell
    names = [f"contrib.seq2seq.{name}" for name in SEQ2SEQ] + [f"contrib.lookup.{name}" for name in lookup.__all__]
    assert all(resolver.resolve(name) and not resolver.in_python(name, 1) for name in names)
    assert resolver.resolve("contrib.seq2seq.AttentionWrapperV2") is None


def test_the_program_misses_nothing():
    files, uses, problems, *_ = checking.check([str(PROGRAM)])
    assert files == 1 and not problems and len(uses) > 40
    assert {use.name for use in uses if use.verdict == "missing"} == set()
    assert "tf.contrib.seq2seq.BeamSearchDecoder" in {use.name for use in uses if use.verdict == "exec"}


@pytest.mark.slow
def test_digits_are_reversed_greedily_and_by_beam_search(tf1ref):
    done = tf1ref("exec", PROGRAM, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines if line[0].startswith("decode/")] == NAMES
    losses = [float(line[3]) for line in lines if line[0] == "step"]
    assert losses[0] == pytest.approx(2.565, abs=0.1)  # ln 13: it knows nothing yet
    rates = {line[0]: float(line[1]) for line in lines if line[0] in ("greedy", "beam")}
    assert rates["greedy"] > 0.9 and rates["beam"] > 0.9, (losses, rates)
