"""The blocks of EfficientNet-Lite0, which its teacher and the students cut from it share.

M. Tan, Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML
2019, table 1. Lite0 has no squeeze-and-excitation, ReLU6 in place of swish, and the same widths.
"""

from __future__ import annotations

from typing import NamedTuple

from keras import layers

_EPSILON = 1e-3
_STEM_CHANNELS = 32
EXPANSION = 6


class Block(NamedTuple):
    """One block: its depthwise kernel and stride, how much wider it is inside, what it gives."""

    kernel: int
    stride: int
    expansion: int
    channels: int


# Of each stage: blocks, kernel, stride of the first block, expansion, channels.
_STAGES = (
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)
BLOCKS = tuple(
    Block(kernel, stride if at == 0 else 1, expansion, channels)
    for count, kernel, stride, expansion, channels in _STAGES
    for at in range(count)
)


def lite0_body(
    x, blocks: int = len(BLOCKS), *, expansion: int = EXPANSION, first_stride: int = 1
) -> list:
    """The stem and the first so many blocks; each layer is named after its place in Lite0.

    Args:
        expansion: how much wider a block is inside, 6 as published; the first is not wider.
        first_stride: of the first block, 1 as published.

    Returns:
        What the stem and each block give, in their order.
    """
    outputs = [conv_norm(x, _STEM_CHANNELS, 3, 2, "stem")]
    first = BLOCKS[0]._replace(stride=first_stride)
    for index, block in enumerate((first, *BLOCKS[1:blocks])):
        inside = min(block.expansion, expansion) * outputs[-1].shape[-1]
        outputs.append(_inverted(outputs[-1], block, inside, f"block_{index}"))
    return outputs


def conv_norm(x, channels: int, kernel: int, stride: int, name: str, *, relu: bool = True):
    """A convolution, its normalisation, and ReLU6 if asked for."""
    x = layers.Conv2D(
        channels, kernel, strides=stride, padding="same", use_bias=False,
        kernel_initializer="he_normal", name=name,
    )(x)  # fmt: skip
    return _norm(x, name, relu=relu)


def _inverted(x, block: Block, inside: int, name: str):
    """Widen, depthwise, narrow, and add what went in if it has that shape."""
    inner = x
    if block.expansion > 1:
        inner = conv_norm(inner, inside, 1, 1, f"{name}_expand")
    inner = layers.DepthwiseConv2D(
        block.kernel, strides=block.stride, padding="same", use_bias=False,
        name=f"{name}_depthwise",
    )(inner)  # fmt: skip
    inner = _norm(inner, f"{name}_depthwise", relu=True)
    inner = conv_norm(inner, block.channels, 1, 1, f"{name}_project", relu=False)
    if inner.shape == x.shape:
        inner = layers.Add(name=f"{name}_add")([inner, x])
    return inner


def _norm(x, name: str, *, relu: bool):
    x = layers.BatchNormalization(momentum=0.97, epsilon=_EPSILON, name=f"{name}_norm")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if relu else x
