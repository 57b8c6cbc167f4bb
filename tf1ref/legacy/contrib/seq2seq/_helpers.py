"""tf.contrib.seq2seq's helpers, which decide what a decoder samples and reads next. Here it reads its own symbols."""

import tensorflow.compat.v1 as v1
from tensorflow.python.util import nest


def transpose_batch_time(x):
    """Returns x with its first two axes swapped. A vector or scalar is returned as it is."""
    known = x.get_shape()
    if known.rank is not None and known.rank < 2:
        return x
    swapped = v1.transpose(x, v1.concat([[1, 0], v1.range(2, v1.rank(x))], axis=0))
    swapped.set_shape(v1.TensorShape([known[1], known[0]]).concatenate(known[2:]))
    return swapped


def unstacked(x):
    """Returns a TensorArray of the rows of x, [time, ...]."""
    array = v1.TensorArray(x.dtype, size=v1.shape(x)[0], element_shape=x.get_shape()[1:])
    return array.unstack(x)


def embedding_function(embedding):
    """Returns `embedding` when it is a function, else a function that looks ids up in it."""
    return embedding if callable(embedding) else lambda ids: v1.nn.embedding_lookup(embedding, ids)


def start_and_end(start_tokens, end_token):
    """Returns both as int32 tensors. Raises ValueError unless they are a vector and a scalar."""
    starts = v1.convert_to_tensor(start_tokens, dtype=v1.int32, name="start_tokens")
    end = v1.convert_to_tensor(end_token, dtype=v1.int32, name="end_token")
    if starts.get_shape().ndims != 1:
        raise ValueError(f"start_tokens must be a vector, one for each sequence of the batch; got {starts.get_shape()}")
    if end.get_shape().ndims != 0:
        raise ValueError(f"end_token must be a scalar; got {end.get_shape()}")
    return starts, end


class Helper:
    """The base class, which decides what is sampled and read. `next_inputs` returns (finished, inputs, state).

    initialize() -> (finished, inputs). sample(...) -> ids. batch_size: a scalar. sample_ids_shape, sample_ids_dtype:
    those of one sequence's sample.
    """

    @property
    def batch_size(self):
        """The batch size, a scalar tensor."""
        raise NotImplementedError("batch_size has not been implemented")

    @property
    def sample_ids_shape(self):
        """The shape of one sequence's sample in one step."""
        raise NotImplementedError("sample_ids_shape has not been implemented")

    @property
    def sample_ids_dtype(self):
        """The dtype of the samples."""
        raise NotImplementedError("sample_ids_dtype has not been implemented")

    def initialize(self, name=None):
        """Returns (finished, inputs) before the first step."""
        raise NotImplementedError("initialize has not been implemented")

    def sample(self, time, outputs, state, name=None):
        """Returns the samples of a step."""
        raise NotImplementedError("sample has not been implemented")

    def next_inputs(self, time, outputs, state, sample_ids, name=None):
        """Returns (finished, inputs of the next step, state)."""
        raise NotImplementedError("next_inputs has not been implemented")


class CustomHelper(Helper):
    """A helper made of three functions.

    They get time, outputs and state by name. The last one gets sample_ids, too.
    """

    def __init__(self, initialize_fn, sample_fn, next_inputs_fn, sample_ids_shape=None, sample_ids_dtype=None):
        self._initialize_fn, self._sample_fn, self._next_inputs_fn = initialize_fn, sample_fn, next_inputs_fn
        self._batch_size = None
        self._sample_ids_shape = v1.TensorShape(sample_ids_shape or [])
        self._sample_ids_dtype = sample_ids_dtype or v1.int32

    sample_ids_shape = property(lambda self: self._sample_ids_shape)
    sample_ids_dtype = property(lambda self: self._sample_ids_dtype)

    @property
    def batch_size(self):
        if self._batch_size is None:
            raise ValueError("batch_size accessed before initialize was called")
        return self._batch_size

    def initialize(self, name=None):
        with v1.name_scope(name, f"{type(self).__name__}Initialize"):
            finished, inputs = self._initialize_fn()
            if self._batch_size is None:
                self._batch_size = v1.size(finished)
        return finished, inputs

    def sample(self, time, outputs, state, name=None):
        with v1.name_scope(name, f"{type(self).__name__}Sample"):
            return self._sample_fn(time=time, outputs=outputs, state=state)

    def next_inputs(self, time, outputs, state, sample_ids, name=None):
        with v1.name_scope(name, f"{type(self).__name__}NextInputs"):
            return self._next_inputs_fn(time=time, outputs=outputs, state=state, sample_ids=sample_ids)


