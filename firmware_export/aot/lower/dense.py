"""FULLY_CONNECTED in int8 or int16, with one scale or one for each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_export.aot.arithmetic import activation_range, looked_up
from firmware_export.aot.checks import (
    CONVERT_AGAIN,
    elements,
    require_scales,
    require_symmetric,
    require_types,
)
from firmware_export.aot.cores import Core
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.layout import (
    blocks_of_rows,
    folded_bias,
    pack_rows,
    pack_s4,
    packs,
    s4_input_bytes,
    widened_bytes,
)
from firmware_export.aot.lower.conv_quantisation import sum_bounds
from firmware_export.aot.lower.sums_s16 import wide_matrix
from firmware_export.aot.numbers import quantize_multiplier, scale_of, zero_point_of
from firmware_export.aot.program import Call, Scratch
from kd_edge.base.flatbuffer import Tensor

# What makes a dense layer another one; inputs, scores and their scales stay.
LAYER_ARRAYS = ("weights", "bias", "scales")
_SUM_LIMIT = (1 << 31) - 256  # leaves room to add a zero point
_VECTOR_ROWS = 4  # whose constants the Helium kernel loads at a time


@dataclass(frozen=True, eq=False)
class _Rows:
    """The layer's matrix with all that belongs to a row.

    Attributes:
        weights: int8 (rows, columns).
        bias: int64 (rows,), the input's zero point folded in.
        least, most: int64 (rows,), bounds of each sum.
        scales: int32 (1 or rows, 2), multiplier and shift.
    """

    weights: np.ndarray
    bias: np.ndarray
    least: np.ndarray
    most: np.ndarray
    scales: np.ndarray


def lower_dense(node: Node, core: Core, *, replaceable: bool = False) -> tuple[Call, ...]:
    """One call for all rows of the batch.

    Args:
        replaceable: another layer of the same shape can take its place at run time. Its arrays
            are `LAYER_ARRAYS` then, in one form for all cores.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: other types than int8 and int16, computed weights, or
            quantisation that TFLite Micro does not compute; where it is replaceable, other types
            than int8.
    """
    source, weights, bias = _checked_inputs(node)
    result = node.outputs[0]
    if replaceable and (source.dtype, weights.dtype) != ("int8", "int8"):
        raise refuse(
            node,
            f"its inputs are {source.dtype} and its weights {weights.dtype}: a layer that can be "
            "replaced has int8",
            "convert the model in int8, or leave its last layer as built",
        )
    if source.dtype == "int16":
        return (_wide_call(node, weights, bias),)
    matrix = _rows(node, source, weights, bias)
    n_rows, columns = matrix.weights.shape
    batches = elements(result) // n_rows
    form = _plain(matrix, core) if replaceable else _form(matrix, weights.dtype, core)
    kernel, arrays, scratch = form
    table, low, high = looked_up(node.table, *activation_range(node, node.computed))
    params = {
        "scales": matrix.scales,
        **arrays,
        "table": table,
        "columns": columns,
        "rows": n_rows,
        "batches": batches,
        "zero_point": zero_point_of(node.computed),
        "low": low,
        "high": high,
        "by_row": int(len(matrix.scales) > 1),
    }
    return (
        Call(
            kernel=kernel,
            params=params,
            args=(source, result, *scratch),
            writes=(1,),
            macs=batches * n_rows * columns,
            note=f"fully connected, {columns} to {n_rows}",
            replaceable=LAYER_ARRAYS if replaceable else (),
        ),
    )


def _wide_call(node: Node, weights: Tensor, bias: Tensor | None) -> Call:
    """kd_fc_s16."""
    source, result = node.inputs[0], node.outputs[0]
    n_rows, columns = weights.shape
    batches = elements(result) // n_rows
    pairs = [quantize_multiplier(real) for real in _factors(node, source, weights)]
    params = {
        "matrix": wide_matrix(node, weights.data, _own_bias(weights, bias), pairs, together=n_rows),
        "rows": n_rows,
        "batches": batches,
    }
    return Call(
        kernel="kd_fc_s16",
        params=params,
        args=(source, result),
        writes=(1,),
        macs=batches * n_rows * columns,
        note=f"fully connected, {columns} to {n_rows}",
    )


def _own_bias(weights: Tensor, bias: Tensor | None) -> np.ndarray:
    if bias is None:
        return np.zeros(len(weights.data), np.int64)
    return bias.data.reshape(-1).astype(np.int64)


def _rows(node: Node, source: Tensor, weights: Tensor, bias: Tensor | None) -> _Rows:
    matrix, own = weights.data, _own_bias(weights, bias)
    zero_point = zero_point_of(source)
    low, high = sum_bounds(matrix, zero_point)
    scales = np.array([quantize_multiplier(real) for real in _factors(node, source, weights)])
    rows = _Rows(
        matrix,
        folded_bias(matrix, own, zero_point),
        low + own,
        high + own,
        scales.astype(np.int32),
    )
    largest = np.maximum(-rows.least, rows.most)
    wide = np.maximum(largest, np.abs(rows.bias)) << np.maximum(scales[:, 1], 0)
    if wide.max() > _SUM_LIMIT:
        raise refuse(
            node,
            "its sums can leave 32 bits, where TFLite Micro's answer has no meaning",
            "calibrate on data like those of use, or make the layer smaller",
        )
    return rows


def _factors(node: Node, source: Tensor, weights: Tensor) -> list[float]:
    """What the sums are multiplied by: one, or one for each row."""
    out = scale_of(node.computed)
    return [scale_of(source) * float(np.float32(scale)) / out for scale in weights.scales]


def _checked_inputs(node: Node) -> tuple[Tensor, Tensor, Tensor | None]:
    source, weights, bias = (*node.inputs, None, None)[:3]
    require_types(node)
    require_scales(node, source, node.computed)
    require_symmetric(node, source, node.computed)
    if weights.data is None or (bias is not None and bias.data is None):
        raise refuse(node, "its weights or biases are computed", "make them constants")
    _check_weights(node, weights)
    rows, columns = weights.shape
    result = node.outputs[0]
    batches = elements(result) // rows
    if (
        result.shape[-1:] != (rows,)
        or elements(source) != batches * columns
        or (bias is not None and elements(bias) != rows)
        or elements(result) == 0
        or max(rows, batches) > 0xFFFF
    ):
        raise refuse(
            node,
            f"it makes {result.shape} of {source.shape} with weights {weights.shape}",
            "make the file again: its shapes contradict each other, or one is above 65535",
        )
    return source, weights, bias


def _check_weights(node: Node, weights: Tensor) -> None:
    if node.options.get("weights_format", 0) not in (0, "DEFAULT"):
        raise refuse(node, "its weights are shuffled", CONVERT_AGAIN)
    if len(weights.shape) != 2 or 0 in weights.shape:
        raise refuse(node, f"its weights are {weights.shape}, not rows of columns", CONVERT_AGAIN)
    if not weights.scales or min(weights.scales) <= 0 or any(weights.zero_points):
        raise refuse(node, "its weights lack a scale, or have a zero point", CONVERT_AGAIN)
    if len(weights.scales) > 1 and weights.quantized_axis != 0:
        raise refuse(node, "its weights' scales do not go by row", CONVERT_AGAIN)
    if len(weights.scales) > 1 and weights.dtype == "int4":
        raise refuse(
            node,
            "its int4 weights have scales by row, which TFLite Micro refuses",
            "convert it with one scale for the layer, or with int8 weights",
        )


_Form = tuple[str, dict[str, np.ndarray], tuple[Scratch, ...]]


def _form(matrix: _Rows, dtype: str, core: Core) -> _Form:
    """Kernel, its weights and biases, and its scratch."""
    columns = matrix.weights.shape[1]
    if dtype == "int4":
        arrays = {"weights": pack_s4(matrix.weights), "bias": matrix.bias.astype(np.int32)}
        return "kd_fc_s4", arrays, (Scratch(s4_input_bytes(columns, core)),)
    if core.dsp and not core.mve and _packs(matrix):
        packed = pack_rows(blocks_of_rows(matrix.weights), blocks_of_rows(matrix.bias))
        arrays = {"weights": packed, "scales": _less_one(matrix.scales)}
        return "kd_fc_packed_s8", arrays, (Scratch(widened_bytes(columns)),)
    return _plain(matrix, core)


def _plain(matrix: _Rows, core: Core) -> _Form:
    """Rows as they are; another layer of the same shape has the same form."""
    arrays = {"weights": matrix.weights, "bias": matrix.bias.astype(np.int32)}
    if core.mve:
        scales = matrix.scales if len(matrix.scales) == 1 else _for_vectors(matrix.scales)
        arrays |= {"bias": _for_vectors(arrays["bias"]), "scales": scales}
    return "kd_fc_s8", arrays, ()


def _for_vectors(by_row: np.ndarray) -> np.ndarray:
    """`by_row`, (rows, ...), with zeros behind where there are fewer rows than a vector holds."""
    behind = [(0, max(_VECTOR_ROWS - len(by_row), 0))] + [(0, 0)] * (by_row.ndim - 1)
    return np.pad(by_row, behind)


def _packs(matrix: _Rows) -> bool:
    """Whether sums can share registers, and all scales shift to the right: see kd_narrow()."""
    multiplier, shift = matrix.scales.T
    right = bool((shift[multiplier != 0] < 0).all())
    return right and packs(matrix.weights, matrix.least, matrix.most)


def _less_one(scales: np.ndarray) -> np.ndarray:
    """Multipliers with right shifts less one; a multiplier of zero takes any."""
    multiplier, shift = scales.T
    less_one = np.where(multiplier == 0, 0, -shift - 1)
    return np.stack([multiplier, less_one], axis=1).astype(np.int32)
