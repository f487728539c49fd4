"""The last layer of a model's file, of whatever kind: found, and replaced by another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kd_edge.base.core_ml import MANIFEST, CoreMlPackage, MilOperation, read_package, write_package
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.formats import FileKind
from kd_edge.base.head import Head, check_same_shape, find_head, float_head, refused, with_head
from kd_edge.base.onnx import graphs_of, load_onnx


@dataclass(frozen=True)
class HeadFile:
    """How a kind of file keeps its last layer.

    Attributes:
        find: a file's bytes -> its last layer. Raises KD_UNSUPPORTED_OP: it ends otherwise.
        replace: (bytes, layer of the same shapes and types) -> the bytes with that layer. Raises
            as `find`, and KD_SHAPE.
    """

    find: Callable[[bytes], Head]
    replace: Callable[[bytes, Head], bytes]


# --- ONNX ---


def _find_onnx(content: bytes) -> Head:
    weights, bias = _onnx_parts(load_onnx(content).graph)
    from onnx.numpy_helper import to_array

    return float_head(to_array(weights).T, to_array(bias))


def _replace_onnx(content: bytes, head: Head) -> bytes:
    check_same_shape(_find_onnx(content), head)
    model = load_onnx(content)
    from onnx.numpy_helper import from_array

    for tensor, values in zip(_onnx_parts(model.graph), (head.weights.T, head.bias), strict=True):
        tensor.CopyFrom(from_array(np.ascontiguousarray(values), tensor.name))
    return model.SerializeToString(deterministic=True)


def _onnx_parts(graph):
    """The constants of the last layer: weights (features, classes) and biases."""
    if len(graph.output) != 1:
        raise refused(f"it has {len(graph.output)} outputs")
    (end,) = graph.output
    makers = [node for node in graph.node if end.name in node.output]
    if len(makers) != 1 or makers[0].op_type != "Gemm" or len(makers[0].input) != 3:
        raise refused(f"its output comes from {', '.join(n.op_type for n in makers) or 'nothing'}")
    (node,) = makers
    plain = {"transA": 0, "transB": 0, "alpha": 1.0, "beta": 1.0}
    for attribute in node.attribute:
        value = attribute.f if attribute.name in ("alpha", "beta") else attribute.i
        if value != plain.get(attribute.name):
            raise refused(f"its last layer has {attribute.name} {value}")
    stored = {tensor.name: tensor for tensor in graph.initializer}
    used = [name for each in graphs_of(graph) for other in each.node for name in other.input]
    for name in node.input[1:]:
        if name not in stored or used.count(name) != 1:
            raise refused(f"'{name}' of its last layer is computed, or another layer's too")
    return tuple(stored[name] for name in node.input[1:])


# --- Core ML ---


def _find_core_ml(content: bytes) -> Head:
    package = read_package(content)
    weights, bias = _core_ml_parts(package)
    return float_head(weights.copy(), bias.copy())


def _replace_core_ml(content: bytes, head: Head) -> bytes:
    check_same_shape(_find_core_ml(content), head)
    package = read_package(content)
    weights, bias = _core_ml_parts(package)
    weights[...], bias[...] = head.weights, head.bias  # they are views of the package's files
    return write_package({n: bytes(f) for n, f in package.files.items() if n != MANIFEST})


def _core_ml_parts(package: CoreMlPackage) -> tuple[np.ndarray, np.ndarray]:
    """The constants of the last layer: weights (classes, features) and biases."""
    if len(package.outputs) != 1:
        raise refused(f"it has {len(package.outputs)} outputs")
    (end,) = package.outputs
    makers = [each for each in package.operations if end.name in each.outputs]
    arguments = {"weight", "bias"}
    if len(makers) != 1 or makers[0].kind != "linear" or not arguments <= makers[0].inputs.keys():
        raise refused(f"its output comes from {', '.join(m.kind for m in makers) or 'nothing'}")
    used = [name for each in package.operations for name in _names(each)]
    parts = []
    for argument in ("weight", "bias"):
        names = makers[0].inputs[argument]
        if not package.constants.keys() >= set(names) or list(map(used.count, names)) != [1]:
            raise refused(f"the {argument} of its last layer is computed, or another layer's too")
        parts.append(package.constants[names[0]])
    return parts[0], parts[1]


def _names(operation: MilOperation) -> list[str]:
    return [name for names in operation.inputs.values() for name in names]


HEAD_FILES: dict[FileKind, HeadFile] = {
    FileKind.TFLITE: HeadFile(lambda content: find_head(read_tflite(content)), with_head),
    FileKind.ONNX: HeadFile(_find_onnx, _replace_onnx),
    FileKind.COREML: HeadFile(_find_core_ml, _replace_core_ml),
}
