"""Size: what a model file's bytes hold, and the multiply-accumulates of each operator."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from kd_edge.base.flatbuffer import Operator, TfliteModel, read_tflite
from kd_edge.base.formats import FileKind
from kd_edge.base.model_files import READERS
from kd_edge.convert.operators import check_layers
from kd_edge.measure.results import LayerCost, Size


def measure_size(path: Path, kind: FileKind = FileKind.TFLITE) -> Size:
    """Bytes of a model file by what they hold, and the cost of each layer.

    Of a file of another kind no layer's cost is known.

    A constant that several operators use counts once, with the first. `macs` is None as soon as one
    operator's are unknown.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_TFLITE: as `read_tflite`, or a layer lacks what its kind has.
        KdEdgeError KD_BAD_FORMAT, KD_MISSING_PACKAGE: as `read_onnx` and `read_package`.
    """
    if kind is not FileKind.TFLITE:
        content = path.read_bytes()
        weight_bytes = READERS[kind](content).weight_bytes
        return Size(len(content), weight_bytes, len(content) - weight_bytes, None, ())
    model = read_tflite(path)
    check_layers(model)
    seen: set[int] = set()
    layers = []
    for operator in model.operators:
        constants = [t for t in operator.inputs if t >= 0 and t not in seen]
        seen.update(constants)
        output = model.tensors[operator.outputs[0]]
        layers.append(
            LayerCost(
                index=operator.index,
                operator=operator.name,
                name=output.name,
                macs=operator_macs(model, operator),
                weight_bytes=sum(_constant_bytes(model, t) for t in constants),
                output_shape=output.shape,
            )
        )
    weight_bytes = sum(layer.weight_bytes for layer in layers)
    macs = [layer.macs for layer in layers]
    return Size(
        file_bytes=model.n_bytes,
        weight_bytes=weight_bytes,
        overhead_bytes=model.n_bytes - weight_bytes,
        macs=None if None in macs else sum(macs),
        layers=tuple(layers),
    )


def operator_macs(model: TfliteModel, operator: Operator) -> int | None:
    """Multiply-accumulates with weights in one run of an operator; None where unknown."""
    if operator.name in _WITHOUT_MACS:
        return 0
    count = _MACS.get(operator.name)
    return None if count is None else count(model, operator)


def _constant_bytes(model: TfliteModel, index: int) -> int:
    data = model.tensors[index].data
    return 0 if data is None else data.nbytes


def _shape(model: TfliteModel, index: int) -> tuple[int, ...]:
    return model.tensors[index].shape


def _conv_macs(model: TfliteModel, operator: Operator) -> int:
    # Filters are (out, height, width, in / groups): what one output sums over.
    outputs = math.prod(_shape(model, operator.outputs[0]))
    return outputs * math.prod(_shape(model, operator.inputs[1])[1:])


def _depthwise_macs(model: TfliteModel, operator: Operator) -> int:
    outputs = math.prod(_shape(model, operator.outputs[0]))
    _, height, width, _ = _shape(model, operator.inputs[1])
    return outputs * height * width


def _transpose_conv_macs(model: TfliteModel, operator: Operator) -> int:
    # Each input value meets every weight of its channel; borders that are cut off count too.
    _, weights, values = operator.inputs[:3]
    out_channels, height, width, _ = _shape(model, weights)
    return math.prod(_shape(model, values)) * out_channels * height * width


def _dense_macs(model: TfliteModel, operator: Operator) -> int:
    # The weights may be computed, as in attention: their shape tells either way.
    outputs = math.prod(_shape(model, operator.outputs[0]))
    return outputs * _shape(model, operator.inputs[1])[1]


def _lstm_macs(model: TfliteModel, operator: Operator) -> int:
    # Inputs 1-4 are the input-to-gate weights, 5-8 the recurrent ones, 9-11 peepholes, 16 the
    # projection; -1 where absent. The sequence is (batch, time, …), or (time, batch, …).
    batch, time = _shape(model, operator.inputs[0])[:2]
    matrices = (*operator.inputs[1:12], operator.inputs[16])
    return batch * time * sum(math.prod(_shape(model, t)) for t in matrices if t >= 0)


_MACS: dict[str, Callable[[TfliteModel, Operator], int]] = {
    "CONV_2D": _conv_macs,
    "DEPTHWISE_CONV_2D": _depthwise_macs,
    "TRANSPOSE_CONV": _transpose_conv_macs,
    "FULLY_CONNECTED": _dense_macs,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm_macs,
}

# They move, compare, add or look up, but accumulate no products with weights.
_WITHOUT_MACS = frozenset(
    (
        "ABS", "ADD", "ADD_N", "ARG_MAX", "ARG_MIN", "AVERAGE_POOL_2D", "BATCH_TO_SPACE_ND",
        "BROADCAST_TO", "CAST", "CONCATENATION", "DEPTH_TO_SPACE", "DEQUANTIZE", "DIV", "ELU",
        "EXP", "EXPAND_DIMS", "FILL", "FLOOR", "GATHER", "GELU", "GREATER", "HARD_SWISH",
        "LEAKY_RELU", "LESS", "LOG", "LOGISTIC", "LOG_SOFTMAX", "MAX_POOL_2D", "MAXIMUM", "MEAN",
        "MINIMUM", "MIRROR_PAD", "MUL", "NEG", "PACK", "PAD", "PADV2", "PRELU", "QUANTIZE",
        "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE",
        "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SELECT", "SELECT_V2", "SHAPE",
        "SLICE", "SOFTMAX", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQRT",
        "SQUARE", "SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TILE",
        "TRANSPOSE", "UNPACK",
    )
)  # fmt: skip
