"""Chapter sequences against other arithmetic: cells in numpy, windows by hand, states cut and joined."""

import os
from pathlib import Path

import numpy as np
import pytest

from tf1ref import catalog, parity
from tf1ref.data import folders, ptb
from tf1ref.errors import InputError
from tf1ref.examples.sequences import _sine

TINY = {"HIDDEN_SIZE": 8, "VOCAB_SIZE": 40, "TRAIN_BATCH_SIZE": 4, "TRAIN_NUM_STEP": 6}


def trace_of(name, half="run_graph", steps=3, **changes):
    return parity.trace_of(getattr(catalog.load(name, changes), half), steps, name)


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """A corpus of thirty words: epochs of the tiny model have 16 batches."""
    words = [f"w{i}" for i in np.random.RandomState(1).randint(0, 30, 1300)]
    (tmp_path / "ptb").mkdir()
    for part, text in {"train": [*words[:380], *{*words}], "valid": words[400:480], "test": words[500:600]}.items():
        (tmp_path / "ptb" / f"ptb.{part}.txt").write_text(f" {' '.join(text)} \n")
    monkeypatch.setenv("TF1REF_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.slow
def test_letters_in_numpy():
    trace = trace_of("sequences.letters", steps=5)
    final = {key.removeprefix("final/embedding_4/"): v for key, v in trace.items() if "final/embedding_4" in key}
    h = np.zeros(10)
    for letter in "vwxy":
        x = final["embedding"]["abcdefghijklmnopqrstuvwxyz".index(letter)]
        h = np.tanh(np.concatenate([x, h]) @ final["rnn/basic_rnn_cell/kernel"] + final["rnn/basic_rnn_cell/bias"])
    powers = np.exp(h @ final["weights"] + final["biases"])
    assert final["answer"][0] == pytest.approx(powers / powers.sum(), rel=1e-5)


def test_letters_pairs():
    letters = catalog.load("sequences.letters")

    def pairs(program):
        alphabet = letters.PROGRAMS[program][0]
        x, y = letters.examples(program)
        return {"".join(alphabet[i] for i in word) + alphabet[after] for word, after in zip(x, y)}

    assert pairs("onehot_1") == pairs("embedding_1") == {"ab", "bc", "cd", "de", "ea"}
    assert pairs("onehot_4") == {"abcde", "bcdea", "cdeab", "deabc", "eabcd"}
    assert len(pairs("embedding_4")) == 22 and {"abcde", "vwxyz"} < pairs("embedding_4")


@pytest.mark.parametrize(
    ("program", "word", "says"),
    [
        ("onehot_1", "f", "'f' of 'f' is not in its vocabulary: use letters of abcde"),
        ("onehot_4", "abcde", "has 5 letters, it takes 4"),
        ("embedding_4", "", "has 0 letters, it takes 4"),
    ],
)
def test_words_that_fit_no_program(program, word, says):
    with pytest.raises(InputError, match=says):
        catalog.load("sequences.letters").ids_of(word, program)


def test_a_word_asked_for_that_does_not_fit_is_one_line(refused):
    asked = "ASKED={'onehot_1': 'b', 'onehot_4': 'bcdex', 'embedding_1': 'e', 'embedding_4': 'vwxy'}"
    assert "'bcdex' has 5 letters" in refused("run", "sequences.letters", "--steps", "1", "--set", asked)


@pytest.mark.parametrize("lengths", ["(5, 6)", "(5, 0)", "(5,)"])
def test_a_sequence_longer_than_unrolled(lengths):
    module = catalog.load("sequences.lstm_cells", dict([catalog.parse_change(f"LENGTHS={lengths}", {"LENGTHS": ()})]))
    for run in (module.run_graph, module.run_function):
        with pytest.raises(InputError, match=r"give 2 lengths, from 1 to the 5 steps unrolled"):
            run()


@pytest.mark.slow
def test_going_both_ways_in_numpy():
    module = catalog.load("sequences.lstm_cells")
    trace = parity.trace_of(module.run_graph, 1, "lstm_cells")
    kernel, bias = (
        trace[f"initial/bidirectional/bidirectional_rnn/bw/basic_lstm_cell/{n}"] for n in ("kernel", "bias")
    )
    for row, length in enumerate(module.LENGTHS):
        c = h = np.zeros(module.HIDDEN_SIZE)
        for time in reversed(range(length)):
            i, j, f, o = np.split(np.concatenate([module.series()[row, time], h]) @ kernel + bias, 4)
            i, f, o = (1 / (1 + np.exp(-z)) for z in (i, f + 1, o))
            c = f * c + i * np.tanh(j)
            h = o * np.tanh(c)
            assert trace["forward/bidirectional"][row, time, module.HIDDEN_SIZE :] == pytest.approx(h, abs=1e-6)


@pytest.mark.slow
def test_rows_of_a_digit():
    trace = trace_of("sequences.mnist_lstm", steps=1)
    assert trace["final/rows"].shape == (28, 10)
    assert trace["final/rows"].sum(axis=1) == pytest.approx(np.ones(28))
    assert np.ptp(trace["final/rows"], axis=0).min() > 0


def test_sine_windows():
    train_x, train_y, test_x, test_y = _sine.data()
    # S3 prints these shapes.
    assert [a.shape for a in (train_x, train_y, test_x, test_y)] == [(9989, 10), (9989,), (989, 10), (989,)]
    step = 100 / 9999
    assert train_x[7] == pytest.approx(np.sin(np.arange(7, 17) * step), abs=1e-6)
    assert train_y[7] == pytest.approx(np.sin(17 * step), abs=1e-6)
    assert test_x[0, 0] == pytest.approx(np.sin(100), abs=1e-6)
    assert test_y[-1] == pytest.approx(np.sin(100 + 998 * 10 / 999), abs=1e-6)
    with pytest.raises(InputError, match="give 12 or more"):
        _sine.windows(np.zeros(11))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sine_linear", "sine_dense"])
def test_linear_models_of_the_sine_in_numpy(name):
    trace = trace_of(f"sequences.{name}", steps=5)
    keys = {"sine_linear": ("linear/linear_model/x/weights", "linear/linear_model/bias_weights"), "sine_dense": "Wb"}
    weights, bias = (trace[f"final/{key}"] for key in keys[name])
    _, _, test_x, test_y = _sine.data()
    predicted = (test_x @ weights + bias)[:, 0]
    assert trace["final/prediction"] == pytest.approx(predicted, abs=1e-5)
    mse = trace["final/average_loss" if name == "sine_linear" else "final/loss"]
    assert mse == pytest.approx(np.square(predicted - test_y).mean(), rel=1e-3)
    assert trace["final/global_step"] == 5


def test_stock_windows_and_measures():
    module = catalog.load("sequences.stock")
    prices = 100.0 + np.arange(500) % 37
    data = module.Prices(prices)
    assert data.train_x.shape == (140, 60, 1) and data.test_x.shape == (240, 60, 1)
    assert data.train_x.min() == 0 and data.train_x.max() == 1
    assert data.train_x[3, :, 0] == pytest.approx((prices[3:63] - 100) / 36)
    assert data.prices(data.test_y) == pytest.approx(prices[260:], abs=1e-4)
    found = module.figures(data, data.test_y + np.float32(0.5), {"w": np.zeros((2, 3)), "b": np.zeros(3)})
    assert (found["mse"], found["rmse"], found["mae"]) == pytest.approx((324, 18, 18), rel=1e-4)
    assert found["parameters"] == 9
    seen = [next(batches) for batches in [data.batches()] for _ in range(3)]
    assert [len(x) for x, _, _ in seen] == [64, 64, 12] and [ends for *_, ends in seen] == [False, False, True]
    assert sorted(np.concatenate([y for _, y, _ in seen])[:, 0]) == sorted(data.train_y[:, 0])


@pytest.mark.slow
def test_the_state_goes_on_where_a_row_was_cut(corpus):
    # Sixty words one by one, or ten at a time with the state carried over: the same perplexity.
    options = {**TINY, "INIT_SCALE": 0.8, "steps": 10}  # ten steps of six words
    single = trace_of("sequences.ptb_lm", **options)["final/test_perplexity"]
    joined = trace_of("sequences.ptb_lm", **{**options, "EVAL_NUM_STEP": 10})["final/test_perplexity"]
    assert joined == pytest.approx(single, rel=1e-5)
    # Without it, six rows of ten that each begin with zeros would say something else.
    apart = trace_of("sequences.ptb_lm", **{**options, "EVAL_BATCH_SIZE": 6, "EVAL_NUM_STEP": 10})
    assert apart["final/test_perplexity"] != pytest.approx(single, rel=1e-5)


@pytest.mark.slow
def test_gradients_are_clipped_by_their_common_norm(corpus):
    def norm(**changes):
        trace = trace_of("sequences.ptb_lm", steps=1, **{**TINY, **changes})
        return np.sqrt(sum(np.square(v).sum() for k, v in trace.items() if k.startswith("gradient/")))

    free = norm(MAX_GRAD_NORM=1000)
    assert free > 1.1
    assert norm(MAX_GRAD_NORM=1) == pytest.approx(1, rel=1e-5)


@pytest.mark.slow
def test_epochs_of_the_language_model(corpus):
    size = ptb.epoch_size(len(ptb.load().train), 4, 6)
    trace = trace_of("sequences.ptb_lm", steps=2 * size + 1, KEEP_PROB=1.0, **TINY)
    other = trace_of("sequences.ptb_lm", "run_function", steps=2 * size + 1, KEEP_PROB=1.0, **TINY)
    assert parity.compare(trace, other).equal
    assert trace["valid_perplexity"].shape == (2,) and trace["train_perplexity"].shape == (3,)
    first = np.exp(trace["steps/loss"][0])
    assert trace["train_perplexity"][0] == pytest.approx(first) and 30 < first < 45
    assert trace["final/over_start"] == pytest.approx(np.exp(trace["steps/loss"][-1]) / first, rel=1e-5)


def test_more_words_than_the_model_has(corpus, refused):
    line = refused("run", "sequences.ptb_lm", "--set", "VOCAB_SIZE=10", env={"TF1REF_DATA": str(corpus)})
    assert "31 different words, VOCAB_SIZE is 10" in line


REAL = Path(os.environ.get("TF1REF_DATA", "/nowhere")) / "ptb"


@pytest.mark.skipif(not REAL.exists(), reason="the Penn Treebank is not here")
def test_the_treebanks_first_batches():
    folders.stand_in.cache_clear()
    trace = trace_of("sequences.ptb_input")
    for key, promised in catalog.load("sequences.ptb_input").EXPECTED.items():
        assert promised.met(trace[key]), key


def test_what_the_source_prints_is_of_one_corpus():
    """Each y is one word ahead of its x, and each row goes on where it ended: a wrong digit breaks both."""
    promised = catalog.load("sequences.ptb_input").EXPECTED
    x, y = np.array(promised["steps/x"].value), np.array(promised["steps/y"].value)
    assert np.array_equal(x[:, :, 1:], y[:, :, :-1]) and np.array_equal(x[1:, :, 0], y[:-1, :, -1])
    assert np.concatenate([x[0, 0], x[1, 0]]).tolist() == promised["first"].value
