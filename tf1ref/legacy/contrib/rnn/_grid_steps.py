"""What the LSTMs over frequency share: windows of the features, and the steps of one block of GridLSTMCell."""

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.rnn._sharded import sharded


def windows(inputs, size, skip, start=0, width=None):
    """Returns [batch, size] slices of [batch, features], one for every `skip` of the `width` features from `start`.

    width: None takes all features. Raises ValueError when their number is not known.
    """
    width = inputs.get_shape().with_rank(2).as_list()[1] if width is None else width
    if width is None:
        raise ValueError("Cannot infer input_size from static shape inference.")
    count = int((width - size) / skip) + 1
    return [v1.slice(inputs, [0, start + number * skip], [-1, size]) for number in range(count)]


class Steps:
    """The weights of one block. A call runs over its windows, and returns (outputs, states), both as lists.

    Along frequency the state begins with zeros, and goes from window to window. Along time each window has its own.
    """

    def __init__(self, block, window, units, peepholes, shared, clip, shards, forget_bias, coupled):
        self._units, self._clip, self._forget_bias, self._coupled = units, clip, forget_bias, coupled
        self._block, self._dtype = block, window.dtype
        self._count = 3 if coupled else 4
        depth = window.get_shape().as_list()[1] + 2 * units
        self._maps = [self._map(along, depth, shards) for along in ("f" if shared else "ft")]
        self._diagonals = [self._peepholes(along) for along in (("freq",) if shared else ("freq", "time")) if peepholes]
        if shared:
            self._maps, self._diagonals = self._maps * 2, self._diagonals * 2

    def _map(self, along, depth, shards):
        size = self._count * self._units
        kernel = sharded(f"W_{along}_{self._block}", [depth, size], self._dtype, shards)
        return kernel, v1.get_variable(f"B_{along}_{self._block}", [size], self._dtype, v1.zeros_initializer())

    def _peepholes(self, along):
        """Returns {gate: (weights of the memory along frequency, of the one along time)}."""
        return {
            gate: [
                v1.get_variable(f"W_{gate}_diag_{along}{seen}_{self._block}", [self._units], self._dtype)
                for seen in "ft"
            ]
            for gate in ("IO" if self._coupled else "FIO")
        }

    def __call__(self, block_windows, states):
        h_freq = c_freq = v1.zeros([v1.shape(block_windows[0])[0], self._units], self._dtype)
        outputs, next_states = [], []
        for window, (c_time, h_time) in zip(block_windows, states):
            joined = v1.concat([window, h_time, h_freq], 1)
            seen = c_freq, c_time
            products = self._products(joined)
            c_freq = self._memory(0, products[0], seen, c_freq)
            c_time = self._memory(1, products[1], seen, c_time)
            seen = c_freq, c_time
            h_freq = v1.sigmoid(self._seen(0, "O", products[0][-1], seen)) * v1.tanh(c_freq)
            h_time = v1.sigmoid(self._seen(1, "O", products[1][-1], seen)) * v1.tanh(c_time)
            next_states += [c_time, h_time]
            outputs += [h_time, h_freq]
        return outputs, next_states

    def _products(self, joined):
        """Returns the gates along frequency and along time. They are the same tensors when the weights are shared."""
        made = []
        for kernel, bias in self._maps[:1] if self._maps[0] is self._maps[1] else self._maps:
            made.append(v1.split(v1.nn.bias_add(v1.matmul(joined, kernel), bias), self._count, axis=1))
        return made * 2 if len(made) == 1 else made

    def _memory(self, along, gates, seen, c):
        entry = v1.sigmoid(self._seen(along, "I", gates[0], seen))
        if self._coupled:
            forget = 1.0 - entry
        else:
            forget = v1.sigmoid(self._seen(along, "F", gates[2] + self._forget_bias, seen))
        c = forget * c + entry * v1.tanh(gates[1])
        return c if self._clip is None else v1.clip_by_value(c, -self._clip, self._clip)

    def _seen(self, along, gate, value, memories):
        if not self._diagonals:
            return value
        of_freq, of_time = self._diagonals[along][gate]
        return value + of_freq * memories[0] + of_time * memories[1]
