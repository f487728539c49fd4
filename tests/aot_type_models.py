"""One operator on tensors of given types, for what TFLite Micro's interpreter takes and what not.

Run as a program it reads lines `OPERATOR signature` and answers each with 1 or 0: whether the
interpreter of the `tflite-micro` package prepares and runs it. It is a process of its own, because
some combinations end it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from aot_matrix_models import LstmCase, lstm_model
from aot_wide_models import widened
from tflite_samples import GraphBuilder, float_lstm_model, options_of

from kd_edge.base.errors import KdEdgeError
from kd_edge.runtimes.registry import open_interpreter

VALUES, WEIGHTS, STATE = "values", "weights", "state"


@dataclass(frozen=True)
class Form:
    """How a small operator is built.

    Attributes:
        inputs: a constant array of indices, None, or (VALUES, WEIGHTS or STATE, shape) of what has
            a type in the signature, in order.
        outputs: shapes; all of the signature's last type.
        options: makes them; None for none.
    """

    inputs: tuple
    outputs: tuple[tuple[int, ...], ...]
    options: Callable[[], object] | None = field(default=None)

    @property
    def typed(self) -> int:
        """Inputs that have a type in the signature."""
        return sum(isinstance(given, tuple) for given in self.inputs)


def _indices(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def _options(kind: str, **values):
    return lambda: options_of(kind, **values)


_IMAGE, _ROW = (1, 4, 4, 2), (1, 6)
_WINDOW = {"strideW": 1, "strideH": 1, "padding": 1}
_POOL = Form(
    ((VALUES, _IMAGE),),
    ((1, 3, 3, 2),),
    _options("Pool2DOptions", filterWidth=2, filterHeight=2, **_WINDOW),
)


def _unary(options=None) -> Form:
    return Form(((VALUES, _ROW),), (_ROW,), options)


def _binary(kind: str | None = None) -> Form:
    return Form(((VALUES, _ROW),) * 2, (_ROW,), _options(kind) if kind else None)


def _resize(kind: str) -> Form:
    return Form(((VALUES, _IMAGE), _indices(8, 8)), ((1, 8, 8, 2),), _options(kind))


def _reduce(kind: str, shape: tuple[int, ...]) -> Form:
    return Form(((VALUES, _ROW), _indices(1)), (shape,), _options(kind))


FORMS: dict[str, Form] = {
    "CONV_2D": Form(
        ((VALUES, _IMAGE), (WEIGHTS, (3, 2, 2, 2)), (WEIGHTS, (3,))),
        ((1, 3, 3, 3),),
        _options("Conv2DOptions", **_WINDOW),
    ),
    "DEPTHWISE_CONV_2D": Form(
        ((VALUES, _IMAGE), (WEIGHTS, (1, 2, 2, 2)), (WEIGHTS, (2,))),
        ((1, 3, 3, 2),),
        _options("DepthwiseConv2DOptions", depthMultiplier=1, **_WINDOW),
    ),
    "TRANSPOSE_CONV": Form(
        (_indices(1, 5, 5, 3), (WEIGHTS, (3, 2, 2, 2)), (VALUES, _IMAGE), (WEIGHTS, (3,))),
        ((1, 5, 5, 3),),
        _options("TransposeConvOptions", **_WINDOW),
    ),
    "FULLY_CONNECTED": Form(
        ((VALUES, _ROW), (WEIGHTS, (3, 6)), (WEIGHTS, (3,))),
        ((1, 3),),
        _options("FullyConnectedOptions"),
    ),
    "SVDF": Form(
        (
            *((VALUES, _ROW), (WEIGHTS, (4, 6)), (WEIGHTS, (4, 3))),
            *((WEIGHTS, (2,)), (STATE, (1, 12))),
        ),
        ((1, 2),),
        _options("SVDFOptions", rank=2, fusedActivationFunction=1),
    ),
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "ADD": _binary("AddOptions"),
    "SUB": _binary("SubOptions"),
    "MUL": _binary("MulOptions"),
    "MAXIMUM": _binary(),
    "MINIMUM": _binary(),
    **{op: _unary() for op in ("LOGISTIC", "TANH", "RELU", "RELU6", "HARD_SWISH", "ABS")},
    "LEAKY_RELU": _unary(_options("LeakyReluOptions", alpha=0.1)),
    "SOFTMAX": _unary(_options("SoftmaxOptions", beta=1.0)),
    "QUANTIZE": _unary(),
    "DEQUANTIZE": _unary(),
    "MEAN": _reduce("ReducerOptions", (1,)),
    "SUM": _reduce("ReducerOptions", (1,)),
    "ARG_MAX": _reduce("ArgMaxOptions", (1,)),
    "RESIZE_NEAREST_NEIGHBOR": _resize("ResizeNearestNeighborOptions"),
    "RESIZE_BILINEAR": _resize("ResizeBilinearOptions"),
    "CONCATENATION": Form(
        ((VALUES, _ROW),) * 2, ((1, 12),), _options("ConcatenationOptions", axis=1)
    ),
    "PACK": Form(((VALUES, (6,)),) * 2, ((2, 6),), _options("PackOptions", axis=0, valuesCount=2)),
    "PAD": Form(((VALUES, _ROW), _indices(0, 0, 1, 1).reshape(2, 2)), ((1, 8),)),
    "PADV2": Form(((VALUES, _ROW), _indices(0, 0, 1, 1).reshape(2, 2), (WEIGHTS, (1,))), ((1, 8),)),
    "RESHAPE": Form(((VALUES, _ROW), _indices(2, 3)), ((2, 3),), _options("ReshapeOptions")),
    "SQUEEZE": Form(((VALUES, _ROW),), ((6,),), _options("SqueezeOptions", squeezeDims=[0])),
    "EXPAND_DIMS": Form(((VALUES, _ROW), _indices(0)), ((1, *_ROW),)),
    "SLICE": Form(((VALUES, _ROW), _indices(0, 1), _indices(1, 3)), ((1, 3),)),
    "STRIDED_SLICE": Form(
        ((VALUES, _ROW), _indices(0, 1), _indices(1, 4), _indices(1, 1)),
        ((1, 3),),
        _options("StridedSliceOptions"),
    ),
    "SPLIT": Form(
        (_indices(1), (VALUES, _ROW)), ((1, 3),) * 2, _options("SplitOptions", numSplits=2)
    ),
    "SPLIT_V": Form(
        ((VALUES, _ROW), _indices(2, 4), _indices(1)),
        ((1, 2), (1, 4)),
        _options("SplitVOptions", numSplits=2),
    ),
    "UNPACK": Form(((VALUES, (2, 6)),), ((6,),) * 2, _options("UnpackOptions", num=2, axis=0)),
    "TRANSPOSE": Form(((VALUES, (2, 3)), _indices(1, 0)), ((3, 2),), _options("TransposeOptions")),
}


def add_operator(graph: GraphBuilder, op: str, types: tuple[str, ...], seed: int = 0):
    """Append the operator on these types; returns its inputs and outputs.

    Args:
        types: one for each typed input in order, then one for all outputs.
    """
    form, rng = FORMS[op], np.random.default_rng(seed)
    waiting = list(types[:-1])
    given, ports = [], []
    for wanted in form.inputs:
        if wanted is None:
            given.append(-1)
            continue
        if isinstance(wanted, np.ndarray):
            given.append(graph.constant("indices", wanted))
            continue
        kind, shape = wanted
        given.append(_typed(graph, rng, kind, shape, waiting.pop(0), result=types[-1]))
        ports += given[-1:] if kind == VALUES else []
    like = "SOFTMAX of int8" if op == "SOFTMAX" and types == ("int8", "int16") else op
    results = [_values(graph, like, shape, types[-1]) for shape in form.outputs]
    options = form.options() if form.options else None
    if op == "ARG_MAX":
        options.outputType = 2
    graph.operator(op, given, results, options)
    return ports, results


def _typed(graph, rng, kind: str, shape, dtype: str, *, result: str) -> int:
    if kind == VALUES:
        return _values(graph, "", shape, dtype)
    if kind == STATE:
        return graph.tensor("state", shape, dtype, scale=0.05, variable=True)
    if dtype == "float32":
        return graph.constant("weights", rng.normal(size=shape).astype(np.float32))
    low, high = (-8, 8) if dtype == "int4" else (0, 2) if dtype == "bool" else (0, 100)
    values = rng.integers(low, high, shape)
    # The scale of a bias is the product of the other two.
    scale = 0.05 * 0.1 if len(shape) == 1 and shape != (1,) else 0.1
    if dtype == "int4":
        return graph.constant_int4("weights", values, scale=scale)
    if shape == (1,):  # the value of PADV2
        scale = _quantisation("", dtype).get("scale")
    return graph.constant("weights", values.astype(dtype), scale=scale)


def _values(graph, op: str, shape, dtype: str) -> int:
    return graph.tensor("values", shape, dtype, **_quantisation(op, dtype))


# What the result of these operators must have.
_FIXED = {
    "LOGISTIC": {"int8": (1 / 256, -128), "int16": (1 / 32768, 0)},
    "TANH": {"int8": (1 / 128, 0), "int16": (1 / 32768, 0)},
    "SOFTMAX": {"int8": (1 / 256, -128), "int16": (1 / 32768, 0)},
    "SOFTMAX of int8": {"int16": (1 / 65536, -32768)},
}


def _quantisation(op: str, dtype: str) -> dict[str, object]:
    if dtype in ("float32", "bool"):
        return {}
    if op in _FIXED:
        return dict(zip(("scale", "zero_point"), _FIXED[op].get(dtype, (0.05, 0)), strict=True))
    return {"scale": 0.05, "zero_point": 0}


def typed_model(op: str, signature: str) -> bytes:
    """The file's bytes; raises ValueError where the signature does not fit the operator."""
    if op in _LSTMS:
        return _LSTMS[op][signature]()
    graph = GraphBuilder()
    inputs, outputs = add_operator(graph, op, types_of(op, signature))
    return graph.content(inputs, outputs)


