"""`kd-edge build`."""

from __future__ import annotations

from pathlib import Path

import click

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli.options import PATH, common, no_cache, path_option, typed_command
from kd_edge.cli.printing import say

EPILOG = """
\b
Examples:
  kd-edge build recipes/demo.toml --out build/demo
  kd-edge build recipes/isl-alphabet.toml --data RECORDINGS --out build/isl
  kd-edge build recipes/isl-alphabet.toml --data RECORDINGS --seeds 3
  kd-edge build recipes/mine.toml --quick
  kd-edge build recipes/mine.toml --workers 2
  kd-edge build recipes/mine.toml --json > result.json

Ctrl-C loses at most one epoch: the same command goes on. A second build does only what changed,
in another folder too: windows, models and conversions are kept in the user's cache.

With --seeds N the bundles lie in seed-FIRST, seed-FIRST+1, … below --out, and seeds.json has the
mean and the spread of their figures. One seed's figures are one draw: publish the mean and spread.
"""
_MOST_SEEDS = 100
_MOST_WORKERS = 64


@click.command(epilog=EPILOG)
@click.argument("recipe", type=PATH)
@path_option("--data", help="Folder or file of recordings; the recipe's dataset.path otherwise.")
@path_option("--out", help="Folder of the bundle; build/<recipe's name> otherwise.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Seed in place of the recipe's.")
@click.option(
    "--seeds",
    type=click.IntRange(2, _MOST_SEEDS),
    help="Build with so many seeds, one after the other from --seed on: mean and spread.",
)
@click.option(
    "--workers",
    "n_workers",
    type=click.IntRange(1, _MOST_WORKERS),
    default=1,
    show_default=True,
    help="Train so many models at a time, each in a process of its own; needs the cache.",
)
@click.option("--quick", is_flag=True, help="Build the recipe's [quick] form: does the chain work?")
@no_cache
@common
def build(
    recipe: Path,
    data: Path | None,
    out: Path | None,
    seed: int | None,
    seeds: int | None,
    n_workers: int,
    quick: bool,
    no_cache: bool,
    as_json: bool,
) -> int:
    """Build the bundle of RECIPE: teachers, students, TFLite, C arrays and the report."""
    from kd_edge.recipe import load_recipe
    from kd_edge.runtimes.native_stderr import start_tensorflow_quietly

    asked = load_recipe(recipe, quick=quick)
    if seed is not None:
        asked = asked.model_copy(update={"seed": seed})
    wanted = _seeds(asked.seed, seeds)
    if data is None and asked.dataset.path is not None:
        data = recipe.parent / asked.dataset.path
    out = out or Path("build") / asked.name
    # Heavy from here on: a recipe that is wrong has been told by now.
    start_tensorflow_quietly()
    how = {"data": data, "out": out, "cache": not no_cache, "n_workers": n_workers}
    if wanted is None:
        return _build_one(asked, how, as_json=as_json)
    return _build_seeds(asked, wanted, how, as_json=as_json)


def _seeds(first: int, count: int | None) -> tuple[int, ...] | None:
    if count is None:
        return None
    if first + count > 2**31:
        raise KdEdgeError("KD_USAGE", "the last seed is above 2147483647", where="--seed, --seeds")
    return tuple(range(first, first + count))


def _build_one(recipe, how: dict, *, as_json: bool) -> int:
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.pipeline.build import build as run_build

    with TerminalWatch() as watch:
        built = run_build(recipe, **how, command=typed_command(), watch=watch)
    _show(built.report, how["out"], as_json=as_json)
    return _status(built.failures)


def _build_seeds(recipe, seeds, how: dict, *, as_json: bool) -> int:
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.pipeline.seeds import SUMMARY_FILE, build_seeds

    with TerminalWatch() as watch:
        summary, built = build_seeds(recipe, seeds, **how, command=typed_command(), watch=watch)
    _show_seeds(summary, how["out"] / SUMMARY_FILE, as_json=as_json)
    return _status([failure for one in built for failure in one.failures])


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


def _show_seeds(summary, path: Path, *, as_json: bool) -> None:
    from kd_edge.cli.printing import printing

    with printing() as console:
        if as_json:
            click.echo(summary.to_json())
            return
        console.print(_figures_table(summary))
        if summary.together is not None:
            console.print()
            console.print(_together_table(summary.together))
        console.print()
        console.print(_gates_table(summary))
        say(f"\nsummary: {path}")


def _figures_table(summary):
    from kd_edge.report.table import plain_table, plain_text

    numbers = ", ".join(map(str, summary.seeds))
    table = plain_table(
        f"{summary.title}: {summary.measured[0].lower()}{summary.measured[1:]}, seeds {numbers}"
    )
    for heading in ("model (role)", "format", "runtime", "part"):
        table.add_column(heading, overflow="fold")
    for heading in ("mean ± deviation", "lowest to highest"):
        table.add_column(heading, justify="right")
    for figure in summary.figures:
        spread = figure.accuracy
        cells = (
            f"{figure.model} ({figure.role})",
            figure.format,
            figure.runtime,
            f"{figure.part} (leaky)" if figure.leaky else figure.part,
            f"{spread.mean:.1f} ± {spread.deviation:.1f}",
            f"{spread.lowest:.1f} to {spread.highest:.1f}",
        )
        table.add_row(*map(plain_text, cells))
    return table


def _together_table(together):
    from kd_edge.report import words
    from kd_edge.report.table import plain_table, plain_text

    table = plain_table(f"Ways to answer with the models of {together.product}, %")
    for heading in ("way", "part"):
        table.add_column(heading, overflow="fold")
    for heading in ("mean ± deviation", "the product gains", f"{together.unit} an input"):
        table.add_column(heading, justify="right")
    for way in together.ways:
        cells = (
            way.name,
            f"{way.part} (leaky)" if way.leaky else way.part,
            f"{way.figure.mean:.1f} ± {way.figure.deviation:.1f}",
            words.DASH if way.kind == "product" else f"{way.ahead.mean:+.2f} points",
            words.DASH if way.cost is None else words.count(round(way.cost)),
        )
        table.add_row(*map(plain_text, cells))
    return table


def _gates_table(summary):
    from kd_edge.report import words
    from kd_edge.report.table import plain_table, plain_text

    table = plain_table("Limits, each seed's verdict")
    for heading in ("model", "gate", "limit", "worst measured [95 % interval]", "verdicts"):
        table.add_column(heading, overflow="fold")
    for gate in summary.gates:
        worst = gate.worst
        said = (words.gate(worst), words.limit(worst), words.measured(worst))
        table.add_row(*map(plain_text, (worst.model, *said, ", ".join(gate.verdicts))))
    return table


def _status(failures) -> int:
    for failure in failures:
        say(f"error {failure}", err=True)
    return failures[0].exit_status if failures else ExitStatus.OK
