"""A Delsys Trigno base as a source, by its TCP protocol.

trigno://HOST?port=50040&emg_port=50043&aux_port=50044&stride=9&upsample=off&names=left,right
"""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.live.sources import number_from
from kd_edge.live.sources import trigno_wire as wire
from kd_edge.live.sources.source import Chunk, SourceFacts, SourceStream
from kd_edge.live.sources.trigno_layout import Commands, ask_layout, connect, modes, protocol_error
from kd_edge.live.sources.trigno_wire import Layout, Sensor

_TIMEOUT_S = 5.0
_SILENCE_S = 5.0  # a base that streams is never silent for so long
_SETTLE_S = 0.1  # an earlier stream has ended if nothing comes for so long
_UNSETTLED_S = 5.0
_RECV_BYTES = 1 << 16


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(name and name.isprintable() and len(name) <= 64 for name in names):
        raise ValueError("names of sensors, with a comma between two, were expected")
    return names


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("on or off was expected")
    return text == "on"


_port = number_from(1, 65535)
OPTIONS = {
    "port": _port, "emg_port": _port, "aux_port": _port, "stride": number_from(1, wire.AUX_STRIDE),
    "upsample": _switch, "names": _names, "timeout": number_from(0.1, 600),
}  # fmt: skip


@dataclass(frozen=True)
class _Picked:
    """One stream of the source: which values of a step it is, and how many samples a frame has."""

    places: tuple[int, ...]
    samples: int


class _Port:
    """One data port: bytes in pieces of any size, steps out.

    Args:
        picked: position among the source's streams -> its values.
        steps: of a frame. width: values a step.
    """

    def __init__(
        self, made: socket.socket, picked: Mapping[int, _Picked], steps: int, width: int, kind: str
    ):
        self.socket, self._picked, self._kind = made, picked, kind
        self._steps, self._width = steps, width
        self._rest = b""
        self._step = 0  # since START

    @property
    def rest(self) -> int:
        """Bytes of a step that is not whole."""
        return len(self._rest)

    def take(self, data: bytes, at_s: float) -> list[Chunk]:
        data = self._rest + data
        size = self._width * wire.VALUE_BYTES
        whole = len(data) // size
        self._rest = data[whole * size :]
        values = np.frombuffer(data, self._kind, whole * self._width).reshape(whole, self._width)
        numbers = np.arange(self._step, self._step + whole)
        self._step += whole
        frame, place = numbers // self._steps, numbers % self._steps
        chunks = []
        for stream, picked in self._picked.items():
            own = place < picked.samples
            samples = values[own][:, picked.places].astype(np.float32)
            own_numbers = (frame * picked.samples + place)[own]
            # What is not a number is no sample: it counts as lost.
            finite = np.isfinite(samples).all(axis=1)
            chunks += _runs(stream, own_numbers[finite], samples[finite], at_s)
        return chunks


def _runs(stream: int, numbers: np.ndarray, samples: np.ndarray, at_s: float) -> list[Chunk]:
    """Chunks of samples whose numbers follow each other."""
    if not len(numbers):
        return []
    borders = [0, *(np.flatnonzero(np.diff(numbers) != 1) + 1).tolist(), len(numbers)]
    return [
        Chunk(stream, int(numbers[a]), samples[a:b], at_s) for a, b in itertools.pairwise(borders)
    ]


