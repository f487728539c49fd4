"""`kd-edge selftest`."""

from __future__ import annotations

from pathlib import Path

import click

from kd_edge.base.errors import ExitStatus, KdEdgeError
from kd_edge.cli.options import PATH, common
from kd_edge.cli.reaching import reached, reaching

EPILOG = """
\b
Examples:
  kd-edge selftest --port /dev/ttyACM0
  kd-edge selftest build/isl --board qemu-an386
  kd-edge selftest build/isl --port COM3 --json

With BUNDLE the board must have that bundle's model. The exit status is 6 where a vector fails.
"""


@click.command(epilog=EPILOG)
@click.argument("bundle", type=PATH, required=False)
@reaching
@common
def selftest(bundle: Path | None, as_json: bool, **reach) -> int:
    """Run the golden vectors that are compiled into a board's image; no data are needed."""
    import dataclasses
    import json

    from kd_edge.cli.printing import printing

    found = []
    with reached(bundle, **reach) as (watch, targets):
        for target in targets:
            watch.step(f"golden vectors on {target.port}", None, None)
            found.append((target, target.device.hello, target.device.selftest()))
    if as_json:
        boards = [
            {
                "port": target.port,
                "board": hello.board,
                "engine": hello.engine,
                "model_sha256": hello.model_sha256,
                "ticks": hello.ticks_kind,
                "vectors": [dataclasses.asdict(vector) for vector in test.vectors],
            }
            for target, hello, test in found
        ]
        click.echo(json.dumps({"boards": boards}, indent=1))
    else:
        with printing() as console:
            for target, hello, test in found:
                passed = len(test.vectors) - len(test.failures)
                console.print(
                    f"{target.port}: {hello.board} with {hello.engine}: {passed} of "
                    f"{len(test.vectors)} golden vectors passed",
                    highlight=False,
                    markup=False,
                )
    return _status(found)


def _status(found) -> int:
    empty = [target.port for target, _, test in found if not test.vectors]
    if empty:
        raise KdEdgeError(
            "KD_BOARD_REFUSED",
            "the image has no golden vectors",
            where=", ".join(empty),
            hint="build the firmware with golden vectors, as `kd-edge firmware` does",
        )
    failed = [
        f"{target.port}: vectors {', '.join(str(v.index) for v in test.failures)}"
        for target, _, test in found
        if test.failures
    ]
    if not failed:
        return ExitStatus.OK
    raise KdEdgeError(
        "KD_GATE_PARITY",
        "golden vectors failed on the board",
        where="; ".join(failed),
        hint="compiler flags or a kernel are wrong: build again, try another -O level",
    )
