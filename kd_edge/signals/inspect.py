"""What is in recordings: the figures behind `kd-edge data inspect`, and a picture of them."""

from __future__ import annotations

import json
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kd_edge.signals.checks import find_duplicates, find_problems
from kd_edge.signals.delsys_header import LINK
from kd_edge.signals.recording import Recording, Stream

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_PLOTTED_RECORDINGS = 3
_MAX_PLOTTED_STREAMS = 6


@dataclass(frozen=True)
class Span:
    """Smallest, middle and largest of a figure over recordings, in `unit`."""

    smallest: float
    median: float
    largest: float
    unit: str


@dataclass(frozen=True)
class StreamKind:
    """One stream as it comes in recordings: the same sensor, modality, channels, rate and unit.

    `low` and `high` are the smallest and largest finite sample; `clipped` the fraction of samples
    that lie on either, where there are so many that the range was likely too small.
    """

    modality: str
    sensor: str
    channels: tuple[str, ...]
    rate_hz: float
    unit: str
    recordings: int
    seconds: Span
    low: float
    high: float
    clipped: float | None
    even: bool


@dataclass(frozen=True)
class Count:
    """How many recordings bear a name."""

    name: str
    recordings: int


@dataclass(frozen=True)
class Gap:
    """Time without samples in one stream."""

    recording: str
    channel: str
    start_s: float
    length_s: float


@dataclass(frozen=True)
class Problem:
    """A reason why a build would stop, as its error says it."""

    code: str
    message: str
    where: str | None
    hint: str | None


@dataclass(frozen=True)
class Inspection:
    """Everything that can be said of recordings before one learns from them.

    `sensors` and `signals` count distinct sensor names and channels. `classes`, `subjects`,
    `sessions` come sorted by name; recordings without a label count under '(none)'. `duplicates`
    are groups of names with identical samples. `notes` are the readers', each with how often.
    """

    path: str
    recordings: int
    sensors: int
    signals: int
    seconds: Span | None
    started: tuple[str, str] | None
    synthetic: bool
    streams: tuple[StreamKind, ...]
    classes: tuple[Count, ...]
    subjects: tuple[Count, ...]
    sessions: tuple[Count, ...]
    gaps: tuple[Gap, ...]
    duplicates: tuple[tuple[str, ...], ...]
    problems: tuple[Problem, ...]
    notes: tuple[Count, ...]


def inspect(path: Path, reader: str | None = None) -> Inspection:
    """Read what lies at `path` and say what it is; raises what reading raises."""
    from kd_edge.signals import read

    return inspect_recordings(read(path, reader), path)


def inspect_recordings(recordings: Sequence[Recording], path: Path | None) -> Inspection:
    """The figures of recordings already read; `path` (None for an installed set) is for display."""
    root = Path(path) if path is not None else None
    names = [_name(recording, root) for recording in recordings]
    started = sorted(r.started for r in recordings if r.started)
    return Inspection(
        path="" if path is None else str(path),
        recordings=len(recordings),
        sensors=len({stream.sensor for r in recordings for stream in r.streams}),
        signals=len({c for r in recordings for stream in r.streams for c in stream.channels}),
        seconds=_span([r.duration_s for r in recordings], "s"),
        started=(started[0], started[-1]) if started else None,
        synthetic=any(r.synthetic for r in recordings),
        streams=_stream_kinds(recordings),
        classes=_counts(r.label if r.label is not None else "(none)" for r in recordings),
        subjects=_counts(r.subject or "(none)" for r in recordings),
        sessions=_counts(r.session or "(none)" for r in recordings),
        gaps=_gaps(recordings, names),
        duplicates=tuple(tuple(names[i] for i in g) for g in find_duplicates(recordings)),
        problems=tuple(
            Problem(p.code, p.message, p.where, p.hint) for p in find_problems(recordings)
        ),
        notes=_counts(note for r in recordings for note in r.notes),
    )


def _name(recording: Recording, root: Path | None) -> str:
    """The recording's source, relative to `root` where it lies below it."""
    source = Path(recording.source)
    if root is not None and source != root and source.is_relative_to(root):
        return str(source.relative_to(root))
    return recording.source


def to_json(inspection: Inspection) -> str:
    """The inspection as JSON text."""
    return json.dumps(asdict(inspection), indent=2, ensure_ascii=False, allow_nan=False)


def _counts(names) -> tuple[Count, ...]:
    return tuple(Count(name, n) for name, n in sorted(Counter(names).items()))


def _span(values: Sequence[float], unit: str) -> Span | None:
    if not values:
        return None
    return Span(float(min(values)), float(np.median(values)), float(max(values)), unit)


