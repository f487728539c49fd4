"""NPZ: one recording whose streams may have different rates.

Every stream is an array under a name without a dot, `(samples, channels)` or `(samples,)`, with its
facts beside it: `<name>.rate_hz` (needed), and where they apply `<name>.modality` (the name
otherwise), `.sensor`, `.channels` (a text array), `.unit`, `.start_s`, `.lsb`, `.times_s`. Facts
of the recording: `label`, `subject`, `session`, `trial`, `started`, `synthetic`. Pickled objects
are never loaded. `times_s` that are even are read as a rate and a start.

    np.savez("trial_07.npz", emg=x, **{"emg.rate_hz": 1111.11, "emg.unit": "mV"}, label="house")
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.untrusted import check_array
from kd_edge.signals.recording import Recording, Stream, is_rate, off_unix_clock, started_of
from kd_edge.signals.sane import check_samples
from kd_edge.signals.source import must_exist, peek, too_large, unpacked_bound
from kd_edge.signals.table import MOST_COLUMNS
from kd_edge.signals.timing import LATEST_S, Timing, timing
from kd_edge.signals.titles import unique

_RECORDING_KEYS = ("label", "subject", "session", "trial", "started", "synthetic")
# Streams of one recording that have no time in common may be so far apart.
_APART_S = 60.0
_STREAM_KEYS = (
    "rate_hz",
    "modality",
    "sensor",
    "channels",
    "unit",
    "start_s",
    "lsb",
    "times_s",
)


def sniff(path: Path) -> bool:
    """Whether the name ends in .npz and the file is a zip archive."""
    return path.is_file() and path.suffix.lower() == ".npz" and peek(path, 2) == b"PK"


def read(path: Path) -> list[Recording]:
    """One recording from an NPZ file.

    Raises:
        KdEdgeError KD_NO_FILE, KD_TRUNCATED or KD_BAD_FORMAT (no archive, a key that is unknown,
            missing or of the wrong kind, pickled objects, more than `unpacked_bound` bytes),
            KD_BAD_SAMPLES, KD_RATE_MISMATCH (times against `rate_hz`).
    """
    where = str(must_exist(path))
    if not sniff(Path(path)):
        raise _bad(where, "not an NPZ archive", "save arrays with numpy.savez, and name it .npz")
    arrays = _load(path, where)
    streams = tuple(_stream(name, arrays, where) for name in arrays if _is_stream(name))
    if not streams:
        raise _bad(where, "no stream", "save at least one array, such as emg, with 'emg.rate_hz'")
    for key in arrays:
        _known_key(key, arrays, where)
    names = unique(channel for stream in streams for channel in stream.channels)
    renamed, start = [], 0
    for stream in streams:
        end = start + len(stream.channels)
        renamed.append(_with_channels(stream, names[start:end]))
        start = end
    facts = {key: _text(arrays, key, where) for key in _RECORDING_KEYS if key in arrays}
    trial, synthetic = facts.get("trial", "0"), facts.get("synthetic", "False").lower()
    if not (trial.isascii() and trial.isdigit() and len(trial) < 10) or synthetic not in (
        "true",
        "false",
        "0",
        "1",
    ):
        raise _bad(where, "trial is a whole number and synthetic True or False", "save them so")
    check_samples(renamed, where)
    shifted, began = off_unix_clock(renamed)
    recording = Recording(
        streams=shifted,
        source=where,
        label=facts.get("label"),
        subject=facts.get("subject", ""),
        session=facts.get("session", ""),
        trial=int(trial),
        started=started_of(facts.get("started"), where) or began,
        synthetic=synthetic in ("true", "1"),
    )
    _check_one_clock(recording, where)
    return [recording]


def _check_one_clock(recording: Recording, where: str) -> None:
    """Refuse streams that are far more apart than they are long: their times are of two clocks."""
    latest_s = max(stream.start_s for stream in recording.streams)
    apart_s = latest_s - min(stream.end_s for stream in recording.streams)
    longest_s = max(stream.duration_s for stream in recording.streams)
    if apart_s <= max(_APART_S, longest_s):
        return
    spans = [
        f"{s.modality} from {s.start_s:.10g} to {s.end_s:.10g} s"
        for s in sorted(recording.streams, key=lambda stream: stream.start_s)
    ]
    raise _bad(
        where,
        f"its streams have no time in common: {', '.join(spans[:4])}",
        "give all streams times of one clock: 'emg.start_s', or 'emg.times_s'",
    )


def _load(path: Path, where: str) -> dict[str, np.ndarray]:
    try:
        # Opened here, because NumPy leaves a file open that turns out damaged.
        with open(path, "rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the parser of headers, when they are damaged
            _check_sizes(stream, path, where)
            with np.load(stream, allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
    except zipfile.BadZipFile as error:
        raise KdEdgeError(
            "KD_TRUNCATED",
            f"the NPZ archive is damaged or cut: {error}",
            where=where,
            hint="save or copy the file again",
        ) from error
    except KdEdgeError:
        raise
    except Exception as error:  # a damaged archive or header may raise anything
        raise _bad(
            where, f"not a readable NPZ file: {error}", "save plain arrays with numpy.savez"
        ) from error


def _check_sizes(stream: BinaryIO, path: Path, where: str) -> None:
    """Before anything is unpacked: what the archive and each array say that they need."""
    bound = unpacked_bound(path.stat().st_size)
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > bound:
            raise too_large(where, bound)
        for member in members:
            check_array(archive, member)
    stream.seek(0)


def _is_stream(name: str) -> bool:
    return "." not in name and name not in _RECORDING_KEYS


def _known_key(key: str, arrays: Mapping[str, np.ndarray], where: str) -> None:
    name, dot, fact = key.partition(".")
    if not dot:
        return
    if name not in arrays or not _is_stream(name):
        known = [k for k in arrays if _is_stream(k)]
        raise _bad(where, f"'{key}' belongs to no stream{nearest(name, known)}", "rename the key")
    if fact not in _STREAM_KEYS:
        raise _bad(where, f"unknown key '{key}'{nearest(fact, _STREAM_KEYS)}", "rename the key")


def _stream(name: str, arrays: Mapping[str, np.ndarray], where: str) -> Stream:
    samples = arrays[name]
    if samples.dtype.kind not in "iuf" or samples.ndim not in (1, 2) or not samples.size:
        raise _bad(
            where,
            f"'{name}' is {samples.dtype} {samples.shape}, and numbers (samples, channels) "
            "were expected",
            f"save '{name}' as such an array",
        )
    samples = samples.reshape(len(samples), -1)
    if samples.shape[1] > MOST_COLUMNS:
        raise _bad(
            where,
            f"'{name}' has {samples.shape[1]} channels, and at most {MOST_COLUMNS} are read",
            "save (samples, channels), not the other way round",
        )
    _must_fit(name, samples, where)
    channels = arrays.get(f"{name}.channels")
    if channels is None:
        n = samples.shape[1]
        names = (name,) if n == 1 else tuple(f"{name} {i}" for i in range(1, n + 1))
    else:
        items = np.atleast_1d(channels).ravel().tolist()
        names = tuple(_as_text(item, f"{name}.channels", where) for item in items)
    if len(names) != samples.shape[1]:
        raise _bad(
            where,
            f"'{name}.channels' has {len(names)} names for {samples.shape[1]} channels",
            "save one name a column",
        )
    rate_hz = _number(arrays, f"{name}.rate_hz", where)
    if rate_hz is None or not is_rate(rate_hz):
        raise _bad(where, f"'{name}.rate_hz' is missing or not over 0", "save the rate in Hz")
    when = _timing(name, arrays, len(samples), rate_hz, where)
    return Stream(
        modality=(_text(arrays, f"{name}.modality", where) or name).lower(),
        sensor=_text(arrays, f"{name}.sensor", where),
        channels=names,
        samples=samples.astype(np.float32),
        rate_hz=rate_hz,
        unit=_text(arrays, f"{name}.unit", where),
        start_s=when.start_s,
        lsb=_number(arrays, f"{name}.lsb", where),
        times_s=when.times_s,
    )


def _must_fit(name: str, samples: np.ndarray, where: str) -> None:
    """Refuse finite numbers that a 32-bit float cannot hold; infinity is left to `checks`."""
    sizes = np.abs(samples, dtype=np.float64)
    wrong = (sizes > np.finfo("f4").max) & np.isfinite(sizes)
    if wrong.any():
        sample, channel = (int(i) for i in np.argwhere(wrong)[0])
        raise KdEdgeError(
            "KD_BAD_SAMPLES",
            f"'{name}' is {samples[sample, channel]:g}, too large for a 32-bit float",
            where=f"{where}, sample {sample + 1}, channel {channel + 1}",
            hint="the file is damaged or its unit is wrong: save it again, or correct the unit",
        )


def _timing(
    name: str, arrays: Mapping[str, np.ndarray], n: int, rate_hz: float, where: str
) -> Timing:
    start_s = _number(arrays, f"{name}.start_s", where) or 0.0
    if abs(start_s) >= LATEST_S:
        raise _bad(where, f"'{name}.start_s' is {start_s:g} s", "save the start in seconds")
    times = arrays.get(f"{name}.times_s")
    if times is None:
        return Timing(rate_hz, start_s, None, ())
    key = f"{name}.times_s"
    rising = times.dtype.kind in "iuf" and times.shape == (n,) and bool(np.all(np.diff(times) >= 0))
    if not rising or not np.isfinite(times).all():
        raise _bad(where, f"'{key}' is not {n} increasing numbers", "save one time a sample")
    # Times kept in 32 bits lie further apart than the samples of a long recording.
    tick_s = float(np.spacing(np.abs(times).max())) if times.dtype.kind == "f" else 0.0
    times_s = times.astype(np.float64)
    place = f"{where}, {key}"
    try:
        return timing(times_s, stated_hz=rate_hz, where=place, tick_s=tick_s)
    except KdEdgeError as error:
        steps = np.diff(times_s)
        if error.code != "KD_RATE_MISMATCH" or np.ptp(steps) <= 0.1 * steps.mean() + 2 * tick_s:
            raise
        # Of a device that sends when it likes the rate is a nominal one.
        return Timing(rate_hz, float(times_s[0]), times_s, ())


def _number(arrays: Mapping[str, np.ndarray], key: str, where: str) -> float | None:
    value = arrays.get(key)
    if value is None:
        return None
    if value.size != 1 or value.dtype.kind not in "iuf" or not np.isfinite(value).all():
        raise _bad(where, f"'{key}' is not one number", "save it as a number")
    return float(value.reshape(-1)[0])


def _text(arrays: Mapping[str, np.ndarray], key: str, where: str) -> str:
    value = arrays.get(key)
    if value is None:
        return ""
    if value.size != 1 or value.dtype.kind not in "USiub":
        raise _bad(where, f"'{key}' is not one text", "save it as a text")
    return _as_text(value.reshape(-1)[0].item(), key, where)


def _as_text(item: object, key: str, where: str) -> str:
    text = item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)
    try:
        text.encode("utf-8")  # NumPy keeps halves of surrogate pairs, which no file or screen takes
    except UnicodeEncodeError as error:
        raise _bad(where, f"'{key}' holds what is no character", "save it as a text") from error
    return text


def _with_channels(stream: Stream, channels: tuple[str, ...]) -> Stream:
    from dataclasses import replace

    return stream if channels == stream.channels else replace(stream, channels=channels)


def _bad(where: str, message: str, hint: str) -> KdEdgeError:
    return KdEdgeError("KD_BAD_FORMAT", message, where=where, hint=hint)
