"""Whether recordings are fit to learn from: finite, moving, at one rate, in one unit, each once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.delsys_header import LINK
from kd_edge.signals.recording import Recording, Stream, same_rate, same_unit
from kd_edge.signals.sane import check_samples
from kd_edge.signals.timing import is_even

_SHOWN = 5


def check(
    recordings: Sequence[Recording],
    *,
    allow_duplicates: bool = False,
    allow_stuck: bool = False,
    modalities: Collection[str] | None = None,
) -> None:
    """Raise the first of what `find_problems` finds.

    Args:
        recordings: of one dataset.
        allow_duplicates: identical recordings under two subjects or two labels are no problem.
        allow_stuck: a channel that holds one value throughout a recording is no problem.
        modalities: those that are used; all where None. Others are not looked at. A link device's
            quantities may be uneven, stuck and slow unless they are used by name.

    Raises:
        KdEdgeError KD_EMPTY_FOLDER, KD_BAD_SAMPLES, KD_RATE_MISMATCH, KD_UNIT_MISMATCH,
            KD_DUPLICATES.
    """
    problems = find_problems(
        recordings,
        allow_duplicates=allow_duplicates,
        allow_stuck=allow_stuck,
        modalities=modalities,
    )
    for problem in problems:
        raise problem


def find_problems(
    recordings: Sequence[Recording],
    *,
    allow_duplicates: bool = False,
    allow_stuck: bool = False,
    modalities: Collection[str] | None = None,
) -> Iterator[KdEdgeError]:
    """What makes recordings unfit, worst first, one error for each kind of fault; see `check`."""
    if not recordings:
        yield KdEdgeError(
            "KD_EMPTY_FOLDER", "there are no recordings", hint="check the path and the reader"
        )
        return
    kept = [
        (recording, stream)
        for recording in recordings
        for stream in recording.streams
        if modalities is None or stream.modality in modalities
    ]
    yield from _not_finite(kept)
    yield from _absurd(kept)
    # What sends when it likes is no gap, unless windows are to be cut from it.
    sampled = kept if modalities is not None else [(r, s) for r, s in kept if s.modality != LINK]
    yield from _gaps(sampled)
    if not allow_stuck:
        yield from _stuck(sampled)
    yield from _rates(sampled)
    yield from _units(sampled)
    if not allow_duplicates:
        yield from _shared_recordings(recordings)


def find_duplicates(recordings: Sequence[Recording]) -> tuple[tuple[int, ...], ...]:
    """Indices of recordings with identical samples, a tuple for each group of two or more."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, recording in enumerate(recordings):
        groups[recording.content_sha256].append(index)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


_Kept = Sequence[tuple[Recording, Stream]]


def _not_finite(kept: _Kept) -> Iterator[KdEdgeError]:
    places = []
    for recording, stream in kept:
        if np.isfinite(stream.samples).all():
            continue
        row, column = np.argwhere(~np.isfinite(stream.samples))[0]
        value = stream.samples[row, column]
        seconds = stream.start_s + row / stream.rate_hz
        places.append(
            f"{recording.source}: {stream.channels[column]} is {value} at {seconds:.4g} s"
        )
    if places:
        yield KdEdgeError(
            "KD_BAD_SAMPLES",
            f"samples that are not numbers in {_count(places, 'stream')}",
            where=_shown(places),
            hint="repair these recordings, cut them with start and end in labels.csv, "
            "or leave them out",
        )


def _absurd(kept: _Kept) -> Iterator[KdEdgeError]:
    """Readers of single files say it with its row; this is for public sets and made recordings."""
    for recording, stream in kept:
        try:
            check_samples([stream], recording.source)
        except KdEdgeError as error:
            yield error
            return


