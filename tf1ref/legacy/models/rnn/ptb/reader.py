"""tensorflow.models.rnn.ptb.reader (tutorials/rnn/ptb): the Penn Treebank as ids, and batches from a queue."""

from pathlib import Path

import tensorflow.compat.v1 as v1

from tf1ref.data import ptb


def ptb_raw_data(data_path=None):
    """Returns (train, valid, test, vocabulary size): the lists of ids in ptb.train.txt and the other two files.

    data_path: the folder of the files. Words that the training text does not have are skipped. Raises InputError for
    files that cannot be used.
    """
    folder = Path(data_path or "").expanduser()
    ids = ptb.vocabulary(ptb.words_of(folder / "ptb.train.txt"))
    parts = [ptb.ids_of(ptb.words_of(folder / f"ptb.{part}.txt"), ids).tolist() for part in ptb.PARTS]
    return (*parts, len(ids))


def ptb_producer(raw_data, batch_size, num_steps, name=None):
    """Adds a queue of positions in `raw_data` (ids).

    Returns (x, y) of the next one, both int32 [batch_size, num_steps].
    The ids lie in batch_size rows of equal length, and y is one word ahead of x. The queue starts anew after an epoch.
    Its queue runner must be started. A run fails when there are too few ids for a batch.
    """
    with v1.name_scope(name, "PTBProducer", [raw_data, batch_size, num_steps]):
        raw_data = v1.convert_to_tensor(raw_data, name="raw_data", dtype=v1.int32)
        batch_len = v1.size(raw_data) // batch_size
        data = v1.reshape(raw_data[: batch_size * batch_len], [batch_size, batch_len])
        epoch_size = (batch_len - 1) // num_steps
        message = "epoch_size == 0, decrease batch_size or num_steps"
        with v1.control_dependencies([v1.assert_positive(epoch_size, message=message)]):
            epoch_size = v1.identity(epoch_size, name="epoch_size")
        start = v1.train.range_input_producer(epoch_size, shuffle=False).dequeue() * num_steps
        x = v1.slice(data, [0, start], [batch_size, num_steps])
        y = v1.slice(data, [0, start + 1], [batch_size, num_steps])
        x.set_shape([batch_size, num_steps])
        y.set_shape([batch_size, num_steps])
        return x, y
