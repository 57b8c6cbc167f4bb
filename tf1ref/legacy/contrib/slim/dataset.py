"""tf.contrib.slim.dataset: the files of a data set, and how to read and decode them."""

__all__ = ["Dataset"]


class Dataset:
    """Keeps every argument as an attribute.

    data_sources: files or patterns. reader: a class of tf.ReaderBase. decoder: a data_decoder.DataDecoder.
    num_samples: the number of examples. items_to_descriptions: {item: text}.
    kwargs: other attributes, such as num_classes.
    """

    def __init__(self, data_sources, reader, decoder, num_samples, items_to_descriptions, **kwargs):
        kwargs.update(
            data_sources=data_sources,
            reader=reader,
            decoder=decoder,
            num_samples=num_samples,
            items_to_descriptions=items_to_descriptions,
        )
        self.__dict__.update(kwargs)
