"""What cells outside TensorFlow are made of: _linear, and the class that followed it, of rnn_cell_impl's file."""

import tensorflow.compat.v1 as v1


def linear(args, output_size, bias, bias_initializer=None, kernel_initializer=None, bias_start=0.0, scope=None):
    """Returns [arg, ...] @ kernel (+ bias), [batch, output_size].

    args: one tensor [batch, depth], or a list of them. bias: whether to add the variable `bias`, whose initializer may
    be a number, as it was in TensorFlow 1.0. The variables `kernel` and `bias` are made or found in the present scope,
    or in `scope`, a name or a VariableScope, which was the fifth argument before 1.2.
    Raises ValueError for no args, and for one that is no matrix of known depth.

    >>> with v1.Graph().as_default(), v1.variable_scope("cell"):
    ...     print(linear([v1.zeros([2, 3]), v1.zeros([2, 4])], 5, True).shape, v1.trainable_variables()[0].shape)
    (2, 5) (7, 5)
    """
    start = bias_start if bias_initializer is None else bias_initializer
    if isinstance(kernel_initializer, (str, v1.VariableScope)):
        kernel_initializer, scope = None, kernel_initializer
    with v1.variable_scope(scope or v1.get_variable_scope()):
        return Linear(args, output_size, bias, start, kernel_initializer)(args)


class Linear:
    """The same in two steps: the variables are made here, and used in each call."""

    def __init__(self, args, output_size, build_bias, bias_initializer=None, kernel_initializer=None):
        args = _matrices(args)
        dtype = args[0].dtype
        depth = sum(arg.shape.as_list()[1] for arg in args)
        self._bias = None
        with v1.variable_scope(v1.get_variable_scope()) as scope:
            self._kernel = v1.get_variable("kernel", [depth, output_size], dtype, kernel_initializer)
            if build_bias:
                start = 0.0 if bias_initializer is None else bias_initializer
                start = v1.constant_initializer(start, dtype) if isinstance(start, (int, float)) else start
                scope.set_partitioner(None)
                self._bias = v1.get_variable("bias", [output_size], dtype, start)

    def __call__(self, args):
        args = _matrices(args)
        product = v1.matmul(args[0] if len(args) == 1 else v1.concat(args, 1), self._kernel)
        return product if self._bias is None else v1.nn.bias_add(product, self._bias)


def _matrices(args):
    args = list(args) if isinstance(args, (list, tuple)) else [args]
    if not args or args[0] is None:
        raise ValueError("`args` must be specified")
    for arg in args:
        if arg.shape.rank != 2:
            raise ValueError(f"linear is expecting 2D arguments: {[str(each.shape) for each in args]}")
        if arg.shape.as_list()[1] is None:
            raise ValueError(f"linear expects shape[1] to be provided for shape {arg.shape}, but saw None")
    return args
