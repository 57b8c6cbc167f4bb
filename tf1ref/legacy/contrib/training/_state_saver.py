"""Long sequences in segments: batches of segments, with a state that goes from a segment to the next.

A barrier of TensorFlow holds the segments. Its keys are "00000_of_00003:KEY" and so on, and a segment can be taken as
soon as its state is there: the first one's comes with the example, each other one's by `save_state` of the one before.
"""

import tensorflow.compat.v1 as v1
from tensorflow.python.ops.data_flow_ops import Barrier

# What the barrier keeps of each segment beside sequences, context and states.
NUMBERS = {
    "length": v1.int32, "total_length": v1.int32, "next_key": v1.string, "sequence": v1.int32,
    "sequence_count": v1.int32,
}  # fmt: skip


class SequenceQueueingStateSaver:
    """Splits examples into segments of num_unroll steps, and batches segments of different examples.

    input_length, input_key: int32 and string scalars. input_sequences: {name: [padded_length, ...]}, padded_length is
    a multiple of num_unroll. input_context, initial_states: {name: tensor} of known shapes. Each run of
    `prefetch_op`, mostly in a QueueRunner, puts in one example. What comes out is `next_batch`. At most `capacity`
    examples are inside at once; None is any number. With allow_small_batch the last batches may be smaller. Raises
    TypeError or ValueError for names, types and shapes that do not fit, InvalidArgumentError while it runs.
    """

    def __init__(
        self,
        batch_size,
        num_unroll,
        input_length,
        input_key,
        input_sequences,
        input_context,
        initial_states,
        capacity=None,
        allow_small_batch=False,
        name=None,
    ):
        input_key = _with_room(capacity, batch_size, input_key)
        # A token for each example inside: a barrier does not know how many examples its segments are of.
        self._tokens = v1.FIFOQueue(-1 if capacity is None else capacity, [v1.int32], shapes=[[]])
        _check_names(input_sequences, input_context, initial_states)
        self._batch_size, self._num_unroll, self._small = batch_size, num_unroll, allow_small_batch
        self._prefetch_op = self._next_batch = None
        values = [input_length, input_key, *input_sequences.values(), *input_context.values()]
        with v1.colocate_with(self._tokens.queue_ref), v1.name_scope(name, "InputQueueingStateSaver", values) as scope:
            self._name = scope
            self._key = _scalar(input_key, v1.string, "key")
            sequences = _tensors("sequence", input_sequences, first=1)
            self._context = _tensors("context", input_context)
            self._states = _tensors("state", initial_states)
            steps = _multiple(v1.shape(next(iter(sequences.values())))[0], num_unroll)
            self._sequences = {each: _of_length(tensor, steps, each) for each, tensor in sequences.items()}
            length = _scalar(input_length, v1.int32, "length")
            message = ["Input length should be <= than length from sequences:", length, " vs. ", steps]
            with v1.control_dependencies([v1.Assert(v1.less_equal(length, steps), message)]):
                self._length = v1.identity(length)
            self._count = v1.floordiv(steps, num_unroll)
            self._make_barrier()

    name = property(lambda self: self._name)
    barrier = property(lambda self: self._barrier)
    batch_size = property(lambda self: self._batch_size)
    num_unroll = property(lambda self: self._num_unroll)

    def _make_barrier(self):
        """What the barrier keeps: {(kind, name): place}, such as ("state", "lstm")."""
        shapes = {("", each): (dtype, []) for each, dtype in NUMBERS.items()}
        for each, tensor in self._sequences.items():
            shapes["sequences", each] = tensor.dtype, [self._num_unroll, *tensor.shape.as_list()[1:]]
        for kind, tensors in (("context", self._context), ("state", self._states)):
            shapes.update({(kind, each): (tensor.dtype, tensor.shape) for each, tensor in tensors.items()})
        self._places = {each: place for place, each in enumerate(shapes)}
        types, shapes = zip(*shapes.values())
        self._barrier = Barrier(types=types, shapes=shapes)

    def _insert(self, kind, name, keys, values):
        return self._barrier.insert_many(self._places[kind, name], keys, values)

    @property
    def prefetch_op(self):
        """The op that puts one example in; it waits while the state saver is full."""
        if self._prefetch_op is None:
            with v1.name_scope(None), v1.name_scope(self._name):
                self._prefetch_op = self._prefetch()
        return self._prefetch_op

    def _prefetch(self):
        number, count = v1.range(self._count), v1.fill([self._count], self._count)
        of = [v1.as_string(each, width=5, fill="0") for each in (number, self._count)]
        keys = v1.strings.join([of[0], "_of_", of[1], ":", self._key])
        numbers = {
            "length": v1.clip_by_value(self._length - self._num_unroll * number, 0, self._num_unroll),
            "total_length": v1.fill([self._count], self._length),
            "next_key": v1.concat([keys[1:], v1.strings.join(["STOP:", self._key])[None]], 0),
            "sequence_count": count,
        }
        # The numbers of all segments first: they give the segments of an example one index, by which they come out.
        first = [self._insert("", "sequence", keys, number), self._tokens.enqueue(1)]
        inserts = [self._insert("", each, keys, values) for each, values in numbers.items()]
        for each, tensor in self._sequences.items():
            shape = [self._count, self._num_unroll, *tensor.shape.as_list()[1:]]
            inserts.append(self._insert("sequences", each, keys, v1.reshape(tensor, shape)))
        for each, tensor in self._context.items():
            copies = v1.tile(tensor[None], [self._count] + [1] * tensor.shape.ndims)
            inserts.append(self._insert("context", each, keys, copies))
        with v1.control_dependencies(first):
            inserts += [self._insert("state", each, keys[:1], tensor[None]) for each, tensor in self._states.items()]
        return v1.group(*first, *inserts, name="StateSaverPrefetchGroup")

    @property
    def next_batch(self):
        """The batch: a NextQueuedSequenceBatch."""
        if self._next_batch is None:
            assert self.prefetch_op is not None  # its ops are made first, as in 1.15
            with v1.name_scope(None), v1.name_scope(self._name), v1.colocate_with(self._tokens.queue_ref):
                taken = self._barrier.take_many(self._batch_size, self._small)
                self._next_batch = NextQueuedSequenceBatch(self, *taken)
        return self._next_batch

    def close(self, cancel_pending_enqueues=False, name=None):
        """The op after which no new example goes in. The segments of those inside can still be taken."""
        with v1.name_scope(name, "SQSSClose", [self._prefetch_op]) as scope:
            closes = [each.close(cancel_pending_enqueues) for each in (self._barrier, self._tokens)]
            return v1.group(*closes, name=scope)


