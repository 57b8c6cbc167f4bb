"""The inputs of both halves of this chapter's programs: a trained network's graph, pictures, and batches."""

import io
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tensorflow.compat.v1 import GraphDef

from tf1ref import console, files
from tf1ref.artifacts.graph import effects, graphs, parts
from tf1ref.data import features, folders
from tf1ref.data.formats import class_folders
from tf1ref.errors import InputError

DECODED = ("JPEG", "MPO", "PNG", "GIF")  # Pillow's names of the formats that DecodeJpeg reads


class Body(NamedTuple):
    """The part of a frozen graph from its input to its features, the bottleneck.

    jpeg, bottleneck: tensor names. side: (height, width) of the pictures that it takes, or None when it takes a JPEG's
    bytes.
    size: the number of features. maker: bytes that change whenever the features would change.
    """

    graph_def: object
    jpeg: str
    bottleneck: str
    side: tuple
    size: int
    maker: bytes


def body(path, jpeg, bottleneck):
    """Returns the Body of a frozen .pb, from tensor `jpeg` to tensor `bottleneck`.

    `jpeg` takes a JPEG's bytes, or pictures as floats (1, height, width, 3). Raises InputError for a file that is not a
    frozen graph, and for a tensor that does not exist (with the nearest names) or cannot be used.
    Raises it also for a graph whose ops do more than compute.
    """
    path = Path(path)
    graph_def = _read(path)
    names = [graphs.Graph(graph_def, path).tensors(name)[0] for name in (jpeg, bottleneck)]
    part = parts.Part(graph_def, names[1:], str(path))
    given = part.cut(names[:1], kept=False)[names[0]] if graphs.tensor(names[0])[0] in part.ops() else ""
    if given.partition(":")[0] not in part.ops():
        raise InputError(f"{path}: {names[1]} does not depend on {names[0]}: name an input before it")
    graph_def = part.graph_def
    outside = effects.outside(graphs.all_nodes(graph_def))
    if outside:
        raise InputError(
            f"{path}: {next(iter(outside))} may touch files, the network or Python: such graphs are not run"
        )
    graph = part.imported()
    ends = [graph.get_tensor_by_name(name) for name in (given, names[1])]
    size = _size(ends[1], path)
    maker = graph_def.SerializeToString(deterministic=True) + names[1].encode()
    return Body(graph_def, given, names[1], _side(ends[0], path), size, maker)


def vectors(body, paths, folder, extract, *made_with):
    """Returns the features of picture files, float32 (n, body.size), kept in `folder` for the next run.

    extract(path, bytes): computes the features of one picture. made_with: what they depend on besides the graph.
    oneDNN's convolutions differ in the last bits, so their features are kept apart.
    """
    maker = body.maker + repr((*made_with, os.environ.get("TF_ENABLE_ONEDNN_OPTS"))).encode()
    return features.cached(folder, maker, paths, extract, counted)


def pictures(folder, scratch):
    """Returns the class_folders.Pictures of `folder`; "" takes flower_photos, or generated flowers in `scratch`.

    Raises InputError for a file of a kind that DecodeJpeg does not read, before anything is computed.
    """
    found = class_folders.read(folder) if folder else class_folders.flowers(scratch, count=30, size=64)
    for path in found.paths:
        # Only the first bytes are read, which takes .1 ms.
        with _opened(path) as image:
            if image.format not in DECODED:
                raise InputError(f"{path}: {image.format}, which DecodeJpeg does not read: save it as JPEG or PNG")
    return found


def lists(found, validation, testing):
    """Returns features.lists of Pictures.

    Raises InputError when a class has no picture for training, or a list is empty.
    """
    chosen = features.lists(found.paths, validation, testing)
    trained = {found.labels[i] for i in chosen["training"]}
    for label, name in enumerate(found.classes):
        if label not in trained:
            raise InputError(f"{name}: no picture of it is left to train on: add some, or lower the percentages")
    for name, wanted in (("validation", validation), ("testing", testing)):
        if wanted and not len(chosen[name]):
            raise InputError(f"{len(found.paths)} pictures, none of them for {name}: add some, or raise its percentage")
    return chosen


def batch(random, labels, indices, count):
    """Returns `count` of `indices`. For each one a class is drawn, then a picture of it, as S3 does."""
    classes = [indices[labels[indices] == label] for label in np.unique(labels[indices])]
    drawn = (classes[random.randint(len(classes))] for _ in range(count))
    return np.array([of_class[random.randint(len(of_class))] for of_class in drawn])  # choice() draws the same, slowly


