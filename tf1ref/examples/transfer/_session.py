"""A Body in a TF1 graph."""

import tensorflow.compat.v1 as v1

from tf1ref.examples.transfer import _inputs


def add_body(body, mean, deviation):
    """Adds a placeholder of a JPEG's bytes, and the features (1, size) that `body` has for it, to the default graph.

    A body that takes pictures gets them in its size, as (pixel - mean) / deviation. S3's and S0's bilinear method would
    skip pixels when it shrinks to less than half. The area method averages all of them.
    """
    jpeg = given = v1.placeholder(v1.string, [], name="JpegContents")
    if body.side:
        decoded = v1.image.decode_jpeg(jpeg, channels=3)
        resized = v1.image.resize_area(v1.expand_dims(v1.cast(decoded, v1.float32), 0), body.side)  # (1, h, w, 3)
        given = (resized - mean) / deviation
    (features,) = v1.import_graph_def(body.graph_def, {body.jpeg: given}, [body.bottleneck])
    return jpeg, v1.reshape(v1.cast(features, v1.float32), [1, body.size])  # -> (1, size)


def extractor(sess, jpeg, bottleneck):
    """Returns a function (path, bytes) of a picture that runs its features in `sess`."""

    def extract(path, data):
        try:
            return sess.run(bottleneck, {jpeg: data})
        except v1.errors.InvalidArgumentError as error:
            raise _inputs.undecodable(path, error) from error

    return extract