class NextQueuedSequenceBatch:
    """A batch of segments. The first axis of every tensor is the batch."""

    def __init__(self, saver, indices, keys, values):
        def of(kind):
            return {name: values[place] for (group, name), place in saver._places.items() if group == kind}

        self._saver, self._keys, self._indices = saver, keys, indices
        self._numbers, self._context, self._sequences = of(""), of("context"), of("sequences")
        self._last = v1.greater_equal(self.sequence + 1, self.sequence_count)
        # A token goes out for each example that ends. It must go when the states are read, and they always are.
        gone = saver._tokens.dequeue_many(v1.reduce_sum(v1.cast(self._last, v1.int32)))
        with v1.control_dependencies([gone]):
            self._states = {name: v1.identity(value) for name, value in of("state").items()}

    total_length = property(lambda self: self._numbers["total_length"], doc="The lengths of the whole examples.")
    length = property(lambda self: self._numbers["length"], doc="The lengths of the segments, at most num_unroll.")
    next_key = property(lambda self: self._numbers["next_key"], doc="The keys of the segments that follow.")
    sequence = property(lambda self: self._numbers["sequence"], doc="The numbers of the segments in their examples.")
    sequence_count = property(lambda self: self._numbers["sequence_count"], doc="The numbers of segments of them.")
    key = property(lambda self: self._keys, doc="The keys of the segments.")
    insertion_index = property(lambda self: self._indices, doc="int64, from -2**63, in the order of the examples.")
    batch_size = property(lambda self: v1.squeeze(v1.shape(self.length)), doc="How many segments the batch has.")
    context = property(lambda self: self._context, doc="{name: [batch, ...]}.")
    sequences = property(lambda self: self._sequences, doc="{name: [batch, num_unroll, ...]}.")

    def state(self, state_name):
        """Returns the state [batch, ...] as the segments before left it. Raises KeyError."""
        return self._states[state_name]

    def save_state(self, state_name, value, name=None):
        """Returns the op that gives `value`, [batch, ...], to the segments that follow.

        Every run that takes a batch must run it. Raises KeyError for an unknown state, ValueError for a wrong rank.
        """
        if state_name not in self._states:
            raise KeyError(f"state was not declared: {state_name}")
        place = v1.colocate_with(self._saver._tokens.queue_ref)
        with v1.name_scope(name, "InputQueueingStateSaver_SaveState", [value]), place:
            value = v1.identity(value, name=f"convert_{state_name}")
            value = _of_shape(value, self._states[state_name])
            left = v1.reshape(v1.where(v1.logical_not(self._last)), [-1])
            keys = v1.gather(self.next_key, left)
            return self._saver._insert("state", state_name, keys, v1.gather(value, left))


