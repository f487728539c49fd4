"""A schedule as C99 text: one model, its arena and the calls that compute it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

from firmware_export import c_text
from firmware_export.aot.constants import C_TYPES, Constants
from firmware_export.aot.cores import Core
from firmware_export.aot.graph import Graph
from firmware_export.aot.program import Call, Scratch, State, StepCalls
from firmware_export.aot.schedule import Place, Schedule, StatePlace, item_calls
from firmware_export.aot.settings import CompileSettings
from kd_edge.base.flatbuffer import Tensor
from kd_edge.base.templates import templates


@dataclass(frozen=True)
class Port:
    """A model input or output as the header describes it."""

    macro: str
    function: str
    c_type: str
    size: int
    shape: str
    comment: str
    scale: str | None
    zero_point: int
    pointer: str


@dataclass(frozen=True)
class Head:
    """The last layer, if it can be replaced: the name of its parameters, its arrays' names, shape.

    Attributes:
        scales: pairs of multiplier and shift: one, or one for each row.
    """

    params: str
    arrays: Mapping[str, str]
    rows: int
    columns: int
    scales: int


@dataclass(frozen=True)
class Emitted:
    """C text, and the bytes of its constants in flash: all, and those that each call brought."""

    header: str
    source: str
    constant_bytes: int
    call_bytes: tuple[int, ...]


def emit(
    graph: Graph, plan: Schedule, settings: CompileSettings, *, core: Core, sha256: str
) -> Emitted:
    """The header and source of a model.

    Args:
        core: named in the banner.
        sha256: of the model's file.
    """
    constants, prefix = Constants(), settings.prefix
    # Where the window arrives step by step, the one loop comes first and is unrolled over time.
    stepped = plan.items[0] if settings.stream else None
    step_calls = (
        [_call_text(c, plan, constants, indent=4) for c in stepped.calls] if stepped else []
    )
    calls = [
        _item_text(item, plan, constants, carry_state=settings.carry_state)
        for item in plan.items[1 if stepped else 0 :]
    ]
    inputs = tuple(_port(t, i, "input", plan, prefix) for i, t in enumerate(graph.inputs))
    outputs = tuple(_port(t, i, "output", plan, prefix) for i, t in enumerate(graph.outputs))
    outputs = tuple(
        _constant_port(port, tensor, constants)
        for port, tensor in zip(outputs, graph.outputs, strict=True)
    )
    kernels = sorted({call.kernel for call in item_calls(plan.items)})
    values = {
        "settings": settings,
        "core": core,
        "sha256": sha256,
        "prefix": prefix,
        "PREFIX": prefix.upper(),
        "inputs": inputs,
        "outputs": outputs,
        "kernels": kernels,
        "arena_bytes": max(plan.plan.arena_bytes, 1),
        "head": _head(plan, constants),
        "constants": constants.text(),
        "calls": calls,
        "step_calls": step_calls,
        "steps": stepped.steps if stepped else settings.hops,
        "layers": [
            c_text.string(settings.layer_name(call.place, call.kernel))
            for call in item_calls(plan.items)
        ],
        "states": [_state_text(s) for item in plan.items for s in plan.states(item)],
    }
    environment = templates("firmware_export", escape=False)
    return Emitted(
        header=environment.get_template("aot_model.h.j2").render(**values),
        source=environment.get_template("aot_model.c.j2").render(**values),
        constant_bytes=constants.n_bytes,
        call_bytes=tuple(constants.call_bytes),
    )


def _head(plan: Schedule, constants: Constants) -> Head | None:
    for call in item_calls(plan.items):
        if call.replaceable:
            arrays = {name: constants.array(call.params[name]) for name in call.replaceable}
            rows, columns = call.params["weights"].shape
            scales = rows if call.params["by_row"] else 1
            return Head(constants.params(call), arrays, rows, columns, scales)
    return None


def _item_text(
    item: Call | StepCalls, plan: Schedule, constants: Constants, *, carry_state: bool
) -> str:
    fresh = "" if carry_state else "".join(f"    {_state_text(s)}\n" for s in plan.states(item))
    if isinstance(item, Call):
        return fresh + _call_text(item, plan, constants, indent=4)
    body = "\n".join(_call_text(call, plan, constants, indent=8) for call in item.calls)
    return f"{fresh}    for (uint32_t step = 0; step < {item.steps}u; step++) {{\n{body}\n    }}"


def _call_text(call: Call, plan: Schedule, constants: Constants, *, indent: int) -> str:
    before = constants.n_bytes
    params = constants.params(call)
    pointers = [_pointer(call, i, plan, constants) for i in range(len(call.args))]
    constants.call_bytes.append(constants.n_bytes - before)
    arguments = [*([f"&{params}"] if params else []), *pointers]
    pad = " " * indent
    note = f"{pad}/* {c_text.comment(call.note)} */\n" if call.note else ""
    layer = len(constants.call_bytes) - 1
    return f"{note}{pad}{call.kernel}({', '.join(arguments)});\n{pad}KD_MARK({layer}u);"


def _pointer(call: Call, position: int, plan: Schedule, constants: Constants) -> str:
    arg = call.args[position]
    if isinstance(arg, Tensor) and arg.data is not None:
        return constants.array(arg.data)
    place = plan.place(call, position)
    if isinstance(arg, Scratch | State):
        return _address(place, None)
    return _address(place, arg.dtype)


def _address(place: Place, dtype: str | None) -> str:
    step = f" + step * {place.step_bytes}u" if place.step_bytes else ""
    address = f"kd_arena.bytes + {place.offset_bytes}{step}"
    if dtype == "int8":
        return address
    return f"(void *)({address})"


def _state_text(state: StatePlace) -> str:
    return f"memset(kd_arena.bytes + {state.offset_bytes}, {state.fill}, {state.n_bytes});"


def _port(tensor: Tensor, index: int, kind: str, plan: Schedule, prefix: str) -> Port:
    pointer = "" if tensor.data is not None else _address(plan.tensor_place(tensor), tensor.dtype)
    return Port(
        macro=f"{prefix.upper()}_{kind.upper()}_{index}",
        function=f"{prefix}_{kind}_{index}",
        c_type=C_TYPES[tensor.dtype],
        size=prod(tensor.shape),
        shape=" x ".join(str(s) for s in tensor.shape),
        comment=c_text.comment(tensor.name),
        scale=c_text.float32(tensor.scales[0]) if len(tensor.scales) == 1 else None,
        zero_point=tensor.zero_points[0] if len(tensor.zero_points) == 1 else 0,
        pointer=pointer,
    )


def _constant_port(port: Port, tensor: Tensor, constants: Constants) -> Port:
    return port if tensor.data is None else replace(port, pointer=constants.array(tensor.data))
