"""`kd-edge bench`."""

from __future__ import annotations

from pathlib import Path

import click

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli.bench_phone import bench_on_phone
from kd_edge.cli.executing import check_workers, executing, workers
from kd_edge.cli.options import (
    PATH,
    check_output,
    common,
    no_cache,
    options_of,
    path_option,
    reading_beside,
    typed_command,
)
from kd_edge.cli.printing import say

EPILOG = """
\b
Examples:
  kd-edge bench build/isl
  kd-edge bench build/isl --data OTHER --html other.html
  kd-edge bench build/camvid --data DRIVE --option ignore=255
  kd-edge bench build/isl --json > today.json
  kd-edge bench build/isl --baseline yesterday.json
  kd-edge bench build/isl --adb
  kd-edge bench build/isl --ablate --seeds 5 --html ablation.html

--ablate trains the bundle's recipe with labels alone, without augmentation, without its running
normaliser, with one teacher and with each other loss, as often as the recipe itself: the same seeds
in the same folds. Interrupted, the same command goes on.

--adb answers the golden vectors on a connected Android phone and times its windows, in plain C. It
needs adb and USB debugging; several phones need --adb SERIAL.

With --baseline the exit status is 6 where a figure got worse than its tolerance.
"""
_ABLATION_SEEDS = 5


@click.command(epilog=EPILOG)
@click.argument("bundle", type=PATH)
@path_option("--data", help="Other recordings of the same kind, read as the recipe reads its own.")
@reading_beside
@path_option("--baseline", help="An earlier report.json or --json output to compare with.")
@path_option("--html", help="Write the report there, as one file.")
@click.option(
    "--ablate",
    is_flag=True,
    help="Train the bundle's recipe again without each of its parts, and compare.",
)
@click.option(
    "--seeds",
    type=click.IntRange(2, 100),
    help=f"Trainings of each variant and fold for --ablate; {_ABLATION_SEEDS} otherwise.",
)
@workers
@click.option("--runs", type=click.IntRange(min=20), help="Timed inferences a model.")
@click.option(
    "--adb",
    is_flag=False,
    flag_value="",
    metavar="[SERIAL]",
    help="Measure on a connected Android phone instead.",
)
@no_cache
@common
def bench(
    bundle: Path,
    data: Path | None,
    reader: str | None,
    option: tuple[str, ...],
    baseline: Path | None,
    html: Path | None,
    ablate: bool,
    seeds: int | None,
    n_workers: int | None,
    ray: str | None,
    runs: int | None,
    adb: str | None,
    no_cache: bool,
    as_json: bool,
) -> int:
    """Measure BUNDLE: size, latency, arena, accuracy and parity of every model on every runtime."""
    from kd_edge.base.files import write_text
    from kd_edge.cli.printing import printing
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.pipeline.bench import bench as run_bench
    from kd_edge.report.html import render_html
    from kd_edge.report.json import to_json
    from kd_edge.report.table import print_table

    if adb is not None:
        others = {"--data": data, "--reader": reader, "--option": option, "--baseline": baseline}
        others |= {"--html": html, "--ablate": ablate, "--seeds": seeds, "--workers": n_workers}
        others |= {"--ray": ray}
        return bench_on_phone(bundle, adb, runs=runs, as_json=as_json, others=others)
    check_output(html, "--html", (".html", ".htm"))
    _check_ablation(ablate, data, seeds, n_workers, ray)
    old = _read_baseline(baseline) if baseline else None
    with TerminalWatch() as watch:
        report = run_bench(
            bundle,
            data=data,
            command=typed_command(),
            reader=reader,
            options=options_of(option),
            latency_runs=runs,
            cache=not no_cache,
            watch=watch,
        )
        if ablate:
            report = _ablated(
                report, bundle, seeds or _ABLATION_SEEDS, n_workers, ray, not no_cache, watch
            )
    if html:
        write_text(html, render_html(report))
    with printing() as console:
        if as_json:
            click.echo(to_json(report))
        else:
            print_table(report, console)
    return _compare(old, report) if old else ExitStatus.OK


def _check_ablation(
    ablate: bool, data: Path | None, seeds: int | None, n_workers: int | None, ray: str | None
) -> None:
    """Options that go with --ablate, or against it."""
    check_workers(n_workers, ray)
    given = {"--seeds": seeds, "--workers": n_workers, "--ray": ray}
    alone = [name for name, value in given.items() if value is not None]
    if alone and not ablate:
        raise KdEdgeError(
            "KD_USAGE", f"{alone[0]} belongs to --ablate", where=alone[0], hint="add --ablate"
        )
    if ablate and data is not None:
        raise KdEdgeError(
            "KD_USAGE",
            "--ablate trains on the bundle's own recordings, and --data measures on others",
            where="--ablate, --data",
            hint="give one of them",
        )


def _ablated(
    report, bundle: Path, seeds: int, n_workers: int | None, ray: str | None, cache: bool, watch
):
    """The report with the ablation of the bundle's recipe."""
    from dataclasses import replace

    from kd_edge.pipeline.bundle import RECIPE_FILE, bundled_file, load_manifest
    from kd_edge.recipe import load_recipe
    from kd_edge.runtimes.native_stderr import start_tensorflow_quietly
    from kd_edge.trials.ablation import ablate

    recipe = load_recipe(bundled_file(bundle, load_manifest(bundle), RECIPE_FILE))
    data = None if recipe.dataset.path is None else Path(recipe.dataset.path)
    start_tensorflow_quietly()
    asked = {"data": data, "cache": cache, "watch": watch}
    numbers = range(recipe.seed, recipe.seed + seeds)
    if n_workers is None and ray is None:
        return replace(report, ablation=ablate(recipe, numbers, **asked))
    with executing(data, n_workers, ray, cache=cache, watch=watch) as executor:
        return replace(report, ablation=ablate(recipe, numbers, executor=executor, **asked))


def _read_baseline(path: Path):
    from kd_edge.base.untrusted import read_regular
    from kd_edge.report.json import from_json

    try:
        content = read_regular(path)
    except OSError as error:
        raise KdEdgeError(
            "KD_NO_FILE",
            f"cannot read the baseline: {error.strerror}",
            where=str(path),
            hint="name a bundle's report.json, or what `kd-edge bench --json` printed",
        ) from error
    # Bytes that are no text become a text that is no report: `from_json` says so.
    return from_json(content.decode("utf-8", "replace"), source=str(path))


def _compare(old, new) -> int:
    from kd_edge.cli.printing import console
    from kd_edge.report.baseline import compare, other_bundle, print_changes

    changes = compare(old, new)
    if other := other_bundle(old, new):
        say(f"note: {other}", err=True)
    print_changes(changes, console(stderr=True))
    worse = [change for change in changes if change.worse]
    if not worse:
        return ExitStatus.OK
    error = KdEdgeError(
        "KD_GATE_BASELINE",
        f"{len(worse)} figures got worse than their tolerance",
        where="the table above",
        hint="measure on a quiet machine; if it stays, find what changed since the baseline",
    )
    say(f"error {error}", err=True)
    return error.exit_status
