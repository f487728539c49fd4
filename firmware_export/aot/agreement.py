"""Options and constants that say again what shapes say: both must say the same.

TFLite Micro follows the one here and the other there, so a file in which they differ has an answer
that depends on the runtime, or memory that nothing writes. Each function raises KD_UNSUPPORTED_OP
that names the option, its value and what the shapes say.
"""

from __future__ import annotations

from firmware_export.aot.graph import Node, refuse
from firmware_export.aot.numbers import scale_of

# Steps of the result by which TFLite Micro lets a bias of 1 differ from a product of 1.
_BIAS_TOLERANCE = 0.02


def depth_multiplier(node: Node) -> None:
    """A depthwise convolution has so many filters a channel."""
    channels, filters = node.inputs[0].shape[3], node.inputs[1].shape[3]
    stated = int(node.options["depth_multiplier"])
    if stated < 1 or stated * channels != filters:
        shapes = f"its weights have {filters} filters for {channels} channels"
        raise _differ(node, f"depth_multiplier is {stated}, but {shapes}")


def bias_scale(node: Node) -> None:
    """Biases are added to products, so they have their scale."""
    source, weights, bias = (*node.inputs, None)[:3]
    result = node.outputs[0]
    if bias is None or any(len(t.scales) != 1 for t in (source, weights, result)):
        return
    stated = float(bias.scales[0]) if bias.scales else 0.0
    product = scale_of(source) * scale_of(weights)
    if abs(product - stated) / scale_of(result) > _BIAS_TOLERANCE:
        raise _differ(node, f"its biases have the scale {stated:g}, its products {product:g}")


def values_count(node: Node) -> None:
    """So many inputs are packed."""
    stated = int(node.options["values_count"])
    if stated != len(node.inputs):
        raise _differ(node, f"values_count is {stated}, but it has {len(node.inputs)} inputs")


def num(node: Node) -> None:
    """So many outputs are unpacked."""
    stated = int(node.options["num"])
    if stated != len(node.outputs):
        raise _differ(node, f"num is {stated}, but it has {len(node.outputs)} outputs")


def even_parts(node: Node) -> None:
    """Every part has one shape."""
    # TFLite Micro takes the size of every part from the first.
    shapes = dict.fromkeys(tensor.shape for tensor in node.outputs)
    if len(shapes) > 1:
        raise _differ(node, f"its parts have the shapes {' and '.join(map(str, shapes))}")


def squeeze_dims(node: Node) -> None:
    """The axes that are dropped are of size 1, and no others are."""
    source, result = node.inputs[0].shape, node.outputs[0].shape
    stated = node.options.get("squeeze_dims") or ()
    dropped = {int(axis) + len(source) * (int(axis) < 0) for axis in stated}
    if not stated:
        dropped = {axis for axis, size in enumerate(source) if size == 1}
    if any(not 0 <= axis < len(source) or source[axis] != 1 for axis in dropped):
        raise _differ(node, f"squeeze_dims is {stated}, but the shape is {source}")
    if result != tuple(size for axis, size in enumerate(source) if axis not in dropped):
        raise _differ(node, f"squeeze_dims is {stated}, but it makes {result} of {source}")


def new_axis(node: Node) -> None:
    """The axis that is added is of size 1."""
    # Not at the top: the table of types, which this looks into, names this function.
    from firmware_export.aot.checks import constant_of, require_types

    source, result = node.inputs[0], node.outputs[0]
    require_types(node)
    values = constant_of(node, 1, "axis")
    axis = values[0] + (len(source.shape) + 1) * (values[0] < 0) if len(values) == 1 else -1
    grown = source.shape[: max(axis, 0)] + (1,) + source.shape[max(axis, 0) :]
    if not 0 <= axis <= len(source.shape) or result.shape != grown:
        raise _differ(node, f"its axis is {values}, but it makes {result.shape} of {source.shape}")


def _differ(node: Node, reason: str) -> Exception:
    return refuse(node, reason, "make the file again: what it says twice differs")
