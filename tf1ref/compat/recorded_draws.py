"""Evaluations of a program that is recorded for a port draw other random numbers than its training.

In a session, all runs draw from one generator. In TensorFlow 2 an evaluation has its own, so it gets one here, too.
"""

import weakref

import numpy as np

from tf1ref.compat.recorded_graphs import WRITES, before, given

DRAWS = {"RandomUniform": "random", "RandomStandardNormal": "standard_normal", "TruncatedNormal": "standard_normal"}


class Apart:
    """Runs evaluations. Numbers are fed in place of random ops, or a second session has the variables' values."""

    def __init__(self):
        self.random, self.others = np.random.default_rng(0), weakref.WeakKeyDictionary()

    def results(self, run, sess, targets, fetches, feeds):
        """Returns what run(feeds=, sess=) answers. `feeds`: {reference of a tensor: value}."""
        import tensorflow as tf

        reached = before([*targets, *(t.op for t in fetches)])
        draws = [op for op in reached if op.type in DRAWS]
        outer = [op for op in draws if _is_outside(op)]
        drawn = self._drawn(sess, outer, feeds)
        if len(outer) < len(draws) and not _leaves_traces(reached, sess.graph):
            try:
                return run(feeds={**feeds, **drawn}, sess=self._other(sess))
            # What has no value there, such as a table, has one in the program's own session.
            except tf.errors.OpError:
                pass
        return run(feeds={**feeds, **drawn})

    def _drawn(self, sess, draws, feeds):
        shapes = sess.run([op.inputs[0] for op in draws], {ref.deref(): value for ref, value in feeds.items()})
        return {
            op.outputs[0].ref(): getattr(self.random, DRAWS[op.type])(size=shape).astype(
                op.outputs[0].dtype.as_numpy_dtype
            )
            for op, shape in zip(draws, shapes)
        }

    def _other(self, sess):
        """Returns a session of the same graph, whose variables have the values of those of `sess`."""
        import tensorflow as tf
        import tensorflow.compat.v1 as v1

        if sess not in self.others:
            self.others[sess] = v1.Session(graph=sess.graph, config=sess._config)
        other = self.others[sess]
        for variable in [v for kind in ("variables", "local_variables") for v in sess.graph.get_collection(kind)]:
            try:
                value = sess.run(variable)
            except tf.errors.FailedPreconditionError:
                continue
            other.run(variable.initializer, {variable.initializer.inputs[1]: value})
        return other


def _is_outside(op):
    """Returns whether `op` is in no loop or branch: what is there can be neither fetched nor fed."""
    return op.graph.is_feedable(op.outputs[0]) and op.graph.is_fetchable(op.inputs[0])


def _leaves_traces(ops, graph):
    """Returns whether `ops` write to variables, or take examples that no other run gets."""
    return any(WRITES.fullmatch(op.type) for op in ops) or bool(given(ops, graph))
