"""Named arrays, as MATLAB and PyTorch people keep them, as recordings.

Two forms are known. One recording: arrays (samples, channels), each a stream, with their rate.
Many recordings: an array (recordings, channels, samples) or (recordings, samples, channels), and
beside it an array with as many labels. Rates stand in the file, or the user says them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kd_edge.signals.channels import Channel, bad_format, recording_of
from kd_edge.signals.recording import Recording
from kd_edge.signals.table import MOST_COLUMNS
from kd_edge.signals.titles import is_sensor_title, modality_of

# Names under which people keep what is said of all recordings of a file.
_RATES = (
    "rate_hz",
    "fs",
    "rate",
    "frequency",
    "sampling_rate",
    "sample_rate",
    "samplerate",
    "srate",
)
_LABELS = ("y", "label", "labels", "target", "targets", "class", "classes", "gesture", "gestures")
_SUBJECTS = ("subject", "subjects", "subject_id", "user", "users", "person")
_SESSIONS = ("session", "sessions", "day", "days")
_TRIALS = ("trial", "trials", "repetition", "repetitions", "rep", "reps")
_LARGEST_NUMBER = 1e9  # of a class or a person


@dataclass(frozen=True, eq=False)
class Arrays:
    """What a file holds.

    Attributes:
        arrays: name -> numbers or texts of any shape.
        facts: what is said beside an array, or of the file under '': name -> fact -> value.
    """

    arrays: Mapping[str, np.ndarray]
    facts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def rate_of(self, name: str, stated_hz: float | None) -> float | None:
        """The rate of an array: beside it, as `<name>_rate_hz`, of the file, or what is stated."""
        beside = [_first(self.facts.get(name, {}), _RATES)]
        own = {key.lower(): value for key, value in self.arrays.items()}
        beside += [_first(own, [f"{name.lower()}{mark}{rate}" for mark in "_." for rate in _RATES])]
        beside += [stated_hz, _first(self.facts.get("", {}), _RATES), _first(own, _RATES)]
        return next((float(found) for found in beside if found is not None), None)

    def text_of(self, name: str, fact: str) -> str:
        """A text beside an array, '' where there is none."""
        value = self.facts.get(name, {}).get(fact, "")
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _first(values: Mapping[str, object], names: Sequence[str]) -> float | None:
    """The first number of those names, whatever their case."""
    known = {key.lower(): value for key, value in values.items()}
    for name in names:
        value = np.asarray(known.get(name, ""))
        if value.size == 1 and value.dtype.kind in "iuf":
            return float(value.reshape(-1)[0])
    return None


@dataclass(frozen=True)
class Options:
    """What the user says of a file that does not say it.

    Attributes:
        rate_hz: of arrays that say none themselves.
        layout: of three axes: 'nct' (recordings, channels, samples) or 'ntc'; None: the longer one
            of the two holds the samples.
        modality: of arrays whose name says none, such as 'X'.
    """

    rate_hz: float | None
    layout: str | None
    modality: str | None


def recordings_of(held: Arrays, where: str, options: Options) -> list[Recording]:
    """The recordings in arrays.

    Raises:
        KdEdgeError KD_BAD_FORMAT: no array of signals, no rate, labels of another number.
    """
    if options.layout not in (None, "nct", "ntc"):
        found = f"there is no layout {options.layout!r}"
        raise bad_format(where, found, "layout is 'nct' or 'ntc'")
    numbers = {
        name: array
        for name, array in held.arrays.items()
        if array.dtype.kind in "iuf" and array.size and array.ndim in (2, 3)
    }
    many = {name: array for name, array in numbers.items() if array.ndim == 3}
    if many:
        return _many(held, many, where, options)
    one = {name: array for name, array in numbers.items() if _is_a_stream(name, array)}
    if not one:
        names = ", ".join(list(held.arrays)[:8])
        raise bad_format(
            where,
            f"no array of samples and channels among {names or 'no arrays at all'}",
            "save numbers (samples, channels), or (recordings, channels, samples) with labels",
        )
    channels = []
    for name, array in one.items():
        channels += _channels(held, name, _upright(array), where, options)
    label, subject, session = (_lone(held, names) for names in (_LABELS, _SUBJECTS, _SESSIONS))
    facts = {"label": label, "subject": subject or "", "session": session or ""}
    return [recording_of(channels, where, **facts)]


def _is_a_stream(name: str, array: np.ndarray) -> bool:
    """Whether a matrix is samples: several of them, and not what says something of others."""
    taken = (*_RATES, *_LABELS, *_SUBJECTS, *_SESSIONS, *_TRIALS)
    return max(array.shape) > 1 and name.lower() not in taken


def _upright(array: np.ndarray) -> np.ndarray:
    """(samples, channels): the longer axis holds the samples."""
    return array if array.shape[0] >= array.shape[1] else array.T


def _channels(
    held: Arrays, name: str, samples: np.ndarray, where: str, options: Options
) -> list[Channel]:
    rate_hz = held.rate_of(name, options.rate_hz)
    if rate_hz is None:
        raise bad_format(
            where,
            f"nothing says at which rate '{name}' was sampled",
            "say it: options = { rate_hz = 200.0 } in the recipe, --option rate_hz=200 here, or a "
            "number 'rate_hz' in the file",
        )
    if samples.shape[1] > MOST_COLUMNS:
        raise bad_format(
            where, f"'{name}' has {samples.shape[1]} channels", "save (samples, channels)"
        )
    short = name.rpartition("/")[2]
    kind = modality_of(short) if is_sensor_title(short) else options.modality
    unit = held.text_of(name, "unit") or held.text_of(name, "units")
    width = samples.shape[1]
    return [
        Channel(f"{short} {i + 1}" if width > 1 else short, samples[:, i], rate_hz, unit, "", kind)
        for i in range(width)
    ]


# --- many recordings ------------------------------------------------------------------------------


def _many(
    held: Arrays, many: Mapping[str, np.ndarray], where: str, options: Options
) -> list[Recording]:
    n = len(next(iter(many.values())))
    if any(len(array) != n for array in many.values()):
        counts = ", ".join(f"{name}: {len(array)}" for name, array in many.items())
        raise bad_format(where, f"arrays of different numbers of recordings ({counts})", "one each")
    beside = {
        what: _listed(held, names, n, where)
        for what, names in (
            ("label", _LABELS),
            ("subject", _SUBJECTS),
            ("session", _SESSIONS),
            ("trial", _TRIALS),
        )
    }
    turned = {name: _trials(array, options.layout) for name, array in many.items()}
    recordings = []
    seen: dict[tuple, int] = {}
    for index in range(n):
        facts = {what: values[index] for what, values in beside.items() if values is not None}
        of = tuple(facts.get(what) for what in ("label", "subject", "session"))
        seen[of] = seen.get(of, -1) + 1
        trial = facts.get("trial", "")
        facts["trial"] = int(trial) if trial.isdecimal() and len(trial) < 10 else seen[of]
        channels = []
        for name, array in turned.items():
            channels += _channels(held, name, array[index], where, options)
        recordings.append(recording_of(channels, f"{where}/{index}", **facts))
    return recordings


def _trials(array: np.ndarray, layout: str | None) -> np.ndarray:
    """(recordings, samples, channels)."""
    if layout is None:
        layout = "nct" if array.shape[2] >= array.shape[1] else "ntc"
    return array.transpose(0, 2, 1) if layout == "nct" else array


def _listed(held: Arrays, names: Sequence[str], n: int, where: str) -> list[str] | None:
    """One text for each recording, from the array of one of these names; None without one."""
    for name, array in held.arrays.items():
        if name.rpartition("/")[2].lower() in names:
            if array.size != n:
                raise bad_format(
                    where, f"'{name}' has {array.size} values for {n} recordings", "one for each"
                )
            return [_text(value) for value in array.reshape(-1).tolist()]
    return None


def _lone(held: Arrays, names: Sequence[str]) -> str | None:
    """What a file says of its only recording, among its facts or as an array of one."""
    said = {**held.arrays, **held.facts.get("", {})}
    for name, value in said.items():
        array = np.asarray(value)
        if name.lower() in names and array.size == 1 and array.dtype.kind in "iufUS":
            return _text(array.reshape(-1)[0].item())
    return None


def _text(value: object) -> str:
    """7.0 is '7', as a MATLAB user writes it."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and abs(value) < _LARGEST_NUMBER and value == int(value):
        return str(int(value))
    return str(value)
