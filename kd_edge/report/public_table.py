"""Figures that public projects state, beside ours, as Markdown: what was not measured says so."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kd_edge.report import results_tree as tree
from kd_edge.report.results_table import NOT_MEASURED, TableRow, line

_HEADS = ("model", "what they state of it", "their figure", "ours", "seeds, test examples")
# A file of results/others, without its ending -> model -> its figures on the first test part, in
# percent, one a seed.
Others = Mapping[str, Mapping[str, Sequence[float]]]


@dataclass(frozen=True)
class PublicFigure:
    """One model of a public project, or one of ours that stands beside it.

    Attributes:
        model: in words.
        stated: of its size. theirs: its figure, with unit. Both '' if nothing is stated.
        row, column, of: where ours stands: a row of results, a column of it, the model's name.
        file, way: in place of a row, a file of `Others` and a model of it.
    """

    model: str
    stated: str = ""
    theirs: str = ""
    row: str = ""
    column: str = ""
    of: str = ""
    file: str = ""
    way: str = ""


def public_table(figures: Sequence[PublicFigure], rows: Sequence[TableRow], others: Others) -> str:
    """The table of one project."""
    of_row = {row.result.row: row for row in rows if row.result is not None}
    lines = [line(_HEADS), line(["---"] * len(_HEADS))]
    for figure in figures:
        if figure.file:
            ours = _of_way(others.get(figure.file, {}).get(figure.way))
        else:
            ours = _of_row(of_row.get(figure.row), figure)
        stated = (figure.stated or "-", figure.theirs or "-")
        lines.append(line([figure.model, *stated, *ours]))
    return "\n".join(lines)


def _of_row(row: TableRow | None, figure: PublicFigure) -> tuple[str, str]:
    if row is None:
        return NOT_MEASURED, "-"
    found = [model for model in row.result.models_of(figure.column) if model.name == figure.of]
    if not found:
        return NOT_MEASURED, "-"
    mean = found[0].figures[tree.AS_WORN]
    spread = "" if mean.deviation is None else f" ± {mean.deviation:.1f}"
    interval = f"[{mean.interval.low:.1f} to {mean.interval.high:.1f}]"
    aside = row.label.removeprefix(row.title)
    text = f"{mean.percent:.1f} %{spread} {interval}{aside}"
    return text, f"{len(mean.seeds)}, {mean.decisions}"


def _of_way(seeds: Sequence[float] | None) -> tuple[str, str]:
    if not seeds:
        return NOT_MEASURED, "-"
    spread = f" ± {statistics.stdev(seeds):.1f}" if len(seeds) > 1 else ""
    return f"{statistics.fmean(seeds):.1f} %{spread}", str(len(seeds))
