"""Which public call is which op: a table, and the rule that a call is used only where it is the same op.

A row is the call as one writes it. An argument is the name of an input of the op. `$name` is written out where it is
constant. `[name]` is a list of inputs. `@name` is an attribute, and `@name:default` is left out where it has the call's
default. An attribute that a row does not name must have the op's own default. Otherwise `tf.raw_ops` is used.
"""

import functools

from tensorflow.python.framework import op_def_registry

TABLE = """
Relu tf.nn.relu(features)
Relu6 tf.nn.relu6(features)
Elu tf.nn.elu(features)
Selu tf.nn.selu(features)
LeakyRelu tf.nn.leaky_relu(features, alpha=@alpha:0.2)
Softmax tf.nn.softmax(logits)
LogSoftmax tf.nn.log_softmax(logits)
Softplus tf.nn.softplus(features)
Softsign tf.nn.softsign(features)
Sigmoid tf.sigmoid(x)
Tanh tf.tanh(x)
Exp tf.exp(x)
Expm1 tf.math.expm1(x)
Log tf.math.log(x)
Log1p tf.math.log1p(x)
Sqrt tf.sqrt(x)
Rsqrt tf.math.rsqrt(x)
Square tf.square(x)
Abs tf.abs(x)
Sign tf.sign(x)
Floor tf.floor(x)
Ceil tf.math.ceil(x)
Round tf.round(x)
Rint tf.math.rint(x)
Sin tf.sin(x)
Cos tf.cos(x)
Tan tf.tan(x)
Asin tf.asin(x)
Acos tf.acos(x)
Atan tf.atan(x)
Sinh tf.sinh(x)
Cosh tf.cosh(x)
Erf tf.math.erf(x)
Lgamma tf.math.lgamma(x)
Digamma tf.math.digamma(x)
DivNoNan tf.math.divide_no_nan(x, y)
Reciprocal tf.math.reciprocal(x)
Inv tf.math.reciprocal(x)
IsNan tf.math.is_nan(x)
IsInf tf.math.is_inf(x)
IsFinite tf.math.is_finite(x)
LogicalNot tf.logical_not(x)
LogicalAnd tf.logical_and(x, y)
LogicalOr tf.logical_or(x, y)
Maximum tf.maximum($x, $y)
Minimum tf.minimum($x, $y)
SquaredDifference tf.math.squared_difference(x, y)
Pow tf.pow($x, $y)
Atan2 tf.atan2(y, x)
ZerosLike tf.zeros_like(x)
OnesLike tf.ones_like(x)
StopGradient tf.stop_gradient(input)
Rank tf.rank(input)
Shape tf.shape(input, out_type=@out_type:tf.int32)
Size tf.size(input, out_type=@out_type:tf.int32)
Reshape tf.reshape(tensor, $shape)
Squeeze tf.squeeze(input, axis=@squeeze_dims:[])
ExpandDims tf.expand_dims(input, $dim)
Transpose tf.transpose(x, $perm)
Tile tf.tile(input, $multiples)
Fill tf.fill($dims, $value)
Slice tf.slice(input, $begin, $size)
Pad tf.pad(tensor=input, paddings=$paddings)
Range tf.range($start, $limit, $delta)
Concat tf.concat([values], $concat_dim)
ConcatV2 tf.concat([values], $axis)
Pack tf.stack([values], axis=@axis:0)
Split tf.split(value, @num_split, $split_dim)
SplitV tf.split(value, $size_splits, $split_dim)
Unpack tf.unstack(value, @num, axis=@axis:0)
Gather tf.gather(params, $indices)
GatherV2 tf.gather(params, $indices, axis=$axis)
GatherNd tf.gather_nd(params, $indices)
OneHot tf.one_hot($indices, $depth, on_value=$on_value, off_value=$off_value, axis=@axis:-1)
Cast tf.cast($x, @DstT)
BiasAdd tf.nn.bias_add(value, bias, data_format=@data_format:"NHWC")
MatMul tf.matmul(a, b, transpose_a=@transpose_a:False, transpose_b=@transpose_b:False)
Conv2D tf.nn.conv2d(input, filter, strides=@strides, padding=@padding, data_format=@data_format:"NHWC", \
dilations=@dilations:[1, 1, 1, 1])
DepthwiseConv2dNative tf.nn.depthwise_conv2d(input, filter, strides=@strides, padding=@padding, \
data_format=@data_format:"NHWC")
Conv2DBackpropInput tf.nn.conv2d_transpose(out_backprop, filter, $input_sizes, strides=@strides, padding=@padding, \
data_format=@data_format:"NHWC")
Conv3D tf.nn.conv3d(input, filter, strides=@strides, padding=@padding, data_format=@data_format:"NDHWC", \
dilations=@dilations:[1, 1, 1, 1, 1])
MaxPool tf.nn.max_pool2d(input, ksize=@ksize, strides=@strides, padding=@padding, data_format=@data_format:"NHWC")
AvgPool tf.nn.avg_pool2d(value, ksize=@ksize, strides=@strides, padding=@padding, data_format=@data_format:"NHWC")
MaxPool3D tf.nn.max_pool3d(input, ksize=@ksize, strides=@strides, padding=@padding, data_format=@data_format:"NDHWC")
AvgPool3D tf.nn.avg_pool3d(input, ksize=@ksize, strides=@strides, padding=@padding, data_format=@data_format:"NDHWC")
LRN tf.nn.local_response_normalization(input, depth_radius=@depth_radius:5, bias=@bias:1.0, alpha=@alpha:1.0, \
beta=@beta:0.5)
L2Loss tf.nn.l2_loss(t)
Sum tf.reduce_sum(input, axis=$reduction_indices, keepdims=@keep_dims:False)
Mean tf.reduce_mean(input, axis=$reduction_indices, keepdims=@keep_dims:False)
Prod tf.reduce_prod(input, axis=$reduction_indices, keepdims=@keep_dims:False)
Max tf.reduce_max(input, axis=$reduction_indices, keepdims=@keep_dims:False)
Min tf.reduce_min(input, axis=$reduction_indices, keepdims=@keep_dims:False)
All tf.reduce_all(input, axis=$reduction_indices, keepdims=@keep_dims:False)
Any tf.reduce_any(input, axis=$reduction_indices, keepdims=@keep_dims:False)
ArgMax tf.argmax(input, $dimension, output_type=@output_type:tf.int64)
ArgMin tf.argmin(input, $dimension, output_type=@output_type:tf.int64)
AddN tf.add_n([inputs])
Cumsum tf.cumsum(x, $axis, exclusive=@exclusive:False, reverse=@reverse:False)
Cumprod tf.math.cumprod(x, $axis, exclusive=@exclusive:False, reverse=@reverse:False)
TopKV2 tf.math.top_k(input, $k, sorted=@sorted:True)
SelectV2 tf.where(condition, t, e)
Where tf.where(input)
SpaceToBatchND tf.space_to_batch(input, $block_shape, $paddings)
BatchToSpaceND tf.batch_to_space(input, $block_shape, $crops)
SpaceToDepth tf.nn.space_to_depth(input, @block_size, data_format=@data_format:"NHWC")
DepthToSpace tf.nn.depth_to_space(input, @block_size, data_format=@data_format:"NHWC")
ReverseV2 tf.reverse(tensor, $axis)
InvertPermutation tf.math.invert_permutation(x)
Equal tf.equal(x, y)
NotEqual tf.not_equal(x, y)
DecodeRaw tf.io.decode_raw(bytes, @out_type, little_endian=@little_endian:True)
DecodeJpeg tf.io.decode_jpeg(contents, channels=@channels:0)
DecodePng tf.io.decode_png(contents, channels=@channels:0, dtype=@dtype:tf.uint8)
ReadFile tf.io.read_file(filename)
StringToNumber tf.strings.to_number(string_tensor, out_type=@out_type:tf.float32)
BatchMatMulV2 tf.matmul(x, y, adjoint_a=@adj_x:False, adjoint_b=@adj_y:False)
"""

