"""UNIDIRECTIONAL_SEQUENCE_LSTM in int8 with a 16-bit cell: one step as one call."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from firmware_export.aot.checks import CONVERT_AGAIN, elements
from firmware_export.aot.cores import Core
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.layout import folded_bias, pack_rows, packs, widened_bytes
from firmware_export.aot.lower.conv_quantisation import sum_bounds
from firmware_export.aot.numbers import quantize_multiplier, scale_of, zero_point_of
from firmware_export.aot.program import Call, Scratch, State
from firmware_export.aot.sigmoid_table import sigmoid_table
from kd_edge.convert.flatbuffer import Tensor

# Positions among the operator's 24 inputs; gates in the order input, forget, cell, output.
_INPUT_WEIGHTS, _RECURRENT_WEIGHTS, _BIASES = slice(1, 5), slice(5, 9), slice(12, 16)
_HIDDEN, _CELL = 18, 19
_VARIANTS = {
    "peephole connections": slice(9, 12),
    "a projection": slice(16, 18),
    "layer normalisation": slice(20, 24),
}
_GATE_SCALE = 2.0**-12  # of what goes into the gates' logistic and tanh
_GATE_OUTPUT_SCALE = 2.0**-15  # of what comes out
_CELL_EXPONENTS = range(-15, 1)
_PLAIN_LSTM = "build it from keras.layers.LSTM with its usual options"


@dataclass(frozen=True, eq=False)
class _Part:
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
    _check_form(node)
    source, hidden, cell = node.inputs[0], node.inputs[_HIDDEN], node.inputs[_CELL]
    units, n_input = node.inputs[5].shape[0], elements(source)
    parts = (
        _part(node, source, node.inputs[_INPUT_WEIGHTS], node.inputs[_BIASES]),
        _part(node, hidden, node.inputs[_RECURRENT_WEIGHTS], (None,) * 4),
    )
    multiplier, shift = _hidden_factor(node, hidden)
    dsp = core.dsp and not core.mve
    packed = dsp and shift < 0 and all(_packs(part) for part in parts)
    params = {
        **(_packed_arrays(parts) if packed else _plain_arrays(parts)),
        "scales": np.concatenate([part.scales for part in parts]).astype(np.int32),
        "sigmoid": sigmoid_table(),
        "hidden_multiplier": multiplier,
        "hidden_shift": shift,
        "zero_point": zero_point_of(hidden),
        "cell_clip": _cell_clip(node, cell),
        "cell_exponent": _cell_exponent(node, cell),
        "n_input": n_input,
        "units": units,
    }
    states = State(units, zero_point_of(hidden) & 0xFF), State(2 * units, 0)
    scratch = (Scratch(widened_bytes(n_input) + widened_bytes(units)),) if packed else ()
    return (
        Call(
            kernel="kd_lstm_packed_s8" if packed else "kd_lstm_s8",
            params=params,
            args=(source, node.outputs[0], *states, *scratch),
            writes=(1,),
            macs=4 * units * (n_input + units),
            note=f"LSTM step, {n_input} to {units}",
        ),
    )


def _check_form(node: Node) -> None:
    if len(node.inputs) != 24 or node.table is not None:
        raise refuse(node, "it has not the 24 inputs of an LSTM", CONVERT_AGAIN)
    for name, places in _VARIANTS.items():
        if any(tensor is not None for tensor in node.inputs[places]):
            raise refuse(node, f"it has {name}, which TFLite Micro lacks", _PLAIN_LSTM)
    activation = node.options.get("fused_activation_function")
    if activation != "TANH":
        raise refuse(node, f"its activation is {activation}, not TANH", _PLAIN_LSTM)
    if node.options.get("diagonal_recurrent_tensors"):
        raise refuse(node, "its recurrent weights are diagonal", _PLAIN_LSTM)
    if any(node.inputs[i] is None for i in (0, *range(1, 9), *range(12, 16), _HIDDEN, _CELL)):
        raise refuse(node, "an input that it needs is absent", _PLAIN_LSTM)
    _check_tensors(node)


def _check_tensors(node: Node) -> None:
    source, hidden, cell = node.inputs[0], node.inputs[_HIDDEN], node.inputs[_CELL]
    units, n_input = elements(hidden), source.shape[-1]
    expected = (
        ((source, node.outputs[0], hidden), "int8", None),
        ((cell,), "int16", None),
        (node.inputs[_INPUT_WEIGHTS], "int8", (units, n_input)),
        (node.inputs[_RECURRENT_WEIGHTS], "int8", (units, units)),
        (node.inputs[_BIASES], "int32", (units,)),
    )
    for tensors, dtype, shape in expected:
        for tensor in tensors:
            if tensor.dtype != dtype or (shape is not None and tensor.shape != shape):
                raise refuse(
                    node,
                    f"'{tensor.name}' is {tensor.dtype} {tensor.shape}, not {dtype} "
                    f"{shape or ''}".rstrip(),
                    CONVERT_AGAIN,
                )
            if shape is not None and tensor.data is None:
                raise refuse(node, f"'{tensor.name}' is computed", "make it a constant")
    sizes = elements(source), elements(node.outputs[0]), elements(cell)
    if sizes != (n_input, units, units) or 0 in sizes or max(sizes) > 0xFFFF:
        raise refuse(
            node,
            f"it makes {node.outputs[0].shape} of {source.shape} with {elements(cell)} cells",
            "the plain-C engine runs LSTMs of one sequence, with 1 to 65535 inputs and units",
        )
    if not hidden.is_variable or not cell.is_variable:
        raise refuse(node, "its state is no variable tensor", CONVERT_AGAIN)
    weights = (*node.inputs[_INPUT_WEIGHTS], *node.inputs[_RECURRENT_WEIGHTS])
    for tensor in (source, hidden, cell, *weights):
        if len(tensor.scales) != 1 or not tensor.scales[0] > 0:
            raise refuse(node, f"'{tensor.name}' has not one scale", CONVERT_AGAIN)
    if any(zero_point_of(tensor) != 0 for tensor in (cell, *weights)):
        raise refuse(node, "its cell or weights have a zero point", CONVERT_AGAIN)


def _part(
    node: Node,
    source: Tensor,
    weights: tuple[Tensor, ...],
    biases: tuple[Tensor | None, ...],
) -> _Part:
    zero_point = zero_point_of(source)
    rows, folded, least, most, scales = [], [], [], [], []
    for tensor, bias in zip(weights, biases, strict=True):
        matrix = tensor.data
        own = np.zeros(len(matrix), np.int64) if bias is None else bias.data.astype(np.int64)
        low, high = sum_bounds(matrix, zero_point)
        # The product in float32, as TFLite Micro has it for one scale a tensor.
        product = np.float32(source.scales[0]) * np.float32(tensor.scales[0])
        multiplier, shift = quantize_multiplier(float(product) / _GATE_SCALE)
        rows.append(matrix)
        folded.append(folded_bias(matrix, own, zero_point))
        _check_range(node, np.stack([low + own, high + own, folded[-1]]), shift)
        least.append(low + own)
        most.append(high + own)
        scales.append((multiplier, shift))
    return _Part(*(np.stack(v) for v in (rows, folded, least, most)), np.array(scales, np.int64))


def _check_range(node: Node, sums: np.ndarray, shift: int) -> None:
    if int(np.abs(sums).max()) << max(shift, 0) >= 1 << 31:
        raise refuse(
            node,
            "the sums of a gate can leave 32 bits, where TFLite Micro's answer has no meaning",
            "calibrate on data like those of use, or make the layer smaller",
        )


def _packs(part: _Part) -> bool:
    """Whether kd_lstm_packed_s8 is exact: sums of 24 bits, within 2^30 when shifted left."""
    left = np.maximum(part.scales[:, 1], 0)
    if left.max() > 7 or not packs(part.weights, part.least, part.most):
        return False
    largest = np.maximum(-part.least, part.most + 1).max(axis=1)
    return bool((largest << left).max() <= 1 << 30)


def _plain_arrays(parts: tuple[_Part, ...]) -> dict[str, np.ndarray]:
    """For each unit its four gates' rows, for the input and then for the hidden state."""
    by_unit = [part.weights.transpose(1, 0, 2).reshape(part.weights.shape[1], -1) for part in parts]
    bias = np.stack([part.bias for part in parts]).transpose(2, 0, 1)  # (units, 2, 4)
    return {"weights": np.concatenate(by_unit, axis=1), "bias": bias.astype(np.int32)}


