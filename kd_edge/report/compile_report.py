"""What `kd-edge compile` found, once, as frozen dataclasses: terminal, page and JSON show it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from firmware_export.aot.bounds import LayerCost, layer_costs
from firmware_export.aot.compiler import Compiled, compile_model
from firmware_export.aot.cycles import CycleEstimate, estimate_cycles
from firmware_export.aot.effects import PassEffect
from firmware_export.aot.figures import LayerFigure
from firmware_export.aot.memory_map import MapEntry, memory_map
from firmware_export.boards import BOARDS
from firmware_export.boards.board import Board, fits
from firmware_export.boards.compiling import Measured, measure_code

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Model:
    """The file that was compiled."""

    name: str
    sha256: str
    file_bytes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Memory:
    """The arena.

    Attributes:
        arena_bytes: what is reserved. bound_bytes: most that is in use at one moment: no plan
            can need less.
        moments: of the map: before, each call, after.
    """

    arena_bytes: int
    bound_bytes: int
    moments: tuple[str, ...]
    map: tuple[MapEntry, ...]


@dataclass(frozen=True)
class BoardFit:
    """The model, compiled for a board's core, beside the board's memories.

    Attributes:
        flash_bytes: model and kernels; None where no compiler for the core is installed.
        ram_bytes: arena and variables, without stack.
        fits: None where the flash is unknown.
        how: the flash was measured.
    """

    board: str
    title: str
    core: str
    flash_bytes: int | None
    flash_limit: int
    ram_bytes: int
    ram_limit: int
    fits: bool | None
    how: str


@dataclass(frozen=True)
class CompileReport:
    """Everything that one compilation found.

    Attributes:
        flash_bytes: code and constants for the core that was asked for; None where its compiler
            is not installed, or the report was not asked for.
        constant_bytes: weights, tables and factors alone.
        hop: share of the window that is new at each step, such as 6/25; None for whole windows.
        costs: instructions of each layer beside their bound, for the core that was asked for.
        bands: as in `CompileSettings`.
        cycles, boards: empty where the report was not asked for.
    """

    schema_version: int
    generator: str
    model: Model
    core: str
    core_title: str
    optimize: str
    carry_state: bool
    keep_inputs: bool
    bands: bool | None
    stream: bool
    hop: str | None
    memory: Memory
    constant_bytes: int
    flash_bytes: int | None
    flash_how: str | None
    layers: tuple[LayerFigure, ...]
    costs: tuple[LayerCost, ...]
    passes: tuple[PassEffect, ...]
    cycles: tuple[CycleEstimate, ...]
    boards: tuple[BoardFit, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates a window, or a hop."""
        return sum(layer.macs for layer in self.layers)

    @property
    def unit(self) -> str:
        """What the layers' figures are of: 'window' or 'hop'."""
        return "window" if self.hop is None else "hop"


def compile_report(
    name: str, compiled: Compiled, content: bytes, *, optimize: str, with_boards: bool
) -> CompileReport:
    """The figures of a compilation.

    Args:
        name: of the model's file.
        content: the model's file, compiled again for every core that a board has.
        optimize: 'size' or 'speed': the options that code is measured with.
        with_boards: estimate cycles and measure code for every known board; takes seconds.
    """
    settings, plan = compiled.settings, compiled.schedule.plan
    cores = _for_each_core(compiled, content, optimize) if with_boards else {}
    _, code = cores.get(compiled.core.name, (None, None))
    return CompileReport(
        schema_version=SCHEMA_VERSION,
        generator=settings.generator,
        model=Model(
            name=name,
            sha256=compiled.model.sha256,
            file_bytes=compiled.model.n_bytes,
            inputs=tuple(_port(tensor) for tensor in compiled.graph.inputs),
            outputs=tuple(_port(tensor) for tensor in compiled.graph.outputs),
        ),
        core=compiled.core.name,
        core_title=compiled.core.title,
        optimize=optimize,
        carry_state=settings.carry_state,
        keep_inputs=settings.keep_inputs,
        bands=settings.bands,
        stream=settings.stream,
        hop=None if settings.hop is None else str(settings.hop),
        memory=Memory(
            arena_bytes=plan.arena_bytes,
            bound_bytes=plan.bound_bytes,
            moments=("before", *(layer.place for layer in compiled.layers), "after"),
            map=memory_map(compiled),
        ),
        constant_bytes=compiled.constant_bytes,
        flash_bytes=code.flash_bytes if code else None,
        flash_how=code.how if code else None,
        layers=compiled.layers,
        costs=layer_costs(compiled.layers, compiled.core),
        passes=compiled.effects,
        cycles=tuple(
            estimate
            for one, _ in cores.values()
            if (estimate := estimate_cycles(one.layers, one.core)) is not None
        ),
        boards=tuple(
            _board_fit(board, *cores[board.core])
            for board in BOARDS.values()
            if board.core in cores and board.kind.has_limits
        ),
    )


def to_json(report: CompileReport) -> str:
    """The report as JSON text, keys in the tree's order."""
    return json.dumps(asdict(report), indent=1, ensure_ascii=False, allow_nan=False)


def _port(tensor) -> str:
    shape = " × ".join(str(size) for size in tensor.shape)
    return f"{tensor.name}: {tensor.dtype} {shape}"


def _for_each_core(
    compiled: Compiled, content: bytes, optimize: str
) -> dict[str, tuple[Compiled, Measured | None]]:
    """The model for the core asked for, and for each core that a known board has."""
    limited = (board.core for board in BOARDS.values() if board.kind.has_limits)
    names = dict.fromkeys((compiled.core.name, *limited))
    found = {}
    for name in names:
        one = compiled
        if name != compiled.core.name:
            one = compile_model(content, replace(compiled.settings, core=name))
        found[name] = one, measure_code(one.files, one.core, one.core.options[optimize])
    return found


def _board_fit(board: Board, compiled: Compiled, code: Measured | None) -> BoardFit:
    flash = code.flash_bytes if code else None
    ram = code.ram_bytes if code else compiled.schedule.plan.arena_bytes
    # What is certain without a compiler: constants are the least that flash must hold.
    fit = fits(board, flash if code else compiled.constant_bytes, ram)
    return BoardFit(
        board=board.name,
        title=board.title,
        core=board.core,
        flash_bytes=flash,
        flash_limit=board.image_bytes,
        ram_bytes=ram,
        ram_limit=board.ram.bytes,
        fits=fit.fits if code or not fit.fits else None,
        how=code.how if code else f"no compiler for {compiled.core.title} is installed",
    )
