"""How an emulated Trigno base answers each command."""

from __future__ import annotations

import re
from typing import Protocol

from kd_edge.live.sources import trigno_wire as wire
from kd_edge.live.sources.trigno_wire import Layout, Sensor


class _Played(Protocol):
    layout: Layout


class Base(Protocol):
    """What commands look at and change."""

    what: _Played
    little: bool
    upsample: bool
    streams: bool

    def start(self) -> bool: ...

    def stop(self) -> bool: ...

    def can_upsample(self, *, on: bool) -> bool: ...

    def can_turn(self, *, little: bool) -> bool: ...


_ABOUT_CHANNEL = re.compile(r"SENSOR (\d{1,2}) CHANNEL (\d{1,3}) (RATE|UNITS|GAIN|SAMPLES)\?")
_ABOUT_SENSOR = re.compile(r"SENSOR (\d{1,2}) ([A-Z]+)\?")


def answer(base: Base, command: str) -> str:
    """The answer to one command, without its end."""
    done = _told(base, command)
    if done is not None:
        return wire.OK if done else wire.CANNOT
    if command == "QUIT":
        base.stop()
        return "BYE"
    asked = {
        "FRAME INTERVAL?": f"{base.what.layout.frame_s:.9g}",
        "MAX SAMPLES EMG?": str(base.what.layout.emg_steps),
        "MAX SAMPLES AUX?": str(base.what.layout.aux_steps),
        "ENDIANNESS?": "LITTLE" if base.little else "BIG",
        "UPSAMPLING?": wire.YES if base.upsample else wire.NO,
        "BACKWARDS COMPATIBILITY?": wire.NO,
    }
    return asked.get(command) or _about_sensor(base.what.layout, command)


def _told(base: Base, command: str) -> bool | None:
    """Whether a command is done; None: it tells nothing to do."""
    orders = {
        "START": base.start,
        "STOP": base.stop,
        "UPSAMPLE ON": lambda: base.can_upsample(on=True),
        "UPSAMPLE OFF": lambda: base.can_upsample(on=False),
        "ENDIAN LITTLE": lambda: base.can_turn(little=True),
        "ENDIAN BIG": lambda: base.can_turn(little=False),
        "BACKWARDS COMPATIBILITY OFF": lambda: not base.streams,
        "BACKWARDS COMPATIBILITY ON": lambda: False,
        "MASTER": lambda: not base.streams,
    }
    return orders[command]() if command in orders else None


def _about_sensor(layout: Layout, command: str) -> str:
    sensors = {sensor.number: sensor for sensor in layout.sensors}
    if found := _ABOUT_CHANNEL.fullmatch(command):
        sensor = sensors.get(int(found[1]))
        return wire.INVALID if sensor is None else _channel(layout, sensor, int(found[2]), found[3])
    found = _ABOUT_SENSOR.fullmatch(command)
    if found is None or not 1 <= int(found[1]) <= wire.SLOTS:
        return wire.INVALID
    sensor = sensors.get(int(found[1]))
    if found[2] == "PAIRED":
        return wire.NO if sensor is None else wire.YES
    if sensor is None:
        return wire.CANNOT
    n_emg, n_aux = len(sensor.emg), len(sensor.aux)
    return {
        "MODE": sensor.mode,
        "TYPE": "Avanti",
        "ACTIVE": wire.YES,
        "STARTINDEX": str(sensor.start),
        "CHANNELCOUNT": str(n_emg + n_aux),
        "EMGCHANNELCOUNT": str(n_emg),
        "AUXCHANNELCOUNT": str(n_aux),
    }.get(found[2], wire.INVALID)


def _channel(layout: Layout, sensor: Sensor, number: int, what: str) -> str:
    channels = (*sensor.emg, *sensor.aux)
    if not 1 <= number <= len(channels):
        return wire.INVALID
    channel = channels[number - 1]
    return {
        "RATE": f"{channel.rate_hz:.9g}",
        "UNITS": channel.unit or "unitless",
        "GAIN": "1",
        "SAMPLES": str(layout.samples(channel)),
    }[what]
