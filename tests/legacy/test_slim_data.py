"""slim's data API: records that the test writes, read back through providers, decoders and queues."""

import io

import numpy as np
import pytest
import tensorflow.compat.v1 as v1
from PIL import Image

from tf1ref.legacy.contrib.slim import (
    dataset,
    dataset_data_provider,
    parallel_reader,
    prefetch_queue,
    queues,
    summaries,
    tfexample_decoder,
)

PICTURES = np.random.RandomState(0).randint(0, 256, [6, 4, 5, 3]).astype(np.uint8)


def example(**features):
    """Returns a serialized tf.train.Example of lists of bytes, of integers or of floats."""
    made = {}
    for name, values in features.items():
        kind = {bytes: "bytes", int: "int64", float: "float"}[type(values[0])] if values else "int64"
        listed = getattr(v1.train, f"{kind.capitalize()}List")(value=values)
        made[name.replace("__", "/")] = v1.train.Feature(**{f"{kind}_list": listed})
    return v1.train.Example(features=v1.train.Features(feature=made)).SerializeToString()


def encoded(picture, kind):
    """Returns the bytes of a picture in a format that loses nothing, or as plain numbers."""
    if kind == "raw":
        return picture.tobytes()
    written = io.BytesIO()
    Image.fromarray(picture).save(written, kind)
    return written.getvalue()


@pytest.fixture
def files(tmp_path):
    """Two files of three pictures each, labelled 0 to 5."""
    for part in range(2):
        with v1.python_io.TFRecordWriter(str(tmp_path / f"part-{part}.tfrecord")) as writer:
            for label in range(3 * part, 3 * part + 3):
                data = encoded(PICTURES[label], "png")
                boxes = {f"ymin{side}": [float(label + i) for i in range(2)] for side in "abcd"}
                writer.write(example(image__encoded=[data], image__format=[b"png"], label=[label], **boxes))
    return str(tmp_path / "part-*.tfrecord")


def test_a_provider_gives_each_picture_once_an_epoch(files):
    keys = {
        "image/encoded": v1.FixedLenFeature([], v1.string),
        "image/format": v1.FixedLenFeature([], v1.string, "png"),
        "label": v1.FixedLenFeature([], v1.int64),
        **{f"ymin{side}": v1.VarLenFeature(v1.float32) for side in "abcd"},
    }
    handlers = {
        "image": tfexample_decoder.Image(shape=[4, 5, 3]),
        "label": tfexample_decoder.Tensor("label"),
        "box": tfexample_decoder.BoundingBox(list("abcd"), "ymin"),
    }
    with v1.Graph().as_default(), v1.Session() as session:
        decoder = tfexample_decoder.TFExampleDecoder(keys, handlers)
        data = dataset.Dataset(files, v1.TFRecordReader, decoder, 6, {"label": "0 to 5"}, num_classes=6)
        provider = dataset_data_provider.DatasetDataProvider(
            data, num_readers=2, num_epochs=1, common_queue_capacity=8, common_queue_min=2
        )
        assert (provider.num_samples(), data.num_classes) == (6, 6)
        assert set(provider.list_items()) == {"image", "label", "box", "record_key"}
        with pytest.raises(ValueError, match="colour"):
            provider.get(["colour"])
        image, label, box = provider.get(["image", "label", "box"])
        summary = summaries.add_scalar_summary(label, "label", "seen", print_summary=True)
        queue = prefetch_queue.prefetch_queue({"image": image, "label": label, "box": box, "said": summary}, capacity=3)
        following = queue.dequeue()
        session.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
        with queues.QueueRunners(session):
            seen = [session.run(following) for _ in range(6)]
            with pytest.raises(v1.errors.OutOfRangeError):
                session.run(following)
    assert sorted(each["label"] for each in seen) == list(range(6))
    for each in seen:
        np.testing.assert_array_equal(each["image"], PICTURES[each["label"]])
        np.testing.assert_array_equal(each["box"], np.repeat([[each["label"]], [each["label"] + 1]], 4, 1))
        assert v1.Summary.FromString(each["said"]).value[0].simple_value == each["label"]


