"""Students of our own for int8 on a microcontroller: temporal convolutions, plain and separable.

All convolutions are (1, k) Conv2D over (1, time, channels), with batch normalisation that folds
into them, and ReLU: CONV_2D, DEPTHWISE_CONV_2D, AVERAGE_POOL_2D, FULLY_CONNECTED and the
reshapes around them are all that is left.
"""

from __future__ import annotations

import keras

from kd_edge.models.blocks import PADDINGS, conv, fused_stems, separable
from kd_edge.models.heads import head
from kd_edge.models.inputs import check_choice, check_option, make_inputs


def tcn(
    input_shapes,
    n_classes,
    *,
    width: int = 24,
    blocks: int = 4,
    kernel: int = 5,
    stem_kernel: int = 9,
    stem_stride: int = 4,
    segments: int = 4,
    padding: str = "same",
    dropout: float = 0.2,
) -> keras.Model:
    """Small temporal convolution: a strided stem an input, then strided convolutions.

    Args:
        width: channels of each layer; multiples of 4 suit SIMD kernels.
        blocks: convolutions after the stem; the first three halve the time axis.
        kernel: samples that each of them sees.
        stem_kernel, stem_stride: of the shortest input; longer inputs get a larger stride.
        segments: parts of the window that are averaged apart; 1 forgets when something happened.
        padding: where filters reach beyond the window: 'same', zeros at both ends; 'causal', all
            of them at the start; 'valid', none, and shorter layers. With 'valid' windows that
            overlap share most.
        dropout: before the last layer.
    """
    _check(width=width, blocks=blocks, kernel=kernel, segments=segments, dropout=dropout)
    check_choice("padding", padding, PADDINGS)
    inputs = make_inputs(input_shapes)
    stem = {"kernel": stem_kernel, "stride": stem_stride, "padding": padding}
    x = fused_stems(inputs, width=width, **stem)
    for index in range(blocks):
        x = conv(x, width, kernel, _stride(index), f"block_{index}", padding=padding)
    logits = head(x, n_classes, segments=segments, dropout=dropout)
    return keras.Model(list(inputs.values()), logits, name="tcn")


def ds_cnn(
    input_shapes,
    n_classes,
    *,
    width: int = 40,
    stem_width: int = 24,
    blocks: int = 4,
    kernel: int = 9,
    stem_kernel: int = 9,
    stem_stride: int = 4,
    segments: int = 2,
    padding: str = "same",
    dropout: float = 0.2,
) -> keras.Model:
    """Depthwise-separable temporal convolution (the DS-CNN of Zhang et al. 2017, along time alone).

    Args: as `tcn`; `stem_width` is the stem's channels, `width` those of the blocks.
    """
    _check(width=width, blocks=blocks, kernel=kernel, segments=segments, dropout=dropout)
    check_choice("padding", padding, PADDINGS)
    check_option("stem_width", stem_width, 1)
    inputs = make_inputs(input_shapes)
    stem = {"kernel": stem_kernel, "stride": stem_stride, "padding": padding}
    x = fused_stems(inputs, width=stem_width, **stem)
    for index in range(blocks):
        x = separable(x, width, kernel, _stride(index), f"block_{index}", padding=padding)
    logits = head(x, n_classes, segments=segments, dropout=dropout)
    return keras.Model(list(inputs.values()), logits, name="ds_cnn")


def _stride(block: int) -> int:
    return 2 if block < 3 else 1


def _check(*, width, blocks, kernel, segments, dropout) -> None:
    for name, value in (("width", width), ("kernel", kernel), ("segments", segments)):
        check_option(name, value, 1)
    check_option("blocks", blocks, 0)
    check_option("dropout", dropout, 0.0, 0.9)
