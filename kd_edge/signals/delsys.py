"""Trigno Discover CSV exports (Delsys), versions 1.4 to 1.7.

Rows: application, date, length; sensor names; sensor modes; signal titles; from 1.5 on the rates
(1.4 writes whole-numbered rates into the titles); then numbers, every signal in its own column at
its own rate, so that slow columns end early. With time columns each signal's column stands right of
its `… Time Series (s)`. Link devices (heart rate, breathing) have the rate -1 Hz. With time columns
each of their quantities is a stream of its own, at the times it gives. One that cannot be read so
is left out with a note: it stands beside what the sensors gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.delsys_header import LINK, Signal, read_header
from kd_edge.signals.recording import Recording, Stream, off_unix_clock
from kd_edge.signals.sane import check_samples, largest_in
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
    streams, notes = streams_of(header.signals, columns, where)
    check_samples(streams, where, header.n_rows + 1)
    notes += check_lengths(
        streams,
        max(len(column) for column in columns),
        header.length_s,
        where=f"{where}, row 3",
        hint="export or copy the file again; to keep the rest, correct the length in row 3",
    )
    streams, began = off_unix_clock(streams)
    recording = Recording(
        streams=streams,
        source=where,
        started=header.started or began,
        synthetic=header.synthetic,
        notes=header.notes + notes,
    )
    return [recording]


def streams_of(
    signals: Sequence[Signal], columns: Sequence[np.ndarray], where: str
) -> tuple[tuple[Stream, ...], tuple[str, ...]]:
    """Streams of signals with their columns of samples, and what is worth saying of them.

    Args:
        columns: (n_samples,) of each signal, in its unit.

    Raises:
        KdEdgeError KD_TRUNCATED (no samples, or a sensor's signals end apart), KD_BAD_FORMAT and
            KD_RATE_MISMATCH (time columns).
    """
    notes: list[str] = []
    present: list[Signal] = []
    for signal in signals:
        why = _why_absent(signal, columns, where)
        if why is None:
            present.append(signal)
        else:
            notes.append(f"{signal.sensor}: {signal.name} is absent ({why})")
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
        # A link device's signals are quantities that have nothing in common, not even their times.
        own = None if signal.rate_hz else signal.column
        key = (signal.sensor_index, signal.modality, signal.rate_hz, signal.unit, own)
        groups.setdefault(key, []).append(signal)
    streams = [_stream(group, channel, columns, notes, where) for group in groups.values()]
    return tuple(streams), tuple(notes)


def _why_absent(signal: Signal, columns: Sequence[np.ndarray], where: str) -> str | None:
    """Why a signal gives no stream; None where it does."""
    n = len(columns[signal.column])
    if signal.rate_hz is not None:
        return None if n else f"{signal.rate_hz:g} Hz, no samples"
    # Without a rate, one sample alone says nothing about when the next would have come.
    if n < 2:
        return f"-1 Hz, {n or 'no'} samples"
    place = f"{where}, column {signal.column + 1} ({signal.sensor}: {signal.name})"
    try:
        if signal.is_link and not _is_sane(columns[signal.column], signal.unit):
            raise KdEdgeError("KD_BAD_SAMPLES", "samples that no device gives", where=place)
        if signal.time_column is None:
            raise KdEdgeError(
                "KD_BAD_FORMAT",
                "the signal has samples, the rate -1 Hz and no time column",
                where=place,
                hint="export again with time columns, or without this device",
            )
        irregular(_times_of(signal, columns, where), place)
    except KdEdgeError as error:
        if not signal.is_link:
            raise
        return f"-1 Hz, {error.message}"
    return None


def _is_sane(values: np.ndarray, unit: str) -> bool:
    return bool(np.abs(values).max() <= largest_in(unit))


def _times_of(signal: Signal, columns: Sequence[np.ndarray], where: str) -> np.ndarray:
    place = f"{where}, column {signal.column + 1} ({signal.sensor}: {signal.name})"
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


def check_lengths(
    streams: Sequence[Stream], n_rows: int, stated_s: float, *, where: str, hint: str
) -> tuple[str, ...]:
    """Refuse a file that was cut between two rows; its slow streams may be whole all the same.

    A cut takes the last rows from every column that had them: those columns now reach the last row
    and end early in time. They lack less than three frames where nothing was cut. A stream that
    ends before the last row ended by itself, and may lack 2 % and 0.1 s.

    Args:
        n_rows: of numbers in the file.
        stated_s: the length that the file states.
        where, hint: for the message.

    Returns:
        a note where streams last longer than that, as they do in a file of which somebody kept the
        first rows and changed the length.

    Raises:
        KdEdgeError KD_TRUNCATED: with the stream and both lengths.
    """
    fixed = [stream for stream in streams if stream.modality != LINK]
    for stream in fixed:
        held_s = stream.end_s - min(s.start_s for s in fixed)
        at_the_end = stream.n_samples >= n_rows - 1
        allowed_s = 3 * TRIGNO_FRAME_S if at_the_end else 0.02 * stated_s + 0.1
        if held_s < stated_s - allowed_s:
            raise KdEdgeError(
                "KD_TRUNCATED",
                f"{stream.channels[0]} lasts {held_s:.4g} s, and the recording {stated_s:.6g} s: "
                "the file was cut between two rows",
                where=where,
                hint=hint,
            )
    longest = max(fixed, key=lambda s: s.duration_s, default=None)
    if longest is None or longest.duration_s <= 1.02 * stated_s + 0.1:
        return ()
    return (
        f"{longest.channels[0]} lasts {longest.duration_s:.4g} s, and the file states "
        f"{stated_s:g} s: rows or the length were changed",
    )
