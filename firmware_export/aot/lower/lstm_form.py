"""What UNIDIRECTIONAL_SEQUENCE_LSTM must be like, and the constants of its cell, in either type."""

from __future__ import annotations

import math

import numpy as np

from firmware_export.aot.checks import CONVERT_AGAIN, elements, require_symmetric
from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.numbers import quantize_multiplier, scale_of, zero_point_of
from firmware_export.aot.operator_table import OPERATORS
from firmware_export.aot.sigmoid_table import sigmoid_table
from kd_edge.base.flatbuffer import Tensor

# Positions among the operator's 24 inputs; gates in the order input, forget, cell, output.
INPUT_WEIGHTS, RECURRENT_WEIGHTS, BIASES = slice(1, 5), slice(5, 9), slice(12, 16)
HIDDEN, CELL = OPERATORS["UNIDIRECTIONAL_SEQUENCE_LSTM"].states
_VARIANTS = {
    "peephole connections": slice(9, 12),
    "a projection": slice(16, 18),
    "layer normalisation": slice(20, 24),
}
_GATE_SCALE = 2.0**-12  # of what goes into the gates' logistic and tanh
_GATE_OUTPUT_SCALE = 2.0**-15  # of what comes out
_CELL_EXPONENTS = range(-24, 1)
_BIAS_TYPES = {"int8": "int32", "int16": "int64"}  # by the type of the values
_PLAIN_LSTM = "build it from keras.layers.LSTM with its usual options"


def check_lstm(node: Node) -> None:
    """Refuse forms that TFLite Micro lacks, and what does not fit together."""
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
    if any(node.inputs[i] is None for i in (0, *range(1, 9), *range(12, 16), HIDDEN, CELL)):
        raise refuse(node, "an input that it needs is absent", _PLAIN_LSTM)
    _check_tensors(node)


def _check_tensors(node: Node) -> None:
    source, hidden, cell = node.inputs[0], node.inputs[HIDDEN], node.inputs[CELL]
    units, n_input = elements(hidden), source.shape[-1]
    values = source.dtype if source.dtype in _BIAS_TYPES else "int8"
    expected = (
        ((source, node.outputs[0], hidden), values, None),
        ((cell,), "int16", None),
        (node.inputs[INPUT_WEIGHTS], "int8", (units, n_input)),
        (node.inputs[RECURRENT_WEIGHTS], "int8", (units, units)),
        (node.inputs[BIASES], _BIAS_TYPES[values], (units,)),
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
    weights = (*node.inputs[INPUT_WEIGHTS], *node.inputs[RECURRENT_WEIGHTS])
    for tensor in (source, hidden, cell, *weights):
        if len(tensor.scales) != 1 or not tensor.scales[0] > 0:
            raise refuse(node, f"'{tensor.name}' has not one scale", CONVERT_AGAIN)
    if any(zero_point_of(tensor) != 0 for tensor in (cell, *weights)):
        raise refuse(node, "its cell or weights have a zero point", CONVERT_AGAIN)
    require_symmetric(node, source, hidden)


def cell_members(node: Node) -> dict[str, object]:
    """Members of the kernels' parameters that say what becomes of the gates.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: the cell's or the hidden state's scale is none that
            TFLite Micro takes.
    """
    hidden, cell = node.inputs[HIDDEN], node.inputs[CELL]
    multiplier, shift = _hidden_factor(node, hidden)
    return {
        "sigmoid": sigmoid_table(),
        "hidden_multiplier": multiplier,
        "hidden_shift": shift,
        "cell_clip": _cell_clip(node, cell),
        "cell_exponent": _cell_exponent(node, cell),
        "n_input": elements(node.inputs[0]),
        "units": elements(cell),
    }


def gate_factor(source: Tensor, weights: Tensor) -> tuple[int, int]:
    """Multiplier and shift from a gate's sums to what its logistic or tanh takes."""
    return quantize_multiplier(scale_of(source) * scale_of(weights) / _GATE_SCALE)


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
            f"its cell's scale {scale_of(cell):g} is no power of two from 2^-24 to 1",
            CONVERT_AGAIN,
        )
    return round(exponent)


def _cell_clip(node: Node, cell: Tensor) -> int:
    """The clip in units of the cell, -1 for none."""
    clip = float(np.float32(node.options.get("cell_clip") or 0.0))
    if clip <= 0:
        return -1
    return int(min(clip / scale_of(cell), 32767.0))
