"""Scales, shapes, labels and memory of a model as C constants, and the code that uses them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from firmware_export import c_text
from firmware_export.render import Files, Renderer
from firmware_export.settings import MARGIN_WORDS, FirmwareSettings, with_margin
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import Tensor, TfliteModel
from kd_edge.base.product import Product
from kd_edge.base.tensors import TensorSpec


@dataclass(frozen=True)
class PortTensor:
    """One input or the output, as the templates write it.

    Attributes:
        identifier: the tail of its macros. name_string: C literal. comment: its name in comments.
        scale: float32 literal. shape: with the batch of 1. size: int8 values.
    """

    identifier: str
    name_string: str
    comment: str
    scale: str
    zero_point: int
    shape: tuple[int, ...]
    size: int


@dataclass(frozen=True)
class Label:
    """One class: the tail of its macro, and its C literal."""

    identifier: str
    string: str


@dataclass(frozen=True)
class Ports:
    """What goes in and out of a model that the firmware can run."""

    inputs: tuple[PortTensor, ...]
    output: PortTensor


def read_ports(model: TfliteModel) -> Ports:
    """Inputs and output of an int8 model with batch 1.

    Raises:
        KdEdgeError KD_BAD_TFLITE: a port is not int8 with one scale, its batch is not 1, or there
            is more than one output.
    """
    if len(model.outputs) != 1:
        raise _refusal(f"the model has {len(model.outputs)} outputs; the firmware takes one", "")
    inputs = [model.tensors[index] for index in model.inputs]
    names = c_text.identifiers(tensor.name for tensor in inputs)
    return Ports(
        inputs=tuple(_port(tensor, name) for tensor, name in zip(inputs, names, strict=True)),
        output=_port(model.tensors[model.outputs[0]], "OUTPUT"),
    )


def product_ports(product: Product) -> Ports:
    """Inputs and scores of a product, whose every model the firmware can run.

    Raises as `read_ports`.
    """
    each = [read_ports(member.model) for member in product.members]
    if product.composition is None:
        return each[0]
    names = c_text.identifiers(spec.name for spec in product.inputs)
    return Ports(
        inputs=tuple(_written(s, name) for s, name in zip(product.inputs, names, strict=True)),
        output=_written(product.outputs[0], "OUTPUT"),
    )


def _port(tensor: Tensor, identifier: str) -> PortTensor:
    if tensor.dtype != "int8" or len(tensor.scales) != 1 or not tensor.scales[0] > 0:
        raise _refusal(
            f"{tensor.name!r} is {tensor.dtype} with {len(tensor.scales)} scales; the firmware "
            "takes int8 with one positive scale in and out",
            tensor.name,
        )
    if not tensor.shape or tensor.shape[0] != 1 or min(tensor.shape) < 1:
        raise _refusal(
            f"{tensor.name!r} has the shape {tensor.shape}; the firmware takes a batch of 1",
            tensor.name,
        )
    scale, zero_point = tensor.scales[0], int(tensor.zero_points[0])
    spec = TensorSpec(tensor.name, tuple(tensor.shape), tensor.dtype, scale, zero_point)
    return _written(spec, identifier)


def _written(spec: TensorSpec, identifier: str) -> PortTensor:
    return PortTensor(
        identifier=identifier,
        name_string=c_text.string(spec.name),
        comment=c_text.comment(spec.name),
        scale=c_text.float32(spec.scale),
        zero_point=spec.zero_point,
        shape=spec.shape,
        size=prod(spec.shape),
    )


def _refusal(message: str, tensor: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_BAD_TFLITE",
        message,
        where=f"tensor {tensor!r}" if tensor else None,
        hint="convert the student with format 'int8'",
    )


def read_labels(settings: FirmwareSettings, ports: Ports) -> tuple[Label, ...]:
    """The classes in the output's order; none for a model that answers parts of an example.

    Raises:
        KdEdgeError KD_LABELS: their number is not the output's last dimension.
    """
    n_outputs = ports.output.shape[-1]
    if ports.output.size != n_outputs and len(settings.labels) == n_outputs:
        return ()  # the largest of its outputs is no class
    if settings.labels and len(settings.labels) != n_outputs:
        raise KdEdgeError(
            "KD_LABELS",
            f"{len(settings.labels)} labels for a model with {n_outputs} outputs",
            where=f"model {settings.name!r}",
            hint="give the class names that the model was trained with, in their order",
        )
    names = c_text.identifiers(settings.labels)
    return tuple(
        Label(identifier=name, string=c_text.string(label))
        for name, label in zip(names, settings.labels, strict=True)
    )


def memory_values(
    settings: FirmwareSettings, measured_bytes: int | None = None
) -> dict[str, object]:
    """What the templates say of TFLite Micro's arena, or of that of one of several models."""
    measured = settings.arena_bytes if measured_bytes is None else measured_bytes
    if measured is None:
        return {}
    return {
        "arena_measured": measured,
        "arena_bytes": with_margin(measured),
        "arena_how": c_text.comment(settings.arena_how),
        "margin_words": MARGIN_WORDS,
    }


def settings_files(
    render: Renderer,
    settings: FirmwareSettings,
    ports: Ports,
    labels: tuple[Label, ...],
    *,
    models: tuple[str, ...] = (),
) -> Files:
    """kd_settings.h and .c, and the rounding rule in kd_quantize.h and .c.

    Args:
        models: C literals of the names of several models that answer as one.
    """
    shared = {"inputs": ports.inputs, "output": ports.output, "labels": labels, "models": models}
    return {
        "kd_settings.h": render(
            "kd_settings.h",
            **shared,
            **memory_values(settings),
            name_string=c_text.string(settings.name),
            max_rank=max(len(port.shape) for port in (*ports.inputs, ports.output)),
        ),
        "kd_settings.c": render("kd_settings.c", **shared),
        "kd_quantize.h": render("kd_quantize.h"),
        "kd_quantize.c": render("kd_quantize.c"),
    }
