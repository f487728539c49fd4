"""Writing an image into a real board by its vendor's tool: the command, and what failures mean."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firmware_export.boards.board import Board
from firmware_export.boards.tools import how_to_get
from firmware_export.project import read_manifest
from kd_edge.base.errors import KdEdgeError, nearest
from kd_edge.base.registry import Registry


@dataclass(frozen=True)
class FlashCommand:
    """One call of a tool.

    Attributes:
        tool: its name in the board's data.
        arguments: the program and its arguments.
        folder: to run it in.
    """

    tool: str
    arguments: tuple[str, ...]
    folder: Path


@dataclass(frozen=True)
class _Asked:
    """What a tool is asked for; `name` is the board's name there."""

    folder: Path
    name: str
    port: str | None


def flash_command(
    folder: Path, board: Board, *, tool: str | None = None, port: str | None = None
) -> FlashCommand:
    """The command that writes a project's image into its board.

    Args:
        folder: of a project that `kd-edge firmware` wrote.
        tool: a key of the board's tools; None: the first one.
        port: a serial port, for the tools that take one; None: the tool finds the board.

    Raises:
        KdEdgeError KD_NO_FILE: no project there, or no image where the tool needs one built.
        KdEdgeError KD_USAGE: the project is another board's, or of a form that the tool does not
            take; an emulated board; a port for a tool that takes none.
        KdEdgeError KD_UNKNOWN_NAME: the board has no such tool.
    """
    manifest = read_manifest(folder)
    _check_project(folder, manifest, board)
    tools = _tools(board, manifest["kind"])
    tool = tool or next(iter(tools))
    if tool not in tools:
        raise KdEdgeError(
            "KD_UNKNOWN_NAME",
            f"{board.name} in a {manifest['kind']} project has no tool {tool!r}"
            f"{nearest(tool, tools)}",
            hint=f"one of {', '.join(tools)}",
        )
    flasher = FLASH_TOOLS.find(tool)
    if port is not None and not flasher.takes_port:
        raise KdEdgeError(
            "KD_USAGE",
            f"{tool} finds the board by itself and takes no port",
            hint="leave --port out",
        )
    arguments, where = flasher.arguments(_Asked(folder, tools[tool], port))
    return FlashCommand(tool, (_program(flasher), *arguments), where)


def check_tool(command: FlashCommand) -> None:
    """See that the command's program is there.

    Raises:
        KdEdgeError KD_MISSING_TOOL: it is not; the hint says how to get it.
    """
    flasher = FLASH_TOOLS[command.tool]
    if shutil.which(command.arguments[0]) is None:
        raise KdEdgeError(
            "KD_MISSING_TOOL",
            f"{command.tool} is not installed",
            hint=flasher.get or how_to_get(flasher.programs[0]),
        )


def flash_error(board: Board, command: FlashCommand, status: int, output: str) -> KdEdgeError:
    """What a tool's failure means, from its last words."""
    words = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in words if re.search(r"error|fatal|fail|unable|no ", line, re.I)]
    said = (telling or words or [f"it ended with status {status} and no word"])[-1]
    for pattern, code, message, hint in _FAILURES:
        if re.search(pattern, output, re.I):
            return KdEdgeError(
                code, f"{command.tool}: {message}", where=said, hint=hint.format(boot=_boot(board))
            )
    return KdEdgeError(
        "KD_BOARD_FLASH",
        f"{command.tool} ended with status {status}",
        where=said,
        hint=f"its own output above says why; {_boot(board)}",
    )


def _boot(board: Board) -> str:
    return f"{board.project.boot}, then try again"


# What tools say -> what it means; the first that fits.
_FAILURES: tuple[tuple[str, str, str, str], ...] = (
    (
        r"permission denied|access denied|insufficient permissions|libusb_error_access",
        "KD_PORT_DENIED",
        "this user may not open the board's port",
        "on Linux: sudo usermod -aG dialout $USER, then log in again; for probes and boot loaders, "
        "the tool's udev rules",
    ),
    (
        r"resource busy|device or resource busy|access is denied|exclusively lock",
        "KD_PORT_BUSY",
        "the port is in use by another program",
        "close the serial monitor, or the other kd-edge that holds it",
    ),
    (
        r"could not open|no such file or directory: '/dev|no device found|no accessible "
        r"|no available debug probes|unable to open device|please specify `?upload_port"
        r"|can't open device|couldn't find a board|no .*found on the host",
        "KD_PORT_ABSENT",
        "it finds no board",
        "{boot}; is the cable a data cable, and the port the right one (--port)?",
    ),
    (
        r"failed to connect|no serial data received|timed out waiting for packet|no answer",
        "KD_BOARD_TIMEOUT",
        "the board does not answer",
        "{boot}",
    ),
)


