"""Cells that are one kernel of TensorFlow: contrib.rnn's LSTMBlockCell, LSTMBlockFusedCell and GRUBlockCell.

Their variables have the shapes of the plain cells': a checkpoint of one restores the other in the same scope. The
kernels' gradients ignore cell_clip, while the plain cells' gradients are 0 where c is clipped.
"""

import tensorflow.compat.v1 as v1

from tf1ref.legacy._input_spec import InputSpec
from tf1ref.legacy._layer import Layer
from tf1ref.legacy.nn.rnn_cell._base import LayerRNNCell, LSTMStateTuple


class _LSTMVariables(Layer):
    """Makes kernel, bias and peepholes as tf.nn.rnn_cell.LSTMCell has them. A cell_clip of -1 does not clip."""

    def _set(self, num_units, forget_bias, cell_clip, use_peephole):
        self._num_units, self._forget_bias = num_units, forget_bias
        self._cell_clip, self._use_peephole = -1 if cell_clip is None else cell_clip, use_peephole

    def _add_variables(self, depth):
        units = self._num_units
        self._kernel = self.add_weight("kernel", [depth + units, 4 * units])
        self._bias = self.add_weight("bias", [4 * units], initializer=v1.constant_initializer(0.0))
        if self._use_peephole:
            self._diagonals = [self.add_weight(name, [units]) for name in ("w_i_diag", "w_f_diag", "w_o_diag")]
        self.built = True

    def _arguments(self):
        wci, wcf, wco = self._diagonals if self._use_peephole else [v1.zeros([self._num_units], self.dtype)] * 3
        return {
            "w": self._kernel, "wci": wci, "wcf": wcf, "wco": wco, "b": self._bias, "forget_bias": self._forget_bias,
            "cell_clip": self._cell_clip, "use_peephole": self._use_peephole,
        }  # fmt: skip


class LSTMBlockCell(_LSTMVariables, LayerRNNCell):
    """BasicLSTMCell with use_peephole and cell_clip, as one kernel for each step. The scope is lstm_cell."""

    def __init__(
        self,
        num_units,
        forget_bias=1.0,
        cell_clip=None,
        use_peephole=False,
        dtype=None,
        reuse=None,
        name="lstm_cell",
    ):
        super().__init__(_reuse=reuse, name=name, dtype=dtype)
        self._set(num_units, forget_bias, cell_clip, use_peephole)

    output_size = property(lambda self: self._num_units)
    state_size = property(lambda self: LSTMStateTuple(self._num_units, self._num_units))

    def build(self, inputs_shape):
        self._add_variables(self._depth(inputs_shape))

    def call(self, inputs, state):
        self._check_dtypes(inputs, state)
        if len(state) != 2:
            raise ValueError("Expecting state to be a tuple with length 2.")
        step = v1.raw_ops.LSTMBlockCell(x=inputs, cs_prev=state[0], h_prev=state[1], **self._arguments())
        return step.h, LSTMStateTuple(step.cs, step.h)