def _stream_kinds(recordings: Sequence[Recording]) -> tuple[StreamKind, ...]:
    groups: dict[tuple, list[Stream]] = defaultdict(list)
    for recording in recordings:
        for s in recording.streams:
            rate = s.rate_hz if s.modality != LINK else 0.0  # a link's mean rate is never the same
            groups[s.modality, s.sensor, s.channels, float(f"{rate:.7g}"), s.unit].append(s)
    return tuple(_stream_kind(streams) for streams in groups.values())


def _stream_kind(streams: Sequence[Stream]) -> StreamKind:
    first = streams[0]
    low, high = _range(streams)
    return StreamKind(
        modality=first.modality,
        sensor=first.sensor,
        channels=first.channels,
        rate_hz=float(first.rate_hz),
        unit=first.unit,
        recordings=len(streams),
        seconds=_span([s.duration_s for s in streams], "s"),
        low=low,
        high=high,
        clipped=_clipped(streams, low, high),
        even=all(s.times_s is None for s in streams),
    )


def _range(streams: Sequence[Stream]) -> tuple[float, float]:
    finite = [s.samples[np.isfinite(s.samples)] for s in streams]
    lows = [float(x.min()) for x in finite if x.size]
    highs = [float(x.max()) for x in finite if x.size]
    return min(lows, default=0.0), max(highs, default=0.0)


def _clipped(streams: Sequence[Stream], low: float, high: float) -> float | None:
    if low == high:
        return None
    n = sum(s.samples.size for s in streams)
    at_ends = sum(int(((s.samples == low) | (s.samples == high)).sum()) for s in streams)
    return at_ends / n if at_ends >= max(20, 5e-4 * n) else None


def _gaps(recordings: Sequence[Recording], names: Sequence[str]) -> tuple[Gap, ...]:
    gaps = []
    for recording, name in zip(recordings, names, strict=True):
        for stream in recording.streams:
            if stream.times_s is None or stream.modality == LINK:
                continue
            period = 1 / stream.rate_hz
            steps = np.diff(stream.times_s)
            gaps += [
                Gap(name, stream.channels[0], float(stream.times_s[i]), float(steps[i] - period))
                for i in np.flatnonzero(steps > 1.5 * period)
            ]
    return tuple(gaps)


def plot(recordings: Sequence[Recording], out_png: Path) -> None:
    """Draw the streams of the first recording of up to three classes over time, into a PNG.

    A row is a stream (up to six, different modalities first), a column a recording.

    Raises:
        KdEdgeError KD_OUTPUT: it cannot be written.
    """
    from kd_edge.base.files import atomic_path
    from kd_edge.base.plotting import plain_settings

    with plain_settings(), atomic_path(out_png) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # of a script that the font lacks
        _picture(recordings).savefig(temporary, dpi=120, format="png")


def _picture(recordings: Sequence[Recording]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    chosen = list({recording.label: recording for recording in reversed(recordings)}.values())
    chosen = chosen[::-1][:_MAX_PLOTTED_RECORDINGS]
    n_rows = max((len(_plotted(r)) for r in chosen), default=1)
    figure = Figure(figsize=(4.5 * max(len(chosen), 1), 1.7 * n_rows + 1), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(n_rows, max(len(chosen), 1), squeeze=False, sharex="col")
    for column, recording in enumerate(chosen):
        title = recording.label if recording.label is not None else Path(recording.source).name
        made = " (synthetic)" if recording.synthetic else ""
        axes[0, column].set_title(_plain(f"{title}{made}"), fontsize=9)
        for axis, stream in zip(axes[:, column], _plotted(recording), strict=False):
            _draw(axis, stream)
        axes[-1, column].set_xlabel("seconds", fontsize=8)
    return figure


def _plotted(recording: Recording) -> list[Stream]:
    """The recording's streams to draw: the first of each modality before the second of any."""
    rank: Counter[str] = Counter()
    ranked = []
    for index, stream in enumerate(recording.streams):
        ranked.append((rank[stream.modality], index))
        rank[stream.modality] += 1
    return [recording.streams[index] for _, index in sorted(ranked)[:_MAX_PLOTTED_STREAMS]]


def _draw(axis, stream: Stream) -> None:
    times = stream.times_s
    if times is None:
        times = stream.start_s + np.arange(stream.n_samples) / stream.rate_hz
    marker = "." if stream.n_samples < 50 else None
    axis.plot(times, stream.samples, linewidth=0.6, marker=marker)
    unit = f" ({stream.unit})" if stream.unit else ""
    axis.set_ylabel(_plain(f"{stream.modality}{unit}"), fontsize=8)
    where = f"{stream.sensor}, " if stream.sensor else ""
    axis.text(
        0.01,
        0.98,
        _plain(f"{where}{stream.rate_hz:g} Hz"),
        transform=axis.transAxes,
        va="top",
        fontsize=6,
    )
    axis.tick_params(labelsize=7)


def _plain(text: str) -> str:
    """Text that matplotlib does not take for a formula, and of characters that can be drawn."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text).replace("$", r"\$")