def _check_project(folder: Path, manifest: dict, board: Board) -> None:
    of_desk = board.project is not None and manifest["kind"] == board.project.kind
    if board.kind.runs_here and not of_desk:
        raise KdEdgeError(
            "KD_USAGE",
            f"{board.name} is emulated: there is nothing to flash",
            where=str(folder),
            hint="`make run` in the project's folder boots it",
        )
    if manifest["board"] != board.name:
        raise KdEdgeError(
            "KD_USAGE",
            f"the project is for {manifest['board']}, not {board.name}",
            where=str(folder),
            hint=f"name --board {manifest['board']}, or export for {board.name}",
        )
    if manifest["kind"] == "cmake":
        raise KdEdgeError(
            "KD_USAGE",
            "a plain CMake library has no image: the project that it is part of has",
            where=str(folder),
            hint="flash as that project does, or export without --project cmake",
        )


def _tools(board: Board, kind: str) -> dict[str, str]:
    """Tool -> the board's name there, for one kind of project."""
    return {"west": board.project.zephyr} if kind == "zephyr" else board.project.tools


def _program(tool: FlashTool) -> str:
    """The program's name as it is installed, or its usual one."""
    return next((name for name in tool.programs if shutil.which(name)), tool.programs[0])


def _image(folder: Path, pattern: str, build: str) -> str:
    """The image that a build has left."""
    found = sorted(folder.glob(pattern))
    if not found:
        raise KdEdgeError(
            "KD_NO_FILE",
            f"there is no built image {pattern}",
            where=str(folder),
            hint=f"build it first: {build}",
        )
    return str(found[0].resolve())


def _platformio(asked: _Asked) -> tuple[list[str], Path]:
    port = ["--upload-port", asked.port] if asked.port else []
    return ["run", "--target", "upload", *port], asked.folder


def _idf(asked: _Asked) -> tuple[list[str], Path]:
    return [*(["-p", asked.port] if asked.port else []), "flash"], asked.folder


def _esptool(asked: _Asked) -> tuple[list[str], Path]:
    arguments = _image(asked.folder, "build/flash_args", "idf.py build")
    port = ["--port", asked.port] if asked.port else []
    chip = ["--chip", asked.name, *port]
    return [*chip, "write_flash", f"@{Path(arguments).name}"], Path(arguments).parent


def _pyocd(asked: _Asked) -> tuple[list[str], Path]:
    image = _image(asked.folder, ".pio/build/*/firmware.elf", "pio run")
    return ["flash", "--no-wait", "--target", asked.name, image], asked.folder


def _picotool(asked: _Asked) -> tuple[list[str], Path]:
    image = _image(asked.folder, ".pio/build/*/firmware.uf2", "pio run")
    return ["load", "-f", "-x", image], asked.folder


def _teensy(asked: _Asked) -> tuple[list[str], Path]:
    image = _image(asked.folder, ".pio/build/*/firmware.hex", "pio run")
    return [f"--mcu={asked.name}", "-s", "-w", "-v", image], asked.folder


def _west(asked: _Asked) -> tuple[list[str], Path]:
    _image(asked.folder, "build/zephyr/zephyr.elf", f"west build -b {asked.name} app")
    return ["flash"], asked.folder


@dataclass(frozen=True)
class FlashTool:
    """What writes an image into a board.

    Attributes:
        name: as in a board.toml.
        arguments: (what is asked for) -> arguments of its call, and the folder of that.
        programs: names that it is installed under, the usual one first.
        takes_port: it can be told the serial port.
        get: how to get it; '' for one that `boards.tools` names.
    """

    name: str
    arguments: Callable[[_Asked], tuple[list[str], Path]]
    programs: tuple[str, ...]
    takes_port: bool = False
    get: str = ""


FLASH_TOOLS: Registry[FlashTool] = Registry(
    "tool",
    (
        FlashTool("platformio", _platformio, ("pio", "platformio"), takes_port=True),
        FlashTool("idf.py", _idf, ("idf.py",), takes_port=True),
        FlashTool("esptool", _esptool, ("esptool", "esptool.py"), takes_port=True),
        FlashTool("pyocd", _pyocd, ("pyocd",)),
        FlashTool("picotool", _picotool, ("picotool",)),
        FlashTool("teensy_loader_cli", _teensy, ("teensy_loader_cli",)),
        FlashTool("west", _west, ("west",)),
    ),
    home=__name__,
)
