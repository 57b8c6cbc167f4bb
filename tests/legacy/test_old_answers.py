"""Functions that answer as in TensorFlow 1: static shapes of transposed convolutions, and files that are no text."""

import numpy as np
import pytest
import tensorflow.compat.v1 as v1

from tf1ref.legacy import _files, _shapes

FILTER = np.random.RandomState(0).rand(3, 3, 5, 2).astype(np.float32)
PICTURES = np.random.RandomState(1).rand(4, 2, 2, 2).astype(np.float32)


@pytest.mark.parametrize(
    ("old", "new", "arguments"),
    [
        (_shapes.conv2d_transpose, v1.nn.conv2d_transpose, lambda x, size: (x, FILTER, size, [1, 2, 2, 1])),
        (_shapes.atrous_conv2d_transpose, v1.nn.atrous_conv2d_transpose, lambda x, size: (x, FILTER, size, 1, "SAME")),
        (_shapes.conv2d_backprop_input, v1.nn.conv2d_backprop_input,
         lambda x, size: (size, FILTER, x, [1, 2, 2, 1], "SAME")),
    ],
    ids=["transpose", "atrous", "backprop"],
)  # fmt: skip
def test_the_output_shape_is_the_static_shape(old, new, arguments):
    side = 2 if old is _shapes.atrous_conv2d_transpose else 4
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(v1.float32, [None, 2, 2, 2])
        known = old(*arguments(x, [4, side, side, 5]))
        open_batch = old(*arguments(x, v1.stack([v1.shape(x)[0], side, side, 5])))
        plain = new(*arguments(x, [4, side, side, 5]))
        assert known.shape.as_list() == [4, side, side, 5]
        assert open_batch.shape.as_list() == [None, side, side, 5]
        found = session.run([known, open_batch, plain], {x: PICTURES})
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[1], found[2])


@pytest.mark.parametrize("kind", [_files.GFile, _files.FastGFile])
def test_what_is_no_text_is_read_as_bytes(tmp_path, kind):
    (tmp_path / "picture").write_bytes(b"\xff\xd8\n")
    (tmp_path / "text").write_text("é\nb", encoding="utf-8")
    assert kind(str(tmp_path / "picture"), "r").read() == b"\xff\xd8\n"
    assert kind(str(tmp_path / "text"), "r").read() == "é\nb"
    assert kind(str(tmp_path / "text"), "rb").read() == "é\nb".encode()
    with kind(str(tmp_path / "text"), "w") as file:
        file.write("new")
    assert list(kind(str(tmp_path / "text"))) == ["new"]
