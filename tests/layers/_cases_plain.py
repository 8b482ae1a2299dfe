"""Layers that change shapes or numbers one by one: inputs, arguments, and the shape that comes out."""

from dlrun.layers._spec import TensorSpec

VECTOR, SEQUENCE, PICTURE = TensorSpec((5,)), TensorSpec((4, 5)), TensorSpec((3, 4, 5))
MASKED = TensorSpec((4, 5), masked=True)


def same(inputs, **arguments):
    """A case whose output is like its input."""
    return inputs, arguments, inputs


CASES = {
    "reshape": [
        (SEQUENCE, {"target_shape": [2, 10]}, (2, 10)),
        (PICTURE, {"target_shape": [4, -1]}, (4, 15)),
        (TensorSpec(()), {"target_shape": [1, -1]}, (1, 1)),
        (TensorSpec((1, 1)), {"target_shape": []}, ()),
    ],
    "permute": [(SEQUENCE, {"dims": [2, 1]}, (5, 4)), (PICTURE, {"dims": [3, 1, 2]}, (5, 3, 4))],
    "repeat_vector": [(VECTOR, {"n": 3}, (3, 5)), (TensorSpec((1,)), {"n": 1}, (1, 1))],
    "identity": [same(VECTOR), same(MASKED)],
    "rescaling": [same(PICTURE, scale=2.0, offset=-1.0), same(MASKED, scale=0.5)],
    "image_preprocessing": [
        same(TensorSpec((4, 5, 3)), mode="caffe"),
        same(TensorSpec((4, 5, 3)), mode="torch", white=255.0),
        same(TensorSpec((4, 5, 3)), mode="tf"),
        same(TensorSpec((4, 5, 3)), mode="none"),
    ],
    "batch_normalization": [
        same(VECTOR),
        same(SEQUENCE, momentum=0.5, scale=False),
        same(PICTURE, center=False),
        same(PICTURE, axis=1, epsilon=1e-5),
        same(PICTURE, axis=2, center=False, scale=False),
        same(TensorSpec((2, 3, 2, 2)), momentum=0.0),
    ],
    "layer_normalization": [
        same(VECTOR),
        same(MASKED),
        same(SEQUENCE, axis=1, scale=False),
        same(PICTURE, axis=[3, 1], center=False),
        same(PICTURE, axis=[1, 2, 3]),
    ],
    "leaky_relu": [same(VECTOR), same(MASKED, alpha=0.1)],
    "elu": [same(VECTOR), same(MASKED, alpha=0.5)],
    "thresholded_relu": [same(VECTOR), same(MASKED, theta=0.2)],
    "relu": [
        same(VECTOR),
        same(MASKED, max_value=0.5),
        same(PICTURE, max_value=1.0, negative_slope=0.1, threshold=0.3),
    ],
    "prelu": [
        same(VECTOR),
        same(PICTURE, shared_axes=[1, 2], alpha_initializer="random_normal"),
        same(MASKED, shared_axes=[1]),
    ],
    "softmax": [same(VECTOR), same(PICTURE, axis=1), same(MASKED)],
    "spatial_dropout1d": [same(SEQUENCE, rate=0.4), same(MASKED, rate=0.0)],
    "spatial_dropout2d": [same(PICTURE, rate=0.4), same(PICTURE, rate=0.0)],
    "gaussian_noise": [same(SEQUENCE, stddev=0.3), same(MASKED, stddev=0.1), same(VECTOR, stddev=0.0)],
    "gaussian_dropout": [same(SEQUENCE, rate=0.3), same(MASKED, rate=0.1), same(VECTOR, rate=0.0)],
    "image_augmentation": [
        same(PICTURE),
        same(PICTURE, rotation_range=40, width_shift_range=0.2, height_shift_range=0.2, shear_range=20, zoom_range=0.2),
        same(PICTURE, horizontal_flip=True, vertical_flip=True),
        same(PICTURE, rotation_range=90, shear_range=1.0, shear_unit="radians", fill_mode="reflect"),
        same(PICTURE, zoom_range=[0.5, 3.0], fill_mode="constant", cval=-1.0, interpolation="nearest"),
    ],
    "alpha_dropout": [same(SEQUENCE, rate=0.3), same(MASKED, rate=0.1), same(VECTOR, rate=0.0)],
}
