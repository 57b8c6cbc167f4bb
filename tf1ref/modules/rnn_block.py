"""A whole LSTM layer as one kernel of TensorFlow's, for tf.function code (contrib.rnn's LSTMBlockFusedCell)."""

import tensorflow as tf

from tf1ref.modules.rnn import Cell, LSTMStateTuple


class LSTMBlockFusedCell(Cell):
    """All steps in one kernel; no RNN around it: create(depth, scope), then called with [time, batch, depth].

    Its variables fit LSTMCell's, under `<scope>/lstm_fused_cell`; use_peephole adds w_i_diag, w_f_diag, w_o_diag. The
    kernel's gradient passes through cell_clip as if there were none; LSTMCell's stops there.
    """

    def __init__(
        self,
        num_units,
        forget_bias=1.0,
        cell_clip=None,
        use_peephole=False,
        initializer=None,
        seed=None,
        name="lstm_fused_cell",
        dtype=tf.float32,
    ):
        super().__init__(num_units, None, initializer, seed, name, dtype)
        self.forget_bias, self.use_peephole = forget_bias, use_peephole
        self.cell_clip = -1 if cell_clip is None else cell_clip

    state_size = property(lambda self: LSTMStateTuple(self.num_units, self.num_units))

    def _create(self, depth):
        units = self.num_units
        self.kernel, self.bias = self._create_pair("", depth + units, 4 * units)
        names = ("w_i_diag", "w_f_diag", "w_o_diag") if self.use_peephole else ()
        self.diagonals = [self._variable(name, [units], self.initializer) for name in names]

    def __call__(self, inputs, initial_state=None, sequence_length=None):
        """Returns (outputs [time, batch, units], LSTMStateTuple of the last step).

        Beyond its sequence_length, [batch] integers, a row's outputs are 0, and its state is the last valid one.
        Raises ValueError for inputs or a state that do not fit, TypeError for another dtype.
        """
        inputs = self._checked(inputs, self.depth, rank=3)
        length, batch = tf.unstack(tf.shape(inputs)[:2])
        first = self.zero_state(batch) if initial_state is None else initial_state
        for each in first:
            self._checked(each, self.num_units, rank=2, what="state")
        wci, wcf, wco = self.diagonals or [tf.zeros([self.num_units], self.dtype)] * 3
        longest = length if sequence_length is None else tf.reduce_max(sequence_length)
        steps = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.cast(longest, tf.int64), x=inputs, cs_prev=first[0], h_prev=first[1], w=self.kernel,
            wci=wci, wcf=wcf, wco=wco, b=self.bias, forget_bias=self.forget_bias, cell_clip=self.cell_clip,
            use_peephole=self.use_peephole,
        )  # fmt: skip
        if sequence_length is None:
            return steps.h, LSTMStateTuple(steps.cs[-1], steps.h[-1])
        mask = tf.transpose(tf.sequence_mask(sequence_length, length, self.dtype))
        outputs = steps.h * tf.expand_dims(mask, -1)
        # The initial state comes first, so that a row of length 0 ends with it.
        last = tf.stack([tf.cast(sequence_length, tf.int32), tf.range(batch)], axis=1)
        c, h = (tf.gather_nd(tf.concat([[one], rest], 0), last) for one, rest in zip(first, (steps.cs, outputs)))
        return outputs, LSTMStateTuple(c, h)
