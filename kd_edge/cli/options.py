"""Options that commands share."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import click

from kd_edge.base.errors import KdEdgeError


class _PathType(click.Path):
    """A path; the empty text is none, and would silently mean the working folder."""

    def convert(self, value, param, ctx):
        if value == "":
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)


# Whether it exists is for the command to say, with a hint.
PATH = _PathType(path_type=Path)


class _ShareType(click.ParamType):
    """A share between 0 and 1, as a fraction of whole numbers or a decimal one."""

    name = "share"

    def convert(self, value, param, ctx):
        try:
            share = Fraction(value)
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is no share such as 1/4 or 0.25.", param, ctx)
        if not 0 < share < 1:
            self.fail(f"{value} is not between 0 and 1.", param, ctx)
        return share


SHARE = _ShareType()


class FiniteFloat(click.FloatRange):
    """A number in a range; what is no number, or without end, is none."""

    def convert(self, value, param, ctx):
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


def common(command: Callable) -> Callable:
    """`--json` and `--debug`, on every command."""
    command = click.option(
        "--debug", is_flag=True, expose_value=False, help="Show a traceback where an error ends it."
    )(command)
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the result as JSON, progress aside."
    )(command)


def no_cache(command: Callable) -> Callable:
    """`--no-cache`, for commands that take windows or models from the user's cache."""
    return click.option(
        "--no-cache",
        is_flag=True,
        help="Take nothing from the user's cache, and keep nothing there; `doctor` names it.",
    )(command)


def path_option(*names: str, help: str, required: bool = False) -> Callable:  # noqa: A002
    """An option that takes a path."""
    return click.option(*names, type=PATH, required=required, help=help)


def _of_a_reader(reader: str, option: str) -> Callable[[Callable], Callable]:
    """`--reader` and `--option`, with what `--help` says of each."""

    def with_both(command: Callable) -> Callable:
        command = click.option("--option", multiple=True, metavar="NAME=VALUE", help=option)(
            command
        )
        return click.option("--reader", help=reader)(command)

    return with_both


# For commands that read recordings without a recipe.
reading = _of_a_reader(
    "Name of the reader; found from the files otherwise.",
    "Of the reader, such as rate_hz=200; as often as needed.",
)
# For commands that read `--data` beside a bundle's own.
reading_beside = _of_a_reader(
    "Reader of --data, if it is not the recipe's. Images show theirs.",
    "Of that reader, such as ignore=255; the recipe's go on otherwise.",
)


def options_of(given: Sequence[str]) -> dict[str, object]:
    """What `--option NAME=VALUE` says: a value is true, false, a number, or else text.

    Raises:
        KdEdgeError KD_USAGE: one without '='.
    """
    options: dict[str, object] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not (name and equals):
            raise KdEdgeError(
                "KD_USAGE", f"--option takes NAME=VALUE, not {one!r:.60}", hint="rate_hz=200"
            )
        options[name] = {"true": True, "false": False}.get(text, text)
        for number in (float, int):  # a whole number last: it stays one
            with contextlib.suppress(ValueError):
                options[name] = number(text)
    return options


def check_output(path: Path | None, option: str, suffixes: Sequence[str]) -> None:
    """Refuse a file that could not be written later, before any work.

    Args:
        suffixes: of the names that are taken, e.g. '.png'.

    Raises:
        KdEdgeError KD_USAGE: another suffix. KD_OUTPUT: no such folder.
    """
    if path is None:
        return
    if path.suffix.lower() not in suffixes:
        raise KdEdgeError(
            "KD_USAGE",
            f"{option} writes {' or '.join(suffixes)}, not '{path.suffix or path.name}'",
            where=str(path),
            hint=f"name a file that ends in {suffixes[0]}",
        )
    if not path.parent.is_dir() or path.is_dir():
        what = f"there is no folder {path.parent}" if not path.is_dir() else "it is a folder"
        raise KdEdgeError(
            "KD_OUTPUT",
            f"cannot write {path.name}: {what}",
            where=str(path),
            hint=f"make the folder, or name another place with {option}",
        )


def typed_command() -> str:
    """The command line as it was given, for a report's provenance."""
    import shlex

    return shlex.join(["kd-edge", *click.get_current_context().find_root().obj])
