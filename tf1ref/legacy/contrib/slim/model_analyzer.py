"""tf.contrib.slim.model_analyzer: the sizes of variables and tensors."""

__all__ = ["analyze_ops", "analyze_vars", "tensor_description"]


def tensor_description(var):
    """Returns a text such as "(float32_ref 2x3)". Variables are references, as they were in TensorFlow 1."""
    dtype = (
        var.dtype.name
        if not hasattr(var, "initializer") or var.dtype.name.endswith("_ref")
        else var.dtype.name + "_ref"
    )
    sizes = [str(size) for size in var.get_shape().as_list()]
    return f"({dtype} {'x'.join(sizes)})" if sizes else f"({dtype} )"


def analyze_ops(graph, print_info=False):
    """Returns the number of elements in the outputs of all ops of a graph whose shapes are known."""
    total = 0
    for op in graph.get_operations():
        size = sum(output.get_shape().num_elements() or 0 for output in op.outputs)
        total += size
        if print_info:
            shapes = ", ".join(map(tensor_description, (o for o in op.outputs if o.get_shape().ndims is not None)))
            print(f"{op.name}\t->\t{shapes}\t[{size}]" if size else f"{op.name}\t->\t{shapes}")
    return total


def analyze_vars(variables, print_info=False):
    """Returns (number of elements, bytes) of all variables. print_info: prints a line for each, and the sums."""
    if print_info:
        print("---------\nVariables: name (type shape) [size]\n---------")
    total_size = total_bytes = 0
    for var in variables:
        size = var.get_shape().num_elements() or 0
        count = size * var.dtype.size
        total_size, total_bytes = total_size + size, total_bytes + count
        if print_info:
            print(f"{var.name} {tensor_description(var)} [{size}, bytes: {count}]")
    if print_info:
        print(f"Total size of variables: {total_size}\nTotal bytes of variables: {total_bytes}")
    return total_size, total_bytes
