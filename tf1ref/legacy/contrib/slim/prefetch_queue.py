"""tf.contrib.slim.prefetch_queue: batches that are made ahead of their use."""

import tensorflow.compat.v1 as v1

__all__ = ["prefetch_queue"]


def prefetch_queue(tensors, capacity=8, num_threads=1, dynamic_pad=False, shared_name=None, name=None):
    """Returns a queue whose elements have the structure of `tensors`, a tensor, a list or a dict.

    Queue runners fill it. Its dequeue() gives the next element. dynamic_pad: shapes need not be known, but ranks must.
    """
    if isinstance(tensors, dict):
        names, flat = sorted(tensors), [tensors[key] for key in sorted(tensors)]
    else:
        names, flat = None, list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]
    with v1.name_scope(name, "prefetch_queue", flat) as name:
        flat = [v1.convert_to_tensor(each) for each in flat]
        kind = v1.PaddingFIFOQueue if dynamic_pad else v1.FIFOQueue
        shapes = [each.shape for each in flat]
        known = dynamic_pad or all(shape.is_fully_defined() for shape in shapes)
        queue = kind(
            capacity, [each.dtype for each in flat], shapes if known else None, names, shared_name or None, "fifo_queue"
        )
        enqueue = queue.enqueue(dict(zip(names, flat)) if names else flat)
        v1.train.add_queue_runner(v1.train.QueueRunner(queue, [enqueue] * num_threads))
        fraction = v1.cast(queue.size(), v1.float32) / capacity
        v1.summary.scalar(f"fraction_of_{capacity}_full", fraction)
        return queue
