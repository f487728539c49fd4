"""`kd-edge eval`."""

from __future__ import annotations

from pathlib import Path

import click

from kd_edge.base.errors import ExitStatus
from kd_edge.cli.options import (
    PATH,
    common,
    no_cache,
    options_of,
    path_option,
    reading_beside,
    typed_command,
)
from kd_edge.cli.printing import say
from kd_edge.cli.reaching import reaching

EPILOG = """
\b
Examples:
  kd-edge eval build/isl --board qemu-an386
  kd-edge eval build/isl --port /dev/ttyACM0 --windows raw
  kd-edge eval build/isl --port A --port B --limit 500
  kd-edge eval build/isl --board qemu-an386 --data OTHER --windows raw
  kd-edge eval build/isl --board qemu-an547 --json > m55.json

Ctrl-C keeps what was measured. The exit status is 6 where an int8 answer differs from TFLite
Micro's, 5 where a board failed.
"""


@click.command("eval", epilog=EPILOG)
@click.argument("bundle", type=PATH)
@reaching
@click.option(
    "--windows", type=click.Choice(["int8", "raw"]), default="int8", show_default=True,
    help="int8: quantised here. raw: 16-bit samples, which the board filters, or 8-bit pixels.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), help="Windows at most, spread over all.")
@click.option(
    "--repeat", type=click.IntRange(min=1), default=1, show_default=True,
    help="How often each window is sent.",
)  # fmt: skip
@path_option("--data", help="Other recordings of the same kind, read as the recipe reads its own.")
@reading_beside
@path_option("--out", help="Folder of the report; BUNDLE/eval/BOARD-WINDOWS without it.")
@no_cache
@common
def evaluate(
    bundle: Path,
    windows: str,
    limit: int | None,
    repeat: int,
    data: Path | None,
    reader: str | None,
    option: tuple[str, ...],
    out: Path | None,
    no_cache: bool,
    as_json: bool,
    **reach,
) -> int:
    """Send the test windows of BUNDLE to boards and compare every answer with this host's."""
    from kd_edge.cli.printing import printing
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.pipeline.boards.asked import EvalSettings
    from kd_edge.pipeline.boards.reporting import evaluate_bundle
    from kd_edge.pipeline.boards.targets import Reach
    from kd_edge.report.board_table import print_board
    from kd_edge.report.json import to_json

    with TerminalWatch() as watch:
        done = evaluate_bundle(
            bundle,
            Reach(**reach),
            EvalSettings(
                windows=windows,
                limit=limit,
                repeat=repeat,
                data=data,
                reader=reader,
                options=options_of(option),
                cache=not no_cache,
            ),
            out=out,
            command=typed_command(),
            watch=watch,
        )
    with printing() as console:
        if as_json:
            click.echo(to_json(done.report))
        else:
            print_board(done.section, console)
            console.print(f"report: {done.folder / 'report.html'}", highlight=False, soft_wrap=True)
    if done.error is not None:
        say(f"error {done.error}", err=True)
        return done.error.exit_status
    return ExitStatus.INTERRUPTED if done.section.ended else ExitStatus.OK
