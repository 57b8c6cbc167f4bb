"""Batches of examples that are accepted with a probability: so that classes come as often as is wanted."""

import tensorflow.compat.v1 as v1

COUNTED_BEFORE = 10  # examples of each class, so that the first estimates are not 0 or 1


def stratified_sample(
    tensors, labels, target_probs, batch_size, init_probs=None, enqueue_many=False, queue_capacity=16,
    threads_per_queue=1, name=None,
):  # fmt: skip
    """Returns ([batch, ...], labels [batch_size]) in which the classes come with target_probs.

    labels: class numbers, a scalar, or [n] with enqueue_many, as the first axis of each of `tensors`. target_probs,
    init_probs: [classes]; the second is how often the classes come in the data. None: it is counted while the data
    are read. An example of class c is kept with the probability r[c] / max(r), where r = target_probs / init_probs. Two
    queues with runners do this. Raises TypeError for a tensor in place of a list of them, ValueError for shapes that do
    not fit, and InvalidArgumentError while running, for a class that is wanted and never comes.
    """
    if isinstance(tensors, v1.Tensor):
        raise TypeError(f"tensors must be a list of tensors, not {tensors}")
    tensors = list(tensors)
    with v1.name_scope(name, "stratified_sample", [*tensors, labels]):
        *tensors, labels = _as_batch([*tensors, labels], enqueue_many)
        target = v1.convert_to_tensor(target_probs, dtype=v1.float32)
        _check(tensors, labels, target, init_probs)
        classes = target.shape.num_elements()
        init = _counted(labels, classes) if init_probs is None else v1.convert_to_tensor(init_probs, dtype=v1.float32)
        message = "All classes with zero initial probability must also have zero target probability: "
        known = v1.Assert(v1.reduce_all((init > 0) | v1.equal(target, 0)), [message, init, target])
        one = v1.assert_near(v1.reduce_sum(target), 1.0, message="The sum of target_probs must be 1.")
        with v1.control_dependencies([known, one, v1.assert_non_negative(target)]):
            accept = acceptance(init, target)
        *batches, labels = _accepted(
            [*tensors, labels], lambda values: v1.gather(accept, values[-1]), batch_size, threads_per_queue,
            queue_capacity, threads_per_queue,
        )  # fmt: skip
        return batches, labels


def _check(tensors, labels, target, init):
    """Raises ValueError where what is known of the shapes does not fit."""
    labels.shape.assert_has_rank(1)
    for tensor in tensors:
        tensor.shape.with_rank_at_least(1)[:1].assert_is_compatible_with(labels.shape)
    target.shape.assert_has_rank(1)
    target.shape.assert_is_fully_defined()
    if init is not None:
        v1.convert_to_tensor(init, dtype=v1.float32).shape.assert_is_compatible_with(target.shape)


def rejection_sample(
    tensors, accept_prob_fn, batch_size, queue_threads=1, enqueue_many=False, prebatch_capacity=16, prebatch_threads=1,
    runtime_checks=False, name=None,
):  # fmt: skip
    """Returns a list of [batch_size, ...] of the examples that are accepted with accept_prob_fn([tensor, ...]).

    runtime_checks: raises InvalidArgumentError, while running, for a probability outside 0 ... 1.
    """
    tensors = list(tensors)
    with v1.name_scope(name, "rejection_sample", tensors):
        tensors = _as_batch(tensors, enqueue_many)

        def probability(values):
            found = v1.cast(accept_prob_fn(values), v1.float32)
            checks = [v1.assert_less_equal(0.0, found), v1.assert_less_equal(found, 1.0)] if runtime_checks else []
            with v1.control_dependencies(checks):
                return v1.identity(found, name="prob_with_checks")

        return _accepted(tensors, probability, batch_size, queue_threads, prebatch_capacity, prebatch_threads)


def acceptance(init, target):
    """Returns the probabilities with which examples of each class are kept, [classes]; the largest is 1."""
    ratio = v1.where(init > 0, target / v1.where(init > 0, init, v1.ones_like(init)), v1.zeros_like(init))
    return ratio / v1.reduce_max(ratio)


def _counted(labels, classes):
    """Returns how often each class has come so far, in a variable that counts."""
    start = v1.constant_initializer(COUNTED_BEFORE, v1.int64)
    counts = v1.get_variable(
        v1.get_default_graph().unique_name("class_count"), [classes], v1.int64, start, trainable=False,
        use_resource=True,
    )  # fmt: skip
    counts = counts.assign_add(v1.reduce_sum(v1.one_hot(labels, classes, dtype=v1.int64), 0))
    return v1.cast(counts / v1.reduce_sum(counts), v1.float32)


def _as_batch(tensors, enqueue_many):
    tensors = [v1.convert_to_tensor(tensor) for tensor in tensors]
    return tensors if enqueue_many else [v1.expand_dims(tensor, 0) for tensor in tensors]


def _accepted(tensors, probability, batch_size, threads, capacity, first_threads):
    """Takes one example after the other, keeps some, and batches them; returns a list of batches."""
    # One queue for all: probability and value must be of the same example.
    single = v1.train.batch(tensors, 1, num_threads=first_threads, capacity=capacity, enqueue_many=True)
    single = [v1.squeeze(each, [0]) for each in (single if isinstance(single, list) else [single])]
    keep = v1.random_uniform([]) < probability(single)
    batch = v1.train.maybe_batch(single, keep, batch_size, num_threads=threads)
    return batch if isinstance(batch, list) else [batch]
