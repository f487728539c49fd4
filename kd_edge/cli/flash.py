"""`kd-edge flash`."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from kd_edge.cli.options import PATH, common
from kd_edge.cli.printing import say

EPILOG = """
\b
Examples:
  kd-edge flash fw
  kd-edge flash fw --port /dev/ttyACM0
  kd-edge flash build/isl --board nano33ble
  kd-edge flash fw --tool pyocd --dry-run

DIR is a project that `kd-edge firmware` wrote; from a BUNDLE one is made for this call. The
vendor's tool builds and writes the image, and its output is shown; docs/boards.md lists the tools.
"""

# So much of a tool's last output is kept to say what went wrong.
_KEPT_BYTES = 16_384
_CHUNK = 4096


@click.command(epilog=EPILOG)
@click.argument("source", metavar="DIR|BUNDLE", type=PATH)
@click.option("--board", "board_name", help="Needed with a bundle; a project knows its own.")
@click.option("--port", help="Serial port of the board; the tool looks for it otherwise.")
@click.option("--tool", help="Another tool than the board's first.")
@click.option("--dry-run", is_flag=True, help="Print the command, and do nothing.")
@common
def flash(
    source: Path,
    board_name: str | None,
    port: str | None,
    tool: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write firmware into a board with its vendor's tool."""
    import json

    from firmware_export.boards import find_board
    from firmware_export.flasher import check_tool, flash_command, flash_error
    from firmware_export.project import read_manifest

    with _project(source, board_name) as folder:
        board = find_board(board_name or read_manifest(folder)["board"])
        command = flash_command(folder, board, tool=tool, port=port)
        line = shlex.join(command.arguments)
        if not as_json or not dry_run:
            say(f"in {command.folder}: {line}", err=not dry_run)
        if not dry_run:
            check_tool(command)
            status, output = _run(command)
            if status:
                raise flash_error(board, command, status, output)
    if as_json:
        done = {"board": board.name, "tool": command.tool, "command": command.arguments}
        click.echo(json.dumps(done | {"folder": str(command.folder), "flashed": not dry_run}))
    elif not dry_run:
        say(f"{board.title} has been flashed; next: kd-edge selftest --port PORT")


@contextlib.contextmanager
def _project(source: Path, board_name: str | None) -> Iterator[Path]:
    """The folder of a project: the one that was named, or one that is made of a bundle."""
    from firmware_export.boards import find_board
    from kd_edge.base.errors import KdEdgeError
    from kd_edge.pipeline.boards.project import ProjectRequest, export_project
    from kd_edge.pipeline.bundle import MANIFEST_FILE

    if not (source / MANIFEST_FILE).is_file():
        yield source
        return
    if board_name is None:
        raise KdEdgeError(
            "KD_USAGE",
            "a bundle is for any board: name one",
            where=str(source),
            hint="--board NAME, as `kd-edge board list` names it",
        )
    with tempfile.TemporaryDirectory(prefix="kd-edge-flash-") as folder:
        export_project(source, Path(folder), ProjectRequest(find_board(board_name)))
        yield Path(folder)


def _run(command) -> tuple[int, str]:
    """Run the tool, showing its output on standard error. Returns its status and last words."""
    import subprocess

    kept = b""
    with subprocess.Popen(
        command.arguments, cwd=command.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        # By chunks, not lines: tools draw progress bars.
        while chunk := os.read(process.stdout.fileno(), _CHUNK):
            kept = (kept + chunk)[-_KEPT_BYTES:]
            with contextlib.suppress(BrokenPipeError):
                sys.stderr.buffer.write(chunk)
                sys.stderr.buffer.flush()
    return process.returncode, kept.decode("utf-8", errors="replace")
