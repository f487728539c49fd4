"""`kd-edge build`."""

from __future__ import annotations

from pathlib import Path

import click

from kd_edge.cli.options import PATH, common, path_option, typed_command
from kd_edge.cli.printing import say
from kd_edge.errors import ExitStatus, KdEdgeError

EPILOG = """
\b
Examples:
  kd-edge build recipes/demo.toml --out build/demo
  kd-edge build recipes/isl-alphabet.toml --data RECORDINGS --out build/isl
  kd-edge build recipes/mine.toml --json > result.json

Ctrl-C loses at most one epoch: the same command goes on. A second build does only what changed.
"""


@click.command(epilog=EPILOG)
@click.argument("recipe", type=PATH)
@path_option("--data", help="Folder or file of recordings; the recipe's dataset.path otherwise.")
@path_option("--out", help="Folder of the bundle; build/<recipe's name> otherwise.")
@common
def build(recipe: Path, data: Path | None, out: Path | None, as_json: bool) -> int:
    """Build the bundle of RECIPE: teachers, students, TFLite, C arrays and the report."""
    from kd_edge.recipe import load_recipe
    from kd_edge.runtimes.native_stderr import start_tensorflow_quietly

    asked = load_recipe(recipe)
    if data is None and asked.dataset.path is not None:
        data = recipe.parent / asked.dataset.path
    out = out or Path("build") / asked.name
    # Heavy from here on: a recipe that is wrong has been told by now.
    start_tensorflow_quietly()
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.pipeline.build import build as run_build

    with TerminalWatch() as watch:
        built = run_build(asked, data=data, out=out, command=typed_command(), watch=watch)
    _show(built.report, out, as_json=as_json)
    for failure in built.failures:
        say(f"error {failure}", err=True)
    return _status(built.failures)


def _show(report, out: Path, *, as_json: bool) -> None:
    from kd_edge.cli.printing import printing
    from kd_edge.report.json import to_json
    from kd_edge.report.table import print_table

    with printing() as console:
        if as_json:
            click.echo(to_json(report))
            return
        print_table(report, console)
        say(f"\nbundle: {out}\nreport: {out / 'report.html'}")


def _status(failures: tuple[KdEdgeError, ...]) -> int:
    return failures[0].exit_status if failures else ExitStatus.OK