def _gaps(kept: _Kept) -> Iterator[KdEdgeError]:
    places = []
    for recording, stream in kept:
        if stream.times_s is None or is_even(stream.times_s, stream.rate_hz):
            continue
        steps = np.diff(stream.times_s)
        at = int(np.argmax(np.abs(steps * stream.rate_hz - 1)))
        places.append(
            f"{recording.source}: {stream.channels[0]} has {steps[at]:.4g} s between two samples "
            f"at {stream.times_s[at]:.4g} s, {1 / stream.rate_hz:.4g} s expected"
        )
    if places:
        yield KdEdgeError(
            "KD_BAD_SAMPLES",
            f"samples are unevenly spaced in {_count(places, 'stream')}",
            where=_shown(places),
            hint="cut around the gap with start and end in labels.csv, or record again",
        )


def _stuck(kept: _Kept) -> Iterator[KdEdgeError]:
    places = []
    for recording, stream in kept:
        if stream.n_samples < 2:
            continue
        still = np.ptp(stream.samples, axis=0) == 0
        places += [
            f"{recording.source}: {stream.channels[i]} is {stream.samples[0, i]:g} throughout"
            for i in np.flatnonzero(still)
        ]
    if places:
        yield KdEdgeError(
            "KD_BAD_SAMPLES",
            f"{_count(places, 'stuck channel')}: one value throughout a recording",
            where=_shown(places),
            hint="a sensor was off or loose: leave the recordings or the channel out, "
            "or set dataset.allow_stuck = true",
        )


def _rates(kept: _Kept) -> Iterator[KdEdgeError]:
    """A sensor's modality has one rate over all recordings; sensors may differ among themselves."""
    seen: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for recording, stream in kept:
        rates = seen[stream.modality, stream.sensor]
        if not any(same_rate(stream.rate_hz, rate) for rate, _ in rates):
            rates.append((stream.rate_hz, recording.source))
    places = [
        f"{modality} of {sensor or 'the recording'}: "
        + ", ".join(f"{rate:g} Hz in {source}" for rate, source in rates[:_SHOWN])
        for (modality, sensor), rates in seen.items()
        if len(rates) > 1
    ]
    if places:
        yield KdEdgeError(
            "KD_RATE_MISMATCH",
            f"{_count(places, 'stream')} at more than one rate over the recordings",
            where=_shown(places),
            hint="a dataset has one rate a stream: keep recordings of one sensor mode, "
            "or resample the others",
        )


def _units(kept: _Kept) -> Iterator[KdEdgeError]:
    """A sensor's modality has one unit over all recordings that state one."""
    seen: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for recording, stream in kept:
        units = seen[stream.modality, stream.sensor]
        if stream.unit and not any(same_unit(stream.unit, unit) for unit, _ in units):
            units.append((stream.unit, recording.source))
    places = [
        f"{modality} of {sensor or 'the recording'}: "
        + ", ".join(f"{unit} in {source}" for unit, source in units[:_SHOWN])
        for (modality, sensor), units in seen.items()
        if len(units) > 1
    ]
    if places:
        yield KdEdgeError(
            "KD_UNIT_MISMATCH",
            f"{_count(places, 'stream')} in more than one unit over the recordings",
            where=_shown(places),
            hint="a dataset has one unit a stream: convert the others, or leave them out",
        )


def _shared_recordings(recordings: Sequence[Recording]) -> Iterator[KdEdgeError]:
    """Identical recordings that bear two labels or two subjects: one of the two is wrong."""
    places = []
    for group in find_duplicates(recordings):
        owners = {(recordings[i].subject, recordings[i].label) for i in group}
        if len(owners) > 1:
            places.append(
                " = ".join(
                    f"{recordings[i].source} ({recordings[i].subject}, {recordings[i].label})"
                    for i in group[:_SHOWN]
                )
            )
    if places:
        yield KdEdgeError(
            "KD_DUPLICATES",
            f"identical samples under two subjects or labels, {_count(places, 'time')}",
            where=_shown(places),
            hint="find out whose they are and delete the others, "
            "or set dataset.allow_duplicates = true",
        )


def _count(places: Sequence[str], thing: str) -> str:
    return f"{len(places)} {thing}{'s' if len(places) != 1 else ''}"


def _shown(places: Sequence[str]) -> str:
    rest = len(places) - _SHOWN
    return "; ".join(places[:_SHOWN]) + (f"; and {rest} more" if rest > 0 else "")
