"""tf.contrib.slim.tfexample_decoder: items such as pictures and boxes out of a serialized tf.train.Example."""

import abc

import tensorflow.compat.v1 as v1

from tf1ref.legacy.contrib.slim import data_decoder

__all__ = [
    "BackupHandler", "BoundingBox", "Image", "ItemHandler", "ItemHandlerCallback", "SparseTensor", "TFExampleDecoder",
    "Tensor",
]  # fmt: skip


class ItemHandler(abc.ABC):
    """Makes one item out of the features with the names `keys`, one name or a list of names."""

    def __init__(self, keys):
        self._keys = list(keys) if isinstance(keys, (tuple, list)) else [keys]

    @property
    def keys(self):
        """The names of the features that the item is made of."""
        return self._keys

    @abc.abstractmethod
    def tensors_to_item(self, keys_to_tensors):
        """Returns the item's tensor. keys_to_tensors: {name of a feature: its tensor or sparse tensor}."""


class ItemHandlerCallback(ItemHandler):
    """Makes an item with `func`, a function of {name of a feature: its tensor}."""

    def __init__(self, keys, func):
        super().__init__(keys)
        self._func = func

    def tensors_to_item(self, keys_to_tensors):
        """Returns what the function makes."""
        return self._func(keys_to_tensors)


class BoundingBox(ItemHandler):
    """Boxes, [n, 4], out of four features with n numbers each.

    keys: the four names, by default ymin, xmin, ymax and xmax. prefix: stands before each name.
    Raises ValueError for another number of names.
    """

    def __init__(self, keys=None, prefix=None):
        keys = ["ymin", "xmin", "ymax", "xmax"] if keys is None else keys
        if len(keys) != 4:
            raise ValueError(f"BoundingBox expects 4 keys but got {len(keys)}")
        super().__init__([f"{prefix or ''}{key}" for key in keys])

    def tensors_to_item(self, keys_to_tensors):
        """Returns the boxes in the order of the names."""
        sides = [keys_to_tensors[key] for key in self._keys]
        sides = [side.values if isinstance(side, v1.SparseTensor) else v1.reshape(side, [-1]) for side in sides]
        return v1.stack(sides, axis=1)


class Tensor(ItemHandler):
    """A dense tensor out of one feature.

    shape: the item's shape. shape_keys: names of features that hold the shape instead. Raises ValueError for both.
    default_value: what stands where a sparse feature has no value.
    """

    def __init__(self, tensor_key, shape_keys=None, shape=None, default_value=0):
        if shape_keys and shape is not None:
            raise ValueError("Cannot specify both shape_keys and shape parameters.")
        many = isinstance(shape_keys, (tuple, list))
        self._shape_keys = list(shape_keys) if many else [shape_keys] * bool(shape_keys)
        super().__init__([tensor_key, *self._shape_keys])
        self._tensor_key, self._shape, self._default_value = tensor_key, shape, default_value

    def tensors_to_item(self, keys_to_tensors):
        """Returns the dense tensor."""
        tensor, shape = keys_to_tensors[self._tensor_key], self._shape
        if self._shape_keys:
            shape = v1.concat([v1.reshape(_dense(keys_to_tensors[key]), [-1]) for key in self._shape_keys], 0)
        if shape is not None and isinstance(tensor, v1.SparseTensor):
            tensor = v1.sparse_reshape(tensor, shape)
        elif shape is not None:
            tensor = v1.reshape(tensor, shape)
        return _dense(tensor, self._default_value)


def _dense(tensor, default_value=0):
    if not isinstance(tensor, v1.SparseTensor):
        return tensor
    return v1.sparse_tensor_to_dense(tensor, "" if tensor.dtype == v1.string and not default_value else default_value)


class SparseTensor(ItemHandler):
    """A sparse tensor out of a feature of indices and one of values. The last index of each value is the feature's.

    shape: its shape, or shape_key: the feature with it. densify: returns a dense tensor filled with default_value.
    """

    def __init__(
        self, indices_key=None, values_key=None, shape_key=None, shape=None, densify=False, default_value=0
    ):  # fmt: skip
        self._indices_key, self._values_key = indices_key or "indices", values_key or "values"
        self._shape_key, self._shape = shape_key, shape
        self._densify, self._default_value = densify, default_value
        super().__init__([self._indices_key, self._values_key] + [shape_key] * bool(shape_key))

    def tensors_to_item(self, keys_to_tensors):
        """Returns the sparse tensor, or the dense one."""
        indices, values = keys_to_tensors[self._indices_key], keys_to_tensors[self._values_key]
        shape = self._shape if self._shape is not None else indices.dense_shape
        if self._shape_key:
            shape = _dense(keys_to_tensors[self._shape_key])
        last = v1.cast(indices.values, v1.int64)[:, None]
        places = v1.concat([indices.indices[:, :-1], last], axis=1)
        tensor = v1.SparseTensor(places, values.values, v1.cast(shape, v1.int64))
        return _dense(tensor, self._default_value) if self._densify else tensor


