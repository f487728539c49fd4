"""The kinds of board, of peripheral and of project that a board.toml may name: one record each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kd_edge.base.registry import Registry

if TYPE_CHECKING:
    from firmware_export.boards.board import Board

# Emulated boards run with `-icount shift=6`: each instruction takes 2^6 ns of board time.
INSTRUCTION_SHIFT = 6

_HOST_COMPILER = "cc"


@dataclass(frozen=True)
class Peripheral:
    """A serial port or a clock.

    Attributes:
        name: as `kind` in a board.toml has it.
        sources: C files of its driver, in boards/common/; () where the board's layer has it all.
        needs: keys that a board.toml must give of it.
        any_baud: a serial port whose speed the firmware can change.
        of_core: a clock that counts the core's cycles.
    """

    name: str
    sources: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    any_baud: bool = False
    of_core: bool = False


def _uart(name: str) -> tuple[str, ...]:
    """The driver of a serial port whose interrupt fills the ring."""
    return (f"kd_board_uart_{name}.c", "kd_board_ring.c", "kd_board_wait.c")


# What counts microseconds on a real board, or in the glue of its project.
MICROS = Peripheral("micros")

UARTS: Registry[Peripheral] = Registry(
    "kind of serial port",
    (
        Peripheral("cmsdk", _uart("cmsdk"), ("base", "irq"), any_baud=True),
        Peripheral("ns16550", _uart("ns16550"), ("base", "irq", "hz", "plic"), any_baud=True),
        Peripheral("stm32f4", _uart("stm32f4"), ("base", "irq", "hz", "tx", "rx"), any_baud=True),
        Peripheral("nrf51", _uart("nrf51"), ("base", "irq", "tx", "rx")),
        Peripheral("pty"),
    ),
    home=__name__,
    plural="kinds",
)
TIMERS: Registry[Peripheral] = Registry(
    "kind of timer",
    (
        Peripheral("cmsdk", ("kd_board_timer_cmsdk.c",), ("base", "irq")),
        Peripheral("sse", ("kd_board_timer_sse.c",), ("base",)),
        Peripheral("clint", ("kd_board_timer_clint.c",), ("base",)),
        Peripheral("stm32f4", ("kd_board_timer_stm32f4.c",), ("irq",), of_core=True),
        Peripheral("nrf51", ("kd_board_timer_nrf51.c",), ("base", "irq"), of_core=True),
        Peripheral("posix"),
        MICROS,
    ),
    home=__name__,
    plural="kinds",
)


@dataclass(frozen=True)
class Radio:
    """A vendor's stack of Bluetooth Low Energy.

    Attributes:
        name: as `bluetooth` in a board.toml has it.
        project: the kind of project that has glue for it.
        pieces: the largest that it notifies, for people.
        library: as such a project names what has to be downloaded; '' if its framework brings it.
    """

    name: str
    project: str
    pieces: str
    library: str = ""


RADIOS: Registry[Radio] = Registry(
    "Bluetooth stack",
    (
        # It tells nobody what both ends have agreed on, and cuts off what is longer.
        Radio("ArduinoBLE", "platformio", "20 bytes", "arduino-libraries/ArduinoBLE@^1.3.6"),
        Radio("NimBLE", "esp-idf", "as both ends agree, at most 244 bytes"),
    ),
    home=__name__,
    plural="stacks",
)


@dataclass(frozen=True)
class ProjectKind:
    """What the users of a board build with; `projects.layouts.LAYOUTS` has its files.

    Attributes:
        name: as in `--project`.
        builder: the program that builds it; '' where that is not one program.
        of_boards: a board.toml may name it as what the board's users know best.
        microseconds: its glue counts microseconds, whatever clock the board has.
        on_a_desk: its image is for the board itself, whatever emulates that.
        unproved: what a project's README owns up to, where its board has never run.
    """

    name: str
    builder: str = ""
    of_boards: bool = False
    microseconds: bool = False
    on_a_desk: bool = False
    unproved: str = ""


PROJECTS: Registry[ProjectKind] = Registry(
    "kind of project",
    (
        ProjectKind("make"),
        ProjectKind(
            "platformio",
            builder="pio",
            of_boards=True,
            unproved="Our tests compile the board layer against a stand-in for Arduino's header;\n"
            "PlatformIO has read `platformio.ini` and `library.json`, but built nothing.",
        ),
        ProjectKind(
            "platformio-bare",
            builder="pio",
            of_boards=True,
            on_a_desk=True,
            unproved="Our tests compile it with the flags of `platformio.ini`, and boot that image "
            "in QEMU.\nPlatformIO has read `platformio.ini` and `library.json`, but built nothing.",
        ),
        ProjectKind(
            "esp-idf",
            builder="idf.py",
            of_boards=True,
            microseconds=True,
            unproved="Our tests compile the board layer against a stand-in for ESP-IDF's headers; "
            "ESP-IDF's\ncomponent tool has checked `idf_component.yml`, but built nothing.",
        ),
        ProjectKind(
            "zephyr",
            microseconds=True,
            unproved="The board layer has never been compiled. `zephyr/module.yml` has been "
            "checked\nagainst Zephyr's schema; nothing has been built by Zephyr.",
        ),
        ProjectKind(
            "cmake",
            microseconds=True,
            unproved="CMake has built the library for emulated boards and for this machine.",
        ),
    ),
    home=__name__,
    plural="kinds",
)


@dataclass(frozen=True)
class Start:
    """How an image is run.

    Attributes:
        image: the linked file.
        serial: options that give the emulator its serial port.
        count_instructions: each takes `INSTRUCTION_SHIFT` of the board's time.
        skip_idle: with that, a board with nothing to do jumps to its next timer.
        console: somebody takes what the image writes there; False: as on a desk without a
            debugger.
    """

    image: Path
    serial: tuple[str, ...]
    count_instructions: bool
    skip_idle: bool
    console: bool = True


@dataclass(frozen=True)
class BoardKind:
    """How boards of one kind are described, built and reached.

    Attributes:
        name: for people, in errors.
        of: whether a board.toml describes one.
        needs: tables that its board.toml must have.
        lacks: tables that it must not have.
        projects: kinds of project for a board, the usual one first.
        tools: programs that building, and running where that is possible, needs here.
        command: program and options that run an image here; None where none can run.
        listens: an emulator of it connects to a socket that this process listens on; otherwise the
            image's first line names its serial port.
        counts_instructions: its ticks are instructions.
        startup: its C files in boards/common/, beside those of its peripherals.
        generated: what is made for it: configuration and linker script.
        link: options for the linker; a generated linker script is named beside them.
        has_limits: its memories and its clock are real ones.
    """

    name: str
    of: Callable[[Board], bool]
    needs: tuple[str, ...]
    projects: Callable[[Board], tuple[str, ...]]
    tools: Callable[[Board], tuple[str, ...]]
    lacks: tuple[str, ...] = ()
    command: Callable[[Board, Start], tuple[str, ...]] | None = None
    listens: bool = False
    counts_instructions: bool = False
    startup: Callable[[Board], tuple[str, ...]] = lambda board: ()
    generated: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    has_limits: bool = True

    @property
    def runs_here(self) -> bool:
        """Whether its images can be built and run on this machine."""
        return self.command is not None


def compiler_of(board: Board) -> str:
    """Name of the C compiler that builds for the board."""
    return board.core_facts.compiler or _HOST_COMPILER


def _qemu(board: Board, start: Start) -> tuple[str, ...]:
    command = [board.core_facts.toolchain.emulator, *board.emulator.arguments]
    command += ["-kernel", str(start.image), "-display", "none", "-monitor", "none"]
    command += ["-nic", "none", *start.serial]
    if start.console:
        command += ["-semihosting-config", "enable=on,target=native"]
    if start.count_instructions:
        sleep = "off" if start.skip_idle else "on"
        command += ["-icount", f"shift={INSTRUCTION_SHIFT},sleep={sleep}"]
    return tuple(command)


KINDS: Registry[BoardKind] = Registry(
    "kind of board",
    (
        BoardKind(
            name="emulated machine",
            of=lambda board: board.emulated and board.core_facts.toolchain is not None,
            needs=("emulator", "uart", "timer"),
            projects=lambda board: (
                *("make", "cmake"),
                *((board.project.kind,) if board.project else ()),
            ),
            tools=lambda board: (compiler_of(board), board.core_facts.toolchain.emulator),
            command=_qemu,
            listens=True,
            counts_instructions=True,
            startup=lambda board: board.core_facts.toolchain.startup,
            generated=("kd_board_config.h", "kd_board.ld"),
            # The bare metal is started by our own code. Newlib, not newlib-nano: its memcpy and
            # memset are made for speed, and nothing else of it is used.
            link=("-nostartfiles", "-Wl,--fatal-warnings", "-Wl,--no-warn-rwx-segments"),
        ),
        BoardKind(
            name="process of this machine",
            of=lambda board: board.emulated and board.core_facts.toolchain is None,
            needs=("uart", "timer"),
            lacks=("emulator",),
            projects=lambda board: ("make", "cmake"),
            tools=lambda board: (compiler_of(board),),
            command=lambda board, start: (str(start.image),),
            startup=lambda board: ("kd_board_host.c",),
            generated=("kd_board_config.h",),
            has_limits=False,
        ),
        BoardKind(
            name="real",
            of=lambda board: not board.emulated,
            needs=("project",),
            projects=lambda board: (board.project.kind, "zephyr", "cmake"),
            tools=lambda board: (PROJECTS[board.project.kind].builder,),
        ),
    ),
    home=__name__,
    plural="kinds",
)
