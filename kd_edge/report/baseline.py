"""What changed between two reports, and what got worse."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kd_edge.base.errors import KdEdgeError
from kd_edge.report import choose, words
from kd_edge.report.tree import Report, Row
from kd_edge.runtimes.results import Parity, Side

if TYPE_CHECKING:
    from rich.console import Console

LATENCY_RATIO = 1.25
PARITY_DROP = 0.005


@dataclass(frozen=True)
class Change:
    """One figure of the old report and what the new one has in its place.

    Attributes:
        figure: 'file size', 'arena', 'latency', 'accuracy on PART', 'class agreement', 'flash'.
        model, format, runtime: of the row; '' where the figure has none.
        old, new: in `unit`; None where that report has no such figure.
        unit: 'B', 'µs' or '%'.
        worse: beyond the tolerance, in the bad direction.
        tolerance: what counts as worse, as words.
        not_compared: why the two figures say nothing about each other, else ''.
    """

    figure: str
    model: str
    format: str
    runtime: str
    old: float | None
    new: float | None
    unit: str
    worse: bool
    tolerance: str
    not_compared: str = ""


def compare(old: Report, new: Report) -> tuple[Change, ...]:
    """Every figure that either report has, the worse ones first.

    A figure of one report alone is not worse; it is listed as not compared.

    Raises:
        KdEdgeError KD_USAGE: the reports have no figure in common.
    """
    old_rows, new_rows = _by_key(old.rows), _by_key(new.rows)
    changes: list[Change] = []
    for key in dict.fromkeys((*old_rows, *new_rows)):
        changes += _row_changes(key, old_rows.get(key), new_rows.get(key), (old, new))
    changes += _parity_changes(old, new)
    changes += _flash_changes(old, new)
    if not any(change.old is not None and change.new is not None for change in changes):
        raise KdEdgeError(
            "KD_USAGE",
            "the two reports have no figure in common",
            where=f"'{old.title}' of {old.provenance.created}, '{new.title}'",
            hint="name a report.json of the same recipe with --baseline",
        )
    return tuple(sorted(changes, key=lambda change: (not change.worse, change.not_compared != "")))


def other_bundle(old: Report, new: Report) -> str:
    """A sentence where the old report is of another bundle, or of another recipe; else ''."""
    if old.title != new.title:
        return (
            f"the baseline is of another bundle, '{old.title}' of {old.provenance.created}; this "
            f"is '{new.title}'. What differs may be the recipes' doing."
        )
    if old.provenance.recipe_sha256 != new.provenance.recipe_sha256:
        return f"the recipe has changed since the baseline of {old.provenance.created}."
    return ""


def print_changes(changes: tuple[Change, ...], console: Console) -> None:
    """Print what got worse, what else changed, and what could not be compared."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False, show_edge=False
    )  # fmt: skip
    table.add_column("figure", overflow="fold")
    for heading in ("old", "new"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    shown = [change for change in changes if change.old != change.new or change.not_compared]
    for change in shown:
        table.add_row(
            Text(_name(change)), _value(change.old, change.unit), _value(change.new, change.unit),
            Text(_verdict(change), style="bold red" if change.worse else ""),
        )  # fmt: skip
    if shown:
        console.print(table)
    compared = [change for change in changes if not change.not_compared]
    worse = sum(change.worse for change in compared)
    console.print(
        f"{words.plural(len(compared), 'figure')} compared, {worse} worse, "
        f"{len(changes) - len(compared)} not compared."
    )


def _row_changes(
    key: tuple[str, str, str], old: Row | None, new: Row | None, reports: tuple[Report, Report]
) -> Iterable[Change]:
    def pair(
        figure: str, unit: str, get: Callable[[Row], float | None], **rest
    ) -> Iterable[Change]:
        before = get(old) if old else None
        after = get(new) if new else None
        yield from _change(figure, key, before, after, unit, **rest)

    yield from pair("file size", "B", lambda row: row.size and row.size.file_bytes, **_GROWTH)
    yield from pair(
        "arena", "B", lambda row: row.arena and row.arena.used_bytes, **_GROWTH,
        not_compared=_different_abi(old, new),
    )  # fmt: skip
    yield from pair(
        "latency", "µs", lambda row: row.latency and row.latency.median_us,
        is_worse=lambda before, after: after > LATENCY_RATIO * before,
        tolerance=f"median more than {LATENCY_RATIO:g} times the old one",
        not_compared=_different_host(old, new),
    )  # fmt: skip
    names = dict.fromkeys((*(old.accuracy if old else ()), *(new.accuracy if new else ())))
    for name in names:
        before = old.accuracy.get(name) if old else None
        low = before.interval.low if before else 0.0
        yield from pair(
            f"{choose.measure(reports[1]).called} on {name}", "%",
            lambda row, name=name: _in_percent(row.accuracy.get(name)),
            is_worse=lambda _, after, low=low: after < 100 * low,
            tolerance=f"below the old interval's low end, {words.percent(low)}",
            not_compared=_different_part(old, new, name, reports),
        )  # fmt: skip


_GROWTH = {"is_worse": lambda before, after: after > before, "tolerance": "any growth"}


def _change(
    figure: str,
    key: tuple[str, str, str],
    old: float | None,
    new: float | None,
    unit: str,
    *,
    is_worse: Callable[[float, float], bool],
    tolerance: str,
    not_compared: str = "",
) -> Iterable[Change]:
    if old is None and new is None:
        return
    if new is None:
        not_compared = "not measured now"
    elif old is None:
        not_compared = "not in the baseline"
    worse = not not_compared and is_worse(old, new)
    yield Change(figure, *key, old, new, unit, worse, tolerance, not_compared)


def _parity_changes(old: Report, new: Report) -> Iterable[Change]:
    before, after = _by_sides(old.parity), _by_sides(new.parity)
    for key in dict.fromkeys((*before, *after)):
        left, right = before.get(key), after.get(key)
        model, *sides = key
        yield from _change(
            "class agreement", (model, "", " / ".join(map(words.side, sides))),
            100 * left.class_agreement if left else None,
            100 * right.class_agreement if right else None,
            "%",
            is_worse=lambda was, now: now < was - 100 * PARITY_DROP,
            tolerance=f"more than {100 * PARITY_DROP:g} points lower",
        )  # fmt: skip


def _flash_changes(old: Report, new: Report) -> Iterable[Change]:
    # Sections may be named anew; what a board must hold is their sum, by the same compiler.
    before, after = _flash_totals(old), _flash_totals(new)
    for key in dict.fromkeys((*before, *after)):
        compiler, core = key
        yield from _change(
            f"flash ({compiler} for {core})", (new.product, "", ""),
            before.get(key), after.get(key), "B", **_GROWTH,
        )  # fmt: skip


def _flash_totals(report: Report) -> dict[tuple[str, str], int]:
    totals: dict[tuple[str, str], int] = {}
    for section in report.flash:
        key = (section.compiler, section.core)
        totals[key] = totals.get(key, 0) + section.bytes
    return totals


def _by_key(rows: Iterable[Row]) -> dict[tuple[str, str, str], Row]:
    return {(row.model, row.format, row.runtime): row for row in rows}


def _by_sides(parity: Iterable[Parity]) -> dict[tuple[str, Side, Side], Parity]:
    return {(p.model, p.left, p.right): p for p in parity}


def _in_percent(accuracy) -> float | None:
    return None if accuracy is None else 100 * accuracy.value


def _different_host(old: Row | None, new: Row | None) -> str:
    if not (old and new and old.latency and new.latency):
        return ""
    if old.latency.host != new.latency.host:
        return "another host: its times say nothing about this one's"
    if old.latency.threads != new.latency.threads:
        return "another number of threads"
    return ""


def _different_abi(old: Row | None, new: Row | None) -> str:
    both = old and new and old.arena and new.arena
    return "another ABI" if both and old.arena.abi != new.arena.abi else ""


def _different_part(
    old: Row | None, new: Row | None, name: str, reports: tuple[Report, Report]
) -> str:
    if not (old and new and name in old.accuracy and name in new.accuracy):
        return ""
    if reports[0].synthetic != reports[1].synthetic:
        return "synthetic data on one side only"
    before, after = old.accuracy[name], new.accuracy[name]
    if (before.n_windows, before.class_names) != (after.n_windows, after.class_names):
        return "other windows under the same name"
    return ""


def _name(change: Change) -> str:
    who = " ".join(part for part in (change.model, change.format, change.runtime) if part)
    return f"{who}: {change.figure}" if who else change.figure


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    if unit == "µs":
        return words.microseconds(value)
    return words.n_bytes(round(value)) if unit == "B" else f"{value:.1f} %"


def _verdict(change: Change) -> str:
    if change.not_compared:
        return f"not compared: {change.not_compared}"
    return f"worse ({change.tolerance})" if change.worse else "within tolerance"