class Trigno:
    """A base that streams from the moment when this is made.

    Args:
        names: of the paired sensors in order; None: 'Trigno 01', …, by the base's numbers.
        silence_s: a base that says nothing for so long is lost.
        clock: of the samples' times.

    Raises:
        KdEdgeError KD_SOURCE_TIMEOUT, KD_SOURCE_PROTOCOL, KD_SOURCE_LOST: as `Commands` and
            `ask_layout`; another client's stream goes on.
        KdEdgeError KD_USAGE: not one name a sensor.
    """

    def __init__(
        self,
        host: str,
        *,
        port: int = wire.COMMAND_PORT,
        emg_port: int = wire.EMG_PORT,
        aux_port: int = wire.AUX_PORT,
        stride: int = wire.AUX_STRIDE,
        upsample: bool = False,
        names: tuple[str, ...] | None = None,
        timeout_s: float = _TIMEOUT_S,
        silence_s: float = _SILENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.ended = ""
        self._silence_s = silence_s
        self._clock, self._where = clock, f"{host}:{port}"
        with contextlib.ExitStack() as stack:
            self._commands = Commands(host, port, timeout_s)
            stack.callback(self._commands.close)
            data = {
                what: stack.enter_context(connect(host, number, timeout_s, what))
                for what, number in (("sEMG", emg_port), ("AUX", aux_port))
            }
            # The base may still send what an earlier client has started. While it does, it
            # refuses to be set up, and half a step of it would shift all that follows.
            self._commands.ask("STOP")
            self._ports: list[_Port] = []
            self._settle(list(data.values()))
            self._layout, upsampled = ask_layout(self._commands, stride=stride, upsample=upsample)
            streams, emg, aux = _streams(self._layout, names)
            kind = "<f4" if self._layout.little else ">f4"
            for what, picked, steps, width in (
                ("sEMG", emg, self._layout.emg_steps, wire.SLOTS),
                ("AUX", aux, self._layout.aux_steps, wire.SLOTS * stride),
            ):
                if picked:
                    self._ports.append(_Port(data[what], picked, steps, width, kind))
            self._modes = {sensor.number: sensor.mode for sensor in self._layout.sensors}
            if not self._commands.can("START"):
                raise KdEdgeError(
                    "KD_SOURCE_PROTOCOL",
                    "the Trigno base does not start",
                    where=self._where,
                    hint="is another client its master? End that one, or restart the base",
                )
            self._stack = stack.pop_all()
        notes = ()
        if upsampled != upsample:
            notes = (f"the base {'' if upsampled else 'does not '}upsample sEMG, unlike asked",)
        synthetic = wire.SYNTHETIC in self._commands.banner
        self.facts = SourceFacts(f"Trigno base at {host}", streams, synthetic, notes)
        self._heard_s = time.monotonic()

    def poll(self, wait_s: float) -> tuple[Chunk, ...]:
        if self.ended:
            return ()
        ports = {port.socket: port for port in self._ports}
        ready, _, _ = select.select(list(ports), [], [], max(0.0, wait_s))
        chunks = []
        for made in ready:
            try:
                data = made.recv(_RECV_BYTES)
            except OSError as error:
                raise self._lost(str(error)) from error
            if not data:
                raise self._lost("it closed the connection")
            chunks += ports[made].take(data, self._clock())
        now_s = time.monotonic()
        if ready:
            self._heard_s = now_s
        elif now_s - self._heard_s > self._silence_s:
            raise self._lost(f"nothing has come for {self._silence_s:g} s")
        return tuple(chunks)

    def close(self) -> None:
        if self.ended:
            return
        self.ended = "closed"
        with contextlib.suppress(KdEdgeError):
            self._commands.ask("STOP")
            self._commands.ask("QUIT")
        self._stack.close()

    def __enter__(self) -> Trigno:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _settle(self, sockets: list[socket.socket]) -> None:
        """Wait until nothing of an earlier stream comes any more.

        Raises:
            KdEdgeError KD_SOURCE_PROTOCOL: it goes on.
        """
        begun_s = time.monotonic()
        while ready := select.select(sockets, [], [], _SETTLE_S)[0]:
            for made in ready:
                try:
                    closed = not made.recv(_RECV_BYTES)
                except OSError:
                    closed = True
                if closed:
                    raise self._lost("a data port closed the connection")
            if time.monotonic() - begun_s > _UNSETTLED_S:
                raise protocol_error("it streams before it is started", self._where)

    def _lost(self, why: str) -> KdEdgeError:
        """The error for a stream that broke, with what the base says of it, if it still does."""
        rest = sum(port.rest for port in self._ports)
        if rest:
            why += f", and {rest} bytes of a step that was not whole are left out"
        hint = "look at the base, its sensors' batteries and the network, then start again"
        with contextlib.suppress(KdEdgeError):
            for number, mode in modes(self._commands).items():
                known = self._modes.get(number)
                if known != mode:
                    why = f"sensor {number} changed from mode {known} to {mode}; {why}"
                    hint = "leave modes alone while it streams; start again to take the new one"
                    break
        return KdEdgeError(
            "KD_SOURCE_LOST",
            f"the Trigno base's stream has ended: {why}",
            where=self._where,
            hint=hint,
        )


def _streams(
    layout: Layout, names: tuple[str, ...] | None
) -> tuple[tuple[SourceStream, ...], dict[int, _Picked], dict[int, _Picked]]:
    """The source's streams, and of those which values of a sEMG or an AUX step they are."""
    if names is not None and len(names) != len(layout.sensors):
        raise KdEdgeError(
            "KD_USAGE",
            f"names are {len(names)}, and the base has {len(layout.sensors)} sensors",
            where="--source",
            hint=f"name, in this order, {', '.join(str(s.number) for s in layout.sensors)}",
        )
    streams: list[SourceStream] = []
    emg: dict[int, _Picked] = {}
    aux: dict[int, _Picked] = {}
    for sensor, name in zip(
        layout.sensors, names or [f"Trigno {s.number:02d}" for s in layout.sensors], strict=True
    ):
        for places, channels, modality, titles in _groups(layout, sensor):
            to = emg if modality == "emg" else aux
            to[len(streams)] = _Picked(places, layout.samples(channels[0]))
            streams.append(
                SourceStream(
                    modality,
                    name,
                    tuple(f"{name}: {title}" for title in titles),
                    channels[0].rate_hz,
                    channels[0].unit,
                )
            )
    return tuple(streams), emg, aux


def _groups(layout: Layout, sensor: Sensor):
    """(places, channels, modality, titles) of neighbours of one unit and rate."""
    placed = list(zip(layout.emg_places(sensor), sensor.emg, strict=True))
    for _, group in itertools.groupby(placed, key=lambda p: (p[1].unit, p[1].rate_hz)):
        places, channels = zip(*group, strict=True)
        yield places, channels, "emg", [f"EMG {place - sensor.start + 2}" for place in places]
    placed = list(zip(layout.aux_places(sensor), sensor.aux, strict=True))
    for (unit, _), group in itertools.groupby(placed, key=lambda p: (p[1].unit, p[1].rate_hz)):
        places, channels = zip(*group, strict=True)
        modality, axes = wire.AXES.get(unit, ("aux", ()))
        extra = [f"AUX {k}" for k in range(len(axes) + 1, len(channels) + 1)]
        yield places, channels, modality, [*axes[: len(channels)], *extra]


def open_source(address: str, options: Mapping[str, object]) -> Trigno:
    """The base at a host. Raises as `Trigno`."""
    whole = {
        name: int(options[name])
        for name in ("port", "emg_port", "aux_port", "stride")
        if name in options
    }
    more = {name: options[name] for name in ("upsample", "names") if name in options}
    timeout_s = float(options.get("timeout", _TIMEOUT_S))
    return Trigno(address or "127.0.0.1", timeout_s=timeout_s, **whole, **more)
