"""What can be seen in recordings that decides a recipe."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import signal

from kd_edge.base.axes import vectors_among
from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.recording import Recording, Stream, same_rate, same_unit

# Preferred first: what a band measures. Others are taken only where none of these is there.
BODY = ("emg", "acc", "gyr")
_NOT_SIGNALS = ("link", "imp")
_LOOKED_AT = 20  # recordings, for the mains
_MAINS_HZ = (50.0, 60.0)
_HUMS = 5.0  # times the power beside it


@dataclass(frozen=True)
class Kind:
    """One modality as every recording has it.

    Attributes:
        channels: names, in order; `chosen` if the recordings have others of another rate, too.
        vectors: how many x, y, z are among them.
        why: what was left out of it, '' for nothing.
        lsb: units a count, as all recordings state it; 1 if none does and every sample is a whole
            number of 16 bits; else None.
        states_lsb: the recordings state it.
    """

    modality: str
    channels: tuple[str, ...]
    rate_hz: float
    unit: str
    chosen: bool
    vectors: int
    why: str
    lsb: float | None = None
    states_lsb: bool = False


@dataclass(frozen=True)
class Seen:
    """What decides a recipe.

    Attributes:
        kinds: modalities to take. left_out: modality -> why it is not taken.
        labels, subjects, sessions: names -> how many recordings bear them.
        repetitions: the fewest of one label by one subject that has it.
        shortest_s, median_s, longest_s: of the time that all streams to take cover.
        shortest: the recording.
        mains_hz: 50 or 60 where the sEMG hums, None where it does not, or cannot show it.
        synthetic: whether any was made by a generator.
    """

    n_recordings: int
    kinds: tuple[Kind, ...]
    left_out: dict[str, str]
    labels: dict[str, int]
    subjects: dict[str, int]
    sessions: dict[str, int]
    repetitions: int
    shortest_s: float
    median_s: float
    longest_s: float
    shortest: str
    mains_hz: float | None
    synthetic: bool

    def kind(self, modality: str) -> Kind | None:
        """The modality, None where it is not taken."""
        return next((kind for kind in self.kinds if kind.modality == modality), None)


def look(recordings: Sequence[Recording]) -> Seen:
    """Look at recordings.

    Raises:
        KdEdgeError KD_LABELS (recordings without a label), KD_ONE_CLASS, KD_CHANNEL_MISSING (no
            modality that all have).
    """
    _check_labels(recordings)
    kinds, left_out = _kinds(recordings)
    if not kinds:
        said = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise KdEdgeError(
            "KD_CHANNEL_MISSING",
            "the recordings have no modality in common that a recogniser could take",
            where=said or "there is no stream",
            hint="`kd-edge data inspect` shows what each has; leave out those that differ",
        )
    taken = {kind.modality for kind in kinds}
    lengths = [_covered_s(recording, taken) for recording in recordings]
    shortest = int(np.argmin(lengths))
    each = Counter((r.label, r.subject) for r in recordings)
    return Seen(
        n_recordings=len(recordings),
        kinds=kinds,
        left_out=left_out,
        labels=_counts(r.label for r in recordings),
        subjects=_counts(r.subject for r in recordings),
        sessions=_counts(r.session for r in recordings),
        repetitions=min(each.values()),
        shortest_s=lengths[shortest],
        median_s=float(np.median(lengths)),
        longest_s=max(lengths),
        shortest=recordings[shortest].source,
        mains_hz=_mains(recordings, kinds),
        synthetic=any(r.synthetic for r in recordings),
    )


def _check_labels(recordings: Sequence[Recording]) -> None:
    unlabelled = [r for r in recordings if r.label is None]
    if unlabelled:
        raise KdEdgeError(
            "KD_LABELS",
            f"{len(unlabelled)} of {len(recordings)} recordings have no label: nothing says what "
            "they show",
            where=unlabelled[0].source,
            hint="write a labels.csv beside the files: file,label,subject,session,trial, and where "
            "one file holds several signs also start,end in seconds",
        )
    if len({r.label for r in recordings}) < 2:
        raise KdEdgeError(
            "KD_ONE_CLASS",
            f"all {len(recordings)} recordings have one label",
            where=str(recordings[0].label) if recordings else None,
            hint="a recogniser needs two signs or more",
        )


def _counts(names) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _covered_s(recording: Recording, modalities: set[str]) -> float:
    streams = [s for s in recording.streams if s.modality in modalities]
    begin = max(s.start_s for s in streams)
    return max(min(s.end_s for s in streams) - begin, 0.0)


# --- modalities -----------------------------------------------------------------------------------


def _kinds(recordings: Sequence[Recording]) -> tuple[tuple[Kind, ...], dict[str, str]]:
    present: dict[str, int] = Counter()
    for recording in recordings:
        present.update({s.modality for s in recording.streams})
    wanted = [m for m in BODY if present.get(m)] or [m for m in present if m not in _NOT_SIGNALS]
    kinds: list[Kind] = []
    left_out = {m: "not one of " + ", ".join(wanted) for m in present if m not in wanted}
    for modality in wanted:
        missing = len(recordings) - present[modality]
        if missing:
            left_out[modality] = f"{missing} of {len(recordings)} recordings have none"
            continue
        kind = _kind(modality, recordings)
        if isinstance(kind, str):
            left_out[modality] = kind
        else:
            kinds.append(kind)
    return tuple(kinds), left_out


def _kind(modality: str, recordings: Sequence[Recording]) -> Kind | str:
    """The modality's channels that all recordings have at one rate, or why there are none."""
    groups: dict[float, list[Stream]] = defaultdict(list)
    for stream in _of(recordings[0], modality):
        rate = next((r for r in groups if same_rate(stream.rate_hz, r)), stream.rate_hz)
        groups[rate].append(stream)
    rate_hz, first = max(groups.items(), key=lambda g: sum(len(s.channels) for s in g[1]))
    names = [name for stream in first for name in stream.channels]
    common = set(names)
    for recording in recordings:
        streams = [s for s in _of(recording, modality) if same_rate(s.rate_hz, rate_hz)]
        common &= {
            name
            for s in streams
            if same_unit(s.unit, first[0].unit) and s.times_s is None
            for name in s.channels
        }
    channels = tuple(name for name in names if name in common)
    if not channels:
        return f"no channel that all recordings have at {rate_hz:g} Hz, evenly and in one unit"
    everything = {name for r in recordings for s in _of(r, modality) for name in s.channels}
    others = len(everything) - len(channels)
    why = f"{others} channels of other rates, units or recordings are left out" if others else ""
    vectors = len(vectors_among(channels))
    lsb, stated = _lsb(
        [s for r in recordings for s in _of(r, modality) if same_rate(s.rate_hz, rate_hz)], common
    )
    return Kind(modality, channels, rate_hz, first[0].unit, bool(others), vectors, why, lsb, stated)


