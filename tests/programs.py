"""Programs that tests run: without one a test skips and says which; in CI it fails."""

from __future__ import annotations

import os
import shutil

import pytest

# What the project's own set-up does not install anywhere.
_NOT_SET_UP = {"xtensa-esp32s3-elf-gcc", "swift"}


def need(*programs: str) -> None:
    """Skip the test if one of the programs is not installed.

    In CI the project's own set-up has installed them, and a test that is skipped there proves
    nothing: it fails.
    """
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    told = f"needs {', '.join(missing)}: `kd-edge doctor` says how to get it"
    if os.environ.get("CI") and not _NOT_SET_UP.issuperset(missing):
        pytest.fail(told)
    pytest.skip(told)
