"""What a compilation found, in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kd_edge.report import words
from kd_edge.report.compile_report import BoardFit, CompileReport
from kd_edge.report.compile_words import (
    COSTS_ARE_ESTIMATES,
    CYCLES_ARE_ESTIMATES,
    board_verdict,
    cycle_range,
    pass_did,
    short_place,
    summary,
)
from kd_edge.report.cost_table import cost_table
from kd_edge.report.table import plain_table, plain_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_compile(report: CompileReport, console: Console) -> None:
    """A sentence; below it, where the report was asked for, layers, arena, passes and boards."""
    console.print(plain_text(summary(report)))
    if not report.boards:
        return
    shown = (_layers(report), cost_table(report.costs, COSTS_ARE_ESTIMATES), _arena(report))
    for table in (*shown, _passes(report), _boards(report.boards)):
        console.print()
        console.print(table)
    if report.cycles:
        console.print()
        console.print(_cycles(report))
        console.print(plain_text(CYCLES_ARE_ESTIMATES))


def _layers(report: CompileReport) -> Table:
    table = plain_table(f"Layers, a {report.unit}")
    table.add_column("layer", overflow="fold")
    table.add_column("kernel", overflow="fold")
    for heading in ("runs", "MACs", "values", "constants, B", "output, B"):
        table.add_column(heading, justify="right")
    for layer in report.layers:
        figures = (layer.times, layer.macs, layer.elements, layer.constant_bytes)
        cells = [words.count(n) for n in (*figures, layer.output_bytes)]
        names = (short_place(layer.place), f"{layer.kernel}{layer.variant}")
        table.add_row(*map(plain_text, (*names, *cells)))
    return table


def _arena(report: CompileReport) -> Table:
    table = plain_table(f"Arena: {words.n_bytes(report.memory.arena_bytes)}")
    table.add_column("holds", overflow="fold")
    for heading in ("kind", "from, B", "bytes", "in use"):
        table.add_column(heading, justify="left" if heading == "kind" else "right")
    for entry in report.memory.map:
        cells = (words.count(entry.offset_bytes), words.count(entry.n_bytes))
        moments = f"{entry.first}–{entry.last}"
        table.add_row(plain_text(words.shorten(entry.name, 60)), entry.kind, *cells, moments)
    return table


def _passes(report: CompileReport) -> Table:
    table = plain_table("Passes")
    table.add_column("pass", overflow="fold")
    table.add_column("operators before", justify="right")
    table.add_column("after", justify="right")
    table.add_column("did", overflow="fold")
    for effect in report.passes:
        counts = str(effect.operators_before), str(effect.operators_after)
        table.add_row(effect.name, *counts, pass_did(effect))
    return table


def _boards(boards: tuple[BoardFit, ...]) -> Table:
    table = plain_table("Boards: this model alone, without a program around it")
    table.add_column("board", overflow="fold")
    table.add_column("core")
    for heading in ("flash, B", "of", "RAM, B", "of"):
        table.add_column(heading, justify="right")
    table.add_column("fits")
    for fit in boards:
        flash = "unknown" if fit.flash_bytes is None else words.count(fit.flash_bytes)
        sizes = (flash, words.count(fit.flash_limit))
        sizes += (words.count(fit.ram_bytes), words.count(fit.ram_limit))
        table.add_row(fit.board, fit.core, *sizes, board_verdict(fit))
    return table


def _cycles(report: CompileReport) -> Table:
    table = plain_table("Estimate a window")
    table.add_column("core")
    table.add_column("instructions", justify="right")
    table.add_column("cycles", justify="right")
    for estimate in report.cycles:
        count = words.count(estimate.instructions)
        table.add_row(estimate.core, count, cycle_range(estimate))
    return table
