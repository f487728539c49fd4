"""A residual temporal network for int8: a student at its defaults, a teacher at a larger width."""

from __future__ import annotations

import keras
from keras import layers

from kd_edge.models.blocks import PADDINGS, conv, depthwise, fused, padded, stems
from kd_edge.models.gates import gate_channels, gate_modalities
from kd_edge.models.heads import head
from kd_edge.models.inputs import check_choice, check_option, make_inputs

GATES = ("none", "modality", "channel")
CONVOLUTIONS = ("separable", "plain")


def tcn_residual(
    input_shapes,
    n_classes,
    *,
    width: int = 40,
    blocks: int = 4,
    kernel: int = 7,
    convolution: str = "separable",
    expansion: int = 1,
    halve: int = 2,
    stem_kernel: int = 9,
    stem_stride: int = 2,
    gate: str = "none",
    pool: str = "statistics",
    segments: int = 4,
    padding: str = "same",
    dropout: float = 0.2,
    spatial_dropout: float = 0.1,
) -> keras.Model:
    """Residual blocks along time behind a stem for each input (He et al., CVPR 2016).

    Args:
        width: channels of each layer; multiples of 4 suit SIMD kernels. 64 to 96 make a teacher.
        blocks: residual blocks after the stem.
        kernel: samples that each of them sees.
        convolution: 'separable': widen, depthwise, narrow (Sandler et al., "MobileNetV2", CVPR
            2018); 'plain': two whole convolutions, with more weights.
        expansion: how much wider a separable block is inside; 1 leaves the widening out. A wide
            layer costs little in weights, but 28 bytes a channel in the `.tflite`.
        halve: so many blocks, the first ones, halve the time axis.
        stem_kernel, stem_stride: of the shortest input; longer inputs get a larger stride.
        gate: 'modality': each input is turned up or down as a whole; 'channel': each channel of
            each block; or 'none'.
        pool: what the last layer sees of time: 'means' of segments; 'statistics': deviations too;
            'attention': weighted means too.
        segments: parts of the window that are averaged apart; 1 forgets when something happened.
        padding: as of `tcn`, 'same', 'causal' or 'valid'.
        dropout: before the last layer.
        spatial_dropout: inside the blocks, whole channels at a time.
    """
    _check_counts(blocks=blocks, halve=halve, width=width, kernel=kernel, segments=segments)
    _check_kinds(gate, convolution, padding, expansion, dropout, spatial_dropout)
    inputs = make_inputs(input_shapes)
    stem = {"kernel": stem_kernel, "stride": stem_stride, "padding": padding}
    parts = stems(inputs, width=width, **stem)
    x = fused(gate_modalities(parts) if gate == "modality" else parts)
    for index in range(blocks):
        name, stride = f"block_{index}", 2 if index < halve else 1
        if convolution == "separable":
            wide = {"expansion": expansion, "padding": padding}
            inner = _separable(x, width, kernel, stride, **wide, name=name)
        else:
            inner = _plain(x, width, kernel, stride, padding=padding, name=name)
        inner = gate_channels(inner, name) if gate == "channel" else inner
        x = _beside(x, inner, stride, padding, name)
        x = _added(x, inner, dropout=spatial_dropout, name=name)
    logits = head(x, n_classes, segments=segments, dropout=dropout, pool=pool)
    return keras.Model(list(inputs.values()), logits, name="tcn_residual")


def _check_counts(*, blocks, halve, **sizes) -> None:
    check_option("blocks", blocks, 0)
    check_option("halve", halve, 0)
    for name, value in sizes.items():
        check_option(name, value, 1)


def _check_kinds(gate, convolution, padding, expansion, dropout, spatial_dropout) -> None:
    check_choice("gate", gate, GATES)
    check_choice("convolution", convolution, CONVOLUTIONS)
    check_choice("padding", padding, PADDINGS)
    check_option("expansion", expansion, 1)
    check_option("dropout", dropout, 0.0, 0.9)
    check_option("spatial_dropout", spatial_dropout, 0.0, 0.9)


def _separable(x, width: int, kernel: int, stride: int, *, expansion: int, padding: str, name: str):
    if expansion > 1:
        x = conv(x, expansion * x.shape[-1], 1, 1, f"{name}_wide")
    x = depthwise(x, kernel, stride, name, padding=padding)
    return _narrow(x, width, 1, padding="same", name=name)


def _plain(x, width: int, kernel: int, stride: int, *, padding: str, name: str):
    x = conv(x, width, kernel, stride, f"{name}_first", padding=padding)
    return _narrow(x, width, kernel, padding=padding, name=name)


def _narrow(x, width: int, kernel: int, *, padding: str, name: str):
    """A block's last convolution, without ReLU: that comes behind the sum."""
    x, own = padded(x, kernel, 1, padding, f"{name}_last")
    x = layers.Conv2D(
        width,
        (1, kernel),
        padding=own,
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_last",
    )(x)
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_last_norm")(x)


def _beside(x, inner, stride: int, padding: str, name: str):
    """What the block's result is added to; where it halves time, means of two samples.

    Without padding the block's filters end `early` samples sooner than the shortcut at both ends.
    """
    samples = inner.shape[2] * stride
    if padding == "valid" and x.shape[2] > samples:
        early = (x.shape[2] - samples) // 2
        beyond = x.shape[2] - samples - early
        x = layers.Cropping2D(((0, 0), (early, beyond)), name=f"{name}_middle")(x)
    if stride > 1:
        x = layers.AveragePooling2D((1, stride), padding="same", name=f"{name}_halved")(x)
    return x


def _added(x, inner, *, dropout: float, name: str):
    """The block's result and the shortcut, as wide as it."""
    inner = layers.SpatialDropout2D(dropout, name=f"{name}_dropout")(inner)
    if x.shape[-1] != inner.shape[-1]:
        x = layers.Conv2D(inner.shape[-1], 1, name=f"{name}_shortcut")(x)
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([x, inner]))
