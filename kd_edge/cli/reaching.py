"""Options of the commands that talk to boards."""

from __future__ import annotations

from collections.abc import Callable

import click


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
            "opens; may be given several times.",
        ),
        click.option(
            "--baud", type=click.IntRange(min=1200),
            help="Speed of the ports at first contact; the usual ones are tried without it.",
        ),
        click.option(
            "--reset", metavar="HOW", default="none", show_default=True,
            help="How a board is reset when its port is opened: none, dtr-pulse, rts-to-reset or "
            "touch-1200.",
        ),
        click.option(
            "--timeout", "timeout_s", type=click.FloatRange(min=0.01), metavar="SECONDS",
            help="How long to wait for one answer before asking again.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command
