"""The Penn Treebank, and any corpus in its format: three texts with a sentence on each line, as arrays of word ids.

TF1's contract is tutorials/rnn/ptb/reader.py: a line ends with the word <eos>, and the most frequent word is 0. Source:
S3, lines 3945-4000.
"""

import collections
import functools
from typing import NamedTuple

import numpy as np

from tf1ref.data import folders
from tf1ref.errors import InputError

PARTS = ("train", "valid", "test")
SENTENCE_END = "<eos>"
UNKNOWN = "<unk>"
# The stand-in has as many words as the real corpus, and at most as many different ones.
SIZES = {"train": 929589, "valid": 73760, "test": 82430}
DIFFERENT_WORDS = 9998
FAVOURITES = 8  # words that mostly follow a word


class Corpus(NamedTuple):
    """Word ids, int32 (n,) each, and the words in the order of their ids."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    words: list


def load():
    """Returns the Corpus of ptb.train.txt, ptb.valid.txt and ptb.test.txt.

    The real one has 929,589, 73,760 and 82,430 words, 10,000 of them different. The files are in folder("ptb"), or in
    simple-examples/data in it. Without them as many generated words stand in, and one line on standard error says so.
    Raises InputError as `read` does.
    """
    folder = folders.folder("ptb")
    for path in (folder, folder and folder / "simple-examples" / "data"):
        if path and (path / "ptb.train.txt").exists():
            return read(path)
    folders.stand_in("ptb", f"{sum(SIZES.values()):,} generated words stand in (perplexity is not the treebank's)")
    return generate()


def read(folder):
    """Returns the Corpus of the three files of a folder (a Path).

    Raises InputError for a file that is missing, is no text or holds no words, for a training text of fewer than two
    different words, and for a word that it does not have.
    """
    paths = {part: folder / f"ptb.{part}.txt" for part in PARTS}
    train = words_of(paths["train"])
    ids = vocabulary(train)
    if len(ids) < 2 or set(ids) <= {train[0], SENTENCE_END}:
        raise InputError(f"{paths['train']}: one word only, {train[0]!r}: nothing can be learned; give a real text")
    arrays = {"train": ids_of(train, ids)}
    for part in PARTS[1:]:
        words = words_of(paths[part])
        unknown = next((word for word in words if word not in ids), None)
        if unknown is not None:
            hint = f"put {UNKNOWN} for it" + (
                "" if UNKNOWN in ids else f", and for rare words of {paths['train'].name}"
            )
            raise InputError(f"{paths[part]}: {unknown!r} is not in the vocabulary of {paths['train'].name}: {hint}")
        arrays[part] = ids_of(words, ids)
    return Corpus(**arrays, words=list(ids))


def words_of(path):
    """Returns the words of a text file, with <eos> for each end of a line. Raises InputError without any word."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a UTF-8 text ({error.reason} at byte {error.start}): convert it") from error
    except OSError as error:
        raise folders.unreadable(path, error) from error
    words = text.replace("\n", f" {SENTENCE_END} ").split()
    if not set(words) - {SENTENCE_END}:
        raise InputError(f"{path}: no words in it: give a text, a sentence a line")
    return words


def vocabulary(words):
    """Returns {word: id}, the most frequent word first. Words of the same frequency are in alphabetical order.

    >>> vocabulary(["b", "a", "b", "c"])
    {'b': 0, 'a': 1, 'c': 2}
    """
    counts = collections.Counter(words)
    return {word: i for i, word in enumerate(sorted(counts, key=lambda word: (-counts[word], word)))}


def ids_of(words, ids):
    """Returns the ids of the words that have one, int32 (n,). Other words are passed over, as TF1's reader does.

    >>> print(ids_of(["b", "x", "a"], {"b": 0, "a": 1}))
    [0 1]
    """
    return np.array([ids[word] for word in words if word in ids], np.int32)


def epoch_size(count, batch_size, num_steps):
    """Returns how many batches of (batch_size, num_steps) `count` words give. Raises InputError for less than one.

    >>> epoch_size(100, batch_size=4, num_steps=5)
    4
    """
    size = (count // batch_size - 1) // num_steps
    if size < 1:
        needed = batch_size * (num_steps + 1)
        raise InputError(
            f"{count} words for {batch_size} rows of {num_steps} steps: give {needed} words or smaller rows"
        )
    return size


@functools.cache
def generate():
    """Returns the stand-in: words that follow one another in a learnable way.

    With probability .8 one of the eight favourites of the word before comes next (the first most often), else any
    word by its frequency, which falls with its rank. A model that knows all this has a perplexity of about 30; one
    that knows the frequencies alone, of about 930. Words seen once become <unk>, as in the real corpus.
    """
    words = _sentences(np.random.RandomState(3))
    ends = np.cumsum([SIZES[part] for part in PARTS])
    texts = dict(zip(PARTS, np.split(words[: ends[-1]], ends[:-1])))
    counts = collections.Counter(texts["train"].tolist())
    names = np.array([_word(i) for i in range(DIFFERENT_WORDS)] + [SENTENCE_END], object)
    names[[i for i in range(DIFFERENT_WORDS) if counts[i] < 2]] = UNKNOWN
    texts = {part: names[text].tolist() for part, text in texts.items()}
    ids = vocabulary(texts["train"])
    return Corpus(**{part: ids_of(text, ids) for part, text in texts.items()}, words=list(ids))


def _sentences(random):
    """Returns word numbers of more than enough sentences of 8 to 34 words in a row. DIFFERENT_WORDS ends a sentence."""
    chances = 1 / (np.arange(DIFFERENT_WORDS) + 5)
    bounds = np.cumsum(chances / chances.sum())
    favourites = np.searchsorted(bounds, random.rand(DIFFERENT_WORDS, FAVOURITES) * bounds[-1])
    preference = np.cumsum(1 / (np.arange(FAVOURITES) + 1))
    count = sum(SIZES.values()) // 20
    lengths = random.randint(8, 35, count)
    columns = [np.searchsorted(bounds, random.rand(count) * bounds[-1])]
    for _ in range(lengths.max() - 1):
        favourite = favourites[columns[-1], np.searchsorted(preference, random.rand(count) * preference[-1])]
        other = np.searchsorted(bounds, random.rand(count) * bounds[-1])
        columns.append(np.where(random.rand(count) < 0.8, favourite, other))
    rows = np.stack([*columns, np.full(count, DIFFERENT_WORDS)], axis=1)
    rows[np.arange(count), lengths] = DIFFERENT_WORDS
    return rows[np.arange(rows.shape[1]) <= lengths[:, None]]


def _word(number):
    """Returns a word that can be spoken: two or three syllables."""
    syllables = [consonant + vowel for consonant in "bdfgklmnrs" for vowel in "aeiou"]
    high, low = divmod(number, 50)
    return "".join(syllables[i] for i in ([low] if high < 50 else [high // 50, low])) + syllables[high % 50]
