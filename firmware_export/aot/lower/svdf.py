"""SVDF in int8: a dense layer whose results of the last windows stay, weighted over time."""

from __future__ import annotations

import numpy as np

from firmware_export.aot.checks import CONVERT_AGAIN, elements, require_scales, require_types
from firmware_export.aot.cores import Core
from firmware_export.aot.graph import ITEM_BYTES, Node, refuse
from firmware_export.aot.layout import folded_bias
from firmware_export.aot.numbers import quantize_multiplier, zero_point_of
from firmware_export.aot.program import Call, State
from kd_edge.base.flatbuffer import Tensor

_BIAS_TOLERANCE = 1e-5  # by which TFLite Micro lets the bias's scale differ from the product's
_KERNELS = {"int8": "kd_svdf_s8", "int16": "kd_svdf_s8_s16"}


def lower_svdf(node: Node, core: Core) -> tuple[Call, ...]:
    """(batch, inputs) to (batch, units); an activation in its options changes nothing, as there.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: types, shapes or scales that TFLite Micro does not take.
    """
    if len(node.inputs) != 5 or None in node.inputs:
        raise refuse(node, "it has not the 5 inputs that TFLite Micro needs", CONVERT_AGAIN)
    require_types(node)
    source, feature, time, bias, state = node.inputs
    result = node.outputs[0]
    require_scales(node, *node.inputs, result)
    _check_shapes(node)
    for tensor in (feature, time, bias):
        if tensor.data is None:
            raise refuse(node, "its weights or biases are computed", "make them constants")
    for tensor in (feature, time):
        if zero_point_of(tensor) != 0:
            raise refuse(node, f"'{tensor.name}' has a zero point", CONVERT_AGAIN)
    to_state, to_result = _factors(node)
    filters, memory = time.shape
    rank = int(node.options["rank"])
    batches, n_input = source.shape
    params = {
        "feature": feature.data,
        "feature_bias": folded_bias(feature.data, np.zeros(filters), zero_point_of(source)).astype(
            np.int32
        ),
        "time": time.data,
        "bias": bias.data,
        "state_multiplier": to_state[0],
        "state_shift": to_state[1],
        "state_zero": zero_point_of(state),
        "multiplier": to_result[0],
        "shift": to_result[1],
        "zero_point": zero_point_of(result),
        "batches": batches,
        "n_input": n_input,
        "units": filters // rank,
        "rank": rank,
        "memory": memory,
    }
    call = Call(
        kernel=_KERNELS[state.dtype],
        params=params,
        args=(source, result, _state_of(state)),
        writes=(1,),
        macs=batches * filters * (n_input + memory),
        note=f"SVDF, {n_input} to {filters // rank}, the last {memory} windows",
    )
    return (call,)


def _state_of(state: Tensor) -> State:
    """What a reset writes is the zero point in int8, and always 0 in int16."""
    fill = zero_point_of(state) & 0xFF if state.dtype == "int8" else 0
    return State(elements(state) * ITEM_BYTES[state.dtype], fill)


def _factors(node: Node) -> tuple[tuple[int, int], tuple[int, int]]:
    """Multipliers and shifts of the dense layer's and of the time's sums."""
    source, feature, time, bias, state = (np.float32(t.scales[0]) for t in node.inputs)
    result = np.float32(node.outputs[0].scales[0])
    if abs(float(bias) - float(state * time)) >= _BIAS_TOLERANCE:
        raise refuse(
            node,
            f"its biases' scale is {bias:g}, not that of its state times its weights over time",
            CONVERT_AGAIN,
        )
    # In single precision and in this order, as TFLite Micro computes them.
    return (
        quantize_multiplier(float(source * feature / state)),
        quantize_multiplier(float(state * time / result)),
    )


def _check_shapes(node: Node) -> None:
    source, feature, time, bias, state = node.inputs
    result = node.outputs[0]
    rank = int(node.options["rank"])
    filters, memory = time.shape
    batches, n_input = source.shape
    fits = (
        rank > 0
        and filters % rank == 0
        and feature.shape == (filters, n_input)
        and bias.shape == (filters // rank,)
        and state.shape == (batches, memory * filters)
        and result.shape == (batches, filters // rank)
        and min(filters, n_input, memory, batches) > 0
        and max(filters, n_input, memory, batches) <= 0xFFFF
    )
    if not fits:
        raise refuse(
            node,
            f"it makes {result.shape} of {source.shape} with weights {feature.shape} and "
            f"{time.shape} over time, state {state.shape} and rank {rank}",
            "make the file again: its shapes contradict each other, or one is above 65535",
        )
    if not state.is_variable:
        raise refuse(node, "its state is no variable tensor", CONVERT_AGAIN)
