"""What an ablation found: how far each part of a recipe earns its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kd_edge.report.results_table import line
from kd_edge.tasks.figures import Interval

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Difference:
    """A variant beside the recipe itself on one part, paired example by example.

    Attributes:
        part: name. leaky: the part flatters models.
        means: right answers of the variant with each seed, 0 to 1, in the order of the seeds.
        mean: over the seeds.
        deviation: sample standard deviation over the seeds.
        difference: mean of the variant less that of the recipe, -1 to 1; 0 of the recipe itself.
        deviation_of_difference: of the paired differences, over the seeds.
        interval: of the difference, over people or recordings; None of the recipe itself.
        over: what the interval is over: 'people' or 'recordings'. n: how many they are.
    """

    part: str
    leaky: bool
    means: tuple[float, ...]
    mean: float
    deviation: float
    difference: float
    deviation_of_difference: float
    interval: Interval | None
    over: str
    n: int


@dataclass(frozen=True)
class AblationRow:
    """One variant of the recipe.

    Attributes:
        what: what is different, in a sentence.
        parts: the most honest one first.
    """

    name: str
    what: str
    parts: tuple[Difference, ...]


@dataclass(frozen=True)
class Ablation:
    """A recipe and its variants, trained with the same seeds in the same folds.

    Attributes:
        student: the model that is compared, in floating point.
        folds: names; their test parts are counted together.
        rows: the recipe itself first.
    """

    student: str
    seeds: tuple[int, ...]
    folds: tuple[str, ...]
    rows: tuple[AblationRow, ...]


def verdict(difference: Difference) -> str:
    """What a difference says: 'worse', 'better' or 'no telling'; '' of the recipe itself."""
    bounds = difference.interval
    if bounds is None:
        return ""
    if bounds.high < 0:
        return "worse"
    return "better" if bounds.low > 0 else "no telling"


def points(difference: Difference) -> str:
    """'-3.2 [-5.0 to -1.4]', in percentage points; '' of the recipe itself."""
    bounds = difference.interval
    if bounds is None:
        return ""
    low, high = 100 * bounds.low, 100 * bounds.high
    return f"{100 * difference.difference:+.1f} [{low:+.1f} to {high:+.1f}]"


def mean_and_spread(difference: Difference) -> str:
    """'74.1 ± 1.3', in percent."""
    return f"{100 * difference.mean:.1f} ± {100 * difference.deviation:.1f}"


def caption(ablation: Ablation) -> str:
    """What the table's figures are."""
    over = sorted({f"{d.n} {d.over}" for row in ablation.rows for d in row.parts})
    return (
        f"{ablation.student}, float, {len(ablation.seeds)} seeds, {len(ablation.folds)} "
        f"fold{'s' if len(ablation.folds) > 1 else ''}. Differences are paired: the same seeds and "
        f"examples. Their 95 % intervals are over {' or '.join(over)}; ± is over the seeds."
    )


def ablation_page(found: Mapping[str, Ablation]) -> str:
    """Ablations of several recipes as one Markdown table, the most honest part alone.

    Args:
        found: title of a recipe -> its ablation.
    """
    heads = ("recipe", "part", "variant", "right answers, %", "difference [95 % interval]", "")
    lines = [line(heads), line(["---"] * len(heads))]
    for title, ablation in found.items():
        for row in ablation.rows:
            part = row.parts[0]
            said = f"{part.part} (leaky)" if part.leaky else part.part
            figures = (mean_and_spread(part), points(part) or "-", verdict(part))
            lines.append(line((title, said, row.name, *figures)))
    return "\n".join(lines)


def ablation_table(ablation: Ablation) -> Table:
    """A line for each variant and part, for the terminal."""
    from kd_edge.report.table import plain_table, plain_text

    table = plain_table("Ablation: right answers, %, and what each change makes of them, points")
    for heading in ("variant", "part"):
        table.add_column(heading, overflow="fold")
    for heading in ("mean ± deviation", "difference [95 % interval]"):
        table.add_column(heading, justify="right")
    table.add_column("", overflow="fold")
    for row in ablation.rows:
        for at, found in enumerate(row.parts):
            part = f"{found.part} (leaky)" if found.leaky else found.part
            cells = ("" if at else row.name, part, mean_and_spread(found), points(found))
            table.add_row(*map(plain_text, (*cells, verdict(found))))
    table.caption = plain_text(caption(ablation))
    table.caption_justify = "left"
    return table
