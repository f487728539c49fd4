"""Options of the commands that talk to boards."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kd_edge.cli.options import FiniteFloat

if TYPE_CHECKING:
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.pipeline.boards.targets import Target


def reaching(command: Callable) -> Callable:
    """`--port`, `--board`, `--baud`, `--reset` and `--timeout`: keywords of a `Reach`."""
    options = (
        click.option(
            "--board", "boards", multiple=True, metavar="NAME",
            help="An emulated board, built and booted for this; may be given several times.",
        ),
        click.option(
            "--port", "ports", multiple=True, metavar="URL",
            help="A flashed board: /dev/ttyACM0, COM3, socket://HOST:PORT, anything that pyserial "
            "opens, or ble://NAME; may be given several times.",
        ),
        click.option(
            "--baud", type=click.IntRange(min=1200),
            help="Speed of the ports; without it the usual ones are tried, then the fastest that "
            "both ends take.",
        ),
        click.option(
            "--reset", metavar="HOW", default="none", show_default=True,
            help="How a board is reset when its port is opened: none, dtr-pulse, rts-to-reset or "
            "touch-1200.",
        ),
        click.option(
            "--timeout", "timeout_s", type=FiniteFloat(min=0.01), metavar="SECONDS",
            help="How long to wait for one answer before asking again.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@contextlib.contextmanager
def reached(bundle: Path | None, **reach) -> Iterator[tuple[TerminalWatch, tuple[Target, ...]]]:
    """Open boards, and what tells the user of them; `reach` as the options above give it."""
    from kd_edge.cli.watching import TerminalWatch
    from kd_edge.pipeline.boards.bundle_image import load_board_bundle
    from kd_edge.pipeline.boards.targets import Reach, open_targets

    with (
        TerminalWatch() as watch,
        open_targets(
            load_board_bundle(bundle) if bundle else None,
            Reach(**reach),
            tell=lambda what: watch.step(what, None, None),
        ) as targets,
    ):
        yield watch, targets
