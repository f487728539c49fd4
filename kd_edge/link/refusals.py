"""What a board's refusals mean, and what to do about them."""

from __future__ import annotations

from kd_edge.base.errors import KdEdgeError
from kd_edge.base.protocol import ACTIONS, WHYS
from kd_edge.link.channel import BoardRefusal

_REFUSED, _OTHER_MODEL = "KD_BOARD_REFUSED", "KD_BOARD_MODEL"
_FILL_IN = (
    "fill in kd_keep.c of the firmware project, or see why its kd_keep_write fails; until then"
)
_SEND_AGAIN = "send it again; if it is refused again, make it again with `kd-edge personalise`"
_OTHER = "send what `kd-edge personalise` made of the bundle whose firmware is on the board"
_LAYER = "{board} refuses the last layer: "
# Request -> status, detail (any of UNKNOWN) -> code, what is wrong, what to do.
_MEANINGS = {
    "HEAD": {
        ("UNKNOWN", 0): (
            _REFUSED,
            "the firmware on {board} has no last layer that can be replaced",
            "flash firmware that was made with `kd-edge firmware --personal`",
        ),
        ("REFUSED", WHYS["DAMAGED"]): (_REFUSED, f"{_LAYER}it arrived damaged", _SEND_AGAIN),
        ("REFUSED", WHYS["MODEL"]): (
            _OTHER_MODEL,
            f"{_LAYER}it is for another model than the board's",
            _OTHER,
        ),
        ("REFUSED", WHYS["SHAPE"]): (
            _OTHER_MODEL,
            f"{_LAYER}it has other scores or inputs than the board's",
            _OTHER,
        ),
        ("REFUSED", WHYS["NUMBERS"]): (
            _REFUSED,
            f"{_LAYER}its sums can leave 32 bits",
            _SEND_AGAIN,
        ),
        ("REFUSED", WHYS["NOT_KEPT"]): (
            _REFUSED,
            f"{_LAYER}the firmware cannot keep it without power",
            f"{_FILL_IN} send it after each start",
        ),
    },
    "NORMALISER": {
        ("UNKNOWN", 0): (
            _REFUSED,
            "the front end of {board} has no running normaliser",
            "set adapt in the recipe's front end, build the bundle again and flash it",
        ),
        ("REFUSED", WHYS["NOT_KEPT"]): (
            _REFUSED,
            "the firmware on {board} cannot keep what its normaliser knows without power",
            f"{_FILL_IN} use `kd-edge board normaliser save` and `restore`",
        ),
        # How many actions there were before KEEP.
        ("RANGE", ACTIONS["KEEP"]): (
            _REFUSED,
            "the firmware on {board} is older than this request",
            "export it again with `kd-edge firmware`, and flash it",
        ),
    },
}


def refusal_error(board: str, refusal: BoardRefusal, *, where: str) -> KdEdgeError:
    """The error for an ERROR that no repetition mends.

    Args:
        where: the request's name, or a window.
    """
    detail = 0 if refusal.status == "UNKNOWN" else refusal.detail
    found = _MEANINGS.get(where, {}).get((refusal.status, detail))
    if found is not None:
        code, what, hint = found
        return KdEdgeError(code, what.replace("{board}", board), hint=hint)
    return KdEdgeError(
        _REFUSED,
        f"{board} answers {refusal.status}: {refusal.text}",
        where=f"{where}, detail {refusal.detail}",
        hint="docs/protocol.md explains the code and its detail",
    )
