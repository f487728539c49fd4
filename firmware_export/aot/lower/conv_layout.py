"""Weights as the convolution kernels' variants load them; pure functions."""

from __future__ import annotations

import numpy as np

from firmware_export.aot.lower.conv_quantisation import Narrowing

# Output channels whose constants the Helium kernels load at a time.
CONV_VECTOR = 4
DEPTHWISE_VECTOR = 8


def folded_bias(weights: np.ndarray, narrowing: Narrowing) -> np.ndarray:
    """Bias less zero point times the weights' sums, so that kernels multiply raw inputs.

    Args:
        weights: int8 (channels, window).

    Returns:
        int32 (channels,), wrapped: the sums that it is added to wrap back.
    """
    sums = weights.astype(np.int64).sum(axis=1)
    return (narrowing.bias.astype(np.int64) - narrowing.in_zero * sums).astype(np.int32)


def padded(values: np.ndarray, multiple: int) -> np.ndarray:
    """`values`, (n, ...), with zeros behind, to a multiple of `multiple` along the first axis."""
    behind = [(0, -len(values) % multiple)] + [(0, 0)] * (values.ndim - 1)
    return np.pad(values, behind)


def nibbles(weights: np.ndarray) -> np.ndarray:
    """uint8 (channels, bytes): two's complement of 4 bits, even columns in the lower half."""
    wide = padded(weights.T, 2).T.astype(np.uint8) & 15
    return wide[:, 0::2] | wide[:, 1::2] << 4


def packed_stream(weights: np.ndarray, narrowing: Narrowing) -> np.ndarray:
    """The stream of kd_conv_s8_dsp.c: words of columns 0, 2 and 1, 3 of each four.

    Args:
        weights: int8 (channels, window), for which `fits_packed` holds.

    Returns:
        int32 (words,): for each two channels half a word for each column of the window, padded to
        a multiple of four columns, and 5 words; an odd last channel has a partner of zeros.
    """
    columns = padded(weights.T, 4).T
    quads = columns.reshape(len(columns), -1, 4)[..., (0, 2, 1, 3)]
    words = _pair_words(quads.reshape(columns.shape))
    return np.concatenate([words, doubled_header(narrowing, 2)], axis=1).reshape(-1)


def row_stream(weights: np.ndarray, narrowing: Narrowing) -> np.ndarray:
    """The stream of kd_conv_s8_row_dsp.c: words of columns in their order.

    Args and returns as `packed_stream`, int8 (channels, window) -> int32 (words,), but columns are
    padded to a multiple of two, and the 5 words stand in front.
    """
    words = _pair_words(padded(weights.T, 2).T)
    return np.concatenate([doubled_header(narrowing, 2), words], axis=1).reshape(-1)


def _pair_words(columns: np.ndarray) -> np.ndarray:
    """int8 (channels, columns), of which there are even many -> int32 (channel pairs, words)."""
    pairs = padded(columns, 2).reshape(-1, 2, columns.shape[1] // 2, 2).astype(np.int32)
    halves = 256 * pairs[:, 0] + pairs[:, 1]  # (channel pairs, words, columns)
    return (halves[..., 1] << 16) | (halves[..., 0] & 0xFFFF)


def quad_stream(weights: np.ndarray, narrowing: Narrowing) -> np.ndarray:
    """The DSP depthwise kernel's stream, described in kd_depthwise_s8_dsp.c.

    Args:
        weights: int8 (taps, channels) with channels a multiple of four, for which `fits_doubled`
            holds.

    Returns:
        int32 (words,): for each four channels 9 words and one for each tap.
    """
    taps, channels = weights.shape
    quads = np.ascontiguousarray(weights.reshape(taps, channels // 4, 4).transpose(1, 0, 2))
    words = quads.view("<i4").reshape(channels // 4, taps)
    return np.concatenate([doubled_header(narrowing, 4), words], axis=1).reshape(-1)


def doubled_header(narrowing: Narrowing, group: int) -> np.ndarray:
    """What kd_conv_s8_narrow.h wants of each `group` of channels.

    Returns:
        int32 (groups, 2 * group + 1): doubled biases, multipliers, and a word with a byte for
        each right shift less one, the first channel's lowest.
    """
    doubled = padded(2 * narrowing.bias.astype(np.int64), group).reshape(-1, group)
    multiplier = padded(narrowing.multiplier, group).reshape(-1, group)
    # A multiplier of zero comes with no shift: any will do.
    less_one = np.where(narrowing.multiplier == 0, 0, -narrowing.shift - 1)
    bytes_ = padded(less_one, group).reshape(-1, group).astype(np.int64)
    shifts = (bytes_ << (8 * np.arange(group))).sum(axis=1, keepdims=True)
    return np.concatenate([doubled, multiplier, shifts], axis=1).astype(np.int32)
