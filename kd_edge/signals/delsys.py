"""Trigno Discover CSV exports (Delsys), versions 1.4 to 1.7.

Rows: application, date, length; sensor names; sensor modes; signal titles; from 1.5 on the rates
(1.4 writes whole-numbered rates into the titles); then numbers, every signal in its own column at
its own rate, so that slow columns end early. With time columns each signal's column stands right of
its `… Time Series (s)`. Link devices (heart rate, breathing) have the rate -1 Hz: with time columns
they are read at the times they give, without samples they are absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kd_edge.errors import KdEdgeError
from kd_edge.signals.delsys_header import Header, Signal, read_header
from kd_edge.signals.recording import Recording, Stream
from kd_edge.signals.source import peek, read_bytes
from kd_edge.signals.table import TableLayout, parse_numbers
from kd_edge.signals.timing import TRIGNO_FRAME_S, Timing, irregular, timing
from kd_edge.signals.titles import unique


def sniff(path: Path) -> bool:
    """Whether the file's first row names Trigno Discover."""
    return path.is_file() and b"Trigno Discover" in peek(path, 512).split(b"\n")[0]


def read(path: Path) -> list[Recording]:
    """One recording from a Trigno Discover CSV, plain or gzip.

    A stream is one sensor's signals of one modality at one rate, in the file's unit. Channels are
    named `<sensor>: <signal>`.

    Raises:
        KdEdgeError KD_NO_FILE, KD_BAD_FORMAT (the header), KD_BAD_CELL and KD_TRUNCATED (the
            numbers), KD_RATE_MISMATCH (time columns against stated rates).
    """
    content = read_bytes(path)
    where = str(path)
    header = read_header(content, where)
    body = content.split(b"\n", header.n_rows)[header.n_rows :]
    layout = TableLayout(where, header.titles, header.n_rows + 1, ragged=True)
    columns = parse_numbers(body[0] if body else b"", layout)
    streams, notes = _streams(header.signals, columns, where)
    _check_length(streams, header, where)
    recording = Recording(
        streams=streams,
        source=where,
        started=header.started,
        synthetic=header.synthetic,
        notes=header.notes + notes,
    )
    return [recording]


def _streams(
    signals: Sequence[Signal], columns: Sequence[np.ndarray], where: str
) -> tuple[tuple[Stream, ...], tuple[str, ...]]:
    notes: list[str] = []
    present: list[Signal] = []
    for signal in signals:
        # Without a rate, one sample alone says nothing about when the next would have come.
        if len(columns[signal.column]) >= (2 if signal.rate_hz is None else 1):
            present.append(signal)
        else:
            rate = "-1 Hz" if signal.rate_hz is None else f"{signal.rate_hz:g} Hz"
            n = len(columns[signal.column]) or "no"
            notes.append(f"{signal.sensor}: {signal.name} is absent ({rate}, {n} samples)")
    if not present:
        raise KdEdgeError(
            "KD_TRUNCATED",
            "the file has a header and no samples",
            where=where,
            hint="export or copy the file again",
        )
    names = unique(f"{s.sensor}: {s.name}" for s in present)
    channel = dict(zip(present, names, strict=True))
    groups: dict[tuple, list[Signal]] = {}
    for signal in present:
        # Signals of a link device share a stream only where they share times.
        own_times = b"" if signal.rate_hz else _times_of(signal, columns, where).tobytes()
        key = (signal.sensor_index, signal.modality, signal.rate_hz, signal.unit, own_times)
        groups.setdefault(key, []).append(signal)
    streams = [_stream(group, channel, columns, notes, where) for group in groups.values()]
    return tuple(streams), tuple(notes)


def _times_of(signal: Signal, columns: Sequence[np.ndarray], where: str) -> np.ndarray:
    place = f"{where}, column {signal.column + 1} ({signal.sensor}: {signal.name})"
    if signal.time_column is None:
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            "the signal has samples, the rate -1 Hz and no time column",
            where=place,
            hint="export again with time columns, or without this device",
        )
    times = columns[signal.time_column]
    if len(times) != len(columns[signal.column]):
        raise KdEdgeError(
            "KD_BAD_FORMAT",
            f"{len(columns[signal.column])} samples and {len(times)} times",
            where=place,
            hint="the file is damaged: export it again",
        )
    return times


def _stream(
    group: list[Signal],
    channel: dict[Signal, str],
    columns: Sequence[np.ndarray],
    notes: list[str],
    where: str,
) -> Stream:
    first = group[0]
    lengths = [len(columns[s.column]) for s in group]
    n = min(lengths)
    allowed = 1 if first.rate_hz is None else int(np.ceil(first.rate_hz * TRIGNO_FRAME_S))
    if max(lengths) - n > allowed:
        short, long = group[lengths.index(n)], group[lengths.index(max(lengths))]
        raise KdEdgeError(
            "KD_TRUNCATED",
            f"{short.name} has {n} samples, and {long.name} of the same sensor {max(lengths)}",
            where=f"{where}, column {short.column + 1} ({channel[short]})",
            hint="the file is damaged: export it again",
        )
    if max(lengths) > n:
        notes.append(f"{first.sensor}: {first.modality} cut to the {n} samples all channels have")
    when = _timing(first, columns, where)
    notes.extend(
        f"{channel[first]}: {gap.length_s:.4g} s without samples after {gap.start_s:.4g} s"
        for gap in when.gaps
    )
    return Stream(
        modality=first.modality,
        sensor=first.sensor,
        channels=tuple(channel[s] for s in group),
        samples=np.stack([columns[s.column][:n] for s in group], axis=1).astype(np.float32),
        rate_hz=when.rate_hz,
        unit=first.unit,
        start_s=when.start_s,
        times_s=None if when.times_s is None else when.times_s[:n],
    )


def _timing(signal: Signal, columns: Sequence[np.ndarray], where: str) -> Timing:
    if signal.time_column is None:
        return Timing(signal.rate_hz, 0.0, None, ())
    place = f"{where}, column {signal.time_column + 1}"
    times = _times_of(signal, columns, where)
    if signal.rate_hz is None:
        return irregular(times, place)
    return timing(times, stated_hz=signal.rate_hz, where=place)


def _check_length(streams: Sequence[Stream], header: Header, where: str) -> None:
    """A file cut between two rows still states how long it was."""
    held_s = max(s.start_s + s.duration_s for s in streams)
    if held_s < 0.98 * header.length_s - 0.1:
        raise KdEdgeError(
            "KD_TRUNCATED",
            f"the file states {header.length_s:g} s and holds {held_s:.4g} s",
            where=f"{where}, row 3",
            hint="export or copy the file again; to keep the rest, correct the length in row 3",
        )
