"""`kd-edge bench`."""

from __future__ import annotations

from pathlib import Path

import click

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli.options import PATH, check_output, common, no_cache, path_option, typed_command
from kd_edge.cli.printing import say

EPILOG = """
\b
Examples:
  kd-edge bench build/isl
  kd-edge bench build/isl --data OTHER --html other.html
  kd-edge bench build/isl --json > today.json
  kd-edge bench build/isl --baseline yesterday.json

With --baseline the exit status is 6 where a figure got worse than its tolerance.
"""


@click.command(epilog=EPILOG)
@click.argument("bundle", type=PATH)
@path_option("--data", help="Other recordings of the same kind, read as the recipe reads its own.")
@click.option("--reader", help="Reader of --data, where it is not the recipe's.")
@path_option("--baseline", help="An earlier report.json or --json output to compare with.")
@path_option("--html", help="Write the report there, as one file.")
@click.option("--runs", type=click.IntRange(min=20), help="Timed inferences a model.")
@no_cache
@common
def bench(
    bundle: Path,
    data: Path | None,
    reader: str | None,
    baseline: Path | None,
    html: Path | None,
    runs: int | None,
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

    check_output(html, "--html", (".html", ".htm"))
    old = _read_baseline(baseline) if baseline else None
    with TerminalWatch() as watch:
        report = run_bench(
            bundle,
            data=data,
            command=typed_command(),
            reader=reader,
            latency_runs=runs,
            cache=not no_cache,
            watch=watch,
        )
    if html:
        write_text(html, render_html(report))
    with printing() as console:
        if as_json:
            click.echo(to_json(report))
        else:
            print_table(report, console)
    return _compare(old, report) if old else ExitStatus.OK


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
