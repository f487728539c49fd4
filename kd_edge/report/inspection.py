"""What is in recordings, as terminal tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kd_edge.signals.inspect import Count, Inspection, StreamKind

# Longer lists are cut here, and say how much they leave out; --json has everything.
SHOWN = 24


def print_inspection(inspection: Inspection, console: Console) -> None:
    """Print streams, classes, subjects, sessions, gaps, duplicates and problems."""
    synthetic = " SYNTHETIC," if inspection.synthetic else ""
    console.print(
        f"{escape(inspection.path) or 'installed set'}:{synthetic} "
        f"{inspection.recordings:,} recordings, {inspection.sensors} sensors, "
        f"{inspection.signals} signals",
        highlight=False,
    )
    if inspection.seconds:
        span = inspection.seconds
        console.print(
            f"lasting {span.smallest:.4g} to {span.largest:.4g} s, median {span.median:.4g} s",
            highlight=False,
        )
    if inspection.started:
        console.print(f"started {' to '.join(inspection.started)}", highlight=False)
    _streams(inspection.streams, console)
    for title, counts in (
        ("classes", inspection.classes),
        ("subjects", inspection.subjects),
        ("sessions", inspection.sessions),
        ("notes", inspection.notes),
    ):
        _counts(title, counts, console)
    _findings(inspection, console)


def _streams(streams: Sequence[StreamKind], console: Console) -> None:
    table = Table(box=None, pad_edge=False, title_justify="left")
    for title in ("stream", "sensor", "channels"):
        table.add_column(title, overflow="fold")
    for title in ("Hz", "unit", "recordings", "lowest", "highest"):
        table.add_column(title, justify="right", overflow="fold")
    for stream in streams[:SHOWN]:
        table.add_row(
            stream.modality,
            escape(stream.sensor),
            escape(_joined([c.removeprefix(f"{stream.sensor}: ") for c in stream.channels], 4)),
            f"{stream.rate_hz:.6g}",
            escape(stream.unit),
            str(stream.recordings),
            f"{stream.low:.4g}",
            f"{stream.high:.4g}",
        )
    console.print(table)
    _left_out(len(streams), "streams", console)


def _counts(title: str, counts: Sequence[Count], console: Console) -> None:
    if counts:
        said = _joined([f"{c.name} ({c.recordings})" for c in counts], SHOWN)
        console.print(f"{title}: {escape(said)}", highlight=False)


def _findings(inspection: Inspection, console: Console) -> None:
    for gap in inspection.gaps[:SHOWN]:
        console.print(
            f"gap: {escape(gap.recording)}, {escape(gap.channel)}: {gap.length_s:.4g} s without "
            f"samples from {gap.start_s:.4g} s",
            highlight=False,
        )
    _left_out(len(inspection.gaps), "gaps", console)
    for group in inspection.duplicates[:SHOWN]:
        console.print(f"identical: {escape(_joined(group, 6))}", highlight=False)
    _left_out(len(inspection.duplicates), "groups of identical recordings", console)
    for problem in inspection.problems:
        console.print(f"would stop a build: {problem.code}: {escape(problem.message)}")
        for word, text in (("where", problem.where), ("hint", problem.hint)):
            if text:
                console.print(f"  {word}: {escape(text)}", highlight=False)


def _joined(names: Sequence[str], most: int) -> str:
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _left_out(total: int, what: str, console: Console) -> None:
    if total > SHOWN:
        console.print(f"and {total - SHOWN} more {what}; --json has them all", highlight=False)
