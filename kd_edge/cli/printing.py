"""Printing on standard output, whose reader may have gone."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@contextlib.contextmanager
def printing() -> Iterator[Console]:
    """A console on standard output; where its reader (head, less) goes, the rest is not printed.

    The command goes on after the block: its status is its own, whoever reads.
    """
    from rich.console import Console

    class Terminal(Console):
        def on_broken_pipe(self) -> None:  # rich's own ends the process with status 1
            raise BrokenPipeError

    try:
        yield Terminal()
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()


def discard_output() -> None:
    """Let standard output lead nowhere, so that what is left in its buffer raises no more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
