"""contrib.rnn's CompiledWrapper."""

import tensorflow.compat.v1 as v1
from tensorflow.python.framework import op_def_registry

from tf1ref.legacy.nn.rnn_cell._wrappers import Wrapper


class CompiledWrapper(Wrapper):
    """Marks the cell's ops for XLA, which fuses them: the last bits may differ from those of the cell alone.

    compile_stateful: marks ops with a state, such as random ones, too.
    """

    def __init__(self, cell, compile_stateful=False):
        super().__init__(cell)
        self._compile_stateful = compile_stateful

    def __call__(self, inputs, state, scope=None):
        with v1.xla.experimental.jit_scope(compile_ops=True if self._compile_stateful else _is_stateless):
            return self._cell(inputs, state, scope=scope)


def _is_stateless(node):
    return not op_def_registry.get(node.op).is_stateful
