"""EfficientNet-B0 as a teacher, from random weights or from ImageNet's.

M. Tan, Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML
2019. Lite0 is in `lite0`.
"""

from __future__ import annotations

import keras
from keras import layers

from kd_edge.base.errors import KdEdgeError
from kd_edge.models.inputs import (
    check_choice,
    check_option,
    check_pixel_range,
    make_inputs,
    one_image,
)


def efficientnet_b0(
    input_shapes, n_classes, *, weights: str = "none", pixel_range: tuple = (0.0, 1.0),
    dropout: float = 0.2,
) -> keras.Model:  # fmt: skip
    """Keras Applications' EfficientNetB0: 4,049,571 parameters without its last layer.

    Args:
        weights: 'none', or 'imagenet', which Keras fetches from its own server once.
        pixel_range: `images.range` of the recipe: the numbers of black and white.
        dropout: before the last layer.
    """
    check_choice("weights", weights, ("none", "imagenet"))
    inputs, pixels = _pixels(input_shapes, pixel_range, dropout)
    try:
        body = keras.applications.EfficientNetB0(
            include_top=False,
            weights=None if weights == "none" else weights,
            input_tensor=pixels,
            pooling="avg",
        )
    except Exception as error:
        if weights == "none":
            raise
        raise KdEdgeError(
            "KD_NO_FILE",
            f"ImageNet's weights of EfficientNetB0 cannot be had: {error}".splitlines()[0],
            where="the model option 'weights'",
            hint="go online, copy Keras's file to ~/.keras/models, choose weights = 'none', or the "
            "model 'efficientnet-lite0' with weights = 'package'",
        ) from error
    x = layers.Dropout(dropout, name="dropout")(body.output)
    return keras.Model(inputs, layers.Dense(n_classes, name="logits")(x), name="efficientnet_b0")


def _pixels(input_shapes, pixel_range, dropout: float):
    """The model's inputs, and its image as red, green and blue from 0 to 255."""
    check_option("dropout", dropout, 0.0, 0.9)
    low, high = check_pixel_range(pixel_range)
    inputs = list(make_inputs(input_shapes).values())
    x = one_image(inputs)
    step = 255 / (high - low)
    x = layers.Rescaling(step, offset=-low * step, name="pixels")(x)
    if x.shape[-1] == 1:
        x = layers.Concatenate(name="grey_as_colour")([x, x, x])
    return inputs, x