def _with_room(capacity, batch_size, key):
    """Returns the key; in the graph it depends on whether a batch fits in."""
    if capacity is None:
        return key
    if isinstance(batch_size, v1.Tensor):
        room = v1.assert_greater_equal(
            v1.cast(capacity, v1.int64), v1.cast(batch_size, v1.int64), message="capacity needs to be >= batch_size."
        )
        with v1.control_dependencies([room]):
            return v1.identity(key)
    if capacity < batch_size:
        raise ValueError(f"capacity {capacity} needs to be >= batch_size {batch_size}")
    return key


def _check_names(sequences, context, states):
    for kind, given in (("sequences", sequences), ("context", context), ("initial_states", states)):
        if not isinstance(given, dict):
            raise TypeError(f"{kind} must be a dict")
        for name in given:
            if not isinstance(name, str):
                raise TypeError(f"a name in {kind} must be string: {name}")
            if ":" in name:
                raise ValueError(f"a name in {kind} may not have a colon: '{name}'")
    if not sequences:
        raise ValueError("must have at least one sequence tensor")
    if not states:
        raise ValueError("initial_states may not be empty: without a state the segments would not follow each other")


def _scalar(value, dtype, name):
    value = v1.convert_to_tensor(value, name=name)
    if value.dtype != dtype:
        raise TypeError(f"{name} dtype must be {dtype.name}, but received: {value.dtype}")
    with v1.control_dependencies([v1.assert_rank(value, 0, message=f"Rank of {name} should be 0")]):
        return v1.identity(value)


def _tensors(kind, given, first=0):
    """Returns {name: tensor} by name. The shapes must be known from axis `first` on."""
    tensors = {name: v1.convert_to_tensor(given[name], name=f"{kind}_{name}") for name in sorted(given)}
    for name, tensor in tensors.items():
        if not tensor.shape[first:].is_fully_defined():
            raise ValueError(f"Shape for {kind} {name} is not fully defined: {tensor.shape}")
    return tensors


def multiple_check(steps, num_unroll, what):
    """Returns the op that fails where `steps` is 0 or not a multiple of num_unroll."""
    message = [f"{what} should be a multiple of: ", v1.as_string(num_unroll), ", but saw value: ", v1.as_string(steps)]
    fits = v1.logical_and(v1.equal(v1.floormod(steps, num_unroll), 0), v1.not_equal(steps, 0))
    return v1.Assert(fits, [v1.strings.join([*message, ". Consider setting pad=True."])])


def _multiple(steps, num_unroll):
    with v1.control_dependencies([multiple_check(steps, num_unroll, f"Tensor {steps.name}")]):
        return v1.identity(steps)


def _of_length(tensor, steps, name):
    found = v1.shape(tensor)[0]
    text = f"Dimension 0 of tensor labeled sorted_sequences_{name} should be: "
    message = v1.strings.join([text, v1.as_string(steps), ", shape received: ", v1.as_string(found)])
    with v1.control_dependencies([v1.Assert(v1.equal(found, steps), [message])]):
        return v1.identity(tensor)


def _of_shape(value, like):
    """Returns the value after checks, while it runs, of its rank and its shape."""
    try:
        value.shape.assert_has_rank(like.shape.rank)
    except ValueError as error:
        raise ValueError(f"Rank check failed for {value.name}: {error}") from None
    for what, expected, found in (("Rank", v1.rank(like), v1.rank(value)), ("Shape", v1.shape(like), v1.shape(value))):
        expected_text = v1.strings.reduce_join(v1.as_string(expected), separator=" ")
        text = v1.strings.join([f"{what} of tensor {value.name} should be: ", expected_text, ", shape received:"])
        check = v1.Assert(v1.reduce_all(v1.equal(expected, found)), [text, v1.shape(value)])
        with v1.control_dependencies([check]):
            value = v1.identity(value)
    return value
