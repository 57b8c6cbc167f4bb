"""tf.contrib.seq2seq's helpers for training. The decoder reads the given answers, or sometimes its own output."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy._layer import Layer
from tf1ref.legacy.contrib.seq2seq._helpers import Helper, categorical, embedding_function, transpose_batch_time


class TrainingHelper(Helper):
    """Reads the given inputs, [batch, time, ...] (time first with time_major). Samples are the most likely ids.

    sequence_length: [batch], after which a sequence is finished. Raises ValueError unless it is a vector.
    """

    def __init__(self, inputs, sequence_length, time_major=False, name=None):
        with v1.name_scope(name, "TrainingHelper", [inputs, sequence_length]):
            self._inputs = inputs = v1.convert_to_tensor(inputs, name="inputs")
            steps = inputs if time_major else transpose_batch_time(inputs)
            self._steps = _steps(steps)
            self._sequence_length = v1.convert_to_tensor(sequence_length, name="sequence_length")
            if self._sequence_length.get_shape().ndims != 1:
                raise ValueError(
                    f"Expected sequence_length to be a vector, but received shape: {self._sequence_length.get_shape()}"
                )
            self._zero_inputs = v1.zeros_like(steps[0])
            self._batch_size = v1.size(self._sequence_length)

    inputs = property(lambda self: self._inputs)
    sequence_length = property(lambda self: self._sequence_length)
    batch_size = property(lambda self: self._batch_size)
    sample_ids_shape = property(lambda self: v1.TensorShape([]))
    sample_ids_dtype = property(lambda self: v1.int32)

    def initialize(self, name=None):
        with v1.name_scope(name, "TrainingHelperInitialize"):
            finished = v1.equal(0, self._sequence_length)
            return finished, self._read(0, finished)

    def _read(self, time, finished):
        # When all sequences are finished, there is no step to read.
        return v1.cond(v1.reduce_all(finished), lambda: self._zero_inputs, lambda: self._steps.read(time))

    def sample(self, time, outputs, name=None, **unused):
        with v1.name_scope(name, "TrainingHelperSample", [time, outputs]):
            return v1.cast(v1.argmax(outputs, axis=-1), v1.int32)

    def next_inputs(self, time, outputs, state, name=None, **unused):
        with v1.name_scope(name, "TrainingHelperNextInputs", [time, outputs]):
            finished = time + 1 >= self._sequence_length
            return finished, self._read(time + 1, finished), state


class _ScheduledTrainingHelper(TrainingHelper):
    def _set_probability(self, sampling_probability):
        self._sampling_probability = v1.convert_to_tensor(sampling_probability, name="sampling_probability")
        if self._sampling_probability.get_shape().ndims not in (0, 1):
            raise ValueError(
                "sampling_probability must be either a scalar or a vector. "
                f"saw shape: {self._sampling_probability.get_shape()}"
            )

    def _scattered(self, sampled, base, values):
        """Returns base, [batch, ...], with values(rows) in the rows where `sampled` is True."""
        rows = v1.cast(v1.where(sampled), v1.int32)
        others = v1.cast(v1.where(v1.logical_not(sampled)), v1.int32)
        shape = v1.shape(base)
        mixed = v1.scatter_nd(rows, values(rows), shape) + v1.scatter_nd(others, v1.gather_nd(base, others), shape)
        mixed.set_shape(base.get_shape())
        return mixed


class ScheduledEmbeddingTrainingHelper(_ScheduledTrainingHelper):
    """TrainingHelper that sometimes reads a symbol drawn from the outputs instead (Bengio et al., 2015).

    sampling_probability: a scalar, or one number for each sequence. A sample is -1 where no symbol was drawn.
    """

    def __init__(
        self,
        inputs,
        sequence_length,
        embedding,
        sampling_probability,
        time_major=False,
        seed=None,
        scheduling_seed=None,
        name=None,
    ):
        with v1.name_scope(name, "ScheduledEmbeddingSamplingWrapper"):
            self._embedding_fn = embedding_function(embedding)
            self._set_probability(sampling_probability)
            self._seed, self._scheduling_seed = seed, scheduling_seed
            super().__init__(inputs, sequence_length, time_major, name)

    def sample(self, time, outputs, state, name=None):
        with v1.name_scope(name, "ScheduledEmbeddingTrainingHelperSample"):
            chosen = self._sampling_probability > v1.random_uniform([self.batch_size], seed=self._scheduling_seed)
            return v1.where(chosen, categorical(outputs, self._seed), v1.fill([self.batch_size], -1))

    def next_inputs(self, time, outputs, state, sample_ids, name=None):
        with v1.name_scope(name, "ScheduledEmbeddingTrainingHelperNextInputs"):
            finished, base, state = super().next_inputs(time, outputs, state)

            def mixed():
                return self._scattered(
                    sample_ids > -1, base, lambda rows: self._embedding_fn(v1.gather_nd(sample_ids, rows))
                )

            return finished, v1.cond(v1.reduce_all(finished), lambda: base, mixed), state


class ScheduledOutputTrainingHelper(_ScheduledTrainingHelper):
    """TrainingHelper that sometimes reads the outputs themselves, or next_inputs_fn(outputs).

    next_input_layer: a Layer, the older form of next_inputs_fn. auxiliary_inputs: tensors like the inputs except for
    the last axis, appended to each input. Samples are 1 where outputs are read and 0 elsewhere, as int32. TF 1.12 and
    earlier drew bools, with which dynamic_decode failed; next_inputs takes both.
    """

    def __init__(
        self,
        inputs,
        sequence_length,
        sampling_probability,
        time_major=False,
        seed=None,
        next_inputs_fn=None,
        auxiliary_inputs=None,
        name=None,
        next_input_layer=None,
    ):
        with v1.name_scope(name, "ScheduledOutputTrainingHelper"):
            self._set_probability(sampling_probability)
            if next_input_layer is not None and not isinstance(next_input_layer, Layer):
                raise TypeError(f"next_input_layer must be a Layer, received: {type(next_input_layer)}")
            self._seed, self._auxiliary = seed, None
            self._next_inputs_fn = next_inputs_fn or next_input_layer or (lambda outputs: outputs)
            if auxiliary_inputs is not None:
                inputs, auxiliary = v1.convert_to_tensor(inputs), v1.convert_to_tensor(auxiliary_inputs)
                inputs = v1.concat([inputs, auxiliary], -1)
                self._auxiliary = _steps(auxiliary if time_major else transpose_batch_time(auxiliary))
            super().__init__(inputs, sequence_length, time_major, name)

    def sample(self, time, outputs, state, name=None):
        with v1.name_scope(name, "ScheduledOutputTrainingHelperSample"):
            drawn = v1.random_uniform([self.batch_size], seed=self._seed) < self._sampling_probability
            return v1.cast(drawn, v1.int32)

    def next_inputs(self, time, outputs, state, sample_ids, name=None):
        with v1.name_scope(name, "ScheduledOutputTrainingHelperNextInputs"):
            finished, base, state = super().next_inputs(time, outputs, state)
            chosen = v1.cast(sample_ids, v1.bool)
            nothing = v1.logical_or(v1.reduce_all(finished), v1.logical_not(v1.reduce_any(chosen)))

            def made(rows):
                return self._with_auxiliary(self._next_inputs_fn(v1.gather_nd(outputs, rows)), time + 1, rows)

            def mixed():
                return self._scattered(chosen, base, made)

            return finished, v1.cond(nothing, lambda: base, mixed), state

    def _with_auxiliary(self, values, time, rows):
        if self._auxiliary is None:
            return values
        return v1.concat([values, v1.gather_nd(self._auxiliary.read(time), rows)], -1)


def _steps(values):
    return v1.TensorArray(values.dtype, v1.shape(values)[0], element_shape=values.get_shape()[1:]).unstack(values)
