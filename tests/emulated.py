"""The emulated boards and their cores as parameters of tests, each with the mark of its tools."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_export.aot.cores import ARM
from firmware_export.boards import BOARDS
from firmware_export.boards.board import Board
from firmware_export.sensors import StreamSettings

# Far longer than this machine holds anybody up.
_HELD_S = 30.0


def marks(board: Board) -> list[pytest.MarkDecorator]:
    """The programs that building and running it needs, as `TOOLS_OF_MARKS` has them."""
    if not board.emulator:
        return []
    arm = board.core_facts.toolchain is ARM
    return [pytest.mark.qemu if arm else pytest.mark.qemu_riscv]


def parameters(boards: list[Board]) -> list:
    return [pytest.param(board.name, marks=marks(board)) for board in boards]


def board_of(core: str) -> Board:
    """The emulated board with that core that holds most."""
    boards = [board for board in BOARDS.values() if board.emulated and board.core == core]
    return max(boards, key=lambda board: board.image_bytes)


def holding(n_bytes: int) -> list:
    """The emulated boards with that much RAM."""
    boards = (board for board in BOARDS.values() if board.emulated)
    return parameters([board for board in boards if board.ram.bytes >= n_bytes])


def by_its_own_clock(board: Board) -> dict[str, bool]:
    """How `start` runs a board that streams, so that its time depends on nothing else.

    By the clock of this machine a board that is let run too seldom would lose samples.
    """
    counts = board.counts_instructions
    return {"count_instructions": counts, "skip_idle": counts}


def unhurried(stream: StreamSettings, board: Board) -> StreamSettings:
    """The same for a board that cannot count: its sensors wait for as long as it is held up."""
    if board.counts_instructions:
        return stream
    return replace(stream, slack_s=_HELD_S, fifo_s=_HELD_S)


QEMU = [board for board in BOARDS.values() if board.emulator]
QEMU_BOARDS = parameters(QEMU)
EMULATED = parameters([board for board in BOARDS.values() if board.emulated])
# Those that hold the firmware of the tests with what its sensors play.
HOLDING = holding(64 * 1024)
EMULATED_CORES = [
    pytest.param(core, marks=marks(board_of(core)))
    for core in sorted({board.core for board in QEMU})
]