class GreedyEmbeddingHelper(Helper):
    """Reads its own most likely symbol, embedded, until that is end_token. It starts with start_tokens, [batch]."""

    def __init__(self, embedding, start_tokens, end_token):
        self._embedding_fn = embedding_function(embedding)
        self._start_tokens, self._end_token = start_and_end(start_tokens, end_token)
        self._batch_size = v1.size(self._start_tokens)
        self._start_inputs = self._embedding_fn(self._start_tokens)

    batch_size = property(lambda self: self._batch_size)
    sample_ids_shape = property(lambda self: v1.TensorShape([]))
    sample_ids_dtype = property(lambda self: v1.int32)

    def initialize(self, name=None):
        return v1.fill([self._batch_size], False), self._start_inputs

    def sample(self, time, outputs, state, name=None):
        return v1.cast(v1.argmax(_one_tensor(outputs), axis=-1), v1.int32)

    def next_inputs(self, time, outputs, state, sample_ids, name=None):
        finished = v1.equal(sample_ids, self._end_token)
        # The value that is read after the end has no effect.
        inputs = v1.cond(
            v1.reduce_all(finished), lambda: self._start_inputs, lambda: self._embedding_fn(sample_ids)
        )  # fmt: skip
        return finished, inputs, state


class SampleEmbeddingHelper(GreedyEmbeddingHelper):
    """GreedyEmbeddingHelper that draws the symbol. softmax_temperature: divides the logits before the draw."""

    def __init__(self, embedding, start_tokens, end_token, softmax_temperature=None, seed=None):
        super().__init__(embedding, start_tokens, end_token)
        self._softmax_temperature, self._seed = softmax_temperature, seed

    def sample(self, time, outputs, state, name=None):
        logits = _one_tensor(outputs)
        if self._softmax_temperature is not None:
            logits = logits / self._softmax_temperature
        return categorical(logits, self._seed)


class InferenceHelper(Helper):
    """Reads its own samples, sample_fn(outputs). end_fn(sample_ids) tells which sequences are finished, [batch].

    next_inputs_fn(sample_ids) makes the next inputs. Without it the samples are the inputs.
    """

    def __init__(self, sample_fn, sample_shape, sample_dtype, start_inputs, end_fn, next_inputs_fn=None):
        self._sample_fn, self._end_fn, self._next_inputs_fn = sample_fn, end_fn, next_inputs_fn
        self._sample_shape, self._sample_dtype = v1.TensorShape(sample_shape), sample_dtype
        self._start_inputs = v1.convert_to_tensor(start_inputs, name="start_inputs")
        self._batch_size = v1.shape(self._start_inputs)[0]

    batch_size = property(lambda self: self._batch_size)
    sample_ids_shape = property(lambda self: self._sample_shape)
    sample_ids_dtype = property(lambda self: self._sample_dtype)

    def initialize(self, name=None):
        return v1.fill([self._batch_size], False), self._start_inputs

    def sample(self, time, outputs, state, name=None):
        return self._sample_fn(outputs)

    def next_inputs(self, time, outputs, state, sample_ids, name=None):
        inputs = sample_ids if self._next_inputs_fn is None else self._next_inputs_fn(sample_ids)
        return self._end_fn(sample_ids), inputs, state


def categorical(logits, seed):
    """Returns one int32 id for each row of logits [batch, classes], drawn from their softmax."""
    return v1.reshape(v1.multinomial(logits, 1, seed=seed, output_dtype=v1.int32), [-1])


def _one_tensor(outputs):
    if nest.is_nested(outputs) or not v1.is_tensor(outputs):
        raise TypeError(f"Expected outputs to be a single Tensor, got: {type(outputs)}")
    return outputs
