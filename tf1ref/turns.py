"""Random ops inside of loops, one step after the other.

Up to 32 steps of a loop run at once. A random op that depends only on a shape may run in any of them first, so a seed
does not determine what a step draws. Cells with dropout, in legacy/ and in modules/, take turns instead.
"""

import tensorflow as tf
from tensorflow.python.ops import control_flow_util, control_flow_util_v2


class Turn:
    """A step's turn at its random ops: it draws once it has a state, and hands its own state on once it has drawn.

    state: the state of the step before, a nest with at least one tensor. One tensor of it carries the turn: an LSTM's
    c, so that the next step's product need not wait. Outside of loops nothing is done, since each op draws for one step
    there. An additional op in the path of the gradients would change the order in which they are summed.
    """

    def __init__(self, state):
        self._before = _tensors(state)[:1] if _in_loop() else []
        self._begun, self._drawn = [], []

    def draw(self, dropout):
        """Returns dropout(), a tensor."""
        if not self._before:
            return dropout()
        if not self._begun:
            # An op of this step's own: a control edge from outside of a branch of a cond is lost.
            self._begun = [tf.identity(self._before[0])]
        with tf.control_dependencies(self._begun):
            self._drawn.append(dropout())
        return self._drawn[-1]

    def pass_on(self, state):
        """Returns the state of this step, which the next one waits for."""
        if not self._drawn or not _tensors(state):
            return state
        first = _tensors(state)[0]
        with tf.control_dependencies(self._drawn):
            held = tf.identity(first)
        return tf.nest.map_structure(lambda each: held if each is first else each, state)


def _tensors(state):
    return [each for each in tf.nest.flatten(state) if tf.is_tensor(each)]


def _in_loop():
    """Whether ops that are made now belong to the body of a loop, of TensorFlow 1's kind or of today's."""
    graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
    while graph is not None:
        context = control_flow_util.GetContainingWhileContext(graph._get_control_flow_context())
        if context is not None or control_flow_util_v2.in_while_loop_defun(graph):
            return True
        graph = getattr(graph, "outer_graph", None)
    return False
