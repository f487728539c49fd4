"""What an operator must have before anything looks into it: inputs, outputs, axes, options."""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import prod

import numpy as np

from firmware_export.aot.graph import Node
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import Tensor

# TFLite Micro keeps shapes in arrays of six.
_MOST_AXES = 6


@dataclass(frozen=True)
class Form:
    """What TFLite Micro asks of an operator before it looks into it.

    Without arguments: one input, and no option that it could not do without.

    Attributes:
        inputs: how many of the first inputs must be there.
        most: inputs that may follow each other in all, None where any number may; an optional one
            that is absent counts.
        outputs: how many it writes, None where any number may.
        ranks: number of axes of the first inputs, None where any will do.
        most_axes: of any of its tensors.
        options: names that must be there, because they have no default.
        kind: the schema's table that its options stand in; others mean something else. Empty for
            an operator whose options nobody reads.
    """

    inputs: int = 1
    most: int | None = 1
    outputs: int | None = 1
    ranks: tuple[int | None, ...] = ()
    most_axes: int = _MOST_AXES
    options: tuple[str, ...] = ()
    kind: str = ""


# Products and ratios of two scales below it stay within float32.
_MOST_SCALE = 2.0**60


ONE_INPUT = Form()


def check_form(node: Node, form: Form, options_kind: str) -> None:
    """Refuse an operator that lacks what its kind always has, or has what its kind never has.

    Args:
        form: of the operator.
        options_kind: the schema's name of the table that its options stand in, '' without one.

    Raises:
        KdEdgeError KD_BAD_TFLITE: naming what is missing or too many, and where.
    """
    given = node.inputs[: form.inputs]
    if len(given) < form.inputs or any(tensor is None for tensor in given):
        raise _bad(node, f"it has not its {form.inputs} inputs")
    if form.most is not None and len(node.inputs) > form.most:
        raise _bad(node, f"it has {len(node.inputs)} inputs; TFLite Micro takes {form.most}")
    if not node.outputs:
        raise _bad(node, "it has no output")
    if form.outputs is not None and len(node.outputs) != form.outputs:
        raise _bad(node, f"it has {len(node.outputs)} outputs; TFLite Micro writes {form.outputs}")
    _check_options(node, form, options_kind)
    _check_axes(node, form)
    for tensor in (*given, *node.outputs):
        if tensor.data is None and prod(tensor.shape) == 0:
            raise _bad(node, f"'{tensor.name}' has the shape {tensor.shape}: no values")
    for tensor in (*node.inputs, *node.outputs):
        if tensor is not None:
            _check_quantisation(node, tensor)


def _check_options(node: Node, form: Form, kind: str) -> None:
    if form.kind and kind not in ("", form.kind):
        raise _bad(node, f"its options are {kind}, not {form.kind}")
    missing = [name for name in form.options if name not in node.options]
    if missing:
        raise _bad(node, f"its options lack {', '.join(missing)}")


def _check_axes(node: Node, form: Form) -> None:
    for tensor, rank in zip(node.inputs, form.ranks, strict=False):
        if rank is not None and len(tensor.shape) != rank:
            raise _bad(node, f"'{tensor.name}' has {len(tensor.shape)} axes, not {rank}")
    for tensor in (*node.inputs, *node.outputs):
        if tensor is not None and len(tensor.shape) > form.most_axes:
            axes = f"{len(tensor.shape)} axes; TFLite Micro takes up to {form.most_axes}"
            raise _bad(node, f"'{tensor.name}' has {axes}")


def _check_quantisation(node: Node, tensor: Tensor) -> None:
    least = 0 if tensor.data is not None else 1 / _MOST_SCALE
    if any(scale and not 1 / _MOST_SCALE < scale < _MOST_SCALE for scale in tensor.scales):
        raise _bad(node, f"the scale of '{tensor.name}' is none that a calibration gives")
    if any(scale < least for scale in tensor.scales):
        raise _bad(node, f"the scale of '{tensor.name}' is 0")
    least_value, most_value = _limits(tensor.dtype)
    if any(not least_value <= zero <= most_value for zero in tensor.zero_points):
        raise _bad(node, f"the zero point of '{tensor.name}' is no {tensor.dtype}")


def _limits(dtype: str) -> tuple[float, float]:
    if dtype == "int4":
        return -8, 7
    if not np.issubdtype(np.dtype(dtype), np.integer):
        return -math.inf, math.inf
    return np.iinfo(dtype).min, np.iinfo(dtype).max


def _bad(node: Node, message: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_BAD_TFLITE",
        f"the model is not consistent: {message}",
        where=node.place,
        hint="make the file again with the tool that wrote it",
    )
