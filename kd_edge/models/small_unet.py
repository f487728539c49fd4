"""A class a pixel on a microcontroller: a U-Net of separable layers at a quarter of the size.

CONV_2D, DEPTHWISE_CONV_2D, ADD and RESIZE_BILINEAR are all that is left of it in TFLite.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from kd_edge.base.errors import KdEdgeError
from kd_edge.models.inputs import check_option, make_inputs, one_image

# How often the image's sides hold those of a level.
HALF, QUARTER = 2, 4


def small_unet(
    input_shapes, n_classes, *, width: int = 16, depth: int = 2, blocks: int = 2
) -> keras.Model:
    """Down to a quarter and further, up to that quarter again; the logits are then enlarged.

    Inputs of full size are only ever seen by the first two layers, and full size comes back only in
    the last one, which has no weights: so the arena is little more than the logits themselves.

    Args:
        width: channels of the first layer; half as many again at a quarter of the size, and at
            each level below it, a multiple of 4.
        depth: levels below the quarter, each half as high and wide as the one above (O.
            Ronneberger, P. Fischer, T. Brox, "U-Net", MICCAI 2015, with sums in place of
            concatenations).
        blocks: residual depthwise-separable layers at each level below the quarter, which has one
            (Howard et al., "MobileNets", arXiv 1704.04861; Sandler et al., "MobileNetV2", CVPR
            2018: no ReLU before a sum).

    Raises:
        KdEdgeError KD_SHAPE: height or width are no multiple of 4 * 2 ** depth.
    """
    check_option("width", width, 1)
    check_option("depth", depth, 0, 4)
    check_option("blocks", blocks, 0, 8)
    inputs = list(make_inputs(input_shapes).values())
    x = one_image(inputs)
    size = x.shape[1:3]
    if any(side % (QUARTER << depth) for side in size):
        raise KdEdgeError(
            "KD_SHAPE",
            f"{size[0]} x {size[1]} pixels cannot be halved {depth + 2} times",
            hint=f"choose images.size as a multiple of {QUARTER << depth}, or another 'depth'",
        )
    x = conv(x, width, "stem", kernel=3, strides=2)
    widths = [width]
    for _ in range(depth + 1):
        widths.append(4 * -(-3 * widths[-1] // 8))
    beside = []
    for level, wider in enumerate(widths[1:]):
        x = _separable(x, wider, f"d{level}", strides=2)
        x = residuals(x, blocks if level else 0, f"d{level}")
        beside.append(x)
    logits = decoder(beside, n_classes)
    return keras.Model(inputs, logits, name="small_unet")


def decoder(beside: Sequence, n_classes: int, finest: int = QUARTER):
    """Logits of full size from what each level gave on the way down, each half of the one above.

    Each level is brought to the channels of the one above, enlarged and added to it.

    Args:
        finest: how often the image's sides hold those of the first level.
    """
    *beside, x = beside
    for level, at in reversed(list(enumerate(beside))):
        x = conv(x, at.shape[-1], f"u{level}_less")
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"u{level}_large")(x)
        x = layers.Add(name=f"u{level}_join")([x, at])
        x = residuals(x, 1, f"u{level}")
    x = layers.Conv2D(n_classes, 1, name="finest")(x)
    return layers.UpSampling2D(finest, interpolation="bilinear", name="logits")(x)


def residuals(x, blocks: int, name: str):
    """So many depthwise-separable layers, each added to what goes into it."""
    for index in range(blocks):
        inner = _separable(x, x.shape[-1], f"{name}b{index}", relu=False)
        x = layers.Add(name=f"{name}b{index}_add")([x, inner])
    return x


def _separable(x, width: int, name: str, *, strides: int = 1, relu: bool = True):
    x = layers.DepthwiseConv2D(
        3,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=f"{name}_dw",
    )(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_dwn")(x)
    x = layers.ReLU(name=f"{name}_dwr")(x)
    return conv(x, width, name, relu=relu)


def conv(x, width: int, name: str, *, kernel: int = 1, strides: int = 1, relu: bool = True):
    """A convolution and its normalisation, and ReLU if asked for."""
    x = layers.Conv2D(
        width,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_c",
    )(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_n")(x)
    return layers.ReLU(name=f"{name}_r")(x) if relu else x
