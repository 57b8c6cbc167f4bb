"""tf.contrib.seq2seq.gather_tree reads the sequences of a beam search backwards, from child to parent."""

import tensorflow.compat.v1 as v1


def gather_tree(step_ids, parent_ids, max_sequence_lengths, end_token, name=None):
    """Returns the beams, [time, batch, beam_width] int32: the ids on the way to each id of the last step.

    step_ids, parent_ids: of the same shape. max_sequence_lengths: [batch], the last step of each example. From the
    first end_token on, and after the last step, all ids are end tokens. Raises ValueError for other ranks, and
    InvalidArgumentError for a parent that is not a beam.
    """
    with v1.name_scope(name, "GatherTree"):
        steps = v1.convert_to_tensor(step_ids, v1.int32, name="step_ids")
        parents = v1.convert_to_tensor(parent_ids, v1.int32, name="parent_ids")
        lengths = v1.convert_to_tensor(max_sequence_lengths, v1.int32, name="max_sequence_lengths")
        end = v1.convert_to_tensor(end_token, v1.int32, name="end_token")
        steps.get_shape().with_rank(3).assert_is_compatible_with(parents.get_shape())
        lengths.get_shape().assert_has_rank(1)
        end.get_shape().assert_has_rank(0)
        time, batch, width = v1.unstack(v1.shape(steps))
        beams = v1.tile(v1.expand_dims(v1.range(width), 0), [batch, 1])
        beams.set_shape(steps.get_shape()[1:])

        def back(last, step):
            place, _ = last
            number, ids, parents = step
            there = v1.tile(v1.expand_dims(number < lengths, 1), [1, width])
            wrong = v1.logical_and(there, v1.logical_or(v1.less(place, 0), v1.greater_equal(place, width)))
            with v1.control_dependencies(
                [v1.cond(v1.reduce_any(wrong), lambda: _refused(wrong, place, number), v1.no_op)]
            ):
                place = v1.identity(place)
            found = v1.where(there, _at(ids, place), v1.fill(v1.shape(place), end))
            return v1.where(there, _at(parents, place), place), found

        _, found = v1.scan(back, (v1.range(time), steps, parents), (beams, beams), reverse=True)
        ended = v1.cumsum(v1.cast(v1.equal(found, end), v1.int32), axis=0, exclusive=True) > 0
        found = v1.where(ended, v1.fill(v1.shape(found), end), found)
        found.set_shape(steps.get_shape())
        return found


def sorted_array(array, parent_ids, lengths):
    """Returns the elements of a TensorArray, [time, *element], in the order of the beams.

    Other values are returned as they are.
    The elements are [batch * beam_width, ...] or [batch, beam_width, ...]. For other shapes it warns and returns the
    array.
    """
    if not isinstance(array, v1.TensorArray):
        return array
    batch, width = parent_ids.get_shape().as_list()[1:]
    shape = array.element_shape
    rows = None if not shape.ndims else shape.as_list()[0]
    fits = None in (rows, batch) or rows == batch * width or (rows == batch and shape.as_list()[1:2] == [width])
    if not shape.ndims or not fits:
        v1.logging.warning(
            "A TensorArray of the cell state has elements of %s, not [batch, beam_width, ...]: they are not sorted. "
            "reorder_tensor_arrays=False is the same without this warning.",
            shape,
        )
        return array
    return gather_tree_from_array(array.stack(), parent_ids, lengths)


def gather_tree_from_array(t, parent_ids, sequence_length):
    """Returns t with the rows of each step where their beams end.

    t: [time, batch * beam_width, ...] or [time, batch, beam_width, ...]. sequence_length: [batch, beam_width]; later
    steps are not changed.
    """
    time, batch, width = v1.unstack(v1.shape(parent_ids))
    own = v1.tile(v1.reshape(v1.range(width), [1, 1, -1]), [time, batch, 1])
    longest = v1.cast(v1.reduce_max(sequence_length, axis=1), v1.int32)
    order = gather_tree(own, parent_ids, longest, width + 1)
    there = v1.transpose(v1.sequence_mask(sequence_length, maxlen=time), [2, 0, 1])
    order = v1.where(there, order, own)
    rows = v1.reshape(t, [time, batch, width, -1])
    ordered = v1.reshape(v1.gather(rows, order, axis=2, batch_dims=2), v1.shape(t))
    ordered.set_shape(t.get_shape())
    return ordered


def _refused(wrong, parents, time):
    """Fails with the first parent id that is not a beam."""
    batch, beam = v1.unstack(v1.where_v2(wrong)[0])
    parent = parents[batch, beam]
    says = v1.strings.format(
        "Saw invalid parent id {} at (batch, time, beam) == ({}, {}, {})", [parent, batch, time, beam]
    )
    return v1.Assert(False, [says])


def _at(rows, index):
    return v1.gather(rows, index, axis=1, batch_dims=1)
