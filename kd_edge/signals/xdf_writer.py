"""Recordings as XDF, the format of Lab Streaming Layer's recorder.

Every sample bears its time. Label, subject and session have no place in the format.
"""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.files import write_bytes
from kd_edge.signals.formats.xdf import (
    FILE_HEADER,
    MAGIC,
    SAMPLES,
    STREAM_FOOTER,
    STREAM_HEADER,
    chunk,
)
from kd_edge.signals.recording import Recording, Stream

_SAMPLES_A_CHUNK = 1 << 12


def write_xdf(recording: Recording, path: Path) -> None:
    """Write a recording: a stream of 32-bit floats for each of its streams.

    The type of a stream is its modality, its name the sensor.

    Raises:
        KdEdgeError KD_LABELS (a name with a character that XML has not), KD_OUTPUT.
    """
    made = {"version": "1.0"} | ({"synthetic": "true"} if recording.synthetic else {})
    pieces = [MAGIC, chunk(FILE_HEADER, _xml("info", made))]
    for number, stream in enumerate(recording.streams, start=1):
        pieces += _stream(stream, struct.pack("<I", number), recording.source)
    write_bytes(path, b"".join(pieces))


def _stream(stream: Stream, number: bytes, source: str) -> list[bytes]:
    times_s = stream.times_s
    if times_s is None:
        times_s = stream.start_s + np.arange(stream.n_samples) / stream.rate_hz
    rows = np.zeros(
        stream.n_samples, [("n", "u1"), ("time", "<f8"), ("values", "<f4", len(stream.channels))]
    )
    rows["n"], rows["time"], rows["values"] = 8, times_s, stream.samples
    pieces = [chunk(STREAM_HEADER, number, _header(stream, source))]
    for start in range(0, len(rows), _SAMPLES_A_CHUNK):
        part = rows[start : start + _SAMPLES_A_CHUNK]
        pieces.append(chunk(SAMPLES, number, b"\x04", struct.pack("<I", len(part)), part.tobytes()))
    facts = {
        "first_timestamp": repr(float(times_s[0])),
        "last_timestamp": repr(float(times_s[-1])),
        "sample_count": str(len(rows)),
    }
    return [*pieces, chunk(STREAM_FOOTER, number, _xml("info", facts))]


def _header(stream: Stream, source: str) -> bytes:
    for name in (stream.modality, stream.sensor, stream.unit, *stream.channels):
        if not all(character.isprintable() for character in name):
            raise KdEdgeError(
                "KD_LABELS",
                f"the name {name!r} has a character that XDF cannot hold",
                where=source,
                hint="use names of letters, digits and signs",
            )
    info = Element("info")
    facts = {
        "name": stream.sensor or stream.modality,
        "type": stream.modality.upper(),
        "channel_count": str(len(stream.channels)),
        "nominal_srate": repr(float(stream.rate_hz)),
        "channel_format": "float32",
    }
    for key, value in facts.items():
        SubElement(info, key).text = value
    channels = SubElement(SubElement(info, "desc"), "channels")
    for channel in stream.channels:
        one = SubElement(channels, "channel")
        SubElement(one, "label").text = channel.removeprefix(f"{stream.sensor}: ")
        SubElement(one, "unit").text = stream.unit
        SubElement(one, "type").text = stream.modality.upper()
    return b'<?xml version="1.0"?>' + tostring(info)


def _xml(name: str, facts: dict[str, str]) -> bytes:
    root = Element(name)
    for key, value in facts.items():
        SubElement(root, key).text = value
    return b'<?xml version="1.0"?>' + tostring(root)
