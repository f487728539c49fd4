"""A teacher of our own: a wide residual temporal convolution, for one modality or for several."""

from __future__ import annotations

import keras

from kd_edge.models.blocks import fused_stems, residual
from kd_edge.models.heads import head
from kd_edge.models.inputs import check_option, make_inputs


def conv_teacher(
    input_shapes,
    n_classes,
    *,
    width: int = 64,
    blocks: int = 4,
    kernel: int = 5,
    stem_kernel: int = 9,
    stem_stride: int = 2,
    segments: int = 4,
    dropout: float = 0.3,
) -> keras.Model:
    """Residual temporal convolution; with one input it is an expert of that modality.

    Args:
        width: channels of each layer.
        blocks: residual blocks of two convolutions; the first three halve the time axis.
        kernel: samples that each convolution sees.
        stem_kernel, stem_stride: of the shortest input; longer inputs get a larger stride.
        segments: parts of the window that are averaged apart.
        dropout: before the last layer; half of it inside the blocks, whole channels at a time.
    """
    for name, value in (("width", width), ("kernel", kernel), ("segments", segments)):
        check_option(name, value, 1)
    check_option("blocks", blocks, 0)
    check_option("dropout", dropout, 0.0, 0.9)
    inputs = make_inputs(input_shapes)
    x = fused_stems(inputs, width=width, kernel=stem_kernel, stride=stem_stride)
    for index in range(blocks):
        x = residual(
            x, width, kernel, 2 if index < 3 else 1, dropout=dropout / 2, name=f"block_{index}"
        )
    logits = head(x, n_classes, segments=segments, dropout=dropout)
    return keras.Model(list(inputs.values()), logits, name="conv_teacher")
