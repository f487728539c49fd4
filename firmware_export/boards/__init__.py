"""The boards that firmware is made for: one folder and one board.toml each."""

from __future__ import annotations

from pathlib import Path

from firmware_export.boards.board import Board, Fit, fits, read_board
from kd_edge.base.errors import KdEdgeError, nearest

__all__ = ["BOARDS", "Board", "Fit", "find_board", "fits", "read_board"]

FOLDER = Path(__file__).parent

# Name -> board, by name; adding a board is adding a folder with a board.toml.
BOARDS: dict[str, Board] = {
    path.parent.name: read_board(path) for path in sorted(FOLDER.glob("*/board.toml"))
}


def find_board(name: str) -> Board:
    """The board of that name.

    Raises:
        KdEdgeError KD_UNKNOWN_NAME: there is none; the hint lists them.
    """
    if name not in BOARDS:
        raise KdEdgeError(
            "KD_UNKNOWN_NAME",
            f"no board is called {name!r}{nearest(name, BOARDS)}",
            hint=f"one of {', '.join(BOARDS)}; `kd-edge board list` says more",
        )
    return BOARDS[name]
