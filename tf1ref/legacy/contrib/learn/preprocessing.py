"""tf.contrib.learn.preprocessing: turns documents of words into rows of word numbers."""

import pickle
import re

import numpy as np

__all__ = ["ByteProcessor", "CategoricalVocabulary", "VocabularyProcessor", "tokenizer"]

# A word is a run of capitals, a capitalized word before another one, or a run of letters, digits, ' and -.
TOKENS = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z][a-z]+(?=[A-Z])|['\w\-]+", re.UNICODE)


def tokenizer(iterator):
    """Yields the list of words of each document (a text).

    >>> list(tokenizer(["Hello big-world"]))
    [['Hello', 'big-world']]
    """
    for value in iterator:
        yield TOKENS.findall(value)


class CategoricalVocabulary:
    """Words and their numbers, in the order in which they came. Number 0 is `unknown_token`.

    >>> vocabulary = CategoricalVocabulary()
    >>> vocabulary.get("one"), vocabulary.get("two"), vocabulary.get("one")
    (1, 2, 1)
    """

    def __init__(self, unknown_token="<UNK>", support_reverse=True):
        self._unknown_token, self._support_reverse = unknown_token, support_reverse
        self._mapping, self._freq, self._freeze = {unknown_token: 0}, {}, False
        self._reverse_mapping = [unknown_token]

    def __len__(self):
        return len(self._mapping)

    def freeze(self, freeze=True):
        """After this, an unknown word has the number 0 and is not added."""
        self._freeze = freeze

    def get(self, category):
        """Returns the number of a word. A new word is added unless the vocabulary is frozen."""
        if category not in self._mapping:
            if self._freeze:
                return 0
            self._mapping[category] = len(self._mapping)
            if self._support_reverse:
                self._reverse_mapping.append(category)
        return self._mapping[category]

    def add(self, category, count=1):
        """Counts a word that occurred `count` times."""
        if self.get(category) > 0:
            self._freq[category] = self._freq.get(category, 0) + count

    def trim(self, min_frequency, max_frequency=-1):
        """Keeps words that occurred more than min_frequency times, and not more than max_frequency unless that is -1.

        The kept words get new numbers, ordered by how often they occurred and then by spelling.
        """
        kept = sorted(sorted(self._freq.items(), key=lambda pair: str(pair[0])), key=lambda pair: pair[1], reverse=True)
        kept = [(w, n) for w, n in kept if n > min_frequency and (max_frequency <= 0 or n < max_frequency)]
        self._mapping = {self._unknown_token: 0, **{word: number for number, (word, _) in enumerate(kept, 1)}}
        self._freq, self._reverse_mapping = dict(kept), [self._unknown_token, *(word for word, _ in kept)]

    def reverse(self, class_id):
        """Returns the word that has a number. Raises ValueError without support_reverse."""
        if not self._support_reverse:
            raise ValueError("This vocabulary wasn't initialized with support_reverse to support reverse() function.")
        return self._reverse_mapping[class_id]


class VocabularyProcessor:
    """Turns documents into rows of max_document_length word numbers (int64). A row is cut, or filled with 0.

    min_frequency: words that do not occur more often are unknown. tokenizer_fn: turns documents into lists of words.

    >>> processor = VocabularyProcessor(max_document_length=4)
    >>> print(list(processor.fit_transform(["one two", "two three"])))
    [array([1, 2, 0, 0]), array([2, 3, 0, 0])]
    """

    def __init__(self, max_document_length, min_frequency=0, vocabulary=None, tokenizer_fn=None):
        self.max_document_length, self.min_frequency = max_document_length, min_frequency
        self.vocabulary_ = vocabulary or CategoricalVocabulary()
        self._tokenizer = tokenizer_fn or tokenizer

    def fit(self, raw_documents, unused_y=None):
        """Learns the words of documents. Returns the processor."""
        for tokens in self._tokenizer(raw_documents):
            for token in tokens:
                self.vocabulary_.add(token)
        if self.min_frequency > 0:
            self.vocabulary_.trim(self.min_frequency)
        self.vocabulary_.freeze()
        return self

    def fit_transform(self, raw_documents, unused_y=None):
        """Learns the words of documents and yields their rows."""
        self.fit(raw_documents)
        return self.transform(raw_documents)

    def transform(self, raw_documents):
        """Yields a row for each document."""
        for tokens in self._tokenizer(raw_documents):
            row = np.zeros(self.max_document_length, np.int64)
            for place, token in enumerate(tokens[: self.max_document_length]):
                row[place] = self.vocabulary_.get(token)
            yield row

    def reverse(self, documents):
        """Yields the text of each row."""
        for row in documents:
            yield " ".join(self.vocabulary_.reverse(number) for number in row)

    def save(self, filename):
        """Writes the processor to a file, which `restore` reads."""
        with open(filename, "wb") as file:
            pickle.dump(self, file)

    @classmethod
    def restore(cls, filename):
        """Reads what `save` wrote, here or under TensorFlow 1. Raises pickle.UnpicklingError for any other object."""
        with open(filename, "rb") as file:
            return _Unpickler(file).load()


class ByteProcessor:
    """Turns documents into rows of their bytes, cut or filled with 0 to max_document_length."""

    def __init__(self, max_document_length):
        self.max_document_length = max_document_length

    def fit(self, x):
        """Does nothing, since there is nothing to learn. Returns the processor."""
        return self

    def fit_transform(self, x):
        """Yields the rows."""
        return self.transform(x)

    def transform(self, x):
        """Yields a row (uint8) for each document."""
        for document in x:
            data = document if isinstance(document, bytes) else document.encode("utf-8")
            row = np.frombuffer(data[: self.max_document_length], np.uint8)
            yield np.pad(row, (0, self.max_document_length - len(row)))

    def reverse(self, x):
        """Yields the text of each row."""
        for row in x:
            yield np.asarray(row, np.uint8).tobytes().rstrip(b"\0").decode("utf-8", "ignore")


class _Unpickler(pickle.Unpickler):
    """Unpickles only vocabularies and plain data, so that a file cannot name a function to call."""

    def find_class(self, module, name):
        allowed = {"VocabularyProcessor": VocabularyProcessor, "CategoricalVocabulary": CategoricalVocabulary}
        if name in allowed and (module == __name__ or module.startswith("tensorflow.contrib.learn.")):
            return allowed[name]
        if name == "tokenizer":
            return tokenizer
        if (module, name) in (("collections", "defaultdict"), ("builtins", "int"), ("__builtin__", "int")):
            return super().find_class(module, name)
        if (module, name) == ("copy_reg", "_reconstructor") or (module, name) == ("copyreg", "_reconstructor"):
            return lambda kind, base, state: kind.__new__(kind)
        if name == "object":
            return object
        raise pickle.UnpicklingError(f"{module}.{name}: not a vocabulary")
