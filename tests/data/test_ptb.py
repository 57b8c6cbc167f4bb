"""The Penn Treebank's format: small texts written here, TF1's batches, and what the generated corpus can teach."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.data import folders, ptb
from tf1ref.errors import InputError
from tf1ref.legacy.models.rnn.ptb import reader as ptb_reader

# " a b \n" is how the treebank writes its lines.
TRAIN = " the cat saw the dog \n the dog ran \n a cat ran \n"
TEXTS = {"train": TRAIN, "valid": " the cat ran \n", "test": " a dog saw a cat \n"}
# By count (<eos> and the 3; cat, dog and ran 2) and then by letters.
WORDS = ["<eos>", "the", "cat", "dog", "ran", "a", "saw"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TF1REF_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folders.stand_in.cache_clear()
    (tmp_path / "ptb").mkdir()
    write(tmp_path / "ptb", TEXTS)
    return tmp_path / "ptb"


def write(folder, texts):
    for part, text in texts.items():
        (folder / f"ptb.{part}.txt").write_text(text)


def test_words_are_numbered_by_frequency(folder):
    corpus = ptb.load()
    assert corpus.words == WORDS
    assert corpus.train.dtype == np.int32
    assert [corpus.words[i] for i in corpus.train] == TRAIN.replace("\n", "<eos>").split()
    assert corpus.valid.tolist() == [1, 2, 4, 0]
    assert corpus.test.tolist() == [5, 3, 6, 5, 2, 0]


def test_the_archives_own_folder_is_found(folder):
    inner = folder / "simple-examples" / "data"
    inner.mkdir(parents=True)
    for part in TEXTS:
        (folder / f"ptb.{part}.txt").rename(inner / f"ptb.{part}.txt")
    assert ptb.load().words == WORDS


def test_lines_without_blanks_at_their_ends(folder):
    (folder / "ptb.train.txt").write_text("the cat\nthe dog\n")
    (folder / "ptb.valid.txt").write_text("dog")
    (folder / "ptb.test.txt").write_text("cat\n")
    assert ptb.load().words == ["<eos>", "the", "cat", "dog"]


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ({"train": ""}, "ptb.train.txt: no words in it"),
        ({"train": "\n \n"}, "ptb.train.txt: no words in it"),
        ({"test": " \n"}, "ptb.test.txt: no words in it"),
        ({"train": "word\n", "valid": "word", "test": "word"}, "one word only, 'word'"),
        ({"train": "word word word"}, "one word only, 'word'"),
        ({"valid": "the bird ran\n"}, "ptb.valid.txt: 'bird' is not in the vocabulary of ptb.train.txt: put <unk>"),
    ],
    ids=["empty", "blank", "empty-test", "one-word", "one-word-no-line", "unknown-word"],
)
def test_bad_texts_are_one_line(folder, texts, says):
    write(folder, texts)
    with pytest.raises(InputError, match=says) as caught:
        ptb.load()
    assert "\n" not in str(caught.value)


def test_a_missing_part_and_bytes(folder):
    (folder / "ptb.test.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="ptb.test.txt: not a UTF-8 text"):
        ptb.load()
    (folder / "ptb.test.txt").unlink()
    with pytest.raises(InputError, match="ptb.test.txt: cannot be read"):
        ptb.load()


def test_a_bad_corpus_ends_a_run_with_one_line(folder, refused):
    write(folder, {"train": ""})
    environment = {"TF1REF_DATA": str(folder.parent)}
    assert "no words in it" in refused("run", "sequences.ptb_lm", "--steps", "1", env=environment)
    write(folder, TEXTS)
    assert "14 words for 20 rows" in refused("run", "sequences.ptb_lm", "--steps", "1", env=environment)


def test_epochs():
    # S3: 929589 words in 20 rows of 46479, each with 1327 times 35 words and the one after them.
    assert ptb.epoch_size(929589, 20, 35) == 1327
    assert ptb.epoch_size(2 * 6, 2, 5) == 1
    with pytest.raises(InputError, match="11 words for 2 rows of 5 steps: give 12 words"):
        ptb.epoch_size(11, 2, 5)


@pytest.mark.slow
def test_the_stand_in_can_be_learned():
    corpus = ptb.generate()
    assert [len(part) for part in corpus[:3]] == [929589, 73760, 82430]
    assert 9000 < len(corpus.words) <= 10000 and {"<unk>", "<eos>"} < set(corpus.words)
    assert len(set(corpus.words)) == len(corpus.words) and corpus.train.max() == len(corpus.words) - 1
    counts = np.bincount(corpus.train)
    assert (np.diff(counts) <= 0).all() and counts.min() > 0
    # After a word, eight others make up most of what comes; by frequency alone they would not.
    word = next(i for i, w in enumerate(corpus.words) if w not in ("<unk>", "<eos>"))
    after = corpus.train[1:][corpus.train[:-1] == word]
    favourites = np.argsort(np.bincount(after))[-9:]  # and <eos>
    assert np.isin(after, favourites).mean() > 0.7
    valid = corpus.valid[1:][corpus.valid[:-1] == word]
    assert np.isin(valid, favourites).mean() > 0.7
    assert np.isin(corpus.train, favourites).mean() < 0.35


def test_tf1s_reader(folder):
    (folder / "ptb.valid.txt").write_text(" the bird ran \n")  # bird is passed over
    train, valid, test, size = ptb_reader.ptb_raw_data(str(folder))
    assert (valid, test, size) == ([1, 4, 0], [5, 3, 6, 5, 2, 0], 7)
    assert [WORDS[i] for i in train] == TRAIN.replace("\n", "<eos>").split()


def produced(data, runs, *shape):
    with v1.Graph().as_default(), v1.Session() as sess:
        batch = ptb_reader.ptb_producer(data, *shape)
        coord = v1.train.Coordinator()
        threads = v1.train.start_queue_runners(sess=sess, coord=coord)
        try:
            return [[part.tolist() for part in sess.run(batch)] for _ in range(runs)]
        finally:
            coord.request_stop()
            coord.join(threads, stop_grace_period_secs=10, ignore_live_threads=True)


def test_tf1s_producer():
    # Two rows of 7 from 15 ids, the last is left out; three places of two steps; then from the start again.
    batches = produced(list(range(15)), 4, 2, 2)
    assert batches[0] == [[[0, 1], [7, 8]], [[1, 2], [8, 9]]]
    assert batches[2] == [[[4, 5], [11, 12]], [[5, 6], [12, 13]]]
    assert batches[3] == batches[0]


def test_tf1s_producer_of_too_few_words():
    with pytest.raises(v1.errors.OpError, match="epoch_size == 0|closed and has insufficient"):
        produced([1, 2, 3], 1, 2, 2)


@pytest.mark.slow
def test_an_old_program_finds_its_reader(folder, tmp_path, tf1ref):
    (tmp_path / "old.py").write_text(
        "import tensorflow as tf\nfrom tensorflow.models.rnn.ptb import reader\n"
        f"print(reader.ptb_raw_data({str(folder)!r})[2:])\n"
    )
    done = tf1ref("exec", "old.py")
    assert done.stdout == "([5, 3, 6, 5, 2, 0], 7)\n", done.stderr