# Of its 24 inputs four stand in a row; the others follow from them.
_LSTMS = {
    "UNIDIRECTIONAL_SEQUENCE_LSTM": {
        "int8 int8 int32 int16 -> int8": lambda: lstm_model(LstmCase(3, 4)),
        "int16 int8 int64 int16 -> int16": lambda: widened(lstm_model(LstmCase(3, 4))),
        "float32": float_lstm_model,
    }
}


def types_of(op: str, signature: str) -> tuple[str, ...]:
    """The types of `int8 int8 int32 -> int8`, or of `int8` for all alike."""
    count = FORMS[op].typed + 1
    types = tuple(signature.replace("->", " ").split())
    if len(types) == 1:
        types *= count
    if len(types) != count:
        raise ValueError(f"{op} has {count} types, not {signature}")
    return types


def accepted(op: str, signature: str, folder: Path) -> bool:
    """Whether TFLite Micro's interpreter prepares and runs it."""
    path = folder / "model.tflite"
    path.write_bytes(typed_model(op, signature))
    try:
        session = open_interpreter("tflm", path)
        session.run([np.zeros(spec.shape, spec.dtype) for spec in session.inputs])
    except KdEdgeError:
        return False
    return True


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            op, signature = line.strip().split(" ", 1)
            print(int(accepted(op, signature, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
