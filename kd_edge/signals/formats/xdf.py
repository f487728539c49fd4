"""XDF, which LabRecorder writes of Lab Streaming Layer: read by pyxdf.

pyxdf reads on after damage; here the file is refused. Times are those of pyxdf: clocks brought
together, jitter of even streams removed.
"""

from __future__ import annotations

import contextlib
import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from kd_edge.base.errors import KdEdgeError, require
from kd_edge.signals.channels import Channel, bad_format, damaged, recording_of
from kd_edge.signals.recording import Recording
from kd_edge.signals.source import peek, read_bytes
from kd_edge.signals.table import MOST_COLUMNS
from kd_edge.signals.timing import irregular, timing
from kd_edge.signals.titles import modality_of

MAGIC = b"XDF:"
FILE_HEADER, STREAM_HEADER, SAMPLES, STREAM_FOOTER = 1, 2, 3, 6
_OF_A_STREAM = (STREAM_HEADER, SAMPLES, 4, STREAM_FOOTER)
_SIZES = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4, "double64": 8, "string": 1}


def sniff(path: Path) -> bool:
    """Whether the file begins as XDF does."""
    return path.is_file() and peek(path, 4) == MAGIC


def read(path: Path) -> list[Recording]:
    """One recording from an XDF file, plain or `.xdf.gz`.

    A stream of numbers is a stream; its type is the modality ('EMG' is 'emg'), its name the sensor.
    Streams of texts (markers) and streams without samples are left out with a note.

    Raises:
        KdEdgeError KD_NO_FILE, KD_MISSING_PACKAGE (pyxdf), KD_TRUNCATED, KD_BAD_FORMAT,
            KD_BAD_SAMPLES, KD_RATE_MISMATCH (times against the nominal rate).
    """
    content, where = read_bytes(path), str(path)
    pyxdf = require("pyxdf", extra="formats", purpose="reading XDF files")
    with damaged(where, "XDF"):
        _check(content, where)
        with _refusing_damage(where):
            streams = _load(pyxdf, content)
        channels, notes = [], []
        for stream in streams:
            if stream["info"]["channel_format"][0] == "string" or not len(stream["time_stamps"]):
                name, n = stream["info"]["name"][0], len(stream["time_stamps"])
                notes.append(f"{name}: {n} texts or no samples, left out")
            else:
                channels += _channels(stream, where)
    return [recording_of(channels, where, notes=notes)]


def _load(pyxdf: Any, content: bytes) -> list[dict[str, Any]]:
    """The streams with their times; where these jitter, with those that pyxdf makes even.

    What pyxdf makes even loses gaps of less than a second, so even times stay as they are.
    """
    streams, _ = pyxdf.load_xdf(BytesIO(content), dejitter_timestamps=False)
    if not any(_jitters(stream) for stream in streams):
        return streams
    smooth, _ = pyxdf.load_xdf(BytesIO(content), jitter_break_threshold_samples=0)
    return [b if _jitters(a) else a for a, b in zip(streams, smooth, strict=True)]


def _jitters(stream: dict[str, Any]) -> bool:
    """Whether more than one step in ten is not the nominal one."""
    rate_hz = float(stream["info"]["nominal_srate"][0])
    times = np.asarray(stream["time_stamps"])
    if rate_hz <= 0 or len(times) < 2 or stream["info"]["channel_format"][0] == "string":
        return False
    return bool(np.mean(np.abs(np.diff(times) * rate_hz - 1) > 0.1) > 0.1)


def _channels(stream: dict[str, Any], where: str) -> list[Channel]:
    info = stream["info"]
    name, kind = (info.get(key, [""])[0] or "" for key in ("name", "type"))
    nominal_hz = float(info["nominal_srate"][0])
    times = np.asarray(stream["time_stamps"], dtype=np.float64)
    samples = stream["time_series"]
    place = f"{where}, stream {name}"
    if nominal_hz:
        when = timing(times, stated_hz=nominal_hz, where=place)
    else:
        when = irregular(times, place)
    titles = _titles(info, samples.shape[1])
    return [
        Channel(
            name=title,
            samples=samples[:, column],
            rate_hz=when.rate_hz,
            unit=unit,
            sensor=name,
            modality=modality_of(own_kind or kind) or None,
            start_s=when.start_s,
            times_s=when.times_s,
        )
        for column, (title, unit, own_kind) in enumerate(titles)
    ]


