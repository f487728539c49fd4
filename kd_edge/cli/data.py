"""`kd-edge data`: looking at recordings, and making synthetic ones."""

from __future__ import annotations

from pathlib import Path

import click

from kd_edge.cli.options import common, path_option


@click.group()
def data() -> None:
    """Look into recordings, or make synthetic ones."""


@data.command(
    epilog="\b\nExamples:\n  kd-edge data inspect trial_07.csv\n"
    "  kd-edge data inspect RECORDINGS --plot signals.png\n"
    "  kd-edge data inspect RECORDINGS --reader folder --json"
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--reader", help="Name of the reader; found from the files otherwise.")
@path_option("--plot", help="Draw the first recordings into this PNG.")
@common
def inspect(path: Path, reader: str | None, plot: Path | None, as_json: bool) -> None:
    """Say what is in PATH: streams, rates, units, gaps, classes, subjects, duplicates."""
    from kd_edge.report.inspection import print_inspection
    from kd_edge.signals import inspect as inspecting
    from kd_edge.signals import read

    recordings = read(path, reader)
    inspection = inspecting.inspect_recordings(recordings, path)
    if as_json:
        click.echo(inspecting.to_json(inspection))
    else:
        from rich.console import Console

        print_inspection(inspection, Console())
    if plot:
        inspecting.plot(recordings, plot)
        click.echo(f"picture: {plot}", err=True)
