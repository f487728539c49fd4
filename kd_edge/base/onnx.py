"""ONNX files: what they hold, and a session of onnxruntime that answers alike wherever it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from kd_edge.base.errors import KdEdgeError, require

EXTRA = "onnx"  # of pip install: brings all of it

# Of onnxruntime's log, which goes to standard error; errors come as exceptions too.
_FATAL_ALONE = 4
# Weights outside the file are looked for in a folder that is none: its SHA-256 would not hold them.
_NOWHERE = ("session.model_external_initializers_file_folder_path", os.devnull)


def packages_here() -> bool:
    """Whether files can be run and read: without `onnx` a student's row would lack its size."""
    return all(find_spec(name) is not None for name in ("onnx", "onnxruntime"))


@dataclass(frozen=True)
class OnnxModel:
    """What an ONNX file holds.

    Attributes:
        operators: names in the order of the file, those inside loops behind the loop.
        weight_bytes: of every constant.
    """

    operators: tuple[str, ...]
    weight_bytes: int


def read_onnx(content: bytes) -> OnnxModel:
    """Read an ONNX file.

    Raises:
        KdEdgeError KD_BAD_FORMAT: ONNX's own checker refuses it. KD_MISSING_PACKAGE: onnx.
    """
    model = load_onnx(content)
    onnx = require("onnx", extra=EXTRA, purpose="an ONNX file")
    graphs = list(graphs_of(model.graph))
    nodes = [node for graph in graphs for node in graph.node]
    weights = [tensor for graph in graphs for tensor in graph.initializer]
    weights += [
        attribute.t
        for node in nodes
        for attribute in node.attribute
        if attribute.type == onnx.AttributeProto.TENSOR
    ]
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in weights):
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            "the ONNX model keeps weights in other files",
            hint="save it as one file: onnx.save(model, path, save_as_external_data=False)",
        )
    n_bytes = sum(onnx.numpy_helper.to_array(tensor).nbytes for tensor in weights)
    return OnnxModel(tuple(node.op_type for node in nodes), n_bytes)


def load_onnx(content: bytes):
    """An ONNX file as the `onnx` package's own object, checked. Raises as `read_onnx`."""
    onnx = require("onnx", extra=EXTRA, purpose="an ONNX file")
    try:
        model = onnx.load_model_from_string(content)
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # of protocol buffers, of the checker, of its inference of shapes
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            "this is not an ONNX model",
            where=" ".join(str(error).split())[:200],
            hint="name a file that `kd-edge build` wrote, or that onnx.checker.check_model takes",
        ) from error
    return model


def graphs_of(graph) -> Iterator:
    """A graph of the `onnx` package, and those inside its loops and branches."""
    yield graph
    for node in graph.node:
        for inner in inner_graphs(node):
            yield from graphs_of(inner)


def inner_graphs(node) -> Iterator:
    """The graphs that a node of the `onnx` package runs."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def open_session(content: bytes, *, purpose: str, threads: int = 1):
    """A session of onnxruntime on the CPU, with the file's own operators and no code.

    Args:
        content: of the file; weights that it keeps in other files are refused.
        purpose: what needs onnxruntime, for the error.
        threads: 1: one order of sums, whatever cores are free.

    Raises:
        KdEdgeError KD_MISSING_PACKAGE: onnxruntime.
        Exception: onnxruntime refuses a file with exceptions of many kinds.
    """
    onnxruntime = require("onnxruntime", extra=EXTRA, purpose=purpose)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ALONE
    options.add_session_config_entry(*_NOWHERE)
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.use_deterministic_compute = True
    return onnxruntime.InferenceSession(
        content, options, providers=["CPUExecutionProvider"], enable_fallback=0
    )
