"""Small models for images: a convolutional classifier, and a U-Net for a class a pixel.

3 x 3 convolutions with batch normalisation that folds into them, and ReLU. CONV_2D,
DEPTHWISE_CONV_2D, TRANSPOSE_CONV, AVERAGE_POOL_2D, MAX_POOL_2D, CONCATENATION and FULLY_CONNECTED
are all that is left of them in TFLite.
"""

from __future__ import annotations

import keras
from keras import layers

from kd_edge.base.errors import KdEdgeError
from kd_edge.models.inputs import check_option, make_inputs, one_image


def image_cnn(
    input_shapes,
    n_classes,
    *,
    width: int = 16,
    blocks: int = 3,
    repeats: int = 0,
    stem_stride: int = 1,
    dropout: float = 0.2,
) -> keras.Model:
    """A convolution, then depthwise-separable ones that halve the image and widen; mean; Dense.

    Args:
        width: channels of the first layer; each block has half as many again, a multiple of 4.
        blocks: depthwise-separable convolutions (Howard et al., "MobileNets", arXiv 1704.04861).
        repeats: so many more of them behind each, at its size, each added to what goes into it
            (He et al., CVPR 2016).
        stem_stride: 2 halves the image in the first layer: a quarter of the memory and time.
        dropout: before the last layer.
    """
    check_option("width", width, 1)
    check_option("blocks", blocks, 0, 6)
    check_option("repeats", repeats, 0, 6)
    check_option("stem_stride", stem_stride, 1, 4)
    check_option("dropout", dropout, 0.0, 0.9)
    inputs = list(make_inputs(input_shapes).values())
    x = one_image(inputs)
    x = _conv(x, width, "stem", stride=stem_stride)
    for index in range(blocks):
        name, width = f"block_{index}", 4 * -(-3 * width // 8)
        x = _separable(x, width, name, stride=2)
        for repeat in range(repeats):
            inner = _separable(x, width, f"{name}_{repeat}")
            x = layers.Add(name=f"{name}_{repeat}_add")([x, inner])
    x = layers.AveragePooling2D(x.shape[1:3], name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(layers.Flatten(name="flatten")(x))
    logits = layers.Dense(n_classes, name="logits")(x)
    return keras.Model(inputs, logits, name="image_cnn")


def seed_tumor_student(input_shapes, n_classes, *, dropout: float = 0.0) -> keras.Model:
    """A grey CNN with the 295,690 parameters that the public project states for two classes.

    It states the number alone. These layers are ours: the plainest ones of that number that take
    any image size. Six times convolution, normalisation, ReLU and pooling; mean; Dense 200.

    Args:
        dropout: before the last layer.
    """
    check_option("dropout", dropout, 0.0, 0.9)
    inputs = list(make_inputs(input_shapes).values())
    x = one_image(inputs)
    for index, width in enumerate((16, 32, 48, 64, 128, 128)):
        x = layers.Conv2D(width, 3, padding="same", name=f"conv_{index}")(x)
        x = _norm_relu(x, f"conv_{index}")
        if min(x.shape[1:3]) > 1:
            x = layers.MaxPooling2D(2, name=f"pool_{index}")(x)
    x = layers.AveragePooling2D(x.shape[1:3], name="pool")(x)
    x = layers.Dense(200, activation="relu", name="dense")(layers.Flatten(name="flatten")(x))
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(inputs, layers.Dense(n_classes, name="logits")(x), name="seed_tumor_student")


def unet(input_shapes, n_classes, *, width: int = 8, depth: int = 2) -> keras.Model:
    """Down and up again, with the way down beside the way up; logits for every pixel.

    O. Ronneberger, P. Fischer, T. Brox, "U-Net", MICCAI 2015, with one convolution a level.

    Args:
        width: channels at full size; each level down has twice as many.
        depth: levels down, each half as high and wide as the one above.

    Raises:
        KdEdgeError KD_SHAPE: height or width are no multiple of 2 ** depth.
    """
    check_option("width", width, 1)
    check_option("depth", depth, 1, 5)
    inputs = list(make_inputs(input_shapes).values())
    x = one_image(inputs)
    if any(side % 2**depth for side in x.shape[1:3]):
        raise KdEdgeError(
            "KD_SHAPE",
            f"{x.shape[1]} x {x.shape[2]} pixels cannot be halved {depth} times",
            hint="choose images.size as a multiple of 2 ** depth, or another option 'depth'",
        )
    beside = []
    for level in range(depth):
        x = _conv(x, width << level, f"down_{level}")
        beside.append(x)
        x = layers.MaxPooling2D(2, name=f"pool_{level}")(x)
    x = _conv(x, width << depth, "bottom")
    for level in reversed(range(depth)):
        x = layers.Conv2DTranspose(width << level, 2, strides=2, name=f"larger_{level}")(x)
        x = layers.Concatenate(axis=-1, name=f"join_{level}")([x, beside[level]])
        x = _conv(x, width << level, f"up_{level}")
    logits = layers.Conv2D(n_classes, 1, name="logits")(x)
    return keras.Model(inputs, logits, name="unet")


def _separable(x, width: int, name: str, *, stride: int = 1):
    x = layers.DepthwiseConv2D(
        3, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(x)
    return _conv(_norm_relu(x, f"{name}_depthwise"), width, name, kernel=1)


def _conv(x, width: int, name: str, *, kernel: int = 3, stride: int = 1):
    x = layers.Conv2D(
        width,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return _norm_relu(x, name)


def _norm_relu(x, name: str):
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
