"""tf.contrib.image: rotates, moves and projects pictures. A transform is eight numbers: a0 to a2, b0 to b2, c0, c1.

The output pixel (x, y) is the input's at ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k), with k = c0 x + c1 y + 1.
"""

import tensorflow.compat.v1 as v1

__all__ = [
    "angles_to_projective_transforms",
    "compose_transforms",
    "flat_transforms_to_matrices",
    "matrices_to_flat_transforms",
    "rotate",
    "transform",
    "translate",
    "translations_to_projective_transforms",
]


def transform(images, transforms, interpolation="NEAREST", output_shape=None, name=None):
    """Projects pictures of [n, height, width, channels], [height, width, channels] or [height, width].

    transforms: [8] or [n, 8]. interpolation: "NEAREST" or "BILINEAR". Pixels from outside of the picture are 0.
    output_shape: (height, width), by default the input's. Raises TypeError for other ranks.
    """
    with v1.name_scope(name, "transform"):
        images, transforms = v1.convert_to_tensor(images), v1.convert_to_tensor(transforms, v1.float32)
        rank, flat = images.shape.ndims, transforms.shape.ndims
        if rank is None or flat is None:
            raise TypeError("images and transforms rank must be statically known")
        if rank not in (2, 3, 4):
            raise TypeError("Images should have rank between 2 and 4.")
        if flat not in (1, 2):
            raise TypeError("Transforms should have rank 1 or 2.")
        batch = {2: lambda x: x[None, :, :, None], 3: lambda x: x[None], 4: lambda x: x}[rank](images)
        shape = v1.shape(batch)[1:3] if output_shape is None else v1.convert_to_tensor(output_shape, v1.int32)
        moved = v1.raw_ops.ImageProjectiveTransformV3(
            images=batch,
            transforms=transforms if flat == 2 else transforms[None],
            output_shape=shape,
            fill_value=0.0,
            interpolation=interpolation.upper(),
            fill_mode="CONSTANT",
        )
        static = v1.get_static_value(shape)
        moved.set_shape([batch.shape[0], *(batch.shape[1:3] if output_shape is None else static), batch.shape[3]])
        return {2: lambda x: x[0, :, :, 0], 3: lambda x: x[0], 4: lambda x: x}[rank](moved)


def _size_of(images):
    """Returns (height, width) of pictures of rank 2 to 4, as floats."""
    if images.shape.ndims not in (2, 3, 4):
        raise TypeError("Images should have rank between 2 and 4.")
    shape = v1.shape(images)
    place = 0 if images.shape.ndims < 4 else 1
    return v1.cast(shape[place], v1.float32), v1.cast(shape[place + 1], v1.float32)


def rotate(images, angles, interpolation="NEAREST", name=None):
    """Rotates pictures counter-clockwise about their centre. angles: radians, a scalar or [n]."""
    with v1.name_scope(name, "rotate"):
        images = v1.convert_to_tensor(images)
        return transform(images, angles_to_projective_transforms(angles, *_size_of(images)), interpolation)


def translate(images, translations, interpolation="NEAREST", name=None):
    """Moves pictures by (dx, dy) pixels. translations: [2] or [n, 2].

    >>> with v1.Graph().as_default(), v1.Session() as sess:
    ...     print(sess.run(translate(v1.constant([[1.0, 2.0, 3.0]]), [1.0, 0.0])))
    [[0. 1. 2.]]
    """
    with v1.name_scope(name, "translate"):
        return transform(images, translations_to_projective_transforms(translations), interpolation)


def angles_to_projective_transforms(angles, image_height, image_width, name=None):
    """Returns the transforms [n, 8] that rotate pictures of that size counter-clockwise about their centre."""
    with v1.name_scope(name, "angles_to_projective_transforms"):
        angles = v1.reshape(v1.convert_to_tensor(angles, v1.float32), [-1])
        cos, sin = v1.cos(angles), v1.sin(angles)
        right, bottom = image_width - 1, image_height - 1
        x_offset = (right - (cos * right - sin * bottom)) / 2.0
        y_offset = (bottom - (sin * right + cos * bottom)) / 2.0
        none = v1.zeros_like(angles)
        return v1.stack([cos, -sin, x_offset, sin, cos, y_offset, none, none], axis=1)


def translations_to_projective_transforms(translations, name=None):
    """Returns the transforms [n, 8] that move pictures by (dx, dy)."""
    with v1.name_scope(name, "translations_to_projective_transforms"):
        moved = v1.reshape(v1.convert_to_tensor(translations, v1.float32), [-1, 2])
        one, none = v1.ones_like(moved[:, 0]), v1.zeros_like(moved[:, 0])
        return v1.stack([one, none, -moved[:, 0], none, one, -moved[:, 1], none, none], axis=1)


def flat_transforms_to_matrices(transforms):
    """Returns the matrices [n, 3, 3] of transforms [8] or [n, 8]."""
    flat = v1.reshape(v1.convert_to_tensor(transforms, v1.float32), [-1, 8])
    return v1.reshape(v1.concat([flat, v1.ones_like(flat[:, :1])], axis=1), [-1, 3, 3])


def matrices_to_flat_transforms(transform_matrices):
    """Returns the transforms [n, 8] of matrices [3, 3] or [n, 3, 3], scaled so that the last element is 1.

    >>> with v1.Graph().as_default(), v1.Session() as sess:
    ...     print(sess.run(matrices_to_flat_transforms(2.0 * np.eye(3, dtype=np.float32))))
    [[1. 0. 0. 0. 1. 0. 0. 0.]]
    """
    flat = v1.reshape(v1.convert_to_tensor(transform_matrices, v1.float32), [-1, 9])
    return (flat / flat[:, 8:9])[:, :8]


def compose_transforms(*transforms):
    """Returns the transforms [n, 8] that apply all `transforms`, one after the other."""
    if not transforms:
        raise ValueError("transforms cannot be empty")
    composed = flat_transforms_to_matrices(transforms[0])
    for each in transforms[1:]:
        composed = v1.matmul(composed, flat_transforms_to_matrices(each))
    return matrices_to_flat_transforms(composed)