def _titles(info: dict[str, Any], n_channels: int) -> list[tuple[str, str, str]]:
    """(label, unit, type) of each channel, '' where the stream's description has none."""
    described = (info.get("desc") or [None])[0] or {}
    listed = ((described.get("channels") or [None])[0] or {}).get("channel") or []
    if len(listed) != n_channels:
        return [("", "", "")] * n_channels
    return [
        tuple(((one or {}).get(key) or [""])[0] or "" for key in ("label", "unit", "type"))
        for one in listed
    ]


# --- what pyxdf does not look at ------------------------------------------------------------------


@contextlib.contextmanager
def _refusing_damage(where: str) -> Iterator[None]:
    """Refuse what pyxdf says of damage in its log, and keep the log off the terminal."""
    log, said = logging.getLogger("pyxdf.pyxdf"), _Said()
    kept = log.propagate, log.level
    log.addHandler(said)
    log.propagate = False
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.removeHandler(said)
        log.propagate = kept[0]
        log.setLevel(kept[1])
    if said.errors:
        raise bad_format(where, f"damaged: {said.errors[0][:120]}", "copy the file again")


class _Said(logging.Handler):
    """Keeps what was logged as an error."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(record.getMessage())


@dataclass(frozen=True)
class _Format:
    """Of a stream's samples: channels, and bytes a number."""

    n_channels: int
    size: int


def _check(content: bytes, where: str) -> None:
    """Refuse chunks that end after the file, and samples that their chunk cannot hold."""
    formats: dict[int, _Format] = {}
    place = len(MAGIC)
    while place < len(content):
        length, start = _length(content, place, where)
        place = start + length
        if place > len(content):
            raise _cut(where, start)
        tag = int.from_bytes(content[start : start + 2], "little")
        if tag not in _OF_A_STREAM:
            continue
        if length < 6:
            raise bad_format(where, f"the chunk at byte {start} is too short", "copy it again")
        stream, body = int.from_bytes(content[start + 2 : start + 6], "little"), start + 6
        if tag == STREAM_HEADER:
            formats[stream] = _format(content[body:place], where)
        elif stream not in formats:
            raise bad_format(where, f"the chunk at byte {start} is of no stream", "copy it again")
        elif tag == SAMPLES:
            n_samples, body = _length(content, body, where)
            kind = formats[stream]
            if n_samples * (1 + kind.n_channels * kind.size) > place - body:
                raise bad_format(
                    where, f"{n_samples} samples in {place - body} bytes", "copy the file again"
                )


def _format(xml: bytes, where: str) -> _Format:
    info = ElementTree.fromstring(xml.decode("utf-8", "replace"))
    n_channels = int(info.findtext("channel_count", "0"))
    kind = info.findtext("channel_format", "")
    if not 0 < n_channels <= MOST_COLUMNS or kind not in _SIZES:
        raise bad_format(where, f"a stream of {n_channels} channels of {kind!r:.40}", "copy again")
    return _Format(n_channels, _SIZES[kind])


def _length(content: bytes, place: int, where: str) -> tuple[int, int]:
    """A length of 1, 4 or 8 bytes, and where what it measures begins."""
    n_bytes = content[place] if place < len(content) else 0
    if n_bytes not in (1, 4, 8):
        raise bad_format(where, f"no length at byte {place}", "the file is damaged: copy it again")
    end = place + 1 + n_bytes
    if end > len(content):
        raise _cut(where, place)
    return int.from_bytes(content[place + 1 : end], "little"), end


def _cut(where: str, place: int) -> KdEdgeError:
    return KdEdgeError(
        "KD_TRUNCATED",
        f"the file ends in the middle of the chunk at byte {place}",
        where=where,
        hint="copy the file again and compare its size",
    )


def chunk(tag: int, *pieces: bytes) -> bytes:
    """A chunk of an XDF file: its length, its tag and its content."""
    content = struct.pack("<H", tag) + b"".join(pieces)
    return b"\x04" + struct.pack("<I", len(content)) + content
