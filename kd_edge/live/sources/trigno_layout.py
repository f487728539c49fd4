"""What a Trigno base says of its sensors, asked over its command port."""

from __future__ import annotations

import socket

from kd_edge.base.errors import KdEdgeError
from kd_edge.live.sources import trigno_wire as wire
from kd_edge.live.sources.trigno_wire import Channel, Layout, Sensor

_LONGEST_ANSWER = 4096  # bytes; the vendor's are under 100


def connect(host: str, port: int, timeout_s: float, what: str) -> socket.socket:
    """An open connection. Raises KD_SOURCE_TIMEOUT: nobody listens there."""
    try:
        made = socket.create_connection((host, port), timeout_s)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made
    except (OSError, UnicodeError, OverflowError) as error:
        raise KdEdgeError(
            "KD_SOURCE_TIMEOUT",
            f"no Trigno base at {host}: its {what} port {port} does not answer",
            where=str(error),
            hint="start the vendor's Trigno Control Utility there, and look at its ports; to try "
            "without one: kd-edge data serve-trigno RECORDING",
        ) from error


class Commands:
    """The command port: one line asked, one answered.

    Raises:
        KdEdgeError KD_SOURCE_TIMEOUT: nobody listens, or no answer comes.
        KdEdgeError KD_SOURCE_PROTOCOL: what comes is not an answer.
    """

    def __init__(self, host: str, port: int, timeout_s: float):
        self._where = f"{host}:{port}"
        self._socket = connect(host, port, timeout_s, "command")
        self._rest = b""
        try:
            self.banner = self._answer()
        except BaseException:
            self.close()
            raise

    def ask(self, command: str) -> str:
        """The answer to a command, without its end."""
        try:
            self._socket.sendall(command.encode("ascii") + wire.END)
        except OSError as error:
            raise self._lost(str(error)) from error
        return self._answer()

    def can(self, command: str) -> bool:
        """Whether a command is done."""
        return self.ask(command) == wire.OK

    def close(self) -> None:
        self._socket.close()

    def _answer(self) -> str:
        while wire.END not in self._rest:
            if len(self._rest) > _LONGEST_ANSWER:
                raise protocol_error(f"an answer of more than {_LONGEST_ANSWER} bytes", self._where)
            try:
                piece = self._socket.recv(_LONGEST_ANSWER)
            except TimeoutError as error:
                raise KdEdgeError(
                    "KD_SOURCE_TIMEOUT",
                    "the Trigno base does not answer",
                    where=self._where,
                    hint="is it a Trigno base's command port, and is another client its master?",
                ) from error
            except OSError as error:
                raise self._lost(str(error)) from error
            if not piece:
                raise self._lost("it closed the connection")
            self._rest += piece
        line, _, self._rest = self._rest.partition(wire.END)
        return line.decode("ascii", "replace").strip()

    def _lost(self, why: str) -> KdEdgeError:
        return KdEdgeError(
            "KD_SOURCE_LOST",
            f"the Trigno base's command port is gone: {why}",
            where=self._where,
            hint="look at the base and the network, then start again",
        )


def protocol_error(what: str, where: str) -> KdEdgeError:
    """The error for something that no Trigno base says."""
    return KdEdgeError(
        "KD_SOURCE_PROTOCOL",
        f"that is not what a Trigno base says: {what}",
        where=where,
        hint="look at host and ports: trigno://HOST?port=50040&emg_port=50043&aux_port=50044",
    )


def ask_layout(commands: Commands, *, stride: int, upsample: bool) -> tuple[Layout, bool]:
    """What the base streams, and whether it upsamples sEMG.

    Args:
        upsample: ask for sEMG at 2000 Hz; else for each sensor's own rate, which some bases refuse.

    Raises:
        KdEdgeError KD_SOURCE_PROTOCOL: its answers do not fit together. And as `Commands`.
    """
    little = commands.can("ENDIAN LITTLE") or commands.ask("ENDIANNESS?") != "BIG"
    commands.ask("BACKWARDS COMPATIBILITY OFF")
    wanted = "ON" if upsample else "OFF"
    upsampled = upsample if commands.can(f"UPSAMPLE {wanted}") else not upsample
    frame = commands.ask("FRAME INTERVAL?")
    frame_s = (
        wire.FRAME_S if frame in (wire.INVALID, wire.CANNOT) else _number(frame, "FRAME INTERVAL?")
    )
    sensors = tuple(
        _sensor(commands, number, upsampled)
        for number in range(1, wire.SLOTS + 1)
        if commands.ask(f"SENSOR {number} PAIRED?") == wire.YES
    )
    if not any((*sensor.emg, *sensor.aux) for sensor in sensors):
        raise KdEdgeError(
            "KD_SOURCE_PROTOCOL",
            "the Trigno base has no sensor that streams",
            where="SENSOR 1 to 16 PAIRED?",
            hint="pair sensors in the Trigno Control Utility, and choose a mode",
        )
    try:
        return Layout(sensors, frame_s, stride, little), upsampled
    except ValueError as error:
        raise protocol_error(str(error), "SENSOR n STARTINDEX?, CHANNELCOUNT?, RATE?") from error


def modes(commands: Commands) -> dict[int, str]:
    """Sensor -> its mode, of those that are paired."""
    return {
        number: commands.ask(f"SENSOR {number} MODE?")
        for number in range(1, wire.SLOTS + 1)
        if commands.ask(f"SENSOR {number} PAIRED?") == wire.YES
    }


def _sensor(commands: Commands, number: int, upsampled: bool) -> Sensor:
    def whole(what: str, least: int, most: int) -> int:
        said = commands.ask(f"SENSOR {number} {what}")
        if not (said.isascii() and said.isdigit() and least <= int(said[:9]) <= most):
            raise protocol_error(f"{said[:40]!r}", f"SENSOR {number} {what}")
        return int(said)

    mode = commands.ask(f"SENSOR {number} MODE?")[:40]
    start = whole("STARTINDEX?", 1, wire.SLOTS)
    n_emg = whole("EMGCHANNELCOUNT?", 0, wire.SLOTS)
    n_aux = whole("AUXCHANNELCOUNT?", 0, wire.AUX_VALUES)
    channels = []
    for k in range(1, n_emg + n_aux + 1):
        what = f"SENSOR {number} CHANNEL {k}"
        rate_hz = _number(commands.ask(f"{what} RATE?"), f"{what} RATE?")
        unit = commands.ask(f"{what} UNITS?")
        unit = "" if unit in (wire.INVALID, wire.CANNOT) else unit[:20]
        if k <= n_emg:
            rate_hz = wire.UPSAMPLED_HZ if upsampled else rate_hz
            unit = unit or "V"
        channels.append(Channel(rate_hz, unit))
    return Sensor(number, mode, start, tuple(channels[:n_emg]), tuple(channels[n_emg:]))


def _number(said: str, where: str) -> float:
    try:
        value = float(said[:40])
    except ValueError as error:
        raise protocol_error(f"{said[:40]!r}", where) from error
    if not 0 < value < 1e6:
        raise protocol_error(f"{said[:40]!r}", where)
    return value
