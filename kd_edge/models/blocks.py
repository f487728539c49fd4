"""Blocks of the convolutional models, over (batch, 1, time, channels)."""

from __future__ import annotations

import keras
from keras import layers

from kd_edge.base.errors import KdEdgeError
from kd_edge.models.inputs import as_timeline, check_option


def conv(x, width: int, kernel: int, stride: int, name: str):
    """Convolution along time, batch normalisation, ReLU."""
    x = layers.Conv2D(
        width,
        (1, kernel),
        strides=(1, stride),
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return _norm_relu(x, name)


def depthwise(x, kernel: int, stride: int, name: str):
    """Convolution along time of each channel by itself, batch normalisation, ReLU."""
    # A depthwise layer takes equal strides only; the other axis has length 1.
    x = layers.DepthwiseConv2D(
        (1, kernel),
        strides=(stride, stride),
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=f"{name}_depthwise",
    )(x)
    return _norm_relu(x, f"{name}_depthwise")


def separable(x, width: int, kernel: int, stride: int, name: str):
    """Depthwise convolution along time, then a pointwise one, each normalised, with ReLU."""
    return conv(depthwise(x, kernel, stride, name), width, 1, 1, f"{name}_pointwise")


def residual(x, width: int, kernel: int, stride: int, *, dropout: float, name: str):
    """Two convolutions beside a shortcut (He et al., CVPR 2016), along time."""
    shortcut = x
    if stride > 1 or x.shape[-1] != width:
        shortcut = layers.Conv2D(
            width, (1, 1), strides=(1, stride), padding="same", name=f"{name}_shortcut"
        )(x)
    x = conv(x, width, kernel, stride, f"{name}_a")
    x = layers.SpatialDropout2D(dropout, name=f"{name}_dropout")(x)
    x = conv(x, width, kernel, 1, f"{name}_b")
    return layers.Add(name=f"{name}_add")([x, shortcut])


def fused_stems(inputs: dict[str, keras.KerasTensor], *, width: int, kernel: int, stride: int):
    """The `stems` of all inputs, concatenated by channel: (batch, 1, time, channels)."""
    return fused(stems(inputs, width=width, kernel=kernel, stride=stride))


def stems(
    inputs: dict[str, keras.KerasTensor], *, width: int, kernel: int, stride: int
) -> list[keras.KerasTensor]:
    """A strided convolution an input, all to one length in time.

    Args:
        inputs: name -> (batch, [steps,] samples, channels).
        width: channels of the result; with several inputs each gets its share, a multiple of 4.
        kernel, stride: of the shortest input. A longer input gets a stride in proportion, and
            a kernel of at least two strides.

    Returns:
        of each input (batch, 1, time, channels).

    Raises:
        KdEdgeError KD_SHAPE: no stride brings the inputs to one length.
    """
    check_option("stem_kernel", kernel, 1)
    check_option("stem_stride", stride, 1)
    timelines = {name: as_timeline(x, name) for name, x in inputs.items()}
    lengths = {name: x.shape[2] for name, x in timelines.items()}
    share = width if len(inputs) == 1 else 4 * -(-width // (4 * len(inputs)))
    found = []
    for name, own in common_strides(lengths, stride).items():
        width_in_time = max(kernel, 2 * own) if own > stride else kernel
        found.append(conv(timelines[name], share, width_in_time, own, f"{name}_stem"))
    return found


def fused(parts: list[keras.KerasTensor]) -> keras.KerasTensor:
    """Parts of one length in time, concatenated by channel."""
    if len(parts) == 1:
        return parts[0]
    return layers.Concatenate(axis=-1, name="fusion")(parts)


def common_strides(lengths: dict[str, int], stride: int) -> dict[str, int]:
    """Strides that bring all lengths to one, ceil(length / stride).

    Args:
        lengths: input name -> samples.
        stride: wanted for the shortest; the nearest that works is taken.

    Raises:
        KdEdgeError KD_SHAPE: there are none.
    """
    shortest = min(lengths.values())
    for wanted in sorted(range(1, min(4 * stride, shortest) + 1), key=lambda s: abs(s - stride)):
        common = -(-shortest // wanted)
        strides = {name: -(-length // common) for name, length in lengths.items()}
        if all(-(-length // strides[name]) == common for name, length in lengths.items()):
            return strides
    raise KdEdgeError(
        "KD_SHAPE",
        "no strides bring the inputs to one length in time",
        where=", ".join(f"{name}: {length} samples" for name, length in lengths.items()),
        hint="choose rates whose window lengths are multiples of each other in the front end",
    )


def _norm_relu(x, name: str):
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