# Operators of Python: {op: (sign, how tightly it binds)}.
OPERATORS = {
    "Add": ("+", 5),
    "AddV2": ("+", 5),
    "Sub": ("-", 5),
    "Mul": ("*", 6),
    "RealDiv": ("/", 6),
    "Div": ("/", 6),
    "FloorDiv": ("//", 6),
    "FloorMod": ("%", 6),
    "Less": ("<", 3),
    "LessEqual": ("<=", 3),
    "Greater": (">", 3),
    "GreaterEqual": (">=", 3),
}
ATOM = 9
# Without an axis these take all.
REDUCTIONS = ("Sum", "Mean", "Prod", "Max", "Min", "All", "Any")


@functools.cache
def rows():
    """Returns {op: (function, [(keyword, marker, name, default)])} of the table."""
    found = {}
    for line in TABLE.strip().split("\n"):
        op, call = line.split(" ", 1)
        function, _, arguments = call[:-1].partition("(")
        found[op] = function, [_argument(word) for word in _split(arguments)]
    return found


def _argument(word):
    keyword, equals, value = word.partition("=")
    keyword, value = (keyword, value) if equals else ("", word)
    marker = value[0] if value[0] in "$@[" else ""
    name, _, default = value.lstrip("$@[").rstrip("]" if marker == "[" else "").partition(":")
    return keyword, marker, name, default


def _split(arguments):
    """Splits "a, b=@c:[1, 1]" at the commas outside of brackets."""
    found, depth = [""], 0
    for letter in arguments:
        depth += (letter == "[") - (letter == "]")
        if letter == "," and not depth:
            found.append("")
        else:
            found[-1] += letter
    return [word.strip() for word in found]


@functools.cache
def definition(op):
    """Returns the OpDef of `op`, which TensorFlow knows: the graph was imported."""
    return op_def_registry.get(op)


@functools.cache
def inferred(op):
    """Returns the names of the attributes of `op` that its inputs determine: types, and lengths of lists."""
    fields = ("type_attr", "number_attr", "type_list_attr")
    return {getattr(argument, field) for argument in definition(op).input_arg for field in fields} - {""}


def grouped(node):
    """Returns {input name: [sources]} of a Node, divided as the OpDef says, and the names of inputs that are lists."""
    found, lists, at = {}, set(), 0
    for argument in definition(node.op).input_arg:
        count = 1
        if argument.number_attr or argument.type_list_attr:
            lists.add(argument.name)
            attribute = node.attrs[argument.number_attr or argument.type_list_attr]
            count = attribute.i if argument.number_attr else len(attribute.list.type)
        found[argument.name] = node.inputs[at : at + count]
        at += count
    return found, lists


def output(op, index):
    """Returns the name that the OpDef gives to an output after the first, such as batch_mean, or ""."""
    arguments = definition(op).output_arg if definition(op) else ()
    plain = not any(argument.number_attr or argument.type_list_attr for argument in arguments)
    return arguments[index].name if plain and 0 < index < len(arguments) else ""


def unnamed_defaults(node, named):
    """Returns True when each attribute outside of `named` that the inputs do not determine has its default."""
    for attribute in definition(node.op).attr:
        if attribute.name in named or attribute.name in inferred(node.op) or attribute.name not in node.attrs:
            continue
        if attribute.name in ("use_cudnn_on_gpu", "Tshape", "Tperm"):
            continue
        if node.attrs[attribute.name] != attribute.default_value:
            return False
    return True
