"""`kd-edge profile`."""

from __future__ import annotations

import dataclasses
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
    from kd_edge.pipeline.boards.bundle_image import load_board_bundle
    from kd_edge.pipeline.boards.costs import profiled_costs

    found = []
    with reached(bundle, **reach) as (_, targets):
        product = load_board_bundle(bundle).product if bundle else None
        for target in targets:
            hello = target.device.hello
            if not hello.layer_count:
                raise KdEdgeError(
                    "KD_BOARD_REFUSED",
                    "the image cannot time its layers",
                    where=target.port,
                    hint="build the firmware with the plain-C engine and its profiler",
                )
            layers = target.device.profile()
            costs = profiled_costs(product, hello, layers) if product else None
            found.append((target.port, hello, layers, costs))
    if as_json:
        boards = [_tree(*one) for one in found]
        click.echo(json.dumps({"boards": boards}, indent=1))
        return ExitStatus.OK
    with printing() as console:
        for one in found:
            _print(console, *one)
    return ExitStatus.OK


def _tree(port: str, hello, layers, costs) -> dict[str, object]:
    facts = [dataclasses.asdict(cost) for cost in costs] if costs else [{}] * len(layers)
    told = [
        {"name": layer.name, "ticks": layer.ticks, **more}
        for layer, more in zip(layers, facts, strict=True)
    ]
    return {"port": port, "board": hello.board, "unit": hello.ticks_kind, "layers": told}


def _print(console, port: str, hello, layers, costs) -> None:
    from kd_edge.report.cost_table import cost_table
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
    if costs:
        console.print()
        title = f"The slowest first, beside instructions that {hello.core} needs at least"
        console.print(cost_table(costs, title, unit=hello.ticks_kind))
