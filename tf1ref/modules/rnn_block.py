"""A whole LSTM layer as one kernel of TensorFlow, for tf.function code (contrib.rnn's LSTMBlockFusedCell)."""

from typing import Any

import tensorflow as tf

from tf1ref.modules._types import Initializer, Scalar, State, Tensor
from tf1ref.modules.rnn import Cell, LSTMStateTuple


class LSTMBlockFusedCell(Cell):
    """All steps of a series in one kernel. It needs no RNN: call create(depth, scope), then cell([time, batch,
    depth]).

    Its variables have the shapes of LSTMCell's and lie under `<scope>/lstm_fused_cell`. use_peephole adds w_i_diag,
    w_f_diag and w_o_diag. The kernel's gradient ignores cell_clip, while LSTMCell's gradient is 0 where c is clipped.
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: Scalar = 1.0,
        cell_clip: float | None = None,
        use_peephole: bool = False,
        initializer: Initializer | None = None,
        seed: int | None = None,
        name: str = "lstm_fused_cell",
        dtype: tf.DType = tf.float32,
    ) -> None:
        super().__init__(num_units, None, initializer, seed, name, dtype)
        self.forget_bias, self.use_peephole = forget_bias, use_peephole
        self.cell_clip = -1 if cell_clip is None else cell_clip

    state_size = property(lambda self: LSTMStateTuple(self.num_units, self.num_units))

    def _create(self, depth: int) -> None:
        units = self.num_units
        self.kernel, self.bias = self._create_pair("", depth + units, 4 * units)
        names = ("w_i_diag", "w_f_diag", "w_o_diag") if self.use_peephole else ()
        self.diagonals = [self._variable(name, [units], self.initializer) for name in names]

    def __call__(
        self, inputs: tf.Tensor, initial_state: State | None = None, sequence_length: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Returns (outputs [time, batch, units], LSTMStateTuple of the last step).

        sequence_length: [batch] integers. After its own length, a row's outputs are 0 and its state stays the last
        valid one.
        Raises ValueError for inputs or a state that do not fit, and TypeError for another dtype.
        """
        inputs = self._checked(inputs, self.depth, rank=3)
        length, batch = tf.unstack(tf.shape(inputs)[:2])
        first = self.zero_state(batch) if initial_state is None else initial_state
        for each in first:
            self._checked(each, self.num_units, rank=2, what="state")
        wci, wcf, wco = self.diagonals or [tf.zeros([self.num_units], self.dtype)] * 3
        arguments = {
            "w": self.kernel, "wci": wci, "wcf": wcf, "wco": wco, "b": self.bias, "forget_bias": self.forget_bias,
            "cell_clip": self.cell_clip, "use_peephole": self.use_peephole,
        }  # fmt: skip
        if sequence_length is None and inputs.shape[0]:
            outputs, last_c = block_lstm(inputs, *first, **arguments)
            return outputs, LSTMStateTuple(last_c, outputs[-1])
        longest = length if sequence_length is None else tf.reduce_max(sequence_length)
        steps = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.cast(longest, tf.int64), x=inputs, cs_prev=first[0], h_prev=first[1], **arguments
        )
        if sequence_length is None:
            return steps.h, LSTMStateTuple(steps.cs[-1], steps.h[-1])
        mask = tf.transpose(tf.sequence_mask(sequence_length, length, self.dtype))
        outputs = steps.h * tf.expand_dims(mask, -1)
        # The initial state comes first, so that a row of length 0 ends with it.
        last = tf.stack([tf.cast(sequence_length, tf.int32), tf.range(batch)], axis=1)
        c, h = (tf.gather_nd(tf.concat([[one], rest], 0), last) for one, rest in zip(first, (steps.cs, outputs)))
        return outputs, LSTMStateTuple(c, h)


def block_lstm(
    x: Tensor,
    c: Tensor,
    h: Tensor,
    w: Tensor,
    wci: Tensor,
    wcf: Tensor,
    wco: Tensor,
    b: Tensor,
    use_peephole: bool,
    **options: Any,
) -> tuple[Tensor, Tensor]:
    """Runs BlockLSTM over x [time, batch, depth], whose time is known. Returns (outputs [time, batch, units], last
    c).

    The gradient is not BlockLSTMGrad: that kernel multiplies matrices without FMA, and a training step takes 1.7
    times as long. Instead a kernel computes the gates of each step, and plain products do the rest. There is one
    product for each step for h, and one for the whole series for w.
    """

    @tf.custom_gradient
    def run(x: Tensor, c: Tensor, h: Tensor, w: Tensor, wci: Tensor, wcf: Tensor, wco: Tensor, b: Tensor) -> Any:
        length = x.shape[0]
        arguments = {"w": w, "wci": wci, "wcf": wcf, "wco": wco, "b": b, "use_peephole": use_peephole}
        steps = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.constant(length, tf.int64), x=x, cs_prev=c, h_prev=h, **arguments, **options
        )

        def gradient(h_grads: Any, c_grad: Tensor) -> Any:
            saved = {name: tf.unstack(getattr(steps, name), length) for name in ("i", "cs", "f", "o", "ci", "co")}
            inputs, h_grads = tf.unstack(x, length), tf.unstack(h_grads, length)
            previous, recurrent = [c, *saved["cs"][:-1]], w[x.shape[2] :]
            done, h_grad = [], None
            for t in reversed(range(length)):
                h_grad = h_grads[t] if h_grad is None else h_grads[t] + h_grad
                step = tf.raw_ops.LSTMBlockCellGrad(
                    x=inputs[t], cs_prev=previous[t], h_prev=h, cs_grad=c_grad, h_grad=h_grad, **arguments,
                    **{name: values[t] for name, values in saved.items()},
                )  # fmt: skip
                c_grad, h_grad = step.cs_prev_grad, tf.matmul(step.dicfo, recurrent, transpose_b=True)
                done.append(step)
            return _block_lstm_gradients(x, tf.concat([[h], steps.h[:-1]], 0), w, done, c_grad, h_grad)

        return (steps.h, steps.cs[-1]), gradient

    return run(x, c, h, *map(tf.convert_to_tensor, (w, wci, wcf, wco, b)))


def _block_lstm_gradients(
    x: Tensor, h_prev: Tensor, w: Tensor, steps: Any, c_grad: Tensor, h_grad: Tensor
) -> tuple[Any, ...]:
    """Returns the gradients of x, c, h, w, the peepholes and b. `steps` has the kernels' results, the last step
    first.
    """
    depth = x.shape[2]
    dicfo = tf.concat([step.dicfo for step in reversed(steps)], 0)
    both = tf.concat([x, h_prev], 2)
    w_grad = tf.matmul(tf.reshape(both, [-1, both.shape[2]]), dicfo, transpose_a=True)
    x_grad = tf.reshape(tf.matmul(dicfo, w[:depth], transpose_b=True), tf.shape(x))
    diagonals = [tf.add_n([getattr(s, name) for s in steps]) for name in ("wci_grad", "wcf_grad", "wco_grad")]
    return x_grad, c_grad, h_grad, w_grad, *diagonals, tf.raw_ops.BiasAddGrad(out_backprop=dicfo)
