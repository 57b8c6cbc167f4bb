"""Batches of examples of similar length, by queues. An example waits in the bucket of its length until that is full."""

import numpy as np
import tensorflow.compat.v1 as v1
from tensorflow.python.training import input as input_ops
from tensorflow.python.util import nest


def bucket(
    tensors,
    which_bucket,
    batch_size,
    num_buckets,
    num_threads=1,
    capacity=32,
    bucket_capacities=None,
    shapes=None,
    dynamic_pad=False,
    allow_smaller_final_batch=False,
    keep_input=True,
    shared_name=None,
    name=None,
):
    """Batches `tensors` (a list or dict) by `which_bucket`, a scalar int32 below num_buckets.

    Returns (the bucket of the batch, the batch in the structure of `tensors`). batch_size: a number, or one for each
    bucket.
    Queue runners fill the buckets, and another one fills the queue of batches. Raises ValueError when the number of
    batch sizes or capacities is not num_buckets, and TypeError for an empty list.
    """
    batch_sizes = batch_size if isinstance(batch_size, (list, tuple)) else [batch_size] * num_buckets
    if len(batch_sizes) != num_buckets:
        raise ValueError("If batch_size is a list it must have num_buckets elements")
    capacities = [capacity] * num_buckets if bucket_capacities is None else bucket_capacities
    if len(capacities) != num_buckets:
        raise ValueError(f"The list bucket_capacities ({bucket_capacities}) must have exactly num_buckets elements.")
    if not isinstance(tensors, dict) and not tensors:
        raise ValueError("Cannot bucket an empty list of tensors")
    given = [v1.convert_to_tensor_or_sparse_tensor(each) for each in nest.flatten(tensors)]
    # In a queue, a sparse tensor is a string.
    flat, sparse = input_ops._store_sparse_tensors(given, False, v1.convert_to_tensor(keep_input))
    with v1.name_scope(name, "bucket", flat) as name:
        shapes = [each.shape for each in flat] if shapes is None else [v1.TensorShape(each) for each in shapes]
        which_bucket = v1.convert_to_tensor(which_bucket, dtype=v1.int32, name="which_bucket")
        queues = [_queue(capacities[i], flat, shapes, dynamic_pad, shared_name, f"bucket_queue_{i}")
                  for i in range(num_buckets)]  # fmt: skip
        _fill(queues, flat, which_bucket, keep_input, num_threads)
        top = _top(queues, batch_sizes, flat, shapes, capacity, dynamic_pad, allow_smaller_final_batch, shared_name)
        number, *batch = top.dequeue(name=name)
        known = batch_sizes[0] if len(set(batch_sizes)) == 1 and not allow_smaller_final_batch else None
        for each, shape in zip(batch, shapes):
            each.set_shape(v1.TensorShape([known]).concatenate(shape))
        return number, nest.pack_sequence_as(tensors, input_ops._restore_sparse_tensors(batch, sparse))


def _queue(capacity, tensors, shapes, dynamic_pad, shared_name, name):
    kind = v1.PaddingFIFOQueue if dynamic_pad else v1.FIFOQueue
    shared = None if shared_name is None else f"{shared_name}_{name}"
    return kind(capacity, [each.dtype for each in tensors], shapes, shared_name=shared, name=name)


def _fill(queues, tensors, which, keep_input, num_threads):
    """Adds the queue runner that puts each example into its bucket, unless keep_input is False for it."""

    def enqueue():
        cases = [(v1.equal(which, i), lambda q=q: v1.group(q.enqueue(tensors))) for i, q in enumerate(queues)]
        return v1.group(*(v1.cond(predicate, make, v1.no_op) for predicate, make in cases))

    kept = v1.convert_to_tensor(keep_input, dtype=v1.bool)
    op = v1.cond(kept, enqueue, v1.no_op)
    close = v1.group(*(q.close() for q in queues))
    cancel = v1.group(*(q.close(cancel_pending_enqueues=True) for q in queues))
    errors = (v1.errors.OutOfRangeError, v1.errors.CancelledError)
    v1.train.add_queue_runner(
        v1.train.QueueRunner(
            queues[0], [op] * num_threads, close_op=close, cancel_op=cancel, queue_closed_exception_types=errors
        )
    )


