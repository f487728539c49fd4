"""A connected Android phone, through Android's own program `adb`."""

from __future__ import annotations

import secrets
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from firmware_export.boards.tools import find_tool
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.processes import run_program

# The one folder where Android's shell may start programs.
_PLACE = PurePosixPath("/data/local/tmp")
_READY = "device"
_UNAUTHORISED = ("unauthorized", "authorizing", "no")  # "no permissions (...)"


@dataclass(frozen=True)
class Phone:
    """A phone that takes commands.

    Attributes:
        serial: as adb names it. model: as its maker does.
        abis: Android's binary interfaces that it runs, its favourite first.
    """

    serial: str
    model: str
    abis: tuple[str, ...]

    def has(self, name: str) -> bool:
        """Whether somebody has put a program of that name where programs may start."""
        place = _PLACE / name
        return self._shell(f"test -f {place} && test -x {place}").returncode == 0

    def run(self, files: Mapping[str, bytes], program: str, *arguments: str) -> str:
        """What a program writes on the phone, where nothing of it stays.

        Args:
            files: name -> content.
            program: one of them, or `../NAME` of one that the phone `has`.

        Raises:
            KdEdgeError KD_PORT_CLOSED: the phone is gone. KD_BOARD_REFUSED: it does not take the
                files. KD_BOARD_PROTOCOL: the program fails, or is killed.
        """
        folder = str(_PLACE / f"kd-edge-{secrets.token_hex(6)}")
        try:
            self._push(files, folder)
            words = " ".join((f"./{program}", *arguments))
            ready = f"chmod 755 {program} && " if program in files else ""
            done = self._shell(f"cd {folder} && {ready}{words}")
        finally:
            self._shell(f"rm -rf {folder}")
        if done.returncode:
            self._still_there(done)
            raise KdEdgeError(
                "KD_BOARD_PROTOCOL",
                f"the program ended on the phone with status {done.returncode}",
                where=_said(done) or self.serial,
                hint="Android may have killed it: close other apps, keep the phone awake, and try "
                "again",
            )
        return done.stdout

    def _push(self, files: Mapping[str, bytes], folder: str) -> None:
        with tempfile.TemporaryDirectory(prefix="kd-edge-") as place:
            made = self._shell(f"mkdir -p {folder}")
            for name, content in files.items():
                if made.returncode:
                    break
                (Path(place) / name).write_bytes(content)
                made = self._adb("push", str(Path(place) / name), f"{folder}/{name}")
        if made.returncode:
            self._still_there(made)
            raise KdEdgeError(
                "KD_BOARD_REFUSED",
                f"the phone does not take files in {_PLACE}",
                where=_said(made) or self.serial,
                hint="is its storage full? `adb shell df /data` says",
            )

    def _still_there(self, done: subprocess.CompletedProcess) -> None:
        state = _devices().get(self.serial)
        if state != _READY:
            raise KdEdgeError(
                "KD_PORT_CLOSED",
                f"the phone {self.serial} was lost in the middle; adb says it is "
                f"{state or 'not there'}",
                where=_said(done) or self.serial,
                hint="was its cable pulled, or did it restart? Connect it, and try again",
            )

    def _shell(self, command: str) -> subprocess.CompletedProcess:
        return self._adb("shell", command)

    def _adb(self, *arguments: str) -> subprocess.CompletedProcess:
        return run_program(["adb", "-s", self.serial, *arguments])


def find_phone(serial: str | None = None) -> Phone:
    """The connected phone; of several that with the serial number.

    Raises:
        KdEdgeError KD_MISSING_TOOL: adb is not installed. KD_PORT_ABSENT: no phone, or not that
            one. KD_PORT_DENIED: it has not allowed this computer. KD_USAGE: there are several.
            KD_BOARD_TIMEOUT: it does not answer.
    """
    devices = _devices()
    if serial is None:
        serial = _only(devices)
    elif serial not in devices:
        raise KdEdgeError(
            "KD_PORT_ABSENT",
            f"no phone {serial} is connected",
            hint=f"connected: {', '.join(devices) or 'none'}",
        )
    _check_state(serial, devices[serial])
    command = ["adb", "-s", serial, "shell", "getprop"]
    abis = run_program([*command, "ro.product.cpu.abilist"])
    if abis.returncode or not abis.stdout.strip():
        raise KdEdgeError(
            "KD_BOARD_TIMEOUT",
            f"the phone {serial} does not say what it is",
            where=_said(abis) or serial,
            hint="connect it again; `adb kill-server` helps where adb itself hangs",
        )
    model = run_program([*command, "ro.product.model"]).stdout.strip()
    return Phone(serial, model or "unknown model", tuple(abis.stdout.strip().split(",")))


def _only(devices: Mapping[str, str]) -> str:
    if not devices:
        raise KdEdgeError(
            "KD_PORT_ABSENT",
            "no phone is connected",
            hint="turn on USB debugging in the phone's developer options, and connect it by a "
            "data cable; `adb devices` must list it",
        )
    if len(devices) > 1:
        raise KdEdgeError(
            "KD_USAGE",
            f"{len(devices)} phones are connected",
            where=", ".join(devices),
            hint=f"name one, such as --adb {next(iter(devices))}",
        )
    return next(iter(devices))


def _check_state(serial: str, state: str) -> None:
    if state == _READY:
        return
    if state in _UNAUTHORISED:
        raise KdEdgeError(
            "KD_PORT_DENIED",
            f"the phone {serial} has not allowed this computer",
            where=state,
            hint="unlock the phone and confirm 'Allow USB debugging'; on Linux adb may also need "
            "the udev rules of its package",
        )
    raise KdEdgeError(
        "KD_BOARD_TIMEOUT",
        f"the phone {serial} takes no commands: it is {state}",
        hint="wait until it has started, or connect it again",
    )


def _devices() -> dict[str, str]:
    """Serial number -> state, of everything that adb sees."""
    find_tool("adb")
    done = run_program(["adb", "devices"])
    if done.returncode:
        raise KdEdgeError(
            "KD_PORT_ABSENT",
            "adb does not work",
            where=_said(done),
            hint="run `adb devices` and mend what it says",
        )
    rows = (line.split() for line in done.stdout.splitlines() if "\t" in line)
    return {row[0]: row[1] for row in rows if len(row) > 1}


def _said(done: subprocess.CompletedProcess) -> str:
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else ""
