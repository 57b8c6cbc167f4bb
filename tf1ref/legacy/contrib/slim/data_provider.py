"""tf.contrib.slim.data_provider: what gives the items of one example after another."""

__all__ = ["DataProvider"]


class DataProvider:
    """items_to_tensors: {item: tensor}. num_samples: the number of examples."""

    def __init__(self, items_to_tensors, num_samples):
        self._items_to_tensors = items_to_tensors
        self._num_samples = num_samples

    def get(self, items):
        """Returns a list with the tensors of the named items. Raises ValueError for an item that does not exist."""
        for item in items:
            if item not in self._items_to_tensors:
                raise ValueError(f"Items {items} are not all among {sorted(self._items_to_tensors)}")
        return [self._items_to_tensors[item] for item in items]

    def list_items(self):
        """Returns the names of all items."""
        return self._items_to_tensors.keys()

    def num_samples(self):
        """Returns the number of examples."""
        return self._num_samples
