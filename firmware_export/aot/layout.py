"""Weights in the order in which the kernels for matrix-vector products read them."""

from __future__ import annotations

import numpy as np

from firmware_export.aot.cores import Core
from firmware_export.aot.kernels import kernel_variant

BLOCK_ROWS = 4  # that the kernels compute at a time
_LEAST_COLUMNS = 4  # kd_dot_packed() always runs one group of columns at least


def blocks_of_rows(rows: np.ndarray) -> np.ndarray:
    """The values of (rows, ...) -> (blocks, 4, ...), filled up with zeros."""
    missing = -len(rows) % BLOCK_ROWS
    filled = np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), rows.dtype)])
    return filled.reshape(-1, BLOCK_ROWS, *rows.shape[1:])


def widened_bytes(columns: int) -> int:
    """What kd_widen_s8() needs for a row of inputs: int16, whole groups of four."""
    return -(-columns // 4) * 8


def packs(weights: np.ndarray, least: np.ndarray, most: np.ndarray) -> bool:
    """Whether `pack_rows` can hold these weights, and two sums share the 32 bits of one.

    Args:
        weights: int8, any shape.
        least, most: int64, bounds of each row's sum, bias included.
    """
    limit = 1 << 23
    return bool((weights > -128).all() and least.min() >= -limit and most.max() < limit)


def pack_rows(blocks: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Bias and weights of four rows after four, as `kd_dot_packed.h` multiplies them.

    Args:
        blocks: int8 (blocks, 4, columns), none below -127.
        bias: int64 (blocks, 4).

    Returns:
        uint32 (blocks, words).
    """
    return np.concatenate([_pack_bias(bias), _pack_weights(blocks)], axis=1)


def _pack_bias(blocks: np.ndarray) -> np.ndarray:
    """256 * a + b and b for each pair of rows, modulo 2^32: what the packed sums start from."""
    packed = blocks.astype(np.int64)
    packed[:, 0::2] = 256 * packed[:, 0::2] + packed[:, 1::2]
    return (packed & 0xFFFFFFFF).astype(np.uint32)


def _pack_weights(blocks: np.ndarray) -> np.ndarray:
    """Two rows in a halfword, two columns in a word.

    A halfword holds 256 * a + b of rows a and b. Columns go by fours, in the order 0 and 2, 1 and
    3, first for the rows 0 and 1, then for 2 and 3; two columns that are left over stand together.
    """
    count, _, columns = blocks.shape
    padded = max(_LEAST_COLUMNS, columns + columns % 2)
    wide = np.zeros((count, BLOCK_ROWS, padded), np.int64)
    wide[:, :, :columns] = blocks
    pairs = (256 * wide[:, 0::2] + wide[:, 1::2]) & 0xFFFF  # (blocks, 2, padded)
    whole = padded // 4 * 4
    fours = pairs[:, :, :whole].reshape(count, 2, -1, 4)
    words = fours[..., :2] | fours[..., 2:] << 16  # (blocks, 2, groups, 2)
    words = words.transpose(0, 2, 1, 3).reshape(count, -1)
    if padded > whole:
        words = np.concatenate([words, pairs[:, :, -2] | pairs[:, :, -1] << 16], axis=1)
    return words.astype(np.uint32)


_S4_BEHIND = 3  # bytes behind the weights that kd_dot_s4() may read


def s4_input_bytes(columns: int, core: Core) -> int:
    """What kd_s4_prepare() needs for so many values."""
    return widened_bytes(columns) if kernel_variant("kd_dot_s4", core) == "_dsp" else 0


def pack_s4(rows: np.ndarray) -> np.ndarray:
    """Weights of two rows after two, as `kd_dot_s4.h` multiplies them.

    Args:
        rows: int8 (rows, columns), -8 to 7.

    Returns:
        uint8 (bytes,).
    """
    odd = ((0, len(rows) % 2), (0, 0))
    halves = np.pad(rows, odd).astype(np.uint8) + np.uint8(8)
    return np.pad((halves[0::2] | halves[1::2] << 4).reshape(-1), (0, _S4_BEHIND))


def folded_bias(weights: np.ndarray, bias: np.ndarray, zero_point: int) -> np.ndarray:
    """int64 (rows,): the bias with the input's zero point worked in, for sums over raw inputs.

    Args:
        weights: int8 (rows, columns).
        bias: int (rows,).
    """
    return bias.astype(np.int64) - zero_point * weights.astype(np.int64).sum(axis=1)
