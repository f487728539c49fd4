"""`kd-edge data`: looking at recordings, and making synthetic ones."""

from __future__ import annotations

from pathlib import Path

import click

from kd_edge.cli.options import PATH, check_output, common, path_option
from kd_edge.cli.printing import say


@click.group()
def data() -> None:
    """Look into recordings, or make synthetic ones."""


@data.command(
    epilog="\b\nExamples:\n  kd-edge data inspect trial_07.csv\n"
    "  kd-edge data inspect RECORDINGS --plot signals.png\n"
    "  kd-edge data inspect RECORDINGS --reader folder --json"
)
@click.argument("path", type=PATH)
@click.option("--reader", help="Name of the reader; found from the files otherwise.")
@path_option("--plot", help="Draw the first recordings into this PNG.")
@common
def inspect(path: Path, reader: str | None, plot: Path | None, as_json: bool) -> None:
    """Say what is in PATH: streams, rates, units, gaps, classes, subjects, duplicates."""
    from kd_edge.cli.printing import printing
    from kd_edge.report.inspection import print_inspection
    from kd_edge.signals import inspect as inspecting
    from kd_edge.signals import read

    check_output(plot, "--plot", (".png",))
    recordings = read(path, reader)
    inspection = inspecting.inspect_recordings(recordings, path)
    with printing() as console:
        if as_json:
            click.echo(inspecting.to_json(inspection))
        else:
            print_inspection(inspection, console)
    if plot:
        inspecting.plot(recordings, plot)
        say(f"picture: {plot}", err=True)


@data.command(
    epilog="\b\nExamples:\n  kd-edge data simulate signs\n"
    "  kd-edge data simulate signs --signs 10 --subjects 4 --repetitions 12 --seed 7\n"
    "  kd-edge data inspect signs"
)
@click.argument("folder", type=PATH)
@click.option("--signs", default=5, show_default=True, help="Classes.")
@click.option("--subjects", default=3, show_default=True, help="People.")
@click.option("--repetitions", default=6, show_default=True, help="Of each sign by each person.")
@click.option("--sessions", default=2, show_default=True, help="Days that they are dealt out to.")
@click.option("--sensors", default=3, show_default=True, help="Each with sEMG and IMU.")
@click.option("--seed", default=1, show_default=True, help="The same seed, the same signs.")
@common
def simulate(folder: Path, as_json: bool, seed: int, **numbers: int) -> None:
    """Write SYNTHETIC signs into FOLDER: Trigno Discover CSV files and a labels.csv.

    They show how the tool works, and nothing of how well it reads people. The reader 'folder' reads
    them back; a recipe may also simulate without files (dataset.reader = "synthetic").
    """
    import json

    from kd_edge.cli.printing import printing
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.signals.simulate import SignSettings
    from kd_edge.signals.simulate.writing import write_signs

    settings = SignSettings(seed=seed, **{f"n_{name}": number for name, number in numbers.items()})
    with TerminalWatch() as watch:
        n = write_signs(settings, folder, progress=watch.step)
    with printing():
        if as_json:
            click.echo(json.dumps({"folder": str(folder), "recordings": n, "synthetic": True}))
        else:
            say(f"{folder}: {n} SYNTHETIC recordings, and labels.csv")
