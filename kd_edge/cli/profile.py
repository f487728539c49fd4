"""`kd-edge profile`."""

from __future__ import annotations

from pathlib import Path

import click

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli.options import PATH, common
from kd_edge.cli.reaching import reached, reaching

EPILOG = """
\b
Examples:
  kd-edge profile --port /dev/ttyACM0
  kd-edge profile build/isl --board qemu-an386
  kd-edge profile build/isl --board qemu-an547 --json
"""


@click.command(epilog=EPILOG)
@click.argument("bundle", type=PATH, required=False)
@reaching
@common
def profile(bundle: Path | None, as_json: bool, **reach) -> int:
    """Show what each layer takes on a board: cycles, or instructions on an emulated one."""
    import json

    from kd_edge.cli.printing import printing

    found = []
    with reached(bundle, **reach) as (_, targets):
        for target in targets:
            if not target.device.hello.layer_count:
                raise KdEdgeError(
                    "KD_BOARD_REFUSED",
                    "the image cannot time its layers",
                    where=target.port,
                    hint="build the firmware with the plain-C engine and its profiler",
                )
            found.append((target, target.device.hello, target.device.profile()))
    if as_json:
        boards = [
            {
                "port": target.port,
                "board": hello.board,
                "unit": hello.ticks_kind,
                "layers": [{"name": layer.name, "ticks": layer.ticks} for layer in layers],
            }
            for target, hello, layers in found
        ]
        click.echo(json.dumps({"boards": boards}, indent=1))
        return ExitStatus.OK
    with printing() as console:
        for target, hello, layers in found:
            _print(console, target.port, hello, layers)
    return ExitStatus.OK


def _print(console, port: str, hello, layers) -> None:
    from kd_edge.report.table import plain_table, plain_text

    total = sum(layer.ticks for layer in layers)
    table = plain_table(f"{port}: {hello.board}, {hello.ticks_kind} a layer")
    table.add_column("layer", overflow="fold")
    table.add_column(plain_text(hello.ticks_kind), justify="right")
    table.add_column("share", justify="right")
    table.add_column("", no_wrap=True)
    most = max((layer.ticks for layer in layers), default=0) or 1
    for layer in layers:
        share = layer.ticks / total if total else 0.0
        cells = (layer.name, f"{layer.ticks:,}", f"{100 * share:.1f} %")
        table.add_row(*map(plain_text, cells), plain_text("█" * round(20 * layer.ticks / most)))
    table.add_row(plain_text("all layers"), plain_text(f"{total:,}"), plain_text(""), "")
    console.print(table)
