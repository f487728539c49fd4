"""`kd-edge search`."""

from __future__ import annotations

from pathlib import Path

import click

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli.executing import check_workers, executing, workers
from kd_edge.cli.options import PATH, common, no_cache, path_option, typed_command
from kd_edge.cli.printing import say

EPILOG = """
\b
Examples:
  kd-edge search recipes/mine.toml --data RECORDINGS --out build/search
  kd-edge search recipes/mine.toml --trials 100 --out build/search
  kd-edge search recipes/mine.toml --space space.toml
  kd-edge search recipes/mine.toml --workers 2
  kd-edge search recipes/mine.toml --ray auto
  kd-edge build build/search/best.toml

The recipe's [search] table says what to vary; docs/search.md lists its keys. Trials are scored on
people or days inside the training part, and no test part is looked at. Killed or interrupted, the
same command goes on. It needs the package's extra 'search'.

The exit status is 6 if no trial keeps to the budget.
"""


@click.command(epilog=EPILOG)
@click.argument("recipe", type=PATH)
@path_option("--data", help="Folder or file of recordings; the recipe's dataset.path otherwise.")
@path_option("--out", help="Folder of the study; build/<recipe's name>-search otherwise.")
@path_option("--space", help="A TOML file with the keys of [search], in place of the recipe's own.")
@click.option("--trials", type=click.IntRange(min=1), help="In place of search.trials.")
@workers
@click.option("--quick", is_flag=True, help="Search the recipe's [quick] form.")
@no_cache
@common
def search(
    recipe: Path,
    data: Path | None,
    out: Path | None,
    space: Path | None,
    trials: int | None,
    n_workers: int | None,
    ray: str | None,
    quick: bool,
    no_cache: bool,
    as_json: bool,
) -> int:
    """Search settings of RECIPE that do best inside its training part, under a budget."""
    from kd_edge.recipe import load_search
    from kd_edge.runtimes.native_stderr import start_tensorflow_quietly

    check_workers(n_workers, ray)
    asked, settings = load_search(recipe, space=space, quick=quick)
    if trials is not None:
        settings = settings.model_copy(update={"trials": trials})
    if data is None and asked.dataset.path is not None:
        data = recipe.parent / asked.dataset.path
    out = out or Path("build") / f"{asked.name}-search"
    # Heavy from here on: a recipe that is wrong has been told by now.
    start_tensorflow_quietly()
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.convert.process import one_converter
    from kd_edge.trials.search import search as run_search
    from kd_edge.trials.sweep import Place

    with (
        TerminalWatch() as watch,
        one_converter(),
        executing(data, n_workers, ray, cache=not no_cache, watch=watch) as executor,
    ):
        place = Place(data, out, typed_command(), cache=not no_cache, watch=watch)
        report = run_search(asked, settings, executor, place)
    _show(report, out, as_json=as_json)
    if report.best is not None:
        return ExitStatus.OK
    error = KdEdgeError(
        "KD_GATE_SIZE",
        f"none of {len(report.trials)} trials keeps to the budget",
        where=", ".join(f"search.budget.{name} = {of}" for name, of in report.budget.items()),
        hint="allow more, or let the space hold smaller students",
    )
    say(f"error {error}", err=True)
    return error.exit_status


def _show(report, out: Path, *, as_json: bool) -> None:
    from kd_edge.cli.printing import printing
    from kd_edge.report.search_table import print_search
    from kd_edge.trials.search import BEST_FILE, PAGE_FILE

    with printing() as console:
        if as_json:
            click.echo(report.to_json())
            return
        print_search(report, console)
        say(f"\npage: {out / PAGE_FILE}")
        if report.best is not None:
            say(f"recipe: {out / BEST_FILE}; kd-edge build takes it as it is")
