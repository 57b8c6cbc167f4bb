"""The kernels of contrib.rnn's oldest cells, which are cut into variables of some rows each."""

import tensorflow.compat.v1 as v1


def sharded(name, shape, dtype, shards):
    """Returns the matrix `name`, the rows of the variables name_0, name_1 and so on.

    The first ones have a row more where `shards` does not divide the rows. Raises ValueError for fewer rows than
    shards.
    """
    rows, columns = shape
    if shards > rows:
        raise ValueError(f"Too many shards: shape={shape}, num_shards={shards}")
    parts = [
        v1.get_variable(f"{name}_{number}", [rows // shards + (number < rows % shards), columns], dtype)
        for number in range(shards)
    ]
    if len(parts) == 1:
        return parts[0]
    return v1.concat(parts, 0, name=f"{name}/concat")
