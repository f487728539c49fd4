"""Three families of image classifiers: ResNet, DenseNet and GoogLeNet, from small to as published.

The defaults are ResNet50, DenseNet121 and GoogLeNet for 224 x 224 pixels. The stems
"half" and "small" are for pictures of 32 x 32, which the first layers of those shrink to a quarter.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from kd_edge.models.inputs import check_choice, check_option, make_inputs, one_image

STEMS = ("full", "half", "small")
_STRIDES = {"half": 2, "small": 1}
NORMS = ("batch", "none")
# 1x1; 3x3 behind a 1x1; 5x5 behind a 1x1; 1x1 behind a pool. Table 1 of the GoogLeNet paper.
_INCEPTION = (
    ("3a", 64, 96, 128, 16, 32, 32), ("3b", 128, 128, 192, 32, 96, 64),
    ("4a", 192, 96, 208, 16, 48, 64), ("4b", 160, 112, 224, 24, 64, 64),
    ("4c", 128, 128, 256, 24, 64, 64), ("4d", 112, 144, 288, 32, 64, 64),
    ("4e", 256, 160, 320, 32, 128, 128), ("5a", 256, 160, 320, 32, 128, 128),
    ("5b", 384, 192, 384, 48, 128, 128),
)  # fmt: skip


def resnet(
    input_shapes,
    n_classes,
    *,
    width: int = 64,
    blocks: tuple[int, ...] = (3, 4, 6, 3),
    stem: str = "full",
    dropout: float = 0.0,
) -> keras.Model:
    """Bottleneck blocks beside shortcuts (He et al., "Deep Residual Learning", CVPR 2016).

    Args:
        width: channels inside the first stage's blocks; they give four times as many. Each stage
            has twice the stage's before. 64 is ResNet50's.
        blocks: of each stage; each stage but the first halves the picture.
        stem: 'full': 7 x 7 and a pool, a quarter of the picture's side; 'half' and 'small': 3 x 3,
            half and all of it.
        dropout: before the last layer.
    """
    _check(width=width, stem=stem, dropout=dropout, blocks=blocks)
    inputs = list(make_inputs(input_shapes).values())
    x = one_image(inputs)
    x = _stem(x, width, stem, bias=True)
    for stage, count in enumerate(blocks):
        for index in range(count):
            stride = 2 if stage and not index else 1
            x = _bottleneck(x, width << stage, stride, f"stage_{stage}_{index}", first=not index)
    return _end(inputs, x, n_classes, dropout, "resnet")


def densenet(
    input_shapes,
    n_classes,
    *,
    growth: int = 32,
    blocks: tuple[int, ...] = (6, 12, 24, 16),
    stem: str = "full",
    dropout: float = 0.0,
) -> keras.Model:
    """Each layer sees all before it (Huang et al., "Densely Connected Networks", CVPR 2017).

    Args:
        growth: channels that a layer adds. 32 is DenseNet121's.
        blocks: layers of each block; between two, half of the channels and of the picture stay.
        stem: as of `resnet`.
        dropout: before the last layer.
    """
    _check(growth=growth, stem=stem, dropout=dropout, blocks=blocks)
    inputs = list(make_inputs(input_shapes).values())
    x = one_image(inputs)
    x = _stem(x, 2 * growth, stem, bias=False)
    for block, count in enumerate(blocks):
        for index in range(count):
            name = f"dense_{block}_{index}"
            inner = _conv(_norm_relu(x, f"{name}_a"), 4 * growth, 1, f"{name}_narrow")
            inner = _conv(_norm_relu(inner, f"{name}_b"), growth, 3, f"{name}_wide")
            x = layers.Concatenate(axis=-1, name=f"{name}_join")([x, inner])
        if block < len(blocks) - 1:
            name = f"between_{block}"
            x = _conv(_norm_relu(x, name), x.shape[-1] // 2, 1, f"{name}_conv")
            x = layers.AveragePooling2D(2, name=f"{name}_pool")(x)
    return _end(inputs, _norm_relu(x, "last"), n_classes, dropout, "densenet")


def googlenet(
    input_shapes,
    n_classes,
    *,
    width: float = 1.0,
    blocks: int = 9,
    norm: str = "batch",
    stem: str = "full",
    dropout: float = 0.4,
) -> keras.Model:
    """Filters of several sizes beside each other (Szegedy et al., "Going Deeper", CVPR 2015).

    The two classifiers on the side, which only training has, are left out; so is the normalisation
    of local responses, in whose place stands batch normalisation.

    Args:
        width: of all channels, as a share of the published ones, rounded up to multiples of 4.
        blocks: of the nine inception blocks, the first so many.
        norm: 'batch', or 'none': biases alone, as published.
        stem: as of `resnet`.
        dropout: before the last layer.
    """
    _check(stem=stem, dropout=dropout)
    check_option("blocks", blocks, 1, len(_INCEPTION))
    check_option("width", width, 0.01, 4.0)
    check_choice("norm", norm, NORMS)
    inputs = list(make_inputs(input_shapes).values())
    x = one_image(inputs)

    def wide(channels: int) -> int:
        return 4 * -(-round(channels * width) // 4)

    def unit(x, channels: int, kernel: int, name: str, stride: int = 1):
        plain = norm == "none"
        x = _conv(x, wide(channels), kernel, f"{name}_conv", stride=stride, bias=plain)
        return layers.ReLU(name=f"{name}_relu")(x) if plain else _norm_relu(x, name)

    if stem != "full":
        x = unit(x, 192, 3, "stem", stride=_STRIDES[stem])
    else:
        x = _halved(unit(x, 64, 7, "stem_a", stride=2), "stem_a")
        x = _halved(unit(unit(x, 64, 1, "stem_b"), 192, 3, "stem_c"), "stem_c")
    for name, one, before3, three, before5, five, pooled in _INCEPTION[:blocks]:
        if name in ("4a", "5a"):
            x = _halved(x, name)
        beside = [
            unit(x, one, 1, f"{name}_1"),
            unit(unit(x, before3, 1, f"{name}_3_before"), three, 3, f"{name}_3"),
            unit(unit(x, before5, 1, f"{name}_5_before"), five, 5, f"{name}_5"),
            unit(
                layers.MaxPooling2D(3, strides=1, padding="same", name=f"{name}_pool")(x),
                pooled,
                1,
                f"{name}_pooled",
            ),
        ]
        x = layers.Concatenate(axis=-1, name=f"{name}_join")(beside)
    return _end(inputs, x, n_classes, dropout, "googlenet")


def picking_cnn(
    input_shapes, n_classes, *, width: int = 32, last: int = 6, dropout: float = 0.0
) -> keras.Model:
    """The seed's selector: convolutions 32-64-pool, 128-128-pool, 256-6-pool, then one layer.

    With one class it ends in the seed's single score, whose sigmoid is the second student's share.
    With two it has a score for each student, and the difference of the two is that score.

    Args:
        width: channels of the first convolution; the others have 2, 4, 4 and 8 times as many.
        last: channels of the last convolution.
        dropout: before the last layer.
    """
    _check(width=width, last=last, dropout=dropout)
    inputs = list(make_inputs(input_shapes).values())
    x = one_image(inputs)
    channels = (width, 2 * width, 4 * width, 4 * width, 8 * width, last)
    for index, each in enumerate(channels):
        x = _norm_relu(_conv(x, each, 3, f"conv_{index}", bias=True), f"conv_{index}")
        if index % 2:
            x = layers.MaxPooling2D(2, padding="same", name=f"pool_{index // 2}")(x)
    x = layers.Dropout(dropout, name="dropout")(layers.Flatten(name="flatten")(x))
    return keras.Model(inputs, layers.Dense(n_classes, name="logits")(x), name="picking_cnn")


def _check(
    *, stem: str = STEMS[0], dropout: float, blocks: Sequence[int] = (1,), **sizes: int
) -> None:
    check_choice("stem", stem, STEMS)
    check_option("dropout", dropout, 0.0, 0.9)
    for count in blocks:
        check_option("blocks", count, 1, 64)
    for name, size in sizes.items():
        check_option(name, size, 1)


def _stem(x, width: int, stem: str, *, bias: bool):
    if stem != "full":
        return _norm_relu(_conv(x, width, 3, "stem_conv", stride=_STRIDES[stem]), "stem")
    return _halved(_norm_relu(_conv(x, width, 7, "stem_conv", stride=2, bias=bias), "stem"), "stem")


def _bottleneck(x, width: int, stride: int, name: str, *, first: bool):
    beside = x
    if first:
        beside = _conv(x, 4 * width, 1, f"{name}_beside", stride=stride, bias=True)
        beside = _norm(beside, f"{name}_beside")
    inner = _norm_relu(_conv(x, width, 1, f"{name}_a_conv", stride=stride, bias=True), f"{name}_a")
    inner = _norm_relu(_conv(inner, width, 3, f"{name}_b_conv", bias=True), f"{name}_b")
    inner = _norm(_conv(inner, 4 * width, 1, f"{name}_c_conv", bias=True), f"{name}_c")
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([beside, inner]))


def _end(inputs, x, n_classes: int, dropout: float, name: str) -> keras.Model:
    x = layers.AveragePooling2D(x.shape[1:3], name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(layers.Flatten(name="flatten")(x))
    return keras.Model(inputs, layers.Dense(n_classes, name="logits")(x), name=name)


def _halved(x, name: str):
    return layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_halved")(x)


def _conv(x, width: int, kernel: int, name: str, *, stride: int = 1, bias: bool = False):
    return layers.Conv2D(
        width,
        kernel,
        strides=stride,
        padding="same",
        use_bias=bias,
        kernel_initializer="he_normal",
        name=name,
    )(x)


def _norm(x, name: str):
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)


def _norm_relu(x, name: str):
    return layers.ReLU(name=f"{name}_relu")(_norm(x, name))
