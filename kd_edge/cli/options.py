"""Options that commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click


def common(command: Callable) -> Callable:
    """`--json` and `--debug`, on every command."""
    command = click.option(
        "--debug", is_flag=True, expose_value=False, help="Show a traceback where an error ends it."
    )(command)
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the result as JSON, progress aside."
    )(command)


def path_option(*names: str, help: str, required: bool = False) -> Callable:  # noqa: A002
    """An option that takes a path; whether it exists is for the command to say, with a hint."""
    return click.option(*names, type=click.Path(path_type=Path), required=required, help=help)


def typed_command() -> str:
    """The command line as typed, for a report's provenance."""
    import shlex
    import sys

    return shlex.join(["kd-edge", *sys.argv[1:]])
