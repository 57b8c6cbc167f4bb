"""tf.contrib.slim.dataset_data_provider: the items of a Dataset, one example at each run. Queue runners read ahead."""

from tf1ref.legacy.contrib.slim import data_provider, parallel_reader

__all__ = ["DatasetDataProvider"]


class DatasetDataProvider(data_provider.DataProvider):
    """Reads and decodes the files of a Dataset.

    num_readers, reader_kwargs, num_epochs, common_queue_capacity, common_queue_min, seed, scope: as for
    parallel_reader.parallel_read. shuffle: without it one reader keeps the order of the files.
    record_key: the item with the record's key. Raises ValueError when the decoder has an item of that name.
    """

    def __init__(
        self,
        dataset,
        num_readers=1,
        reader_kwargs=None,
        shuffle=True,
        num_epochs=None,
        common_queue_capacity=256,
        common_queue_min=128,
        record_key="record_key",
        seed=None,
        scope=None,
    ):
        key, data = parallel_reader.parallel_read(
            dataset.data_sources,
            reader_class=dataset.reader,
            num_epochs=num_epochs,
            num_readers=num_readers,
            reader_kwargs=reader_kwargs,
            shuffle=shuffle,
            capacity=common_queue_capacity,
            min_after_dequeue=common_queue_min,
            seed=seed,
            scope=scope,
        )
        items = dataset.decoder.list_items()
        if record_key in items:
            raise ValueError(f"the item {record_key!r} and the record_key have the same name")
        decoded = dict(zip(items, dataset.decoder.decode(data, items)))
        super().__init__({**decoded, record_key: key}, dataset.num_samples)
