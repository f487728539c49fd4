"""Layers by what they cost, the slowest first, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from firmware_export.aot.bounds import LayerCost, slowest_first
from kd_edge.report import words
from kd_edge.report.compile_words import short_place
from kd_edge.report.table import plain_table, plain_text

if TYPE_CHECKING:
    from rich.table import Table


def cost_table(costs: Sequence[LayerCost], title: str, *, unit: str = "instructions") -> Table:
    """Each layer with its bound and what would help.

    Args:
        unit: of the counts.
    """
    table = plain_table(title)
    table.add_column("layer", overflow="fold")
    for heading in (unit, "a MAC", "bound", "times"):
        table.add_column(heading, justify="right")
    table.add_column("would help", overflow="fold")
    for cost in slowest_first(costs):
        table.add_row(*map(plain_text, (short_place(cost.place), *cost_cells(cost), cost.helps)))
    return table


def cost_cells(cost: LayerCost) -> tuple[str, str, str, str]:
    """Instructions, instructions a multiply-accumulate, bound, and how many bounds they are."""
    return (
        words.NOT_MEASURED if cost.instructions is None else words.count(cost.instructions),
        words.DASH if cost.per_mac is None else f"{cost.per_mac:.2f}",
        words.DASH if cost.bound is None else words.count(cost.bound.total),
        words.DASH if cost.times_bound is None else f"{cost.times_bound:.1f}",
    )
