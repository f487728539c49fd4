"""What is in recordings or in an image set, as terminal tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from kd_edge.images.inspect import Count as ImageCount
from kd_edge.images.inspect import ImageInspection
from kd_edge.report.table import plain_text
from kd_edge.signals.inspect import Count, Inspection, Problem, StreamKind

# Longer lists are cut here, and say how much they leave out; --json has everything.
SHOWN = 24


def print_inspection(inspection: Inspection, console: Console) -> None:
    """Print streams, classes, subjects, sessions, gaps, duplicates and problems."""
    synthetic = " SYNTHETIC," if inspection.synthetic else ""
    _say(
        f"{inspection.path or 'installed set'}:{synthetic} "
        f"{inspection.recordings:,} recordings, {inspection.sensors} sensors, "
        f"{inspection.signals} signals",
        console,
    )
    if inspection.seconds:
        span = inspection.seconds
        _say(
            f"lasting {span.smallest:.4g} to {span.largest:.4g} s, median {span.median:.4g} s",
            console,
        )
    if inspection.started:
        _say(f"started {' to '.join(inspection.started)}", console)
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
        cells = (
            stream.modality,
            stream.sensor,
            _joined([c.removeprefix(f"{stream.sensor}: ") for c in stream.channels], 4),
            f"{stream.rate_hz:.6g}",
            stream.unit,
            str(stream.recordings),
            f"{stream.low:.4g}",
            f"{stream.high:.4g}",
        )
        table.add_row(*map(plain_text, cells))
    console.print(table)
    _left_out(len(streams), "streams", console)


def _counts(title: str, counts: Sequence[Count], console: Console) -> None:
    if counts:
        said = _joined([f"{c.name} ({c.recordings})" for c in counts], SHOWN)
        _say(f"{title}: {said}", console)


def _findings(inspection: Inspection, console: Console) -> None:
    for gap in inspection.gaps[:SHOWN]:
        _say(
            f"gap: {gap.recording}, {gap.channel}: {gap.length_s:.4g} s without "
            f"samples from {gap.start_s:.4g} s",
            console,
        )
    _left_out(len(inspection.gaps), "gaps", console)
    for group in inspection.duplicates[:SHOWN]:
        _say(f"identical: {_joined(group, 6)}", console)
    _left_out(len(inspection.duplicates), "groups of identical recordings", console)
    _problems(inspection.problems, console)


def _problems(problems: Sequence[Problem], console: Console) -> None:
    for problem in problems[:SHOWN]:
        _say(f"would stop a build: {problem.code}: {problem.message}", console)
        for word, text in (("where", problem.where), ("hint", problem.hint)):
            if text:
                _say(f"  {word}: {text}", console)


def _say(line: str, console: Console) -> None:
    console.print(plain_text(line))


def _joined(names: Sequence[str], most: int) -> str:
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _left_out(total: int, what: str, console: Console) -> None:
    if total > SHOWN:
        _say(f"and {total - SHOWN} more {what}; --json has them all", console)


def print_image_inspection(inspection: ImageInspection, console: Console) -> None:
    """Print sizes, classes, sessions, copies, near duplicates and problems."""
    _say(f"{inspection.path}: {inspection.images:,} images", console)
    for title, counts in (
        ("sizes", inspection.sizes),
        ("classes", inspection.classes),
        ("subjects", inspection.subjects),
        ("sessions", inspection.sessions),
    ):
        _image_counts(title, counts, console)
    for name, size in inspection.odd_sizes[:SHOWN]:
        _say(f"of another size than most: {name} ({size})", console)
    _left_out(len(inspection.odd_sizes), "images of another size", console)
    if inspection.pixel_classes:
        shares = [f"{one.name} ({one.percent:.2g} %)" for one in inspection.pixel_classes]
        _say(f"pixels: {_joined(shares, SHOWN)}", console)
    _groups("identical", inspection.duplicates, console)
    if inspection.near_duplicates is None:
        _say("near duplicates: not looked for", console)
    else:
        bits = f"at most {inspection.near_bits} of 64 bits of their perceptual hashes differ"
        _say(f"near duplicates: {len(inspection.near_duplicates):,} groups ({bits})", console)
        _groups("alike", inspection.near_duplicates, console)
    if inspection.across:
        _say(
            f"{inspection.across:,} of these groups lie in several sessions, so a split by folders"
            " leaks. Set dataset.near_duplicates and hold out kind = 'random-groups'",
            console,
        )
    _groups("under several labels", inspection.under_labels, console)
    _problems(inspection.problems, console)


def _image_counts(title: str, counts: Sequence[ImageCount], console: Console) -> None:
    if counts:
        said = _joined([f"{count.name} ({count.images})" for count in counts], SHOWN)
        _say(f"{title}: {said}", console)


def _groups(title: str, groups: Sequence[Sequence[str]], console: Console) -> None:
    for group in groups[:SHOWN]:
        _say(f"{title}: {_joined(group, 6)}", console)
    _left_out(len(groups), f"groups of {title} images", console)
