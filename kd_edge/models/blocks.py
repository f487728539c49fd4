"""Blocks of the convolutional models, over (batch, 1, time, channels)."""

from __future__ import annotations

import keras
from keras import layers

from kd_edge.base.errors import KdEdgeError
from kd_edge.models.inputs import as_timeline, check_option, too_short

# What stands before and behind a window where a filter reaches beyond it: zeros at both ends; as
# many, all before the first sample; nothing, so that the layer's result is shorter.
PADDINGS = ("same", "causal", "valid")


def conv(x, width: int, kernel: int, stride: int, name: str, *, padding: str = "same"):
    """Convolution along time, batch normalisation, ReLU.

    Args:
        padding: one of `PADDINGS`.
    """
    x, own = padded(x, kernel, stride, padding, name)
    x = layers.Conv2D(
        width,
        (1, kernel),
        strides=(1, stride),
        padding=own,
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return _norm_relu(x, name)


def depthwise(x, kernel: int, stride: int, name: str, *, padding: str = "same"):
    """Convolution along time of each channel by itself, batch normalisation, ReLU."""
    x, own = padded(x, kernel, stride, padding, f"{name}_depthwise")
    # A depthwise layer takes equal strides only; the other axis has length 1.
    x = layers.DepthwiseConv2D(
        (1, kernel),
        strides=(stride, stride),
        padding=own,
        use_bias=False,
        depthwise_initializer="he_normal",
        name=f"{name}_depthwise",
    )(x)
    return _norm_relu(x, f"{name}_depthwise")


def separable(x, width: int, kernel: int, stride: int, name: str, *, padding: str = "same"):
    """Depthwise convolution along time, then a pointwise one, each normalised, with ReLU."""
    x = depthwise(x, kernel, stride, name, padding=padding)
    return conv(x, width, 1, 1, f"{name}_pointwise")


def padded(x, kernel: int, stride: int, padding: str, name: str):
    """The samples that a convolution reads, and the padding that it has itself.

    Raises:
        KdEdgeError KD_SHAPE: without padding, fewer samples than the filter has.
    """
    length = x.shape[2]
    if padding == "same":
        return x, "same"
    if padding == "valid":
        if length < kernel:
            raise too_short(name, length, f"a filter of {kernel} without padding")
        return x, "valid"
    # As many zeros as 'same' has, for the same lengths; the last filter ends with the window.
    zeros = max((-(-length // stride) - 1) * stride + kernel - length, 0)
    if zeros:
        x = layers.ZeroPadding2D(((0, 0), (zeros, 0)), name=f"{name}_before")(x)
    return x, "valid"


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


def fused_stems(
    inputs: dict[str, keras.KerasTensor],
    *,
    width: int,
    kernel: int,
    stride: int,
    padding: str = "same",
):
    """The `stems` of all inputs, concatenated by channel: (batch, 1, time, channels)."""
    return fused(stems(inputs, width=width, kernel=kernel, stride=stride, padding=padding))


def stems(
    inputs: dict[str, keras.KerasTensor],
    *,
    width: int,
    kernel: int,
    stride: int,
    padding: str = "same",
) -> list[keras.KerasTensor]:
    """A strided convolution an input, all to one length in time.

    Args:
        inputs: name -> (batch, [steps,] samples, channels).
        width: channels of the result; with several inputs each gets its share, a multiple of 4.
        kernel, stride: of the shortest input. A longer input gets a stride in proportion, and
            a kernel of at least two strides; without padding, as much more as makes all as long.
        padding: one of `PADDINGS`.

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
    strides = common_strides(lengths, stride)
    kernels = {n: max(kernel, 2 * own) if own > stride else kernel for n, own in strides.items()}
    if padding == "valid":
        kernels = _to_one_length(lengths, strides, kernels)
    return [
        conv(timelines[name], share, kernels[name], own, f"{name}_stem", padding=padding)
        for name, own in strides.items()
    ]


def _to_one_length(
    lengths: dict[str, int], strides: dict[str, int], kernels: dict[str, int]
) -> dict[str, int]:
    """Kernels, longer where needed, that leave as many columns of every input without padding."""
    common = min((lengths[n] - kernels[n]) // own + 1 for n, own in strides.items())
    return {n: max(kernels[n], lengths[n] - common * own + 1) for n, own in strides.items()}


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
