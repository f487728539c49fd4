"""The last layer of a `.tflite`: found, replaced, and cut off so that the rest gives its input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import TfliteModel, drop_unused_buffers, pack, read_tflite, unpack

_DENSE, _TO_FLOAT = "FULLY_CONNECTED", "DEQUANTIZE"
_TYPES = ("int8", "float32")


@dataclass(frozen=True, eq=False)
class Head:
    """One dense layer at a model's end: `scores = weights @ embedding + bias`.

    Attributes:
        weights: (classes, features), int8 or float32.
        bias: (classes,) int32 in steps of input scale times weight scale, or float32.
        scales: (1,) or (classes,) float32 of the weights; () of a float model.
        input_scale, input_zero: of the embedding; 1 and 0 of a float model.
        output_scale, output_zero: of the scores, likewise.
    """

    weights: np.ndarray
    bias: np.ndarray
    scales: np.ndarray
    input_scale: float
    input_zero: int
    output_scale: float
    output_zero: int

    @property
    def is_quantised(self) -> bool:
        return self.weights.dtype == np.int8


def find_head(model: TfliteModel) -> Head:
    """The last layer of a model with one output.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: the output is not that of a dense layer of constant int8 or
            float32 weights without activation.
    """
    operator = _last(model)
    source, weights, *rest = (model.tensors[i] if i >= 0 else None for i in operator.inputs)
    result = model.tensors[operator.outputs[0]]
    bias = rest[0] if rest else None
    if weights.data is None or weights.dtype not in _TYPES or weights.data.ndim != 2:
        raise refused(f"its last layer has weights of {weights.dtype} {weights.shape}")
    if result.dtype != weights.dtype or result.shape[-1] != len(weights.data):
        raise refused(f"its scores are {result.dtype} {result.shape}")
    if bias is not None and bias.data is None:
        raise refused("the biases of its last layer are computed")
    if operator.options.get("fused_activation_function", "NONE") not in ("NONE", 0):
        raise refused("an activation follows its last layer")
    quantised = weights.dtype == "int8"
    if quantised and not (weights.scales and source.scales and result.scales):
        raise refused("its last layer lacks a scale")
    bias_type = np.int32 if quantised else np.float32
    return Head(
        weights=weights.data,
        bias=np.zeros(len(weights.data), bias_type) if bias is None else bias.data.reshape(-1),
        scales=np.array(weights.scales, np.float32),
        input_scale=source.scales[0] if quantised else 1.0,
        input_zero=source.zero_points[0] if quantised else 0,
        output_scale=result.scales[0] if quantised else 1.0,
        output_zero=result.zero_points[0] if quantised else 0,
    )


def with_head(content: bytes, head: Head) -> bytes:
    """A model's bytes with another last layer of the same shapes and types.

    Args:
        content: of the `.tflite`. head: its weights, bias and weights' scales are taken; the scales
            of what goes in and comes out stay the model's.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: as `find_head`. KD_SHAPE: the new layer is another one.
    """
    from ai_edge_litert import schema_py_generated as schema

    typed = read_tflite(content)
    check_same_shape(find_head(typed), head)
    operator = _last(typed)
    model = unpack(content)
    graph = model.subgraphs[0]
    raw = graph.operators[operator.index]
    if len(raw.inputs) < 3 or raw.inputs[2] < 0:
        raw.inputs = np.array([*raw.inputs[:2], len(graph.tensors)], np.int32)
        graph.tensors.append(_bias_tensor(head))
    weights, bias = (graph.tensors[i] for i in raw.inputs[1:3])
    for tensor, values in ((weights, head.weights), (bias, head.bias)):
        # A buffer of its own: another tensor may share the old one.
        tensor.buffer = len(model.buffers)
        model.buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
    if head.is_quantised:
        weights.quantization.scale = head.scales
        bias.quantization.scale = np.float32(head.input_scale) * head.scales
    drop_unused_buffers(model)
    return pack(model)


def check_same_shape(old: Head, new: Head) -> None:
    """Raise KD_SHAPE unless one layer can stand in the other's place."""
    for name in ("weights", "bias", "scales"):
        mine, theirs = getattr(old, name), getattr(new, name)
        if (mine.shape, mine.dtype) != (theirs.shape, theirs.dtype):
            raise KdEdgeError(
                "KD_SHAPE",
                f"the new last layer has {name} {theirs.dtype} {theirs.shape}; the model's are "
                f"{mine.dtype} {mine.shape}",
            )


def float_head(weights: np.ndarray, bias: np.ndarray) -> Head:
    """A layer of float32: (classes, features) weights and (classes,) biases."""
    return Head(weights, bias, np.array((), np.float32), 1.0, 0, 1.0, 0)


def without_head(content: bytes) -> bytes:
    """A model's bytes without its last layer: its output is that layer's input, the embedding.

    Raises as `find_head`.
    """
    typed = read_tflite(content)
    find_head(typed)
    operator = _last(typed)
    model = unpack(content)
    graph = model.subgraphs[0]
    embedding = operator.inputs[0]
    last = {operator.index}
    last |= {op.index for op in typed.operators if set(op.outputs) & set(typed.outputs)}
    graph.operators = [o for i, o in enumerate(graph.operators) if i not in last]
    graph.outputs = np.array([embedding], np.int32)
    for signature in model.signatureDefs or []:
        for entry in signature.outputs:
            entry.tensorIndex = embedding
    drop_unused_buffers(model)
    return pack(model)


def _last(model: TfliteModel):
    makers = [op for op in model.operators if set(op.outputs) & set(model.outputs)]
    if [op.name for op in makers] == [_TO_FLOAT]:  # behind it stands the same layer
        makers = [op for op in model.operators if set(op.outputs) & set(makers[0].inputs)]
    if len(model.outputs) != 1 or len(makers) != 1 or makers[0].name != _DENSE:
        names = ", ".join(op.name for op in makers) or "no operator"
        raise refused(f"its {len(model.outputs)} outputs come from {names}")
    return makers[0]


def refused(why: str) -> KdEdgeError:
    """The error for a model whose last layer is not one that can be replaced."""
    return KdEdgeError(
        "KD_UNSUPPORTED_OP",
        f"the model does not end in a dense layer that can be replaced: {why}",
        hint="models of kd-edge that give one class a window end in one: tcn, ds-cnn",
    )


def _bias_tensor(head: Head):
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name = "head_bias"
    tensor.shape = np.array(head.bias.shape, np.int32)
    tensor.type = schema.TensorType.INT32 if head.is_quantised else schema.TensorType.FLOAT32
    if head.is_quantised:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.zeroPoint = np.zeros(len(head.scales), np.int64)
    return tensor