def test_files_in_order_and_files_that_are_not_there(files):
    names = parallel_reader.get_data_files(files)
    assert names == sorted(names) and parallel_reader.get_data_files([files, names[0]]) == [*names, names[0]]
    with pytest.raises(ValueError, match="nothing"):
        parallel_reader.get_data_files(f"{files}nothing*")
    with v1.Graph().as_default(), v1.Session() as session:
        key, _ = parallel_reader.single_pass_read(files, v1.TFRecordReader)
        session.run(v1.local_variables_initializer())
        with queues.QueueRunners(session):
            keys = [session.run(key).decode() for _ in range(6)]
    assert [each.rpartition(":")[0] for each in keys] == [names[0]] * 3 + [names[1]] * 3


@pytest.mark.parametrize("kind", ["png", "bmp", "raw"])
def test_pictures_of_several_formats(kind):
    handler = tfexample_decoder.Image("bytes", "kind", shape=[4, 5, 3])
    data = example(bytes=[encoded(PICTURES[0], kind)], kind=[kind.encode()])
    assert_decoded(data, ["bytes", "kind"], handler, PICTURES[0])


def test_a_jpeg_and_a_deep_png():
    jpeg = encoded(PICTURES[0], "jpeg")
    with v1.Graph().as_default(), v1.Session() as session:
        expected = session.run(v1.image.decode_jpeg(jpeg, 1, dct_method="INTEGER_FAST"))
    handler = tfexample_decoder.Image("bytes", "kind", channels=1, dct_method="INTEGER_FAST")
    assert_decoded(example(bytes=[jpeg], kind=[b"jpeg"]), ["bytes", "kind"], handler, expected)
    deep = np.arange(0, 60000, 3000, np.uint16).reshape(4, 5)
    data = example(bytes=[encoded(deep, "png")], kind=[b"png"])
    handler = tfexample_decoder.Image("bytes", "kind", channels=1, dtype=v1.uint16)
    assert_decoded(data, ["bytes", "kind"], handler, deep[..., None])


def assert_decoded(data, strings, handler, expected, **features):
    features = {**features, **{name: v1.FixedLenFeature([], v1.string) for name in strings}}
    decoder = tfexample_decoder.TFExampleDecoder(features, {"item": handler})
    with v1.Graph().as_default(), v1.Session() as session:
        found = session.run(decoder.decode(data)[0])
    if isinstance(found, v1.SparseTensorValue):
        dense = np.zeros(found.dense_shape, found.values.dtype)
        dense[tuple(found.indices.T)] = found.values
        found = dense
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


def test_tensors_of_features():
    data = example(values=[1, 2, 3, 4, 5, 6], shape=[2, 3], places=[0, 2, 4, 5, 7, 9], empty=[])
    numbers = {name: v1.VarLenFeature(v1.int64) for name in ("values", "shape", "places", "empty")}
    grid = np.arange(1, 7).reshape(2, 3)
    tensor, sparse = tfexample_decoder.Tensor, tfexample_decoder.SparseTensor
    spread = np.array([1, 0, 2, 0, 3, 4, 0, 5, 0, 6])
    for handler, expected in (
        (tensor("values", shape_keys="shape"), grid),
        (tensor("values", shape=[3, 2]), grid.reshape(3, 2)),
        (tensor("values"), grid.ravel()),
        (sparse("places", "values", shape=[10]), spread),
        (sparse("places", "values", shape=[11], densify=True, default_value=-1),
         np.where(np.append(spread, 0), np.append(spread, 0), -1)),
        (tfexample_decoder.BackupHandler(tensor("empty"), tensor("values")), grid.ravel()),
        (tfexample_decoder.BackupHandler(tensor("shape"), tensor("values")), np.array([2, 3])),
        (tfexample_decoder.ItemHandlerCallback(["values"], lambda found: found["values"].values * 2), grid.ravel() * 2),
    ):  # fmt: skip
        assert_decoded(data, [], handler, expected, **numbers)


def test_what_cannot_be_made():
    with pytest.raises(ValueError, match="both"):
        tfexample_decoder.Tensor("a", shape_keys="b", shape=[1])
    with pytest.raises(ValueError, match="4 keys"):
        tfexample_decoder.BoundingBox(["a"])
    with pytest.raises(ValueError, match="ItemHandler"):
        tfexample_decoder.BackupHandler(tfexample_decoder.Tensor("a"), "b")
    with pytest.raises(ValueError, match="None"), queues.QueueRunners(None):
        pass
