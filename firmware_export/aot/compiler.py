"""From an int8 or int16x8 `.tflite` to C99 that holds exactly this model, in five steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

from firmware_export.aot.channels.drop_channels import drop_channels
from firmware_export.aot.channels.verify_channels import verify_channels
from firmware_export.aot.cores import Core, find_core
from firmware_export.aot.effects import PassEffect, effect
from firmware_export.aot.emit import emit
from firmware_export.aot.figures import LayerFigure, layer_figures
from firmware_export.aot.graph import Graph, Loop, Node
from firmware_export.aot.hops.keep_columns import keep_columns
from firmware_export.aot.hops.shifts import shifts
from firmware_export.aot.hops.verify_parts import verify_parts
from firmware_export.aot.kernels import kernel_files
from firmware_export.aot.lower import LOWERINGS
from firmware_export.aot.lower.dense import lower_dense
from firmware_export.aot.passes.drop_shapes import drop_shapes
from firmware_export.aot.passes.fold_padding import fold_padding
from firmware_export.aot.passes.fold_tables import fold_tables
from firmware_export.aot.passes.join_in_place import join_in_place
from firmware_export.aot.passes.run_in_bands import (
    ASKED,
    LARGE_ARENA_BYTES,
    UNASKED,
    BandRule,
    banded_effect,
    run_in_bands,
)
from firmware_export.aot.passes.step_loops import step_loops
from firmware_export.aot.passes.stream_steps import stream_steps
from firmware_export.aot.program import Call, StepCalls
from firmware_export.aot.reading import place_of, read_graph
from firmware_export.aot.room import takes_room, with_room
from firmware_export.aot.schedule import Items, Schedule, item_calls, schedule
from firmware_export.aot.settings import CompileSettings, check_mode, check_prefix
from firmware_export.aot.verify import READING, verify, verify_pass
from firmware_export.aot.verify_arena import verify_arena
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import TfliteModel, read_tflite

Pass = Callable[[Graph], Graph]

_DROPPING = "drop constant channels"
# In this order: each leaves what the next one relies on.
PASSES: dict[str, Pass] = {
    _DROPPING: drop_channels,
    "fold padding": fold_padding,
    "run step by step": step_loops,
    "fold element-wise operators into tables": fold_tables,
    "drop operators that only reshape": drop_shapes,
    "join in place": join_in_place,
}
_KEEPING = "keep columns from hop to hop"
_BANDS = "run in bands of rows"


def _verify_whole(before: Graph, after: Graph, name: str) -> None:
    """An operator stands for each band: there is nothing to compare it with."""
    verify(after, name)


# What holds a pass that changes shapes and constants; `verify_pass` holds the others.
CHECKS = {_DROPPING: verify_channels, _KEEPING: verify_parts, _BANDS: _verify_whole}


@dataclass(frozen=True, eq=False)
class Compiled:
    """A model as C, with what a report needs to know of it.

    Attributes:
        files: name -> text: the model, and each kernel that it calls.
        constant_bytes: weights, tables and parameters' arrays in flash.
        layers: every call in order, with what it costs.
    """

    model: TfliteModel
    settings: CompileSettings
    core: Core
    graph: Graph
    schedule: Schedule
    effects: tuple[PassEffect, ...]
    files: dict[str, str]
    constant_bytes: int
    layers: tuple[LayerFigure, ...]


def compile_model(source: Path | bytes, settings: CompileSettings) -> Compiled:
    """Read, simplify, lower, place and write out.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_TFLITE: no model there, or a broken one.
        KdEdgeError KD_UNSUPPORTED_OP: an operator, or a form of one, that the engine does not
            compute exactly; the error names it and its place.
        KdEdgeError KD_UNKNOWN_NAME: no such core. KD_USAGE: the prefix is none.
    """
    core = find_core(settings.core)
    check_prefix(settings.prefix)
    check_mode(settings)
    model = read_tflite(source)
    _check_operators(model)
    graph = read_graph(model)
    verify(graph, READING)
    graph, effects = simplify(graph, settings.hop)
    if settings.stream:
        graph = _applied("stream steps", stream_steps, graph)
    items, plan = _placed(graph, core, settings)
    rule = _band_rule(settings, plan)
    if rule is not None:
        other = _applied(_BANDS, partial(run_in_bands, most_again=rule.most_again), graph)
        placed = _placed(other, core, settings) if other is not graph else (items, plan)
        if placed[1].plan.arena_bytes < rule.most_arena * plan.plan.arena_bytes:
            effects = (*effects, banded_effect(_BANDS, graph, other))
            graph, (items, plan) = other, placed
    verify_arena(graph, plan, settings)
    emitted = emit(graph, plan, settings, core=core, sha256=model.sha256)
    banner = f"/* {settings.generator}, for the model with SHA-256 {model.sha256}. */\n"
    kernels = kernel_files({call.kernel for call in item_calls(items)}, core)
    files = {
        f"{settings.prefix}.h": emitted.header,
        f"{settings.prefix}.c": emitted.source,
        **{name: banner + text for name, text in kernels.items()},
    }
    layers = layer_figures(items, emitted.call_bytes, core)
    return Compiled(
        model, settings, core, graph, plan, effects, files, emitted.constant_bytes, layers
    )


def _band_rule(settings: CompileSettings, plan: Schedule) -> BandRule | None:
    """How bands of rows are tried; None where they are not."""
    if settings.bands is not None:
        return ASKED if settings.bands else None
    unasked = not settings.by_steps and plan.plan.arena_bytes >= LARGE_ARENA_BYTES
    return UNASKED if unasked else None


def _placed(graph: Graph, core: Core, settings: CompileSettings) -> tuple[Items, Schedule]:
    """The calls, and where their values lie; no layer takes room that makes the arena grow."""
    roomy = _scheduled(with_room(graph), core, settings)
    if not takes_room(roomy[0]):
        return roomy
    plain = _scheduled(graph, core, settings)
    return min(roomy, plain, key=lambda placed: placed[1].plan.arena_bytes)


def _scheduled(graph: Graph, core: Core, settings: CompileSettings) -> tuple[Items, Schedule]:
    items = lower(graph, core, head=head_of(graph) if settings.head else None)
    keep_state = settings.carry_state or settings.stream
    plan = schedule(graph, items, keep_state=keep_state, keep_inputs=settings.keep_inputs)
    return items, plan


def simplify(graph: Graph, hop: Fraction | None) -> tuple[Graph, tuple[PassEffect, ...]]:
    """The graph after every pass, and what each did.

    Args:
        hop: as in `CompileSettings`.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: see `compile_model`.
        KdEdgeError KD_INTERNAL: a pass has broken the graph; see `verify_pass`.
    """
    effects = []
    for name, apply in PASSES.items():
        if hop is not None and apply is join_in_place:
            # Before parts of tensors lie in other tensors: from here on some are kept.
            before, graph = graph, _applied(_KEEPING, partial(keep_columns, hop=hop), graph)
            effects.append(effect(_KEEPING, before, graph))
        before, graph = graph, _applied(name, apply, graph)
        effects.append(effect(name, before, graph))
    return graph, tuple(effects)


def _applied(name: str, apply: Pass, graph: Graph) -> Graph:
    """What a pass leaves, verified."""
    after = apply(graph)
    CHECKS.get(name, verify_pass)(graph, after, name)
    return after


def head_of(graph: Graph) -> Node:
    """The dense layer that gives a model's only output.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: the output is another operator's.
    """
    results = {tensor.index for tensor in graph.outputs}
    makers = [node for node in graph.nodes() if results & {t.index for t in node.outputs}]
    if len(graph.outputs) == 1 and [node.op for node in makers] == ["FULLY_CONNECTED"]:
        return makers[0]
    names = ", ".join(node.op for node in makers) or "no operator of its own"
    raise KdEdgeError(
        "KD_UNSUPPORTED_OP",
        f"the model has no last dense layer that could be replaced: its {len(graph.outputs)} "
        f"outputs come from {names}",
        hint="models of kd-edge that give one class a window end in one: tcn, ds-cnn",
    )


def lower(graph: Graph, core: Core, *, head: Node | None = None) -> tuple[Call | StepCalls, ...]:
    """Calls for every node, in order.

    Args:
        head: of the graph's nodes the dense layer that can be replaced at run time.

    Raises:
        KdEdgeError KD_UNSUPPORTED_OP: see `compile_model`.
    """

    def lowered_of(node: Node) -> tuple[Call, ...]:
        if node is head:
            lowered = lower_dense(node, core, replaceable=True)
        else:
            lowered = LOWERINGS[node.op](node, core)
        return tuple(replace(call, place=node.place) for call in lowered)

    calls = tuple(
        StepCalls(item.steps, tuple(call for node in item.nodes for call in lowered_of(node)))
        if isinstance(item, Loop)
        else call
        for item in graph.items
        for call in (lowered_of(item) if isinstance(item, Node) else (item,))
    )
    return (*shifts(graph, entering=False), *calls, *shifts(graph, entering=True))


def _check_operators(model: TfliteModel) -> None:
    """Before anything else: of an operator that it lacks, the engine knows no rules at all."""
    for operator in model.operators:
        if operator.name not in LOWERINGS:
            raise KdEdgeError(
                "KD_UNSUPPORTED_OP",
                f"{operator.name}: the plain-C engine has no such operator",
                where=place_of(operator),
                hint="build with the TFLite Micro engine, or choose layers from docs/plain-c.md",
            )
