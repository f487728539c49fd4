"""What a board's refusals mean, and what to do about them."""

from __future__ import annotations

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.protocol import ACTIONS, WHYS
from kd_edge.link.channel import BoardRefusal

_FILL_IN = (
    "fill in kd_keep.c of the firmware project, or see why its kd_keep_write fails; until then"
)
_SEND_AGAIN = "send it again; if it is refused again, make it again with `kd-edge personalise`"
_OTHER = "send what `kd-edge personalise` made of the bundle whose firmware is on the board"
# KD_WHY_…: code, what is wrong, what to do.
_HEAD_REFUSED = {
    "DAMAGED": ("KD_BOARD_REFUSED", "it arrived damaged", _SEND_AGAIN),
    "MODEL": ("KD_BOARD_MODEL", "it is for another model than the board's", _OTHER),
    "SHAPE": ("KD_BOARD_MODEL", "it has other scores or inputs than the board's", _OTHER),
    "NUMBERS": ("KD_BOARD_REFUSED", "its sums can leave 32 bits", _SEND_AGAIN),
    "NOT_KEPT": (
        "KD_BOARD_REFUSED",
        "the firmware cannot keep it without power",
        f"{_FILL_IN} send it after each start",
    ),
}


def refusal_error(board: str, refusal: BoardRefusal, *, where: str) -> KdEdgeError:
    """The error for an ERROR that no repetition mends."""
    return KdEdgeError(
        "KD_BOARD_REFUSED",
        f"{board} answers {refusal.status}: {refusal.text}",
        where=f"{where}, detail {refusal.detail}",
        hint="docs/protocol.md explains the code and its detail",
    )


def head_error(board: str, refusal: BoardRefusal) -> KdEdgeError:
    """The error for a HEAD that a board refuses."""
    if refusal.status == "UNKNOWN":
        return KdEdgeError(
            "KD_BOARD_REFUSED",
            f"the firmware on {board} has no last layer that can be replaced",
            hint="flash firmware that was made with `kd-edge firmware --personal`",
        )
    for name, (code, what, hint) in _HEAD_REFUSED.items():
        if (refusal.status, refusal.detail) == ("REFUSED", WHYS[name]):
            return KdEdgeError(code, f"{board} refuses the last layer: {what}", hint=hint)
    return refusal_error(board, refusal, where="HEAD")


def normaliser_error(board: str, refusal: BoardRefusal) -> KdEdgeError:
    """The error for a NORMALISER that a board refuses."""
    if refusal.status == "UNKNOWN":
        return KdEdgeError(
            "KD_BOARD_REFUSED",
            f"the front end of {board} has no running normaliser",
            hint="set adapt in the recipe's front end, build the bundle again and flash it",
        )
    if (refusal.status, refusal.detail) == ("REFUSED", WHYS["NOT_KEPT"]):
        return KdEdgeError(
            "KD_BOARD_REFUSED",
            f"the firmware on {board} cannot keep what its normaliser knows without power",
            hint=f"{_FILL_IN} use `kd-edge board normaliser save` and `restore`",
        )
    if (refusal.status, refusal.detail) == ("RANGE", ACTIONS["KEEP"]):
        return KdEdgeError(
            "KD_BOARD_REFUSED",
            f"the firmware on {board} is older than this request",
            hint="export it again with `kd-edge firmware`, and flash it",
        )
    return refusal_error(board, refusal, where="NORMALISER")
