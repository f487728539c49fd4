"""What an operator must have before anything looks into it: inputs, outputs, axes, options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from firmware_export.aot.graph import Node
from kd_edge.convert.flatbuffer import Tensor
from kd_edge.errors import KdEdgeError


@dataclass(frozen=True)
class Form:
    """The least that an operator has.

    Attributes:
        inputs: how many of the first inputs must be there.
        ranks: number of axes of the first inputs, None where any will do.
        options: names that must be there, because they have no default.
    """

    inputs: int = 1
    ranks: tuple[int | None, ...] = ()
    options: tuple[str, ...] = ()


_WINDOW = ("padding", "stride_h", "stride_w")
_POOL = Form(1, (4,), (*_WINDOW, "filter_height", "filter_width"))
_PAIR = Form(2)
_STRIDED = tuple(f"{name}_mask" for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis"))

# Products and ratios of two scales below it stay within float32.
_MOST_SCALE = 2.0**60

# An operator that is not here has one input, and no option that it could not do without.
FORMS: Mapping[str, Form] = {
    "CONV_2D": Form(2, (4, 4), _WINDOW),
    "DEPTHWISE_CONV_2D": Form(2, (4, 4), _WINDOW),
    "TRANSPOSE_CONV": Form(3, (1, 4, 4), _WINDOW),
    "FULLY_CONNECTED": Form(2, (None, 2)),
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Form(1, (3,), ("fused_activation_function",)),
    **dict.fromkeys(("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"), _PAIR),
    **dict.fromkeys(("MEAN", "SUM", "ARG_MAX", "TRANSPOSE", "PAD"), _PAIR),
    **dict.fromkeys(("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"), Form(2, (4, 1))),
    "PADV2": Form(3),
    "LEAKY_RELU": Form(1, (), ("alpha",)),
    "SOFTMAX": Form(1, (), ("beta",)),
    "CONCATENATION": Form(1, (), ("axis",)),
    "PACK": Form(1, (), ("axis",)),
    "UNPACK": Form(1, (), ("axis",)),
    "SPLIT": Form(2),
    "SPLIT_V": Form(3),
    "SLICE": Form(3),
    "STRIDED_SLICE": Form(4, (), _STRIDED),
}


def check_form(node: Node) -> None:
    """Refuse an operator that lacks what its kind always has.

    Raises:
        KdEdgeError KD_BAD_TFLITE: naming what is missing and where.
    """
    form = FORMS.get(node.op, Form())
    given = node.inputs[: form.inputs]
    if len(given) < form.inputs or any(tensor is None for tensor in given):
        raise _bad(node, f"it has not its {form.inputs} inputs")
    if not node.outputs:
        raise _bad(node, "it has no output")
    for tensor, rank in zip(given, form.ranks, strict=False):
        if rank is not None and len(tensor.shape) != rank:
            raise _bad(node, f"'{tensor.name}' has {len(tensor.shape)} axes, not {rank}")
    missing = [name for name in form.options if name not in node.options]
    if missing:
        raise _bad(node, f"its options lack {', '.join(missing)}")
    for tensor in (*given, *node.outputs):
        if tensor.data is None and prod(tensor.shape) == 0:
            raise _bad(node, f"'{tensor.name}' has the shape {tensor.shape}: no values")
    for tensor in (*node.inputs, *node.outputs):
        if tensor is not None:
            _check_quantisation(node, tensor)


def _check_quantisation(node: Node, tensor: Tensor) -> None:
    least = 0 if tensor.data is not None else 1 / _MOST_SCALE
    if any(scale and not 1 / _MOST_SCALE < scale < _MOST_SCALE for scale in tensor.scales):
        raise _bad(node, f"the scale of '{tensor.name}' is none that a calibration gives")
    if any(scale < least for scale in tensor.scales):
        raise _bad(node, f"the scale of '{tensor.name}' is 0")
    if not np.issubdtype(np.dtype(tensor.dtype), np.integer):
        return
    limits = np.iinfo(tensor.dtype)
    if any(not limits.min <= zero <= limits.max for zero in tensor.zero_points):
        raise _bad(node, f"the zero point of '{tensor.name}' is no {tensor.dtype}")


def _bad(node: Node, message: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_BAD_TFLITE",
        f"the model is not consistent: {message}",
        where=node.place,
        hint="make the file again with the tool that wrote it",
    )
