"""UNIDIRECTIONAL_SEQUENCE_LSTM in int8 or int16 with a 16-bit cell: one step as one call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_export.aot.checks import elements
from firmware_export.aot.cores import Core
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.layout import folded_bias, pack_rows, packs, widened_bytes
from firmware_export.aot.lower.conv_quantisation import sum_bounds
from firmware_export.aot.lower.lstm_form import (
    BIASES,
    CELL,
    HIDDEN,
    INPUT_WEIGHTS,
    RECURRENT_WEIGHTS,
    cell_members,
    check_lstm,
    gate_factor,
)
from firmware_export.aot.lower.sums_s16 import largest_sums, wide_scales
from firmware_export.aot.numbers import zero_point_of
from firmware_export.aot.program import Call, Scratch, State
from kd_edge.base.flatbuffer import Tensor

# Shifts that _packed_scales() can say: its constant fits 31 bits, and has half of `one`.
_LEAST_PACKED_SHIFT, _MOST_PACKED_SHIFT = -23, 6


@dataclass(frozen=True, eq=False)
class _Side:
    """What the four gates take from the input, or from the hidden state.

    Attributes:
        weights: int8 (4, units, columns).
        bias: int64 (4, units), zero point folded in.
        least, most: int64 (4, units), bounds of each sum.
        scales: int (4, 2), multiplier and shift.
    """

    weights: np.ndarray
    bias: np.ndarray
    least: np.ndarray
    most: np.ndarray
    scales: np.ndarray


def lower_lstm(node: Node, core: Core) -> tuple[Call, ...]:
    """One step: (1, 1, inputs) to (1, 1, units).

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: a form that TFLite Micro lacks too, or quantisation outside
            of what the converter makes.
    """
    check_lstm(node)
    if node.inputs[0].dtype == "int16":
        return (_wide_call(node),)
    return (_narrow_call(node, core),)


def _narrow_call(node: Node, core: Core) -> Call:
    """kd_lstm_s8 or kd_lstm_packed_s8."""
    source, hidden = node.inputs[0], node.inputs[HIDDEN]
    units, n_input = elements(hidden), elements(source)
    sides = (
        _side(node, source, node.inputs[INPUT_WEIGHTS], node.inputs[BIASES]),
        _side(node, hidden, node.inputs[RECURRENT_WEIGHTS], (None,) * 4),
    )
    cell = cell_members(node)
    dsp = core.dsp and not core.mve
    packed = dsp and cell["hidden_shift"] < 0 and all(_packs(side) for side in sides)
    params = {
        **(_packed_arrays(sides) if packed else _plain_arrays(sides)),
        "zero_point": zero_point_of(hidden),
        **cell,
    }
    scratch = (Scratch(widened_bytes(n_input) + widened_bytes(units)),) if packed else ()
    kernel = "kd_lstm_packed_s8" if packed else "kd_lstm_s8"
    return _call(node, kernel, params, State(units, zero_point_of(hidden) & 0xFF), *scratch)


def _call(
    node: Node, kernel: str, params: dict[str, object], hidden: State, *scratch: Scratch
) -> Call:
    units, n_input = elements(node.inputs[CELL]), elements(node.inputs[0])
    return Call(
        kernel=kernel,
        params=params,
        args=(node.inputs[0], node.outputs[0], hidden, State(2 * units, 0), *scratch),
        writes=(1,),
        macs=4 * units * (n_input + units),
        note=f"LSTM step, {n_input} to {units}",
    )


def _wide_call(node: Node) -> Call:
    """kd_lstm_s16."""
    units = elements(node.inputs[CELL])
    bias = np.stack([tensor.data for tensor in node.inputs[BIASES]])  # (4, units)
    rows, scales = [], []
    for source, tensors, own in (
        (node.inputs[0], node.inputs[INPUT_WEIGHTS], bias),
        (node.inputs[HIDDEN], node.inputs[RECURRENT_WEIGHTS], np.zeros_like(bias)),
    ):
        for tensor, biases in zip(tensors, own, strict=True):
            sums = largest_sums(tensor.data, biases)
            scales.append(wide_scales(node, sums, [gate_factor(source, tensor)]))
        rows.append(_by_unit(np.stack([tensor.data for tensor in tensors])))
    params = {
        "weights": np.concatenate(rows, axis=1),
        "bias": np.ascontiguousarray(bias.T),
        "scales": np.concatenate(scales),
        **cell_members(node),
    }
    return _call(node, "kd_lstm_s16", params, State(2 * units, 0))


def _by_unit(weights: np.ndarray) -> np.ndarray:
    """(4, units, columns) -> (units, 4 * columns): for each unit its four gates' rows."""
    return weights.transpose(1, 0, 2).reshape(weights.shape[1], -1)