def _packed_arrays(parts: tuple[_Part, ...]) -> dict[str, np.ndarray]:
    """The same with the biases among the weights, packed."""
    rows = [pack_rows(part.weights.transpose(1, 0, 2), part.bias.T) for part in parts]
    return {"weights": np.concatenate(rows, axis=1)}


def _hidden_factor(node: Node, hidden: Tensor) -> tuple[int, int]:
    """Multiplier and shift from the product of tanh and output gate to the hidden state."""
    multiplier, shift = quantize_multiplier(_GATE_OUTPUT_SCALE**2 / scale_of(hidden))
    if shift > 0:
        raise refuse(
            node,
            f"its hidden state's scale {scale_of(hidden):g} is below 2^-30",
            "calibrate on data like those of use",
        )
    return multiplier, shift


def _cell_exponent(node: Node, cell: Tensor) -> int:
    exponent = math.log2(scale_of(cell))
    if exponent != round(exponent) or round(exponent) not in _CELL_EXPONENTS:
        raise refuse(
            node,
            f"its cell's scale {scale_of(cell):g} is no power of two from 2^-15 to 1",
            CONVERT_AGAIN,
        )
    return round(exponent)


def _cell_clip(node: Node, cell: Tensor) -> int:
    """The clip in units of the cell, -1 for none."""
    clip = float(np.float32(node.options.get("cell_clip") or 0.0))
    if clip <= 0:
        return -1
    return int(min(clip / scale_of(cell), 32767.0))
