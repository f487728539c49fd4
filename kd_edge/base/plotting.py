"""Matplotlib with its own settings, whatever lies in the working folder or the user's home."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def plain_settings(**more: Any) -> Iterator[None]:
    """Matplotlib's defaults, and `more`, while the block makes and renders a figure.

    A file `matplotlibrc` in the working folder could have LaTeX run over names from recordings.
    """
    _import_matplotlib()
    import matplotlib

    defaults = {key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"}
    with matplotlib.rc_context({**defaults, **more}):
        yield


def _import_matplotlib() -> None:
    """From an empty folder: it reads a matplotlibrc of the working folder before any other."""
    if "matplotlib" in sys.modules:
        return
    here = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="kd-edge-") as empty:
        os.chdir(empty)
        try:
            import matplotlib  # noqa: F401
        finally:
            os.chdir(here)