def _side(
    node: Node,
    source: Tensor,
    weights: tuple[Tensor, ...],
    biases: tuple[Tensor | None, ...],
) -> _Side:
    zero_point = zero_point_of(source)
    rows, folded, least, most, scales = [], [], [], [], []
    for tensor, bias in zip(weights, biases, strict=True):
        matrix = tensor.data
        own = np.zeros(len(matrix), np.int64) if bias is None else bias.data.astype(np.int64)
        low, high = sum_bounds(matrix, zero_point)
        multiplier, shift = gate_factor(source, tensor)
        rows.append(matrix)
        folded.append(folded_bias(matrix, own, zero_point))
        _check_range(node, np.stack([low + own, high + own, folded[-1]]), shift)
        least.append(low + own)
        most.append(high + own)
        scales.append((multiplier, shift))
    return _Side(*(np.stack(v) for v in (rows, folded, least, most)), np.array(scales, np.int64))


def _check_range(node: Node, sums: np.ndarray, shift: int) -> None:
    if int(np.abs(sums).max()) << max(shift, 0) >= 1 << 31:
        raise refuse(
            node,
            "the sums of a gate can leave 32 bits, where TFLite Micro's answer has no meaning",
            "calibrate on data like those of use, or make the layer smaller",
        )


def _packs(side: _Side) -> bool:
    """Whether kd_lstm_packed_s8 is exact: sums of 24 bits, scales that `_packed_scales` can say."""
    shifts = side.scales[:, 1]
    fits = shifts.max() <= _MOST_PACKED_SHIFT and shifts.min() >= _LEAST_PACKED_SHIFT
    return bool(fits) and packs(side.weights, side.least, side.most)


def _packed_scales(scales: np.ndarray) -> np.ndarray:
    """What kd_lstm_packed_s8 makes 16 bits of a gate's sum with.

    TFLite multiplies, rounds, adds half of 2^right, takes 1 from a negative number, and shifts.
    Both roundings add and round down, so that they are one: high is the upper word of 256 times
    the sum times the multiplier, and the gate is (high + constant - (sum < 0) * taken) >> shift.

    Args:
        scales: int (gates, 2), multiplier and shift.

    Returns:
        int32 (gates, 4): multiplier, constant, taken, shift.
    """
    right = np.maximum(-scales[:, 1], 0)
    one = 1 << (7 - np.maximum(scales[:, 1], 0))  # of TFLite's first result, in units of high
    half = (1 << right) >> 1
    constant = half * one + one // 2
    taken = np.where(right > 0, one, 0)
    shift = right + np.log2(one).astype(np.int64)
    return np.stack([scales[:, 0], constant, taken, shift], axis=1).astype(np.int32)


def _plain_arrays(sides: tuple[_Side, ...]) -> dict[str, np.ndarray]:
    """For each unit its four gates' rows, for the input and then for the hidden state."""
    by_unit = [_by_unit(side.weights) for side in sides]
    bias = np.stack([side.bias for side in sides]).transpose(2, 0, 1)  # (units, 2, 4)
    scales = np.concatenate([side.scales for side in sides])
    return {
        "weights": np.concatenate(by_unit, axis=1),
        "bias": bias.astype(np.int32),
        "scales": scales.astype(np.int32),
    }


def _packed_arrays(sides: tuple[_Side, ...]) -> dict[str, np.ndarray]:
    """The same with the biases among the weights, packed."""
    rows = [pack_rows(side.weights.transpose(1, 0, 2), side.bias.T) for side in sides]
    scales = np.concatenate([_packed_scales(side.scales) for side in sides])
    return {"weights": np.concatenate(rows, axis=1), "scales": scales}
