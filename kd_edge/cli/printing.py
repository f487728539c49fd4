"""Printing on standard output, whose reader may have gone, and what strangers' names may do to it.

Names of ports, folders, classes, sensors, recipes and models come from files and boards. A console
of ours takes no text for markup and lets no control character through: `[/x]` is printed as it is,
and an escape sequence cannot reach the terminal.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from rich.console import Console

_REPLACED = "\ufffd"
# Control characters but tab and line end, and halves of surrogate pairs, which file names may hold.
_UNPRINTABLE = dict.fromkeys(
    {*range(32), *range(127, 160), *range(0xD800, 0xE000)} - {ord("\t"), ord("\n")}, _REPLACED
)


def printable(text: str) -> str:
    """The text with control characters and what is no character replaced."""
    return text.translate(_UNPRINTABLE)


def say(text: str, *, err: bool = False) -> None:
    """Print a line of plain text."""
    click.echo(printable(text), err=err)


@contextlib.contextmanager
def printing() -> Iterator[Console]:
    """A console on standard output; where its reader (head, less) goes, the rest is not printed.

    The command goes on after the block: its status is its own, whoever reads.
    """
    try:
        yield console()
        sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)


def console(*, stderr: bool = False) -> Console:
    """A console that prints every text as it is, and goes quiet where its reader goes.

    Rich's own would take square brackets for markup, and ends the process where the reader goes.
    """
    from rich.console import Console
    from rich.segment import Segment

    class Terminal(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            discard(sys.stderr if stderr else sys.stdout)

        def render(self, renderable, options=None):
            for segment in super().render(renderable, options):
                text, style, control = segment
                yield segment if control else Segment(printable(text), style)

    return Terminal(stderr=stderr, markup=False, emoji=False)


def discard(stream: TextIO) -> None:
    """Let a stream lead nowhere, so that what is left in its buffer raises no more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
