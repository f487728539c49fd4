"""A board as data, read from its board.toml and checked."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError

from firmware_export.aot.cores import Core, find_core
from firmware_export.boards.kinds import (
    INSTRUCTION_SHIFT,
    KINDS,
    PROJECTS,
    RADIOS,
    TIMERS,
    UARTS,
    BoardKind,
)
from kd_edge.base.errors import KdEdgeError, nearest

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
    """How QEMU is told about the board.

    Attributes:
        machine: as `-M` has it.
        options: that this machine needs besides.
        serial: which of the machine's serial ports `[uart]` is, from 0.
    """

    __pydantic_config__ = _STRICT

    machine: str
    options: tuple[str, ...] = ()
    serial: int = 0

    @property
    def arguments(self) -> tuple[str, ...]:
        """Of QEMU's command line; the board's serial port is the next that it is given."""
        return ("-M", self.machine, *self.options, *(("-serial", "null") * self.serial))


@dataclass(frozen=True)
class Uart:
    """The serial port: kind of peripheral, its address and its receive interrupt.

    Attributes:
        tx, rx: numbers of its pins, where they can be chosen.
        hz: that its speed is divided from, where that is not the core's clock.
        plic: address of the interrupt controller that a RISC-V core has before it.
    """

    __pydantic_config__ = _STRICT

    kind: Annotated[str, AfterValidator(UARTS.known)]
    base: int | None = None
    irq: int | None = None
    hz: int | None = None
    plic: int | None = None
    tx: int | None = None
    rx: int | None = None


@dataclass(frozen=True)
class Timer:
    """What ticks: kind of clock, ticks a second, its address, its interrupt if it needs one."""

    __pydantic_config__ = _STRICT

    kind: Annotated[str, AfterValidator(TIMERS.known)]
    hz: int
    base: int | None = None
    irq: int | None = None


def _project(name: str) -> str:
    if not PROJECTS[PROJECTS.known(name)].of_boards:
        raise ValueError(f"'{name}' is no kind of project that a board's users know best")
    return name


@dataclass(frozen=True)
class Project:
    """What the board's users build with, and the names that it has there.

    Attributes:
        kind, platform, board, framework: of the project that its users know best; an empty
            framework: none.
        tools: what writes an image into the board -> what the board is called there; the first
            one unless told otherwise.
        boot: how a hand brings the board into its boot loader.
        usb: its `Serial` is native USB, which has no speed.
        tflm: TFLite Micro's library for such projects, by name; None where there is none.
        zephyr: the board's name in Zephyr; empty where it has none that we know.
        bluetooth: the stack of its radio, a key of `RADIOS`; None: it has none that we drive.
        packages: other versions of PlatformIO's packages than the platform takes by itself.
    """

    __pydantic_config__ = _STRICT

    kind: Annotated[str, AfterValidator(_project)]
    platform: str
    board: str
    framework: str
    tools: dict[str, str]
    boot: str
    usb: bool
    zephyr: str
    tflm: str | None = None
    packages: str | None = None
    bluetooth: Annotated[str, AfterValidator(RADIOS.known)] | None = None


@dataclass(frozen=True)
class Board:
    """One board.

    Attributes:
        name: as in `--board`; its folder is called the same.
        title: as its maker writes it.
        core: a key of `CORES`.
        clock_hz: of the core.
        flash: what the image may fill.
        constants: another memory, for constants, where flash alone is short; None: they are in
            flash too.
        ram: what data, stack and buffers may fill.
        emulated: it is a machine of QEMU, or a process on this one.
        run: images of it have been run by this project's tests; False: they are built only.
        stack_bytes: set aside for the stack.
        uart: of emulated boards, whose start-up code is here.
        timer: of emulated boards, and of real ones that count microseconds; the others count
            cycles.
        emulator: of QEMU's boards.
        project: of real boards, and of those that are emulated as a vendor sells them.
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
    constants: Memory | None = None
    stack_bytes: int = 16 * 1024
    emulator: Emulator | None = None
    uart: Uart | None = None
    timer: Timer | None = None
    project: Project | None = None

    @property
    def kind(self) -> BoardKind:
        """How it is built and reached."""
        # The newest first: a kind that is added may be a special case of an older one.
        return next(kind for kind in reversed(tuple(KINDS.values())) if kind.of(self))

    @property
    def counts_instructions(self) -> bool:
        """QEMU counts instructions; a process and a real board do not."""
        return self.kind.counts_instructions

    @property
    def image_bytes(self) -> int:
        """What code and constants may fill together."""
        return self.flash.bytes + (self.constants.bytes if self.constants else 0)

    @property
    def core_facts(self) -> Core:
        """The core with its compiler and flags."""
        return find_core(self.core)

    def instructions(self, ticks: int) -> int:
        """Instructions in a span of ticks of an emulated board that counts them.

        Exact to one instruction and one tick; spans of 10,000 instructions and more are worth
        measuring.

        Raises:
            KdEdgeError KD_USAGE: the board does not count instructions.
        """
        if not self.counts_instructions:
            raise KdEdgeError(
                "KD_USAGE",
                f"{self.name} does not count instructions: its ticks are time",
                hint="QEMU's boards count them: `kd-edge board list`",
            )
        return round(ticks * 1e9 / (self.timer.hz * INSTRUCTION_NS))


