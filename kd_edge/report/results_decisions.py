"""What rows of results say of rejection, events and wearers' layers, as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kd_edge.report import results_tree as tree
from kd_edge.report.results_table import NOT_MEASURED, TableRow, line

_NOTHING = f"No row is measured yet: {NOT_MEASURED}."


def coverage_table(rows: Sequence[TableRow]) -> str:
    """Accuracy against coverage of the student in int8, and what its thresholds reject."""
    found = list(_decided(rows))
    coverages = list(dict.fromkeys(at for _, decisions in found for at in decisions.coverage))
    heads = [
        "set and split",
        *(f"right at {at} %" for at in coverages),
        "answered by the rule: right",
        "unknown gestures rejected",
    ]
    cells = (
        [
            label,
            *(_percent(decisions.coverage.get(at)) for at in coverages),
            f"{_percent(decisions.answered)}: {_percent(decisions.answered_right)}",
            _unknown(decisions.unknown),
        ]
        for label, decisions in found
    )
    return _table(heads, cells)


def _unknown(unknown: tree.UnknownGestures | None) -> str:
    if unknown is None:
        return "-"
    areas = ", ".join(f"{by} {area.value:.2f}" for by, area in unknown.auroc.items())
    return f"{_percent(unknown.rejected)}; area under ROC: {areas}"


def events_table(rows: Sequence[TableRow]) -> str:
    """What the student in int8 says of streams."""
    heads = ("set and split", "rest between gestures", "gestures found, %")
    heads += ("false alarms a minute", "delay, s", "gestures, minutes")
    cells = (
        [
            label,
            "yes" if events.has_rest else "no",
            _spread(events.found, 1),
            _spread(events.alarms_a_minute, 2),
            _spread(events.delay_s, 2),
            f"{events.gestures:,}, {events.minutes:,.0f}",
        ]
        for label, decisions in _decided(rows)
        if (events := decisions.events) is not None
    )
    return _table(heads, cells)


def personal_table(rows: Sequence[TableRow]) -> str:
    """The student in int8 after a wearer's first repetitions, in percent."""
    heads = ("set and split", "repetitions of each class", "as built")
    heads += ("with the wearer's layer [95 % interval]", "layer taken, %", "windows")
    cells = (
        [
            row.label,
            str(point.repetitions),
            f"{point.built.percent:.1f}",
            _mean(point.personal),
            f"{100 * point.taken:.0f}",
            f"{point.personal.decisions:,}",
        ]
        for row in rows
        if row.result is not None
        for point in row.result.personal
    )
    return _table(heads, cells)


def _decided(rows: Sequence[TableRow]) -> Iterator[tuple[str, tree.Decisions]]:
    for row in rows:
        if row.result is not None and row.result.decisions is not None:
            yield row.label, row.result.decisions


def _percent(spread: tree.Spread | None) -> str:
    return "-" if spread is None else f"{spread.value:.1f}"


def _spread(spread: tree.Spread | None, places: int) -> str:
    if spread is None:
        return "-"
    text = f"{spread.value:.{places}f}"
    if spread.interval is not None:
        low, high = max(0.0, spread.interval.low), spread.interval.high
        text += f" [{low:.{places}f} to {high:.{places}f}]"
    return text


def _mean(mean: tree.Mean) -> str:
    spread = "" if mean.deviation is None else f" ± {mean.deviation:.1f}"
    return f"{mean.percent:.1f}{spread} [{mean.interval.low:.0f} to {mean.interval.high:.0f}]"


def _table(heads: Sequence[str], cells) -> str:
    lines = [line(row) for row in cells]
    return "\n".join([line(heads), line(["---"] * len(heads)), *lines]) if lines else _NOTHING
