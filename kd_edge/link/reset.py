"""How boards are started anew through their port before the first contact."""

from __future__ import annotations

import time

import serial

from kd_edge.base.registry import Registry


def _open(url: str, baud: int, **lines: bool) -> serial.Serial:
    """The port, never waiting in read(); control lines are set before it opens."""
    port = serial.serial_for_url(url, do_not_open=True)
    port.baudrate = baud
    port.timeout = 0
    if hasattr(port, "exclusive") and "://" not in url:
        port.exclusive = True
    for line, state in lines.items():
        setattr(port, line, state)
    port.open()
    return port


def _steps(port: serial.Serial, *steps: tuple[str | None, bool, float]) -> serial.Serial:
    """Sets one control line after another (None: none), each followed by its seconds of waiting."""
    try:
        for line, state, seconds in steps:
            if line is not None:
                setattr(port, line, state)
            time.sleep(seconds)
    except OSError:
        port.close()
        raise
    return port


class NoReset:
    """Leaves the board as it runs."""

    def open(self, url: str, baud: int) -> serial.Serial:
        return _open(url, baud)


class DtrPulse:
    """Boards whose DTR pulls the reset pin through a capacitor (Arduino-like)."""

    pulse_s = 0.05
    boot_s = 1.0

    def open(self, url: str, baud: int) -> serial.Serial:
        steps = ("dtr", False, self.pulse_s), ("dtr", True, self.boot_s)
        return _steps(_open(url, baud), *steps)


class RtsToReset:
    """Boards whose RTS is the reset pin and whose DTR chooses the boot loader (ESP32-like).

    DTR stays off throughout, so that the board starts its own program.
    """

    pulse_s = 0.1
    boot_s = 0.5

    def open(self, url: str, baud: int) -> serial.Serial:
        steps = (None, True, self.pulse_s), ("rts", False, self.boot_s)
        return _steps(_open(url, baud, dtr=False, rts=True), *steps)


class Touch1200:
    """Boards with native USB whose loader is called by opening the port at 1200 baud.

    The port vanishes and comes back; it is awaited for `back_s` seconds.
    """

    leave_s = 0.5
    back_s = 8.0

    def open(self, url: str, baud: int) -> serial.Serial:
        _open(url, 1200, dtr=False).close()
        time.sleep(self.leave_s)
        until = time.monotonic() + self.back_s
        while True:
            try:
                return _open(url, baud)
            except (serial.SerialException, OSError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)


# Name, as in a board.toml or on the command line -> strategy.
STRATEGIES = Registry(
    "reset strategy",
    {
        "none": NoReset(),
        "dtr-pulse": DtrPulse(),
        "rts-to-reset": RtsToReset(),
        "touch-1200": Touch1200(),
    },
    home=__name__,
    plural="reset strategies",
)


def reset_strategy(name: str):
    """The strategy of that name.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: there is none.
    """
    return STRATEGIES.find(name)