@dataclass(frozen=True)
class Fit:
    """Whether an image fits a board: bytes that are left, negative where there are too few."""

    flash_left: int
    ram_left: int

    @property
    def fits(self) -> bool:
        return self.flash_left >= 0 and self.ram_left >= 0


def fits(board: Board, flash_bytes: int, ram_bytes: int) -> Fit:
    """What would be left of a board's memories; its own firmware needs some of that."""
    return Fit(board.image_bytes - flash_bytes, board.ram.bytes - ram_bytes)


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
    """The first thing that is wrong, in words; a misspelt key before what is missing by it."""
    unknown = "unexpected_keyword_argument"
    first = sorted(error.errors(), key=lambda one: one["type"] != unknown)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == unknown:
        known = Board.__dataclass_fields__ if len(first["loc"]) == 1 else ()
        return _bad(path, f"has an unknown key '{key}'{nearest(key, known)}", key)
    if first["type"] == "missing":
        return _bad(path, f"lacks '{key}'", key)
    said = first["msg"].removeprefix("Value error, ").lower()
    return _bad(path, f"'{key}' cannot be {first['input']!r}: {said}", key)


def _check(path: Path, board: Board) -> None:
    """What types alone do not say."""
    if board.name != path.parent.name:
        raise _bad(path, f"calls the board {board.name!r}, its folder {path.parent.name!r}", "name")
    memories = {"flash": board.flash, "ram": board.ram, "constants": board.constants}
    for key, memory in memories.items():
        if memory is not None and (memory.bytes <= 0 or memory.start < 0):
            raise _bad(path, f"'{key}' has no bytes or a negative start", key)
    try:
        find_core(board.core)
    except KdEdgeError as error:
        raise _bad(path, error.message, "core", hint=error.hint) from error
    kind = board.kind
    for key in (*kind.needs, *kind.lacks):
        if (getattr(board, key) is None) == (key in kind.needs):
            verb = "lacks" if key in kind.needs else "has"
            raise _bad(
                path, f"describes a board of the kind '{kind.name}', but {verb} '{key}'", key
            )
    if None in kind.tools(board):
        raise _bad(path, f"has a core, {board.core}, that nothing here emulates", "core")
    _check_peripherals(path, board)


def _check_peripherals(path: Path, board: Board) -> None:
    """Each peripheral has what its driver needs."""
    for name, part, kinds in (("uart", board.uart, UARTS), ("timer", board.timer, TIMERS)):
        for key in kinds[part.kind].needs if part else ():
            if getattr(part, key) is None:
                raise _bad(
                    path, f"has a {name} of kind {part.kind}, which needs '{key}'", f"{name}.{key}"
                )


def _bad(path: Path, problem: str, key: str | None = None, hint: str | None = None) -> KdEdgeError:
    return KdEdgeError(
        "KD_BOARD_FILE",
        f"{path.parent.name}/{path.name} {problem}",
        where=f"{path}, key {key}" if key else str(path),
        hint=hint or "firmware_export/boards/README.md lists the keys",
    )