class LSTMBlockFusedCell(_LSTMVariables):
    """A whole LSTM layer as one kernel for all steps. Call it with [time, batch, depth], or a list of [batch, depth].

    Returns outputs [time, batch, units], or a list of them, and the LSTMStateTuple of the last step. After its
    sequence_length a row's outputs are 0 and its state stays the last valid one. It needs initial_state or dtype.
    """

    def __init__(
        self,
        num_units,
        forget_bias=1.0,
        cell_clip=None,
        use_peephole=False,
        reuse=None,
        dtype=None,
        name="lstm_fused_cell",
    ):
        super().__init__(_reuse=reuse, name=name, dtype=dtype)
        self._set(num_units, forget_bias, cell_clip, use_peephole)
        self.input_spec = InputSpec(ndim=3)

    num_units = property(lambda self: self._num_units)

    def __call__(self, inputs, *args, **kwargs):
        is_list = isinstance(inputs, list)
        outputs, state = super().__call__(v1.stack(inputs) if is_list else inputs, *args, **kwargs)
        return v1.unstack(outputs) if is_list else outputs, state

    def build(self, inputs_shape):
        depth = v1.TensorShape(inputs_shape).as_list()[2]
        if depth is None:
            raise ValueError(f"Expecting inputs_shape[2] of {self.scope_name} to be set: {inputs_shape}")
        self.input_spec = InputSpec(ndim=3, axes={2: depth})
        self._add_variables(depth)

    def call(self, inputs, initial_state=None, dtype=None, sequence_length=None):
        batch, length = v1.shape(inputs)[1], v1.shape(inputs)[0]
        if initial_state is None:
            if dtype is None:
                raise ValueError("Either initial_state or dtype needs to be specified")
            initial_state = (v1.zeros([batch, self._num_units], dtype),) * 2
        if len(initial_state) != 2:
            raise ValueError("Expecting initial_state to be a tuple with length 2 or None")
        c, h = initial_state
        if sequence_length is None and inputs.get_shape().as_list()[0]:
            outputs, last_c = block_lstm(inputs, c, h, **self._arguments())
            return outputs, LSTMStateTuple(last_c, outputs[-1])
        longest = length if sequence_length is None else v1.reduce_max(sequence_length)
        steps = v1.raw_ops.BlockLSTM(
            seq_len_max=v1.cast(longest, v1.int64), x=inputs, cs_prev=c, h_prev=h, **self._arguments()
        )
        if sequence_length is None:
            return steps.h, LSTMStateTuple(steps.cs[-1], steps.h[-1])
        mask = v1.transpose(v1.sequence_mask(sequence_length, length, dtype=inputs.dtype.base_dtype), [1, 0])
        outputs = steps.h * v1.expand_dims(mask, -1)
        # The initial state comes first, so that a row of length 0 ends with it.
        last = v1.stack([v1.cast(sequence_length, v1.int32), v1.range(batch)], axis=1)
        c, h = (v1.gather_nd(v1.concat([[first], rest], 0), last) for first, rest in ((c, steps.cs), (h, outputs)))
        return outputs, LSTMStateTuple(c, h)


def block_lstm(x, c, h, w, wci, wcf, wco, b, use_peephole, **options):
    """Runs BlockLSTM over x [time, batch, depth], whose time is known. Returns (outputs [time, batch, units], last c).

    The gradient is not BlockLSTMGrad: that kernel multiplies matrices without FMA, and a training step takes 1.7 times
    as long. Instead a kernel computes the gates of each step, and plain products do the rest. There is one product for
    each step for h, and one for the whole series for w.
    """

    @v1.custom_gradient
    def run(x, c, h, w, wci, wcf, wco, b):
        length = x.get_shape().as_list()[0]
        arguments = {"w": w, "wci": wci, "wcf": wcf, "wco": wco, "b": b, "use_peephole": use_peephole}
        steps = v1.raw_ops.BlockLSTM(
            seq_len_max=v1.constant(length, v1.int64), x=x, cs_prev=c, h_prev=h, **arguments, **options
        )

        def gradient(h_grads, c_grad):
            saved = {name: v1.unstack(getattr(steps, name), length) for name in ("i", "cs", "f", "o", "ci", "co")}
            inputs, h_grads = v1.unstack(x, length), v1.unstack(h_grads, length)
            previous, recurrent = [c, *saved["cs"][:-1]], w[x.get_shape().as_list()[2] :]
            done, h_grad = [], None
            for t in reversed(range(length)):
                h_grad = h_grads[t] if h_grad is None else h_grads[t] + h_grad
                step = v1.raw_ops.LSTMBlockCellGrad(
                    x=inputs[t], cs_prev=previous[t], h_prev=h, cs_grad=c_grad, h_grad=h_grad, **arguments,
                    **{name: values[t] for name, values in saved.items()},
                )  # fmt: skip
                c_grad, h_grad = step.cs_prev_grad, v1.matmul(step.dicfo, recurrent, transpose_b=True)
                done.append(step)
            return _block_lstm_gradients(x, v1.concat([[h], steps.h[:-1]], 0), w, done, c_grad, h_grad)

        return (steps.h, steps.cs[-1]), gradient

    return run(x, c, h, *map(v1.convert_to_tensor, (w, wci, wcf, wco, b)))


def _block_lstm_gradients(x, h_prev, w, steps, c_grad, h_grad):
    """Returns the gradients of x, c, h, w, the peepholes and b.

    `steps` has the kernels' results, the last step first.
    """
    depth = x.get_shape().as_list()[2]
    dicfo = v1.concat([step.dicfo for step in reversed(steps)], 0)
    both = v1.concat([x, h_prev], 2)
    w_grad = v1.matmul(v1.reshape(both, [-1, both.get_shape().as_list()[2]]), dicfo, transpose_a=True)
    x_grad = v1.reshape(v1.matmul(dicfo, w[:depth], transpose_b=True), v1.shape(x))
    diagonals = [v1.add_n([getattr(s, name) for s in steps]) for name in ("wci_grad", "wcf_grad", "wco_grad")]
    return x_grad, c_grad, h_grad, w_grad, *diagonals, v1.raw_ops.BiasAddGrad(out_backprop=dicfo)


