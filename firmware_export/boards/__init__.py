"""The boards that firmware is made for: one folder and one board.toml each."""

from __future__ import annotations

from pathlib import Path

from firmware_export.boards.board import Board, Fit, fits, read_board
from kd_edge.base.registry import Registry

__all__ = ["BOARDS", "Board", "Fit", "find_board", "fits", "read_board"]

FOLDER = Path(__file__).parent

# By name; adding a board is adding a folder with a board.toml. One that lies elsewhere is added by
# `BOARDS.add(read_board(path))`.
BOARDS: Registry[Board] = Registry(
    "board", map(read_board, sorted(FOLDER.glob("*/board.toml"))), home=__name__
)


def find_board(name: str) -> Board:
    """The board of that name.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: there is none; the hint lists them.
    """
    return BOARDS.find(name)
