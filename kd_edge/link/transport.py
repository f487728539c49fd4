"""Bytes to and from a board: anything that pyserial opens, or a band over Bluetooth."""

from __future__ import annotations

import errno
import select
import time
from collections.abc import Callable
from typing import Protocol

import serial

from kd_edge.base.errors import KdEdgeError
from kd_edge.link.bluetooth import PREFIX, BluetoothTransport
from kd_edge.link.reset import reset_strategy

FIRST_SPEED = 115_200
_CHUNK = 65_536
_WRITE_S = 5.0
_POLL_S = 0.001  # where a port cannot be waited for with select
_BUSY = (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK)
_BUSY_WORDS = ("exclusively lock", "Access is denied", "PermissionError(13", "Resource busy")


class Transport(Protocol):
    """What the link needs of a port; tests put faults between two of them."""

    name: str

    def write(self, data: bytes) -> None:
        """Send everything.

        Raises:
            KdEdgeError KD_PORT_CLOSED: the port is gone.
            KdEdgeError KD_BOARD_TIMEOUT: the other side takes nothing.
        """

    def read(self, timeout: float) -> bytes:
        """What has come, waiting at most `timeout` seconds for a first byte; b"" for none.

        A port that looks for a lost connection waits longer.
        """

    def set_speed(self, baud: int) -> bool:
        """Change the baud rate. Returns False where the port has none."""

    @property
    def has_speed(self) -> bool:
        """Whether `set_speed` can change anything."""

    def close(self) -> None:
        """Give the port back; a second call does nothing."""


class SerialTransport:
    """A port that `serial.serial_for_url` knows: a device, socket://, rfc2217://, spy://.

    Args:
        url: as pyserial takes it.
        baud: the speed at first contact.
        reset: a key of `kd_edge.link.reset.STRATEGIES`.

    Raises:
        KdEdgeError KD_PORT_ABSENT, KD_PORT_BUSY, KD_PORT_DENIED: it cannot be opened.
        KdEdgeError KD_USAGE: the reset strategy needs control lines that it has not.
    """

    def __init__(self, url: str, *, baud: int = FIRST_SPEED, reset: str = "none"):
        strategy = reset_strategy(reset)
        self.name = url
        self.has_speed = "://" not in url or url.startswith(("rfc2217://", "spy://"))
        try:
            self._port = strategy.open(url, baud)
            self._port.write_timeout = _WRITE_S
        except (serial.SerialException, OSError, ValueError) as error:
            raise _cannot_open(url, error) from error
        self._wait = self._file_descriptor()

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except serial.SerialTimeoutException as error:
            raise KdEdgeError(
                "KD_BOARD_TIMEOUT",
                f"{self.name} has taken no byte for {_WRITE_S:g} s",
                hint="the board hangs, or flow control is on: reset it",
            ) from error
        except (serial.SerialException, OSError) as error:
            raise _gone(self.name, error) from error

    def read(self, timeout: float) -> bytes:
        try:
            self._wait_for_input(timeout)
            return self._port.read(_CHUNK)
        except (serial.SerialException, OSError, TypeError) as error:
            # pyserial raises TypeError where another thread closes the port in the middle.
            raise _gone(self.name, error) from error

    def set_speed(self, baud: int) -> bool:
        if not self.has_speed:
            return False
        try:
            self._port.flush()
            self._port.baudrate = baud
        except (serial.SerialException, OSError) as error:
            raise _gone(self.name, error) from error
        except ValueError:
            return False
        return True

    def close(self) -> None:
        inner = getattr(self._port, "_socket", None)
        self._port.close()
        if inner is not None:
            # pyserial 3.5 leaves its socket open where the other side has closed first.
            inner.close()

    def _file_descriptor(self) -> int | None:
        try:
            return self._port.fileno()
        except (AttributeError, OSError):  # Windows, rfc2217://, loop://
            return None

    def _wait_for_input(self, timeout: float) -> None:
        if self._wait is not None:
            select.select([self._port], [], [], max(timeout, 0.0))
            return
        until = time.monotonic() + timeout
        while not self._port.in_waiting and time.monotonic() < until:
            time.sleep(_POLL_S)


def open_transport(
    url: str, *, baud: int | None, reset: str, tell: Callable[[str], None]
) -> Transport:
    """The port of that name.

    Args:
        url: ble://NAME, or anything that pyserial opens.
        baud: the speed at first contact; None: the usual one.
        reset: a key of `kd_edge.link.reset.STRATEGIES`.
        tell: told in a sentence when a connection is lost and found again, on another thread.

    Raises:
        KdEdgeError: as `SerialTransport`, or `BluetoothTransport` and `BleakRadio`.
        KdEdgeError KD_USAGE: a speed or a reset strategy over Bluetooth, or no name.
    """
    if not url.startswith(PREFIX):
        return SerialTransport(url, baud=baud or FIRST_SPEED, reset=reset)
    name = url.removeprefix(PREFIX)
    if not name or baud is not None or reset != "none":
        raise KdEdgeError(
            "KD_USAGE",
            "Bluetooth has neither a speed nor control lines" if name else "the band has no name",
            where=url,
            hint=f"leave --baud and --reset out: {PREFIX}{name or 'NAME'} alone",
        )
    from kd_edge.link.bleak_radio import BleakRadio

    return BluetoothTransport(BleakRadio(name), tell=tell)


def _cannot_open(url: str, error: Exception) -> KdEdgeError:
    number = getattr(error, "errno", None)
    words = str(error)
    if number in _BUSY or any(sign in words for sign in _BUSY_WORDS):
        return KdEdgeError(
            "KD_PORT_BUSY",
            f"{url} is in use by another program",
            where=words,
            hint="close the serial monitor or the other kd-edge that holds it",
        )
    if number == errno.EACCES or "Permission denied" in words:
        return KdEdgeError(
            "KD_PORT_DENIED",
            f"this user may not open {url}",
            where=words,
            hint="on Linux: sudo usermod -aG dialout $USER, then log in again",
        )
    if number in (errno.ENOTTY, errno.EINVAL):
        return KdEdgeError(
            "KD_USAGE",
            f"{url} has no control lines, so a board behind it cannot be started anew through it",
            where=words,
            hint="--reset none, and press the board's reset button",
        )
    return KdEdgeError(
        "KD_PORT_ABSENT",
        f"there is no port {url}",
        where=words,
        hint=f"ports seen now: {', '.join(ports_seen()) or 'none'}; is the cable a data cable?",
    )


def _gone(name: str, error: Exception) -> KdEdgeError:
    return KdEdgeError(
        "KD_PORT_CLOSED",
        f"{name} was closed from the other side",
        where=str(error) or type(error).__name__,
        hint="was the board unplugged, or its power cut? What was answered before is kept",
    )


def ports_seen() -> tuple[str, ...]:
    """Names of the serial ports that the operating system lists now."""
    from serial.tools import list_ports

    return tuple(port.device for port in sorted(list_ports.comports()))
