"""batch_sequences_with_states: segments of sequences of any length, with padding and sparse tensors."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.training._state_saver import SequenceQueueingStateSaver, multiple_check

SPARSE = v1.SparseTensor, v1.SparseTensorValue


def batch_sequences_with_states(
    input_key,
    input_sequences,
    input_context,
    input_length,
    initial_states,
    num_unroll,
    batch_size,
    num_threads=3,
    capacity=1000,
    allow_small_batch=True,
    pad=True,
    make_keys_unique=False,
    make_keys_unique_seed=None,
    name=None,
):
    """Returns the NextQueuedSequenceBatch of a SequenceQueueingStateSaver that queue runners fill.

    The arguments are as there. Sequences and context may be sparse, too. With `pad`, sequences are filled up to a
    multiple of num_unroll. Then input_length may be None, for all steps that there are. With make_keys_unique, each
    key gets a random number, so that an example may come twice. Raises TypeError or ValueError for arguments that do
    not fit.
    """
    tensors = [*input_sequences.values(), *input_context.values(), *initial_states.values()]
    with v1.name_scope(name, "batch_sequences_with_states", tensors):
        sequences = {each: _tensor(value) for each, value in sorted(input_sequences.items())}
        if pad:
            length, sequences = padded(sequences, num_unroll)
            input_length = length if input_length is None else input_length
        else:
            sequences = {each: _checked(each, value, num_unroll) for each, value in sequences.items()}
        if make_keys_unique:
            number = v1.random_uniform([], 0, 100000000, v1.int32, seed=make_keys_unique_seed)
            input_key = v1.strings.join([input_key, v1.as_string(number)])
        context = {each: _tensor(value) for each, value in input_context.items()}
        saver = SequenceQueueingStateSaver(
            batch_size, num_unroll, input_length, input_key,
            {each: _dense(value, v1.io.serialize_many_sparse) for each, value in sequences.items()},
            {each: _dense(value, v1.io.serialize_sparse) for each, value in context.items()},
            initial_states, capacity, allow_small_batch,
        )  # fmt: skip
        ready = v1.cast(saver.barrier.ready_size(), v1.float32)
        v1.summary.scalar(f"queue/{saver.barrier.name}/ready_segment_batches_", ready)
        ends = v1.errors.OutOfRangeError, v1.errors.CancelledError
        runner = v1.train.QueueRunner(saver, [saver.prefetch_op] * num_threads, queue_closed_exception_types=ends)
        v1.train.add_queue_runner(runner)
        batch = saver.next_batch
        _make_sparse(batch, sequences, context, num_unroll)
        return batch


def _tensor(value):
    return v1.SparseTensor.from_value(value) if isinstance(value, SPARSE) else v1.convert_to_tensor(value)


def _steps(value):
    return v1.cast(value.dense_shape[0], v1.int32) if isinstance(value, v1.SparseTensor) else v1.shape(value)[0]


def _dense(value, serialize):
    """A sparse tensor travels as three strings for each of its rows, or three in all."""
    return serialize(value) if isinstance(value, v1.SparseTensor) else value


def _make_sparse(batch, sequences, context, num_unroll):
    """Makes the sparse tensors of the batch out of their strings."""
    for each, value in context.items():
        if isinstance(value, v1.SparseTensor):
            batch.context[each] = v1.io.deserialize_many_sparse(batch.context[each], value.dtype)
    for each, value in sequences.items():
        if isinstance(value, v1.SparseTensor):
            rows = v1.io.deserialize_many_sparse(v1.reshape(batch.sequences[each], [-1, 3]), value.dtype)
            sizes = v1.cast([v1.shape(batch.key)[0], num_unroll], v1.int64)
            batch.sequences[each] = v1.sparse.reshape(rows, v1.concat([sizes, rows.dense_shape[1:]], 0))


def padded(sequences, num_unroll):
    """Returns (length, sequences up to a multiple of num_unroll). Raises ValueError for a num_unroll that is no int."""
    if not isinstance(num_unroll, int):
        raise ValueError(f"Unsupported num_unroll expected int, got: {num_unroll}")
    if not sequences:
        return 0, {}
    lengths = [_steps(value) for value in sequences.values() if not isinstance(value, v1.SparseTensor)]
    # Without a dense one the longest counts: the size of a sparse tensor may be what its last value needs.
    length = lengths[0] if lengths else v1.reduce_max(v1.stack([_steps(value) for value in sequences.values()]))
    message = "All sequence lengths must match, but received lengths: "
    with v1.control_dependencies([v1.Assert(v1.equal(each, length), [message, lengths]) for each in lengths]):
        length = v1.identity(length)
    steps = length + v1.floormod(-length, num_unroll)
    return length, {each: _up_to(value, steps) for each, value in sequences.items()}


def _up_to(value, steps):
    if isinstance(value, v1.SparseTensor):
        shape = v1.concat([[v1.cast(steps, v1.int64)], value.dense_shape[1:]], 0)
        return v1.SparseTensor(value.indices, value.values, shape)
    return v1.pad(value, [[0, steps - v1.shape(value)[0]]] + [[0, 0]] * (value.shape.ndims - 1))


def _checked(name, value, num_unroll):
    sparse = isinstance(value, v1.SparseTensor)
    text = f"{'Sparse' * sparse}Tensor {name} first dimension"
    with v1.control_dependencies([multiple_check(_steps(value), num_unroll, text)]):
        if sparse:
            return v1.SparseTensor(*(v1.identity(part) for part in (value.indices, value.values, value.dense_shape)))
        return v1.identity(value)
