"""Small edits on the schema's object (`ModelT`), each in place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import LSTM, drop_unused_buffers
from kd_edge.base.schema_names import operator_name


def clear_cell_clip(model) -> None:
    """No clipping of LSTM cells: the converter writes 10, Keras has none."""
    for graph in model.subgraphs:
        for op in graph.operators or []:
            if operator_name(model.operatorCodes[op.opcodeIndex]) == LSTM:
                op.builtinOptions.cellClip = 0.0


def name_inputs(model, names: Mapping[str, str]) -> None:
    """Give the model's inputs their real names, in the tensors and in the signature.

    Args:
        names: name in the file's signature -> name wanted.

    Raises:
        KdEdgeError KD_BAD_TFLITE: the file has no signature with these names.
    """
    tensors = model.subgraphs[0].tensors
    entries = model.signatureDefs[0].inputs if model.signatureDefs else []
    if {_text(entry.name) for entry in entries} != set(names):
        raise KdEdgeError(
            "KD_BAD_TFLITE",
            f"the signature has the inputs {sorted(_text(e.name) for e in entries)}, "
            f"not {sorted(names)}",
        )
    for entry in entries:
        entry.name = names[_text(entry.name)]
        tensors[entry.tensorIndex].name = entry.name


def name_output(model, name: str) -> None:
    """Give the model's only output its real name, in the tensor and in the signature."""
    (index,) = model.subgraphs[0].outputs
    model.subgraphs[0].tensors[int(index)].name = name
    for signature in model.signatureDefs or []:
        for entry in signature.outputs:
            entry.name = name


def order_inputs(model, order: Sequence[str]) -> None:
    """Bring the model's inputs into the order of their names; the converter's may be any.

    Raises:
        KdEdgeError KD_BAD_TFLITE: the file's input names are others.
    """
    graph = model.subgraphs[0]
    by_name = {_text(graph.tensors[int(i)].name): int(i) for i in graph.inputs}
    if sorted(by_name) != sorted(order):
        raise KdEdgeError(
            "KD_BAD_TFLITE", f"the file has the inputs {sorted(by_name)}, not {sorted(order)}"
        )
    graph.inputs = np.array([by_name[name] for name in order], np.int32)
    for signature in model.signatureDefs or []:
        signature.inputs.sort(key=lambda entry: list(order).index(_text(entry.name)))


def shorten_names(model) -> None:
    """Name a tensor after one of the operators that became it, where no other has that name.

    The converter joins all of them by ';', up to 250 bytes a tensor. Of a result the first stays,
    the operator that gives it; of a constant the last, which it belonged to. Results do not ask
    how constants are called, so that they have the same names in every form of a model.
    """
    for graph in model.subgraphs:
        fixed = [t for t in graph.tensors if model.buffers[t.buffer].data is not None]
        computed = [t for t in graph.tensors if model.buffers[t.buffer].data is None]
        taken = _shortened(computed, place=0, taken=set())
        _shortened(fixed, place=-1, taken=taken)


def _shortened(tensors, *, place: int, taken: set[str]) -> set[str]:
    """Give tensors the part of their name at that place; returns all names that are taken then."""
    old = [_text(tensor.name) for tensor in tensors]
    new = [name.split(";")[place] for name in old]
    times = Counter(new)
    for tensor, short, long in zip(tensors, new, old, strict=True):
        tensor.name = long if times[short] > 1 or short in taken else short
    return taken | {tensor.name for tensor in tensors}


def drop_metadata(model) -> None:
    """Leave out the converter's notes on itself: 1.5 kB that no runtime reads."""
    kept = [m for m in model.metadata or [] if _text(m.name) != "CONVERSION_METADATA"]
    model.metadata = kept
    drop_unused_buffers(model)


def _text(name) -> str:
    return name.decode("utf-8") if isinstance(name, bytes) else name
