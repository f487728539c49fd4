"""`kd-edge firmware`."""

from __future__ import annotations

from pathlib import Path

import click

from firmware_export.boards.kinds import PROJECTS
from firmware_export.engines import ENGINES, PLAIN_C
from firmware_export.projects.layouts import LINKS, SERIAL
from kd_edge.cli.options import PATH, common, path_option
from kd_edge.cli.printing import say

EPILOG = """
\b
Examples:
  kd-edge firmware build/isl --board qemu-an386 --out fw
  kd-edge firmware build/isl --board nano33ble --out fw
  kd-edge firmware build/isl --board nano33ble --project zephyr --out fw
  kd-edge firmware build/isl --board esp32s3 --link ble --out fw
  kd-edge firmware build/isl --board pico --engine tflm --out fw
  kd-edge firmware build/isl --board nano33ble --personal --out fw

The project's README.md has the commands that build it; kd-edge is not needed for that.
docs/boards.md says which boards have been run.
"""


@click.command("firmware", epilog=EPILOG)
@click.argument("bundle", type=PATH)
@click.option("--board", "board_name", required=True, help="As `kd-edge board list` names it.")
@path_option("--out", required=True, help="Folder for the project; made where it is absent.")
@click.option(
    "--engine",
    type=click.Choice(tuple(ENGINES)),
    default=PLAIN_C.name,
    help="Plain C (default), or TFLite Micro, which the project brings.",
)
@click.option(
    "--project",
    "kind",
    type=click.Choice(tuple(PROJECTS)),
    help="Default: what the board's users know best.",
)
@click.option(
    "--sensors",
    type=click.Choice(("replay", "stub")),
    help="Play windows of the bundle, or leave a stub for your sensors. Default: replay on "
    "emulated boards, a stub on others.",
)
@click.option(
    "--hop",
    "hop_s",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds from window to window of a stream; default: half a window.",
)
@click.option(
    "--link",
    type=click.Choice(LINKS),
    default=SERIAL,
    help="A cable (default), or Bluetooth Low Energy, which `kd-edge live --ble` takes.",
)
@click.option(
    "--personal",
    is_flag=True,
    help="Let a wearer's last layer be sent to the board while it runs (`kd-edge board head`).",
)
@click.option(
    "--keep-columns",
    "keeps",
    is_flag=True,
    help="The network keeps what windows that overlap share; the answers are the same.",
)
@common
def firmware(
    bundle: Path,
    board_name: str,
    out: Path,
    engine: str,
    kind: str | None,
    sensors: str | None,
    hop_s: float | None,
    link: str,
    personal: bool,
    keeps: bool,
    as_json: bool,
) -> None:
    """Write a firmware project of BUNDLE's product for a board; it builds by itself."""
    from firmware_export.boards import find_board
    from kd_edge.cli.printing import printing
    from kd_edge.pipeline.boards.project import ProjectRequest, export_project

    request = ProjectRequest(
        find_board(board_name), kind, engine, sensors, hop_s, personal, keeps=keeps, link=link
    )
    exported = export_project(bundle, out, request)
    with printing():
        if as_json:
            click.echo(_to_json(out, board_name, exported))
            return
        n_files = len(exported.written.files)
        say(f"{exported.kind} project for {request.board.title}: {n_files} files in {out}")
        for path in exported.written.kept:
            say(f"kept, as you have edited it: {path}")
        for note in exported.notes:
            say(f"note: {note}")
        say(f"next: the commands in {out / 'README.md'}")


def _to_json(out: Path, board: str, exported) -> str:
    import json

    content = {
        "folder": str(out),
        "board": board,
        "kind": exported.kind,
        "engine": exported.facts.engine,
        "sensors": exported.facts.sensors,
        "link": exported.facts.link,
        "model_sha256": exported.facts.model_sha256,
        "files": exported.written.files,
        "kept": exported.written.kept,
        "removed": exported.written.removed,
        "notes": exported.notes,
    }
    return json.dumps(content, indent=1, ensure_ascii=False)
