"""An emulated Trigno base: a recording behind the real protocol, for tests and teaching."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from kd_edge.base.errors import KdEdgeError
from kd_edge.live.sources import trigno_wire as wire
from kd_edge.live.sources.trigno_commands import answer
from kd_edge.live.sources.trigno_wire import Channel, Layout, Sensor
from kd_edge.signals.recording import Recording, Stream, usual_unit

BANNER = "Delsys Trigno System Digital Protocol Version 3.6.0 (emulated by kd-edge)"
FAULTS = ("disconnect", "half-frame", "late-stop", "mode", "stall")
_AUX_ORDER = tuple(modality for modality, _ in wire.AXES.values())
_UNIT_OF = {modality: unit for unit, (modality, _) in wire.AXES.items()}
_VOLTS = {"V": 1.0, "mV": 1e-3, "µV": 1e-6}
_MOST_FRAMES = 400  # tried, until all rates have whole samples in one
_LONGEST_COMMAND = 1024
_MOST_WAITING = 1 << 22  # bytes that a client may lag behind


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and after how many seconds of the stream (`late-stop`: after STOP)."""

    name: str
    at_s: float


@dataclass(frozen=True, eq=False)
class Played:
    """A recording as a base streams it.

    Attributes:
        emg, aux: (frames, steps, values) float32, not upsampled. layout: of both.
        synthetic: a generator made the recording, which the banner says.
        upsampled: (frames, steps, values) float32 of sEMG at 2000 Hz; None if a frame has no whole
            number of its samples.
    """

    layout: Layout
    emg: np.ndarray
    aux: np.ndarray
    upsampled: np.ndarray | None
    synthetic: bool = False

    @property
    def frames(self) -> int:
        return max(len(self.emg), len(self.aux))


def played(recording: Recording) -> Played:
    """A recording laid out as a base does it: its sensors in order from number 1 on.

    Voltages are sent in volts, as a base sends them. All streams begin with the base's START.

    Raises:
        KdEdgeError KD_RATE_MISMATCH: no frame has whole numbers of all sensors' samples.
        KdEdgeError KD_SHAPE: more channels than a base has.
    """
    by_sensor: dict[str, list[Stream]] = {}
    for stream in recording.streams:
        by_sensor.setdefault(stream.sensor or "sensor", []).append(stream)
    frame_s = _frame_s(recording)
    sensors, start = [], 1
    placed: list[tuple[bool, int, Stream, np.ndarray]] = []
    for number, streams in enumerate(by_sensor.values(), start=1):
        emg = [s for s in streams if s.modality == "emg"]
        aux = sorted((s for s in streams if s.modality in _AUX_ORDER), key=_place_of)
        sensor = Sensor(
            number,
            "40",
            start,
            tuple(Channel(s.rate_hz, "V") for s in emg for _ in s.channels),
            tuple(Channel(s.rate_hz, _UNIT_OF[s.modality]) for s in aux for _ in s.channels),
        )
        sensors.append(sensor)
        place = start - 1
        for stream in emg:
            placed.append((True, place, stream, stream.samples * np.float32(_volts(stream))))
            place += len(stream.channels)
        place = (start - 1) * wire.AUX_STRIDE
        for stream in aux:
            placed.append((False, place, stream, stream.samples))
            place += len(stream.channels)
        start += max(1, len(sensor.emg))
    try:
        layout = Layout(tuple(sensors), frame_s)
    except ValueError as error:
        raise KdEdgeError(
            "KD_SHAPE",
            f"no Trigno base streams {recording.source}: {error}",
            hint=f"a base has {wire.SLOTS} sEMG values and {wire.AUX_STRIDE} others a sensor",
        ) from error
    return replace(_filled(layout, placed), synthetic=recording.synthetic)