def _top(queues, batch_sizes, tensors, shapes, capacity, dynamic_pad, smaller, shared_name):
    """Returns the queue of (bucket, batch). One thread for each bucket moves full batches there."""
    types = [v1.int32, *(each.dtype for each in tensors)]
    known = None if len(set(batch_sizes)) > 1 or smaller else batch_sizes[0]
    full = [v1.TensorShape([]), *(v1.TensorShape([known]).concatenate(shape) for shape in shapes)]
    if dynamic_pad or not all(shape.is_fully_defined() for shape in full):
        full = None
    top = v1.FIFOQueue(capacity, types, full, shared_name=None if shared_name is None else f"{shared_name}_top",
                       name="top_queue")  # fmt: skip
    moves = []
    for number, (queue, size) in enumerate(zip(queues, batch_sizes)):
        take = queue.dequeue_up_to if smaller else queue.dequeue_many
        moves.append(top.enqueue([v1.constant(number), *nest.flatten(take(size))]))
    errors = (v1.errors.OutOfRangeError, v1.errors.CancelledError)
    v1.train.add_queue_runner(v1.train.QueueRunner(top, moves, queue_closed_exception_types=errors))
    v1.summary.scalar(f"bucket/{top.name}/fraction_of_{capacity}_full", v1.cast(top.size(), v1.float32) / capacity)
    return top


def bucket_by_sequence_length(
    input_length,
    tensors,
    batch_size,
    bucket_boundaries,
    num_threads=1,
    capacity=32,
    bucket_capacities=None,
    shapes=None,
    dynamic_pad=False,
    allow_smaller_final_batch=False,
    keep_input=True,
    shared_name=None,
    name=None,
):
    """Batches examples whose lengths lie between the same two boundaries. There is one more bucket than boundaries.

    Returns (the lengths [batch], the batch in the structure of `tensors`). Raises TypeError for boundaries that are not
    a list of integers, and ValueError when they do not increase.
    """
    tensors_form = tensors
    if not isinstance(bucket_boundaries, (list, tuple)):
        raise TypeError(f"bucket_boundaries must be a list or tuple, but received: {bucket_boundaries}")
    if not bucket_boundaries:
        raise ValueError("bucket_boundaries must not be empty")
    if any(not isinstance(each, int) for each in bucket_boundaries):
        raise TypeError(f"bucket boundaries must be integers, not {bucket_boundaries}")
    if any(low >= high for low, high in zip(bucket_boundaries, bucket_boundaries[1:])):
        raise ValueError(f"Buckets must contain sequential increasing lengths, but saw: {bucket_boundaries}")
    with v1.name_scope(name, "bucket_by_sequence_length", [input_length, *nest.flatten(tensors)]) as name:
        length = v1.convert_to_tensor(input_length, dtype=v1.int32, name="input_length")
        lowest = v1.constant([np.iinfo(np.int32).min, *bucket_boundaries], name="buckets_min")
        highest = v1.constant([*bucket_boundaries, np.iinfo(np.int32).max], name="buckets_max")
        inside = v1.logical_and(v1.less_equal(lowest, length), v1.less(length, highest))
        which = v1.squeeze(v1.cast(v1.where(inside)[:1, 0], v1.int32), [0])
        which.set_shape([])
        if shapes is not None:
            shapes = [v1.TensorShape([]), *shapes]
        _, batch = bucket(
            [length, *nest.flatten(tensors)], which, batch_size, len(bucket_boundaries) + 1, num_threads, capacity,
            bucket_capacities, shapes, dynamic_pad, allow_smaller_final_batch, keep_input, shared_name,
        )  # fmt: skip
        return batch[0], nest.pack_sequence_as(tensors_form, batch[1:])