class GRUBlockCell(LayerRNNCell):
    """GRUCell as one kernel for each step. Its variables are w_ru, b_ru, w_c and b_c.

    cell_size: the older name of num_units.
    """

    _names = ("w_ru", "b_ru", "w_c", "b_c")

    def __init__(self, num_units=None, cell_size=None, reuse=None, name="gru_cell"):
        super().__init__(_reuse=reuse, name=name)
        if (cell_size is None) == (num_units is None):
            raise ValueError("Exactly one of num_units or cell_size must be provided.")
        self._num_units = cell_size if num_units is None else num_units

    state_size = output_size = property(lambda self: self._num_units)

    def build(self, input_shape):
        depth, units = self._depth(input_shape) + self._num_units, self._num_units
        w_ru, b_ru, w_c, b_c = self._names
        self._gate_kernel = self.add_weight(w_ru, [depth, 2 * units])
        self._gate_bias = self.add_weight(b_ru, [2 * units], initializer=v1.constant_initializer(1.0))
        self._candidate_kernel = self.add_weight(w_c, [depth, units])
        self._candidate_bias = self.add_weight(b_c, [units], initializer=v1.constant_initializer(0.0))
        self.built = True

    def call(self, inputs, h_prev):
        self._check_dtypes(inputs, h_prev)
        step = v1.raw_ops.GRUBlockCell(
            x=inputs, h_prev=h_prev, w_ru=self._gate_kernel, w_c=self._candidate_kernel, b_ru=self._gate_bias,
            b_c=self._candidate_bias,
        )  # fmt: skip
        return step.h, step.h


class GRUBlockCellV2(GRUBlockCell):
    """GRUBlockCell with GRUCell's variable names."""

    _names = ("gates/kernel", "gates/bias", "candidate/kernel", "candidate/bias")


@v1.RegisterGradient("LSTMBlockCell")
def _lstm_block_cell_grad(op, *grads):
    """Computes a gradient that contrib registered. TensorFlow 2 has the kernels, but does not register it."""
    x, c_prev, h_prev, w, wci, wcf, wco, b = op.inputs
    i, cs, f, o, ci, co, _ = op.outputs
    step = v1.raw_ops.LSTMBlockCellGrad(
        x=x, cs_prev=c_prev, h_prev=h_prev, w=w, wci=wci, wcf=wcf, wco=wco, b=b, i=i, cs=cs, f=f, o=o, ci=ci, co=co,
        cs_grad=grads[1], h_grad=grads[6], use_peephole=op.get_attr("use_peephole"),
    )  # fmt: skip
    both = v1.matmul(step.dicfo, w, transpose_b=True)
    x_grad, h_grad = v1.split(both, [x.get_shape().as_list()[1], h_prev.get_shape().as_list()[1]], axis=1)
    w_grad = v1.matmul(v1.concat([x, h_prev], 1), step.dicfo, transpose_a=True)
    b_grad = v1.raw_ops.BiasAddGrad(out_backprop=step.dicfo)
    return x_grad, step.cs_prev_grad, h_grad, w_grad, step.wci_grad, step.wcf_grad, step.wco_grad, b_grad


@v1.RegisterGradient("GRUBlockCell")
def _gru_block_cell_grad(op, *grads):
    x, h_prev, w_ru, w_c, b_ru, b_c = op.inputs
    r, u, c, _ = op.outputs
    step = v1.raw_ops.GRUBlockCellGrad(
        x=x, h_prev=h_prev, w_ru=w_ru, w_c=w_c, b_ru=b_ru, b_c=b_c, r=r, u=u, c=c, d_h=grads[3]
    )
    w_ru_grad = v1.matmul(v1.concat([x, h_prev], 1), step.d_r_bar_u_bar, transpose_a=True)
    w_c_grad = v1.matmul(v1.concat([x, h_prev * r], 1), step.d_c_bar, transpose_a=True)
    b_ru_grad = v1.raw_ops.BiasAddGrad(out_backprop=step.d_r_bar_u_bar)
    b_c_grad = v1.raw_ops.BiasAddGrad(out_backprop=step.d_c_bar)
    return step.d_x, step.d_h_prev, w_ru_grad, w_c_grad, b_ru_grad, b_c_grad
