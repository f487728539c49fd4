"""`kd-edge bench --adb`: figures of a connected phone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli.printing import say


def bench_on_phone(
    bundle: Path, serial: str, *, runs: int | None, as_json: bool, others: Mapping[str, object]
) -> int:
    """Measure on the phone, print, and fail if an answer differs.

    Args:
        serial: "" for the one that is connected.
        others: options that say something of this machine's report; none may be given.
    """
    from kd_edge.cli.printing import printing
    from kd_edge.pipeline.boards.phone_bench import RUNS, bench_phone

    if given := [name for name, value in others.items() if value]:
        raise click.UsageError(f"--adb measures on a phone, and {given[0]} on this machine")
    found = bench_phone(bundle, serial or None, runs=RUNS if runs is None else runs)
    with printing():
        if as_json:
            _print_json(found)
        else:
            _print(found)
    if not found.wrong:
        return ExitStatus.OK
    error = KdEdgeError(
        "KD_GATE_PARITY",
        f"{len(found.wrong)} of {found.n_golden} golden vectors get other scores on the phone",
        where=f"vector {found.wrong[0]}",
        hint="this is a defect of the plain C or of its compiler; report it with the phone's model",
    )
    say(f"error {error}", err=True)
    return error.exit_status


def _print(found) -> None:
    phone, times = found.phone, found.latency
    say(
        f"{phone.model} ({phone.serial}), {found.abi}: plain C for {found.core}, a program of "
        f"{found.program_bytes:,} bytes"
    )
    right = found.n_golden - len(found.wrong)
    say(f"golden vectors: {right} of {found.n_golden} have the bundle's scores, bit for bit")
    say(
        f"an int8 window: median {times.median:,.1f} µs, 5th to 95th percentile {times.p5:,.1f} to "
        f"{times.p95:,.1f}, 99th {times.p99:,.1f}; {times.n:,} runs, one thread"
    )
    if found.litert_us is None:
        say(f"LiteRT was not measured: {found.litert_note}")
        return
    say(
        f"LiteRT's benchmark_model, one thread, XNNPACK: mean {found.litert_us:,.1f} µs; its "
        "scores are not asked, and XNNPACK's may differ from TFLite Micro's by an int8 step"
    )


def _print_json(found) -> None:
    import json

    click.echo(json.dumps(asdict(found), indent=1, ensure_ascii=False))
