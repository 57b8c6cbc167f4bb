"""tf.estimator's specs for v1.parse_example: those of the feature columns, the label and the weights."""

import tensorflow.compat.v1 as v1


def classifier_parse_example_spec(
    feature_columns, label_key, label_dtype=v1.int64, label_default=None, weight_column=None
):
    """Returns {name: feature} for serialized examples of a classifier, whose label is one integer or string.

    Raises ValueError for another label_dtype, a default of another type, and a label that is a feature.
    """
    label_dtype = v1.as_dtype(label_dtype)
    if label_dtype == v1.string and label_default is not None and not isinstance(label_default, str):
        raise ValueError(f"label_default type for string labels must be string, given: {type(label_default)}")
    if label_dtype == v1.int64 and label_default is not None and not isinstance(label_default, int):
        raise ValueError(f"label_default type for int64 labels must be int, given: {type(label_default)}")
    if label_dtype not in (v1.int64, v1.string):
        raise ValueError(f"label_dtype should be int64 or string, given: {label_dtype}")
    label = v1.FixedLenFeature((1,), label_dtype, label_default)
    return _with_label(feature_columns, label_key, label, weight_column)


def regressor_parse_example_spec(
    feature_columns, label_key, label_dtype=v1.float32, label_default=None, label_dimension=1, weight_column=None
):
    """Returns {name: feature} for serialized examples of a regressor, whose label is label_dimension numbers.

    Raises ValueError for another dtype.
    """
    label_dtype = v1.as_dtype(label_dtype)
    if not (label_dtype.is_floating or label_dtype.is_integer):
        raise ValueError(f"label_dtype should be float or integer, given: {label_dtype}")
    label = v1.FixedLenFeature((label_dimension,), label_dtype, label_default)
    return _with_label(feature_columns, label_key, label, weight_column)


def _with_label(columns, key, label, weight_column):
    spec = v1.feature_column.make_parse_example_spec(columns)
    if key in spec:
        raise ValueError(f"label should not be used as feature. label_key: {key}, features: {list(spec)}")
    spec[key] = label
    if weight_column is None:
        return spec
    if isinstance(weight_column, str):
        weight_column = v1.feature_column.numeric_column(weight_column)
    if not hasattr(weight_column, "key"):
        raise ValueError(f"weight_column must be a name or a tf.feature_column.numeric_column, given: {weight_column}")
    if weight_column.key in spec:
        raise ValueError(f"weight_column should not be used as feature. weight_column: {weight_column.key}")
    return {**spec, **v1.feature_column.make_parse_example_spec([weight_column])}
