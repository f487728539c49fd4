"""Rows of results as a Markdown table: what was not measured says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kd_edge.report import results_tree as tree

NOT_MEASURED = "not measured"
_HEADS = (
    "set and split",
    "goal",
    "student int8 [95 % interval]",
    "float",
    "on labels alone: points more with a teacher [95 % interval]",
    "teacher",
    "LDA",
    "random forest",
    "seed's architecture",
    "published",
    "int8 bytes",
)
# A baseline's name, and what the table calls it.
_BASELINES = {"lda": "LDA", "random-forest": "the random forest"}


@dataclass(frozen=True)
class TableRow:
    """One row of the table.

    Attributes:
        goal: in words, '' for none. published: percent, None if nobody has the same data and split.
        note: on what is published. result: None if it was not measured.
        recipe_sha256: of the recipe as it is now.
        aside: it is about gestures that no model learned, and so stands in a table of its own.
    """

    title: str
    goal: str
    published: float | None
    note: str
    result: tree.Result | None
    recipe_sha256: str
    aside: bool = False

    @classmethod
    def of(cls, settings: Any, result: tree.Result | None, recipe_sha256: str) -> TableRow:
        """Of a row's settings, which have these names, and its result."""
        published = settings.published
        return cls(
            settings.title,
            settings.goal,
            published.percent,
            published.note,
            result,
            recipe_sha256,
            settings.unknown is not None,
        )

    @property
    def label(self) -> str:
        """The title, and why its figures do not count, if they do not."""
        if self.result is None:
            return self.title
        if self.result.form != "whole":
            return f"{self.title} (quick form: its figures mean nothing)"
        if self.result.recipe_sha256 != self.recipe_sha256:
            return f"{self.title} (measured before its recipe changed)"
        return self.title


def results_table(rows: Sequence[TableRow]) -> str:
    """The rows as Markdown, figures in percent: mean over seeds of the mean over people."""
    lines = [line(_HEADS), line(["---"] * len(_HEADS))]
    return "\n".join([*lines, *(line(_cells(row)) for row in rows if not row.aside)])


def _cells(row: TableRow) -> list[str]:
    published = "-" if row.published is None else f"{row.published:.1f}"
    if row.result is None:
        return [row.title, row.goal, *[NOT_MEASURED] * 7, published, NOT_MEASURED]
    result = row.result
    (student,) = result.models_of(tree.STUDENT)
    peers = {"its teacher": result.models_of(tree.TEACHER)} | {
        said: [model for model in result.models_of(tree.BASELINE) if model.name == name]
        for name, said in _BASELINES.items()
    }
    return [
        row.label,
        row.goal,
        _with_interval(student) + _below(student, peers),
        _best(result.models_of(tree.FLOAT)),
        _gain(result),
        *map(_best, peers.values()),
        _best(result.models_of(tree.SEED)),
        published,
        NOT_MEASURED if student.bytes is None else f"{student.bytes:,}",
    ]


def orders_table(rows: Sequence[TableRow]) -> str:
    """The student in int8, a wearer's recordings in other orders, as Markdown; in percent."""
    measured = [row for row in rows if row.result is not None]
    found = {row.label: row.result.models_of(tree.STUDENT)[0].figures for row in measured}
    orders = list(dict.fromkeys(order for figures in found.values() for order in figures))
    lines = [line(["set and split", *orders]), line(["---"] * (1 + len(orders)))]
    for label, figures in found.items():
        if len(figures) > 1:
            shown = (f"{figures[o].percent:.1f}" if o in figures else "-" for o in orders)
            lines.append(line([label, *shown]))
    return "\n".join(lines) if len(lines) > 2 else f"No row is measured yet: {NOT_MEASURED}."


def notes_table(rows: Sequence[TableRow]) -> str:
    """What is published of each set and split, as Markdown."""
    lines = [line(["set and split", "published"]), line(["---"] * 2)]
    return "\n".join([*lines, *(line([row.title, row.note]) for row in rows if not row.aside)])


def _with_interval(model: tree.ModelResult) -> str:
    mean = model.figures[tree.AS_WORN]
    spread = "" if mean.deviation is None else f" ± {mean.deviation:.1f}"
    low, high = mean.interval.low, mean.interval.high
    text = f"**{mean.percent:.1f}**{spread} [{low:.0f} to {high:.0f}]"
    if mean.sessions and len(mean.people) == 1:
        text += f"; {_of_sessions(mean)}"
    return text


def _below(student: tree.ModelResult, peers: Mapping[str, Sequence[tree.ModelResult]]) -> str:
    """Whom the student is below, by the tenths of a point that the table shows."""
    own = round(student.figures[tree.AS_WORN].percent, 1)
    behind = {
        name: round(round(_highest(models), 1) - own, 1) for name, models in peers.items() if models
    }
    said = [f"{points:.1f} below {name}" for name, points in behind.items() if points > 0]
    return f"; {', '.join(said)}" if said else ""


def _of_sessions(mean: tree.Mean) -> str:
    """One person's days in their order; of images, which name nobody, the folders."""
    if "" in mean.people:
        return ", ".join(f"{name} {percent:.0f}" for name, percent in mean.sessions.items())
    return "days " + " ".join(f"{percent:.0f}" for percent in mean.sessions.values())


def _gain(result: tree.Result) -> str:
    """What the teacher gave."""
    gain = result.distillation
    if gain is None:
        return "no teacher"
    low, high = gain.interval.low, gain.interval.high
    on_labels = _best(result.models_of(tree.LABELS))
    return f"{on_labels}: {gain.points:+.1f} [{low:+.1f} to {high:+.1f}]"


def _best(models: Sequence[tree.ModelResult]) -> str:
    """The mean of a column; of several models the best, which is the hardest to beat."""
    return f"{_highest(models):.1f}" if models else NOT_MEASURED


def _highest(models: Sequence[tree.ModelResult]) -> float:
    """The largest mean as worn, in percent. Args: models: one at least."""
    return max(model.figures[tree.AS_WORN].percent for model in models)


def line(cells: Sequence[str]) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
