"""Ways to answer with several models, over seeds, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kd_edge.report import words
from kd_edge.report.results_table import NOT_MEASURED, line


def ways_table(together: Mapping[str, Any] | None) -> str:
    """Each way on the first test part, with what the product has more and what it costs.

    Args:
        together: as `seeds.json` holds it; None if it was not measured.
    """
    if together is None:
        return f"{NOT_MEASURED.capitalize()}."
    part = together["ways"][0]["part"]
    ways = [way for way in together["ways"] if way["part"] == part]
    cores = tuple(ways[0]["instructions"])
    heads = ("way to answer", f"{part}, %", f"{together['product']} has more, points")
    lines = [line([*heads, *(f"instructions an input, {core}" for core in cores)])]
    lines.append(line(["---"] * (len(heads) + len(cores))))
    for way in ways:
        product = way["kind"] == "product"
        costs = [_count(way["instructions"][core]) for core in cores]
        ahead = words.DASH if product else _spread(way["ahead"], sign="+")
        name = f"**{way['name']}**" if product else way["name"]
        lines.append(line([name, _spread(way["figure"]), ahead, *costs]))
    return "\n".join(lines)


def _spread(spread: Mapping[str, Any], *, sign: str = "") -> str:
    beside = "" if spread["deviation"] is None else f" ± {spread['deviation']:.1f}"
    return f"{spread['mean']:{sign}.1f}{beside}"


def _count(value: float | None) -> str:
    return words.DASH if value is None else words.count(round(value))
