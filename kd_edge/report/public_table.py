"""Figures that public projects state, beside ours, as Markdown: what was not measured says so."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kd_edge.report import results_tree as tree
from kd_edge.report.results_table import NOT_MEASURED, TableRow, line

_HEADS = ("model", "what they state of it", "their figure", "ours", "seeds, test examples")
# Seed by seed, in percent, on the honest test part: model -> figures.
Ways = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class PublicFigure:
    """One model of a public project, or one of ours that stands beside it.

    Attributes:
        model: in words.
        stated: of its size. theirs: its figure, with unit. Both '' if nothing is stated.
        row, column, of: where ours stands: a row of results, a column of it, the model's name.
        way: name of a model among those that were taught by another's loss, in place of a row.
    """

    model: str
    stated: str = ""
    theirs: str = ""
    row: str = ""
    column: str = ""
    of: str = ""
    way: str = ""


def public_table(
    figures: Sequence[PublicFigure], rows: Sequence[TableRow], ways: Ways | None
) -> str:
    """The table of one project.

    Args:
        ways: None if no model was taught by another's loss.
    """
    of_row = {row.result.row: row for row in rows if row.result is not None}
    lines = [line(_HEADS), line(["---"] * len(_HEADS))]
    for figure in figures:
        if figure.way:
            ours = _of_way((ways or {}).get(figure.way))
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
