"""Whether a product can fit a board at all: what is certain before anything is compiled."""

from __future__ import annotations

from collections.abc import Mapping

from firmware_export.boards.board import Board, fits
from kd_edge.base.errors import KdEdgeError


def check_room(board: Board, *, flash: Mapping[str, int], ram: Mapping[str, int]) -> None:
    """Refuse what even without its code is too large for a board.

    Args:
        flash, ram: what stands there -> bytes; the least that an image needs.

    Raises:
        KdEdgeError KD_BOARD_FULL: it cannot fit; with every figure.
    """
    if not board.kind.has_limits:
        return
    left = fits(board, sum(flash.values()), sum(ram.values()))
    if left.fits:
        return
    short = [
        f"{memory}: {_sum(parts)} of {has}"
        for memory, parts, has, rest in (
            ("flash", flash, board.image_bytes, left.flash_left),
            ("RAM", ram, board.ram.bytes, left.ram_left),
        )
        if rest < 0
    ]
    raise KdEdgeError(
        "KD_BOARD_FULL",
        f"the model cannot fit {board.name}, even without code",
        where="; ".join(short),
        hint="choose a smaller student, a shorter window, or a board that holds more: "
        "`kd-edge board list`",
    )


def _sum(parts: Mapping[str, int]) -> str:
    terms = " + ".join(f"{name} {size}" for name, size in parts.items())
    return f"{terms} = {sum(parts.values())} bytes"
