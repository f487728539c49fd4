"""`kd-edge board`: the boards that are known, and what is there to build and reach them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import click

from kd_edge.cli.options import common

EPILOG = """
\b
Examples:
  kd-edge board list
  kd-edge board list --json
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
