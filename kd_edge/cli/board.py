"""`kd-edge board`: the boards that are known, and what is there to build and reach them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import click

from kd_edge.cli.board_head import head
from kd_edge.cli.options import common, path_option

EPILOG = """
\b
Examples:
  kd-edge board list
  kd-edge board list --json
"""

NORMALISER_EPILOG = """
\b
Examples:
  kd-edge board normaliser --port /dev/ttyACM0                      what it knows of its wearer
  kd-edge board normaliser reset --port /dev/ttyACM0                somebody else, until a new start
  kd-edge board normaliser freeze --port /dev/ttyACM0               windows move it no more
  kd-edge board normaliser thaw --port /dev/ttyACM0
  kd-edge board normaliser keep --port /dev/ttyACM0                 a new start goes on from here
  kd-edge board normaliser save --file ann.json --port /dev/ttyACM0
  kd-edge board normaliser restore --file ann.json --port /dev/ttyACM0
"""


@dataclass(frozen=True)
class Toolchain:
    """The tools that a board needs on this machine, and where to get those that are missing."""

    tools: tuple[str, ...]
    missing: tuple[str, ...]
    get: tuple[str, ...]


@click.group()
def board() -> None:
    """Boards that firmware is made for."""


@board.command("list", epilog=EPILOG)
@common
def list_boards(as_json: bool) -> None:
    """List the known boards, the tools found for each, and the serial ports of this machine."""
    from firmware_export.boards import BOARDS

    ports = _ports()
    toolchains = {name: _toolchain(board) for name, board in BOARDS.items()}
    if as_json:
        import json

        boards = [_to_json(board, toolchains[name]) for name, board in BOARDS.items()]
        click.echo(json.dumps({"boards": boards, "ports": ports}, indent=1))
    else:
        _print(BOARDS, toolchains, ports)


@board.command("normaliser", epilog=NORMALISER_EPILOG)
@click.argument(
    "action",
    type=click.Choice(["tell", "reset", "freeze", "thaw", "keep", "save", "restore"]),
    default="tell",
)
@click.option("--port", required=True, help="The board's serial port or URL.")
@click.option("--baud", type=click.IntRange(min=1), help="Its speed; the usual ones are tried.")
@path_option("--file", help="Where `save` keeps the state, and `restore` takes it from.")
@common
def normaliser(action: str, port: str, baud: int | None, file: Path | None, as_json: bool) -> None:
    """See, keep or change what a board's running normaliser knows of its wearer."""
    from kd_edge.link.device import Device
    from kd_edge.pipeline.wearer import keep_state, kept_state, worn_tree

    if (file is not None) != (action in ("save", "restore")):
        raise click.UsageError("--file goes with save and restore, and with nothing else")
    asked = {"save": "tell", "restore": "set"}.get(action, action)
    with Device.open(port, baud=baud) as device:
        sha256 = device.hello.model_sha256
        state = kept_state(file, sha256) if action == "restore" else None
        worn = device.normaliser(asked, state)
    tree = worn_tree(worn, sha256) | ({"kept": True} if action == "keep" else {})
    if action == "save":
        keep_state(file, tree)
    if as_json:
        import json

        click.echo(json.dumps(tree, indent=1))
    else:
        _print_worn(tree)


def _print_worn(tree: dict) -> None:
    from rich.table import Table

    from kd_edge.cli.printing import printing

    table = Table("channel", "windows", "mean", "deviation", box=None)
    for number, channel in enumerate(tree["channels"]):
        table.add_row(
            str(number),
            str(channel["windows"]),
            f"{channel['mean']:.3f}",
            f"{channel['deviation']:.3f}",
        )
    moves = "frozen: windows move nothing" if tree["frozen"] else "windows move it"
    with printing() as console:
        console.print(table)
        console.print(f"in the training part's units; {moves}")
        if tree.get("kept"):
            console.print("kept: the next start goes on from here")


board.add_command(head)


def _toolchain(board) -> Toolchain:
    from firmware_export.boards.toolchain import tools_of
    from firmware_export.boards.tools import how_to_get

    tools = tools_of(board)
    missing = tuple(tool for tool in tools if shutil.which(tool) is None)
    return Toolchain(tools, missing, tuple(how_to_get(tool) for tool in missing))


def _ports() -> list[dict[str, str]]:
    from serial.tools import list_ports

    return [
        {"port": port.device, "description": port.description} for port in list_ports.comports()
    ]


def _to_json(board, toolchain: Toolchain) -> dict:
    return {
        "name": board.name,
        "title": board.title,
        "core": board.core,
        "core_title": board.core_facts.title,
        "clock_hz": board.clock_hz,
        "flash_bytes": board.image_bytes,
        "ram_bytes": board.ram.bytes,
        "emulated": board.emulated,
        "run": board.run,
        "tools": list(toolchain.tools),
        "missing": list(toolchain.missing),
        "get": list(toolchain.get),
    }


def _print(boards, toolchains, ports) -> None:
    from rich.table import Table

    from kd_edge.cli.printing import printing
    from kd_edge.report.table import plain_text

    table = Table(box=None, pad_edge=False)
    for title in ("board", "core", "MHz", "flash kB", "RAM kB", "proved by", "tools"):
        numeric = title in ("MHz", "flash kB", "RAM kB")
        table.add_column(title, overflow="fold", justify="right" if numeric else "left")
    for name, board in boards.items():
        toolchain = toolchains[name]
        table.add_row(
            name,
            board.core_facts.title,
            *_figures(board),
            _proof(board),
            "found" if not toolchain.missing else f"no {', '.join(toolchain.missing)}",
        )
    pairs = {
        pair
        for toolchain in toolchains.values()
        for pair in zip(toolchain.missing, toolchain.get, strict=True)
    }
    with printing() as console:
        console.print(table)
        for tool, get in sorted(pairs):
            console.print(plain_text(f"get {tool}: {get}"))
        console.print(
            plain_text("serial ports: " + (", ".join(p["port"] for p in ports) or "none"))
        )


def _figures(board) -> tuple[str, str, str]:
    """Clock and memories; a process has no such limits."""
    if not board.kind.has_limits:
        return "-", "-", "-"
    return (
        f"{board.clock_hz / 1e6:g}",
        f"{board.image_bytes // 1024:,}",
        f"{board.ram.bytes // 1024:,}",
    )


def _proof(board) -> str:
    if not board.run:
        return "built only"
    return "emulated" if board.emulated else "run"
