"""A board as data, read from its board.toml and checked."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from firmware_export.aot.cores import Core, find_core
from kd_edge.errors import KdEdgeError, nearest

# Emulated boards run with `-icount shift=6`: each instruction takes 2^6 ns of board time.
INSTRUCTION_SHIFT = 6
INSTRUCTION_NS = 1 << INSTRUCTION_SHIFT

_STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True)
class Memory:
    """One block of memory: first address and size in bytes."""

    __pydantic_config__ = _STRICT

    start: int
    bytes: int


@dataclass(frozen=True)
class Emulator:
    """How QEMU is told about the board."""

    __pydantic_config__ = _STRICT

    machine: str


@dataclass(frozen=True)
class Uart:
    """The serial port: kind of peripheral, its address and its receive interrupt."""

    __pydantic_config__ = _STRICT

    kind: Literal["cmsdk"]
    base: int
    irq: int


@dataclass(frozen=True)
class Timer:
    """What ticks: kind of peripheral, its address, its interrupt if it needs one, ticks a second."""

    __pydantic_config__ = _STRICT

    kind: Literal["cmsdk", "sse"]
    base: int
    hz: int
    irq: int | None = None


@dataclass(frozen=True)
class Board:
    """One board.

    Attributes:
        name: as in `--board`; its folder is called the same.
        title: as its maker writes it.
        core: a key of `CORES`.
        clock_hz: of the core.
        flash: what the image may fill.
        ram: what data, stack and buffers may fill.
        emulated: it is a machine of QEMU.
        run: images of it have been run by this project's tests; False: they are built only.
        emulator, uart, timer: of boards whose start-up code is here.
    """

    __pydantic_config__ = _STRICT

    name: str
    title: str
    core: str
    clock_hz: int
    flash: Memory
    ram: Memory
    emulated: bool
    run: bool
    emulator: Emulator | None = None
    uart: Uart | None = None
    timer: Timer | None = None

    @property
    def core_facts(self) -> Core:
        """The core with its compiler and flags."""
        return find_core(self.core)

    def instructions(self, ticks: int) -> int:
        """Instructions in a span of ticks of an emulated board that counts them.

        Exact to one instruction and one tick; spans of 10,000 instructions and more are worth
        measuring.
        """
        return round(ticks * 1e9 / (self.timer.hz * INSTRUCTION_NS))


def read_board(path: Path) -> Board:
    """Read and check one board.toml.

    Raises:
        KdEdgeError KD_BOARD_FILE: no TOML, an unknown, missing or impossible value; with file
            and key.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        # Through JSON, because from Python objects strict checking wants instances of the classes.
        board = TypeAdapter(Board).validate_json(json.dumps(content, default=str))
    except tomllib.TOMLDecodeError as error:
        raise _bad(path, f"is no TOML: {error}") from error
    except ValidationError as error:
        raise _invalid(path, error) from error
    _check(path, board)
    return board


def _invalid(path: Path, error: ValidationError) -> KdEdgeError:
    """The first thing that is wrong, in words."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "unexpected_keyword_argument":
        known = Board.__dataclass_fields__ if len(first["loc"]) == 1 else ()
        return _bad(path, f"has an unknown key '{key}'{nearest(key, known)}", key)
    if first["type"] == "missing":
        return _bad(path, f"lacks '{key}'", key)
    return _bad(path, f"'{key}' cannot be {first['input']!r}: {first['msg'].lower()}", key)


def _check(path: Path, board: Board) -> None:
    """What types alone do not say."""
    if board.name != path.parent.name:
        raise _bad(path, f"calls the board {board.name!r}, its folder {path.parent.name!r}", "name")
    for key, memory in (("flash", board.flash), ("ram", board.ram)):
        if memory.bytes <= 0 or memory.start < 0:
            raise _bad(path, f"'{key}' has no bytes or a negative start", key)
    try:
        find_core(board.core)
    except KdEdgeError as error:
        raise _bad(path, error.message, "core", hint=error.hint) from error
    if board.emulated:
        for key in ("emulator", "uart", "timer"):
            if getattr(board, key) is None:
                raise _bad(path, f"is emulated, but lacks '{key}'", key)
        if board.timer.kind == "cmsdk" and board.timer.irq is None:
            raise _bad(path, "has a 32-bit timer, which needs its interrupt", "timer.irq")


def _bad(path: Path, problem: str, key: str | None = None, hint: str | None = None) -> KdEdgeError:
    return KdEdgeError(
        "KD_BOARD_FILE",
        f"{path.parent.name}/{path.name} {problem}",
        where=f"{path}, key {key}" if key else str(path),
        hint=hint or "firmware_export/boards/README.md lists the keys",
    )
