"""tf.gfile's files. In text mode, bytes that are no text are given as bytes, as Python 2 gave them.

Programs that were written in Python 2 open pictures with "r". Python 3's TensorFlow raised UnicodeDecodeError there.
"""

import tensorflow.compat.v1 as v1


class _Bytes:
    def _prepare_value(self, val):
        try:
            return super()._prepare_value(val)
        except UnicodeDecodeError:
            return val


class GFile(_Bytes, v1.gfile.GFile):
    """A file of tf.gfile.GFile(name, mode="r")."""


class FastGFile(_Bytes, v1.gfile.FastGFile):
    """The same, under an older name."""
