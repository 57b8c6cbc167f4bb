"""tf.contrib.slim.data_decoder: what turns an encoded example into tensors."""

import abc

__all__ = ["DataDecoder"]


class DataDecoder(abc.ABC):
    """Decodes one example into named items."""

    @abc.abstractmethod
    def decode(self, data, items):
        """Returns the tensors of the named items. data: one encoded example, such as a scalar string tensor."""

    @abc.abstractmethod
    def list_items(self):
        """Returns the names of all items."""
