"""The emulated boards as parameters of tests."""

from __future__ import annotations

import pytest

from firmware_export.boards import BOARDS

EMULATED = [
    pytest.param(name, marks=[pytest.mark.qemu] if board.emulator else [])
    for name, board in BOARDS.items()
    if board.emulated
]