def _filled(layout: Layout, placed: list[tuple[bool, int, Stream, np.ndarray]]) -> Played:
    def samples_of(stream: Stream) -> int:
        return layout.samples(Channel(stream.rate_hz, ""))

    frames = min(stream.n_samples // samples_of(stream) for _, _, stream, _ in placed)
    emg = np.zeros((frames, layout.emg_steps, wire.SLOTS), np.float32)
    aux = np.zeros((frames, layout.aux_steps, wire.AUX_VALUES), np.float32)
    n_up = wire.UPSAMPLED_HZ * layout.frame_s
    whole = abs(n_up - round(n_up)) < 0.01 and layout.emg_steps
    up = np.zeros((frames, round(n_up), wire.SLOTS), np.float32) if whole else None
    for is_emg, place, stream, samples in placed:
        n, width = samples_of(stream), len(stream.channels)
        own = samples[: frames * n].reshape(frames, n, width)
        (emg if is_emg else aux)[:, :n, place : place + width] = own
        if is_emg and up is not None:
            at = np.arange(frames * round(n_up)) * n / round(n_up)
            for channel in range(width):
                line = np.interp(at, np.arange(frames * n), samples[: frames * n, channel])
                up[:, :, place + channel] = line.reshape(frames, -1)
    return Played(layout, emg, aux, up)


def _frame_s(recording: Recording) -> float:
    """The vendor's 13.5 ms, or the shortest frame with whole numbers of all rates' samples."""
    rates = [s.rate_hz for s in recording.streams if s.modality in ("emg", *_AUX_ORDER)]
    if not rates:
        raise KdEdgeError(
            "KD_CHANNEL_MISSING", f"{recording.source} has nothing that a Trigno base streams"
        )
    slowest = min(rates)
    for frame_s in (wire.FRAME_S, *(k / slowest for k in range(1, _MOST_FRAMES))):
        samples = [rate * frame_s for rate in rates]
        if all(round(n) and abs(n - round(n)) < 1e-3 * n for n in samples):
            return frame_s
    raise KdEdgeError(
        "KD_RATE_MISMATCH",
        f"{recording.source} has rates that share no frame: {', '.join(f'{r:g}' for r in rates)}",
        hint="serve a recording of a Trigno",
    )


def _place_of(stream: Stream) -> int:
    return _AUX_ORDER.index(stream.modality)


def _volts(stream: Stream) -> float:
    return _VOLTS.get(usual_unit(stream.unit), 1.0)


@dataclass(eq=False)
class _Client:
    """One connection: bytes that came, and bytes that wait for it."""

    socket: socket.socket
    came: bytes = b""
    waiting: bytearray = field(default_factory=bytearray)


class TrignoBase:
    """A base that streams a recording, over and over, or once.

    Args:
        what: as `played` gives it.
        host: to listen on. ports: of commands, sEMG and AUX; 0: free ones.
        fault: what goes wrong; None: nothing.
        once: after the recording's end it says nothing more; else it begins anew.
        seed: of the sizes of TCP pieces; None: as large as they come.

    Attributes:
        ports: of commands, sEMG and AUX.

    Raises:
        KdEdgeError KD_PORT_BUSY: a port is taken.
    """

    def __init__(
        self,
        what: Played,
        *,
        host: str = "127.0.0.1",
        ports: tuple[int, int, int] = (wire.COMMAND_PORT, wire.EMG_PORT, wire.AUX_PORT),
        fault: Fault | None = None,
        once: bool = False,
        seed: int | None = None,
    ):
        self.what = what
        self.upsample, self.little = what.upsampled is not None, True
        self._fault, self._once = fault, once
        self._random = None if seed is None else np.random.default_rng(seed)
        self._listeners = [_listen(host, port) for port in ports]
        self.ports = tuple(listener.getsockname()[1] for listener in self._listeners)
        self._clients: list[list[_Client]] = [[], [], []]
        self._started_s: float | None = None
        self._stopping_s: float | None = None
        self._frame = 0
        self._silent = False
        self._now_s = 0.0

    @property
    def streams(self) -> bool:
        return self._started_s is not None

    def can_upsample(self, *, on: bool) -> bool:
        """Whether it does so from now on."""
        if self.streams or (on and self.what.upsampled is None):
            return False
        self.upsample = on
        return True

    def can_turn(self, *, little: bool) -> bool:
        """Whether bytes come in that order from now on."""
        if self.streams:
            return False
        self.little = little
        return True

    def start(self) -> bool:
        """Begin to stream; False if it does."""
        if self.streams:
            return False
        self._started_s, self._frame, self._silent = self._now_s, 0, False
        return True

    def stop(self) -> bool:
        """End it; a base with that fault goes on for a while."""
        if not self.streams:
            return False
        if self._fault and self._fault.name == "late-stop":
            if self._stopping_s is None:
                self._stopping_s = self._now_s + self._fault.at_s
        else:
            self._started_s = None
        return True

    def step(self, now_s: float, wait_s: float) -> bool:
        """Take what has come, send what is due by a clock, as far as clients take it.

        Returns:
            whether all that was due has been sent.
        """
        self._now_s = now_s
        if self._stopping_s is not None and now_s >= self._stopping_s:
            self._stopping_s = self._started_s = None
        self._take(wait_s)
        self._fill(now_s)
        self._send()
        return not any(client.waiting for clients in self._clients for client in clients)

    def run(
        self, *, clock: Callable[[], float] = time.monotonic, until: Callable[[], bool]
    ) -> None:
        """Steps until `until` says so."""
        while not until():
            self.step(clock(), 0.005)

    def close(self) -> None:
        for clients in self._clients:
            for client in clients:
                client.socket.close()
            clients.clear()
        for listener in self._listeners:
            listener.close()

    def _take(self, wait_s: float) -> None:
        known = {client.socket: client for clients in self._clients for client in clients}
        ready, _, _ = select.select([*self._listeners, *known], [], [], wait_s)
        for made in ready:
            if made in self._listeners:
                self._accept(self._listeners.index(made))
                continue
            client = known[made]
            try:
                data = made.recv(4096)
            except OSError:
                data = b""
            if not data:
                self._drop(client)
            elif client in self._clients[0]:
                client.came += data
                self._obey(client)

    def _accept(self, port: int) -> None:
        made, _ = self._listeners[port].accept()
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = _Client(made)
        self._clients[port].append(client)
        if port == 0:
            banner = BANNER + (f" {wire.SYNTHETIC}" if self.what.synthetic else "")
            client.waiting += banner.encode() + wire.END

    def _obey(self, client: _Client) -> None:
        while wire.END in client.came:
            line, _, client.came = client.came.partition(wire.END)
            client.waiting += (
                answer(self, line.decode("ascii", "replace").strip()).encode() + wire.END
            )
        if len(client.came) > _LONGEST_COMMAND:
            self._drop(client)

    def _fill(self, now_s: float) -> None:
        """Frames that are due, for every client of the data ports."""
        if self._started_s is None or self._silent:
            return
        played_s = now_s - self._started_s
        due = int(played_s / self.what.layout.frame_s)
        end = self._fault.at_s if self._fault and self._fault.name != "late-stop" else None
        while self._frame < due and not self._silent:
            if end is not None and self._frame * self.what.layout.frame_s >= end:
                self._fail()
                return
            if self._once and self._frame >= self.what.frames:
                self._silent = True
                return
            for clients, data in zip(self._clients[1:], self._bytes(self._frame), strict=True):
                for client in list(clients):
                    client.waiting += data
                    if len(client.waiting) > _MOST_WAITING:
                        self._drop(client)
            self._frame += 1

    def _bytes(self, frame: int) -> tuple[bytes, bytes]:
        index = frame % self.what.frames
        emg = self.what.upsampled if self.upsample else self.what.emg
        kind = "<f4" if self.little else ">f4"
        return emg[index].astype(kind).tobytes(), self.what.aux[index].astype(kind).tobytes()

    def _fail(self) -> None:
        """The fault happens."""
        name, self._silent = self._fault.name, True
        if name == "mode":
            first, *others = self.what.layout.sensors
            layout = replace(self.what.layout, sensors=(replace(first, mode="66"), *others))
            self.what = replace(self.what, layout=layout)
        if name == "half-frame":
            for clients, data in zip(self._clients[1:], self._bytes(self._frame), strict=True):
                for client in clients:
                    client.waiting += data[: max(1, len(data) // 2 - 1)]
        if name in ("disconnect", "half-frame", "mode"):
            self._started_s = None
            for clients in self._clients[1:]:
                for client in list(clients):
                    self._flush(client)
                    self._drop(client)

    def _flush(self, client: _Client) -> None:
        with contextlib.suppress(OSError):
            client.socket.setblocking(True)
            client.socket.settimeout(1.0)
            client.socket.sendall(client.waiting)

    def _send(self) -> None:
        for clients in self._clients:
            for client in list(clients):
                try:
                    while client.waiting:
                        sent = client.socket.send(client.waiting[: self._piece()])
                        del client.waiting[:sent]
                except BlockingIOError:
                    continue
                except OSError:
                    self._drop(client)

    def _piece(self) -> int:
        return 1 << 16 if self._random is None else int(self._random.integers(1, 700))

    def _drop(self, client: _Client) -> None:
        client.socket.close()
        for clients in self._clients:
            if client in clients:
                clients.remove(client)
        if not self._clients[0] and self._stopping_s is None:
            self._started_s = None  # nobody is left to stop it


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=4)
    except (OSError, OverflowError) as error:
        raise KdEdgeError(
            "KD_PORT_BUSY",
            f"port {port} of {host} cannot be opened: {error}",
            hint="end the Trigno Control Utility or another emulated base, or take other ports",
        ) from error
