"""Golden vectors as C arrays."""

from __future__ import annotations

import numpy as np

from firmware_export import c_text
from firmware_export.constants import Ports, PortTensor
from firmware_export.render import Files, Renderer
from firmware_export.settings import Golden
from kd_edge.base.errors import KdEdgeError


def golden_files(render: Renderer, golden: Golden, ports: Ports, *, limit: int) -> Files:
    """kd_golden.h and .c with the first `limit` vectors.

    Raises:
        KdEdgeError KD_SHAPE: the vectors do not fit the model, or there are none.
    """
    count = min(limit, len(golden.labels))
    if count < 1 or len(golden.inputs) != len(ports.inputs):
        raise KdEdgeError(
            "KD_SHAPE",
            f"golden vectors: {count} windows of {len(golden.inputs)} inputs, for a model with "
            f"{len(ports.inputs)}",
            hint="give at least one window, with one array for each model input",
        )
    inputs = [
        _vectors(array, port, len(golden.labels))[:count]
        for array, port in zip(golden.inputs, ports.inputs, strict=True)
    ]
    outputs = _vectors(golden.outputs, ports.output, len(golden.labels))[:count]
    answered = ""
    if golden.answered is not None:
        answered = c_text.rows(str(int(place)) for place in golden.answered[:count])
    return {
        "kd_golden.h": render("kd_golden.h", count=count, answered_rows=answered),
        "kd_golden.c": render(
            "kd_golden.c",
            inputs=[{"size": array.shape[1], "rows": c_text.int8_rows(array)} for array in inputs],
            outputs=[c_text.int8_rows(row, indent=8) for row in outputs],
            label_rows=c_text.rows(str(int(label)) for label in golden.labels[:count]),
            answered_rows=answered,
        ),
    }


def _vectors(array: np.ndarray, port: PortTensor, n_windows: int) -> np.ndarray:
    """The array as (n, port.size)."""
    if array.dtype != np.int8 or array.size != n_windows * port.size or len(array) != n_windows:
        raise KdEdgeError(
            "KD_SHAPE",
            f"golden vectors of '{port.comment}' are {array.dtype} {array.shape}",
            where=f"the model takes {n_windows} windows of int8 {port.shape[1:]}",
            hint="give the int8 values that went in and came out, a window a row",
        )
    return array.reshape(n_windows, port.size)