def _lsb(streams: Sequence[Stream], names: set[str]) -> tuple[float | None, bool]:
    """Units a count of the streams that have such channels, and whether the streams state it."""
    taken = [stream for stream in streams if names & set(stream.channels)]
    # A build takes 0 for unstated, and a count of less is none.
    first, *others = {lsb if (lsb := stream.lsb) and lsb > 0 else None for stream in taken}
    if others:  # they disagree
        return None, False
    if first is not None:
        return first, True
    whole = all(
        _whole(stream.samples[:, [n in names for n in stream.channels]]) for stream in taken
    )
    return (1.0 if whole else None), False


def _whole(samples: np.ndarray) -> bool:
    """Whether all are whole numbers of 16 bits."""
    limits = np.iinfo(np.int16)
    inside = (samples >= limits.min) & (samples <= limits.max)  # False of what is not a number
    return bool(inside.all() and (samples == np.rint(samples)).all())


def _of(recording: Recording, modality: str) -> list[Stream]:
    return [s for s in recording.streams if s.modality == modality]


# --- mains ----------------------------------------------------------------------------------------


def _mains(recordings: Sequence[Recording], kinds: Sequence[Kind]) -> float | None:
    emg = next((kind for kind in kinds if kind.modality == "emg"), None)
    if emg is None or emg.rate_hz < 2.5 * max(_MAINS_HZ):
        return None
    step = max(1, len(recordings) // _LOOKED_AT)
    ratios = [
        ratio
        for recording in recordings[::step][:_LOOKED_AT]
        for stream in _of(recording, "emg")
        if same_rate(stream.rate_hz, emg.rate_hz) and stream.duration_s >= 1.0
        for ratio in _hum(stream)
    ]
    if not ratios:
        return None
    hums = np.median(np.array(ratios), axis=0)
    return _MAINS_HZ[int(np.argmax(hums))] if hums.max() > _HUMS else None


def _hum(stream: Stream) -> list[list[float]]:
    """Of each channel: power at 50 and at 60 Hz, in times of what stands beside it."""
    n = round(stream.rate_hz)
    found, power = signal.welch(stream.samples.T, stream.rate_hz, nperseg=n)
    columns = []
    for mains in _MAINS_HZ:
        at = np.abs(found - mains) <= 1.0
        beside = (np.abs(found - mains) > 2.0) & (np.abs(found - mains) <= 4.5)
        columns.append(power[:, at].max(axis=1) / (np.median(power[:, beside], axis=1) + 1e-30))
    return np.stack(columns, axis=1).tolist()
