"""OTB+, of OT Bioelettronica's amplifiers: a tar of `NAME.sig` with int16 and `NAME.xml` beside it.

Written after the public description of the format, the vendor's MATLAB example. No genuine file
was at hand: the volts of an amplifier's whole range do not stand in the file, and are a note.
"""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals.channels import Channel, bad_format, damaged, recording_of
from kd_edge.signals.recording import Recording
from kd_edge.signals.source import read_bytes
from kd_edge.signals.table import MOST_COLUMNS

# Volts of the whole range at a gain of one: of these devices, and of all others.
_RANGE_V = {"QUATTRO": 5.0, "QUATTROCENTO": 5.0, "EMG-USB": 5.0, "EMG-USB2": 5.0, "DUE": 5.0}
_OTHER_RANGE_V = 3.3
# Words of an adapter's name that say that its channels are no sEMG: modality.
_NOT_EMG = {
    "control": "control", "quaternion": "quat", "loadcell": "force", "load cell": "force",
    "aux": "analog", "direct connection": "analog", "buffer": "control", "ramp": "control",
}  # fmt: skip
_SAMPLE_BYTES = 2
_MOST_XML = 8 << 20


@dataclass(frozen=True)
class _Placed:
    """A channel that the XML describes, and its column in the samples."""

    column: int
    name: str
    sensor: str
    modality: str
    gain: float


def sniff(path: Path) -> bool:
    """Whether the name ends in .otb+."""
    return path.is_file() and path.suffix.lower() == ".otb+"


def read(path: Path, *, range_v: float | None = None) -> list[Recording]:
    """A recording for each `.sig` of an OTB+ file.

    sEMG is in mV, by `range_v` / 2^bits / gain; channels of other adapters are counts.

    Args:
        range_v: volts of the amplifier's whole range at a gain of one; None: the one that the
            vendor's example has for this device.

    Raises:
        KdEdgeError KD_NO_FILE, KD_TRUNCATED, KD_BAD_FORMAT (not a tar, a signal without its XML,
            samples of more than 16 bits), KD_USAGE (range_v), KD_BAD_SAMPLES.
    """
    if range_v is not None and not 0 < range_v < 1e6:
        raise KdEdgeError("KD_USAGE", f"a range of {range_v} V", hint="for example range_v=3.3")
    content, where = read_bytes(path), str(path)
    with damaged(where, "OTB+"):
        members = _members(content, where)
        signals = sorted(name for name in members if name.lower().endswith(".sig"))
        if not signals:
            raise bad_format(where, "it holds no .sig", "save it again with the vendor's program")
        return [_recording(members, name, f"{where}, {name}", range_v) for name in signals]


def _members(content: bytes, where: str) -> dict[str, memoryview]:
    """Name -> bytes of each file of the archive, none of them copied."""
    found: dict[str, memoryview] = {}
    view = memoryview(content)
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        for member in archive:
            if not member.isreg() or member.issparse():
                continue
            end = member.offset_data + member.size
            if end > len(content):
                raise _cut(f"{where}, {member.name}")
            found[member.name] = view[member.offset_data : end]
    return found


def _recording(
    members: dict[str, memoryview], name: str, where: str, range_v: float | None
) -> Recording:
    xml = members.get(f"{name[:-4]}.xml")
    if xml is None:
        raise bad_format(where, "no XML describes it", "save it again with the vendor's program")
    device = _parsed(bytes(xml[: _MOST_XML + 1]), where)
    facts = device.attrib
    n_channels, bits = int(facts["DeviceTotalChannels"]), int(facts["ad_bits"])
    if not 0 < n_channels <= MOST_COLUMNS or not 0 < bits <= 8 * _SAMPLE_BYTES:
        raise bad_format(
            where,
            f"{n_channels} channels of {bits} bits, and those of at most 16 bits are read",
            "export it as CSV or MATLAB with the vendor's program",
        )
    if not len(members[name]) or len(members[name]) % (n_channels * _SAMPLE_BYTES):
        raise _cut(where)
    counts = np.frombuffer(members[name], "<i2").reshape(-1, n_channels)
    title = facts.get("Name", "").strip()
    volts = range_v or _RANGE_V.get(title.split(";")[0].upper(), _OTHER_RANGE_V)
    placed = _placed(device, n_channels, where)
    rate_hz = float(facts["SampleFrequency"])
    channels = [_channel(each, counts, rate_hz, 1e3 * volts / 2**bits) for each in placed]
    notes = []
    if any(channel.unit for channel in channels):
        notes.append(
            f"mV by a range of {volts:g} V, which the file does not state (option range_v)"
        )
    if len(placed) < n_channels:
        notes.append(f"{n_channels - len(placed)} channels that no adapter describes, not read")
    return recording_of(channels, where, notes=notes)


def _channel(placed: _Placed, counts: np.ndarray, rate_hz: float, mv: float) -> Channel:
    """Args: mv: of one count at a gain of one."""
    column = counts[:, placed.column].astype(np.float32)
    is_emg = placed.modality == "emg"
    return Channel(
        name=placed.name,
        samples=column * np.float32(mv / placed.gain) if is_emg else column,
        rate_hz=rate_hz,
        unit="mV" if is_emg else "",
        sensor=placed.sensor,
        modality=placed.modality,
    )


def _placed(device: ElementTree.Element, n_channels: int, where: str) -> list[_Placed]:
    """The channels of all adapters, by their columns."""
    found: dict[int, _Placed] = {}
    for number, adapter in enumerate(device.iter("Adapter"), start=1):
        sensor = adapter.get("ID", "").strip() or f"adapter {number}"
        modality = next((m for word, m in _NOT_EMG.items() if word in sensor.lower()), "emg")
        first, gain = int(adapter.get("ChannelStartIndex", "")), float(adapter.get("Gain", ""))
        if not (gain > 0 and np.isfinite(gain)) and modality == "emg":
            raise bad_format(where, f"{sensor!r:.40} has a gain of {gain:g}", "save it again")
        for channel in adapter.iter("Channel"):
            index = int(channel.get("Index", ""))
            column = first + index
            if not 0 <= column < n_channels or column in found:
                raise bad_format(
                    where,
                    f"channel {index} of {sensor!r:.40} is column {column} of {n_channels}",
                    "its XML does not fit it: save it again",
                )
            muscle = channel.get("Muscle", "").strip()
            title = f"{modality.upper()} {index + 1}{' ' * bool(muscle)}{muscle}"
            found[column] = _Placed(column, title, sensor, modality, gain)
    return [found[column] for column in sorted(found)]


def _parsed(xml: bytes, where: str) -> ElementTree.Element:
    if len(xml) > _MOST_XML or b"<!DOCTYPE" in xml or b"<!ENTITY" in xml:
        raise bad_format(where, "its XML is no description of a device", "save it again")
    return ElementTree.fromstring(xml)


def _cut(where: str) -> KdEdgeError:
    return KdEdgeError(
        "KD_TRUNCATED",
        "its samples are no whole number of rows",
        where=where,
        hint="copy the file again and compare its size",
    )