def write_features(path, vectors, found, chosen):
    """Writes features and labels of Pictures as .npz, with the smallest and largest training feature."""
    trained, content = vectors[chosen["training"]], io.BytesIO()
    labels = np.reshape(found.labels, (-1, 1))
    np.savez(content, x=vectors, y=labels, lowest=trained.min(), highest=trained.max())
    files.write(Path(path), content.getvalue())


def read_features(path):
    """Returns (x from 0 to 1 over the training pictures, y one-hot, a function that scales another picture's x)."""
    with np.load(path, allow_pickle=False) as data:
        lowest, highest, x, y = (data[name] for name in ("lowest", "highest", "x", "y"))

    def scaled(vectors):
        return (vectors - lowest) / max(highest - lowest, np.float32(1e-12))

    return scaled(x), np.eye(y.max() + 1, dtype=np.float32)[y[:, 0]], scaled


def counted(items):
    """Yields the items and shows the progress, if there are any."""
    return (item for _, item in zip(console.steps(len(items)), items)) if items else iter(())


def undecodable(path, error):
    """Returns the InputError for a picture that the graph's decoder refuses. error: TensorFlow's error."""
    return InputError(f"{path}: not a picture that the graph can decode: replace it ({graphs.one_line(error, 90)})")


def pixels(path, side):
    """Returns a picture file as float32 (side, side, 3) from -1 to 1.

    Raises InputError when the file is not a picture.
    """
    small = _rgb(path).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small, np.float32) / np.float32(127.5) - 1


def labelled(path, text):
    """Returns a PNG's bytes: the picture of a file with `text` written over its lower edge.

    Raises InputError when the file is not a picture.
    """
    image = _rgb(path)
    # Letters need some pixels.
    if image.width < 224:
        image = image.resize((224, max(1, image.height * 224 // image.width)))
    font = ImageFont.load_default(size=max(14, image.width // 14))
    pen, high = ImageDraw.Draw(image), max(14, image.width // 14)
    pen.rectangle((0, image.height - high * 1.6, image.width, image.height), fill=(20, 20, 20))
    pen.text((high // 2, image.height - high * 1.4), text, fill=(255, 255, 255), font=font)
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def write(folder, written):
    """Writes {file name: bytes} to `folder`, each file whole."""
    for name, data in written.items():
        files.write(Path(folder) / name, data)


def _opened(path):
    try:
        return Image.open(path)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a picture: replace it or take it away") from error


def _rgb(path):
    with _opened(path) as image:
        try:
            return image.convert("RGB")
        # The file is damaged after its first bytes.
        except (OSError, ValueError, SyntaxError) as error:
            raise InputError(f"{path}: not a picture that can be decoded: replace it ({error})") from error


def _read(path):
    try:
        graph_def = GraphDef.FromString(path.read_bytes())
    except OSError as error:
        raise folders.unreadable(path, error) from error
    # It is DecodeError, whose module depends on the version of protobuf.
    except Exception as error:
        raise InputError(f"{path}: not a frozen graph: name a .pb file that holds a GraphDef") from error
    if not graph_def.node:
        raise InputError(f"{path}: a graph without nodes: name a .pb file that holds a GraphDef")
    return graph_def


def _size(tensor, path):
    """Returns the number of features that a tensor has for one picture."""
    shape = tensor.shape
    size = shape[1:].num_elements() if (shape.rank or 0) > 1 and shape[0] in (None, 1) else None
    if not size or not tensor.dtype.is_floating:
        wrong = f"{tensor.name} is {tensor.dtype.name} {shape}"
        raise InputError(f"{path}: {wrong}, not a known number of features for a picture: name another tensor")
    return size


def _side(tensor, path):
    """Returns (height, width) of an input of pictures, or None for an input of bytes."""
    shape = tensor.shape
    if tensor.dtype.name == "string":
        return None
    if not tensor.dtype.is_floating or shape.rank != 4 or None in shape[1:].as_list() or shape[3] != 3:
        raise InputError(
            f"{path}: {tensor.name} is {tensor.dtype.name} {shape}, neither a JPEG's bytes nor pictures of a known "
            "size as floats: name another"
        )
    return shape[1], shape[2]