class Image(ItemHandler):
    """A picture, [height, width, channels], out of a feature with its bytes and one with its format.

    image_key, format_key: by default "image/encoded" and "image/format". The format "raw" means plain numbers.
    shape: the picture's, necessary for raw ones. channels: 0 for those of the file. dtype: uint8, or uint16 for PNG.
    repeated: the feature holds n pictures, and the item has a first axis of n. dct_method: of decode_jpeg.
    """

    def __init__(
        self, image_key=None, format_key=None, shape=None, channels=3, dtype=v1.uint8, repeated=False, dct_method=""
    ):  # fmt: skip
        self._image_key, self._format_key = image_key or "image/encoded", format_key or "image/format"
        super().__init__([self._image_key, self._format_key])
        self._shape, self._channels, self._dtype = shape, channels, v1.as_dtype(dtype)
        self._repeated, self._dct_method = repeated, dct_method

    def tensors_to_item(self, keys_to_tensors):
        """Returns the picture or the pictures."""
        data, kind = keys_to_tensors[self._image_key], keys_to_tensors[self._format_key]
        if self._repeated:
            return v1.map_fn(lambda each: self._decode(each, kind), _dense(data), self._dtype)
        return self._decode(data, kind)

    def _decode(self, data, kind):
        def jpeg():
            return v1.cast(v1.image.decode_jpeg(data, self._channels, dct_method=self._dct_method), self._dtype)

        def other():
            dtype = self._dtype if self._dtype in (v1.uint8, v1.uint16) else v1.uint8
            read = v1.image.decode_image(data, self._channels, dtype, expand_animations=False)
            return v1.cast(read, self._dtype)

        def picture():
            return other() if self._dtype == v1.uint16 else v1.cond(v1.image.is_jpeg(data), jpeg, other)

        raw = v1.logical_or(v1.equal(kind, "raw"), v1.equal(kind, "RAW"))
        image = v1.cond(v1.reduce_any(raw), lambda: v1.decode_raw(data, self._dtype), picture)
        if self._shape is not None:
            return v1.reshape(image, self._shape)
        image.set_shape([None, None, self._channels or None])
        return image


class BackupHandler(ItemHandler):
    """Gives the item of `handler`, and that of `backup` where the first is empty. Both have the same dtype."""

    def __init__(self, handler, backup):
        if not isinstance(handler, ItemHandler) or not isinstance(backup, ItemHandler):
            raise ValueError("handler and backup must be of class ItemHandler")
        super().__init__(list(dict.fromkeys([*handler.keys, *backup.keys])))
        self._handler, self._backup = handler, backup

    def tensors_to_item(self, keys_to_tensors):
        """Returns one of the two items."""
        item = self._handler.tensors_to_item(keys_to_tensors)
        empty = v1.equal(v1.size(item), 0)
        return v1.cond(empty, lambda: self._backup.tensors_to_item(keys_to_tensors), lambda: item)


class TFExampleDecoder(data_decoder.DataDecoder):
    """Decodes a serialized tf.train.Example.

    keys_to_features: {name: tf.FixedLenFeature or tf.VarLenFeature}. items_to_handlers: {item: ItemHandler}.
    """

    def __init__(self, keys_to_features, items_to_handlers):
        self._keys_to_features, self._items_to_handlers = keys_to_features, items_to_handlers

    def list_items(self):
        """Returns the names of all items."""
        return list(self._items_to_handlers)

    def decode(self, serialized_example, items=None):
        """Returns the tensors of the named items, by default of all. serialized_example: a scalar string tensor."""
        example = v1.parse_single_example(serialized_example, self._keys_to_features)
        handlers = [self._items_to_handlers[item] for item in (items or self.list_items())]
        return [each.tensors_to_item({key: example[key] for key in each.keys}) for each in handlers]
