"""`kd-edge results`."""

from __future__ import annotations

from pathlib import Path

import click

from kd_edge.cli.options import common, no_cache, path_option
from kd_edge.cli.printing import say

EPILOG = """
\b
Examples:
  kd-edge results                          all rows of results/rows.toml
  kd-edge results pjm-largest cotallard
  kd-edge results longterm-1 --seeds 2 --out /tmp/try
  kd-edge results isl-alphabet --quick

Ctrl-C loses the models that are being trained: the same command goes on. A second run does only
what changed: windows, models and answers are kept in the work folder and in the user's cache.
"""
_MOST_SEEDS = 100


@click.command(epilog=EPILOG)
@click.argument("rows", nargs=-1, metavar="[ROW]...")
@path_option("--rows", "rows_file", help="File of rows; results/rows.toml otherwise.")
@path_option(
    "--recipes", help="Folder of the recipes; the folder 'recipes' beside that of the rows."
)
@path_option("--sets", help="Folder of the public sets; ../shared/data otherwise.")
@click.option(
    "--seeds", type=click.IntRange(1, _MOST_SEEDS), default=5, show_default=True,
    help="So many seeds of each fold.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(0, 2**30), default=0, show_default=True, help="The first of them."
)
@path_option("--work", help="Folder for models; build/results otherwise.")
@path_option(
    "--out", help="Folder for the rows' JSON; that of the rows, with --quick build/results/quick."
)
@click.option("--quick", is_flag=True, help="Take the recipes' [quick] forms: does the chain work?")
@click.option("--one-by-one", is_flag=True, help="Train each model by itself on TensorFlow.")
@click.option("--board", help="Emulated board that answers for one fold and seed too: qemu-an386.")
@no_cache
@common
def results(
    rows: tuple[str, ...],
    rows_file: Path | None,
    recipes: Path | None,
    sets: Path | None,
    seeds: int,
    seed: int,
    work: Path | None,
    out: Path | None,
    quick: bool,
    one_by_one: bool,
    board: str | None,
    no_cache: bool,
    as_json: bool,
) -> int:
    """Train the recipes of ROWs in every fold with every seed, and measure students and peers."""
    from kd_edge.base.errors import ExitStatus
    from kd_edge.pipeline.results.rows import chosen_rows, load_rows
    from kd_edge.runtimes.native_stderr import start_tensorflow_quietly

    rows_file = rows_file or Path("results") / "rows.toml"
    chosen = chosen_rows(load_rows(rows_file), rows)
    work = work or Path("build") / "results"
    # Heavy from here on: rows that are wrong have been told by now.
    start_tensorflow_quietly()
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.pipeline.results.measure import ResultsPlan, make_results

    plan = ResultsPlan(
        rows=chosen,
        seeds=tuple(range(seed, seed + seeds)),
        recipes=recipes or rows_file.parent.parent / "recipes",
        sets=sets or Path("../shared/data"),
        work=work,
        out=out or (work / "quick" if quick else rows_file.parent),
        quick=quick,
        board=board,
        one_by_one=one_by_one,
    )
    with TerminalWatch() as watch:
        made = list(make_results(plan, cache=not no_cache, watch=watch))
    _show(plan, made, as_json=as_json)
    return ExitStatus.OK


def _show(plan, made, *, as_json: bool) -> None:
    import json

    from kd_edge.cli.printing import printing
    from kd_edge.report.results_table import TableRow, results_table
    from kd_edge.report.results_tree import told

    with printing():
        if as_json:
            click.echo(json.dumps([told(one) for one in made], ensure_ascii=False, indent=1))
            return
        of_row = {one.row: one for one in made}
        found = [(row, of_row[row.name]) for row in plan.rows]
        say(results_table([TableRow.of(row, one, one.recipe_sha256) for row, one in found]))
        say(f"\nrows: {plan.out}")
