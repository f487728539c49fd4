"""Printing on standard output, whose reader may have gone."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console


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
    """A console that goes quiet where its reader goes; rich's own ends the process then."""
    from rich.console import Console

    class Terminal(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            discard(sys.stderr if stderr else sys.stdout)

    return Terminal(stderr=stderr)


def discard(stream: TextIO) -> None:
    """Let a stream lead nowhere, so that what is left in its buffer raises no more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
