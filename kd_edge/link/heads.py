"""A board's last layer: told, replaced, kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kd_edge.base.protocol import ACTIONS, BY_NAME
from kd_edge.base.wire import fixed_bytes
from kd_edge.link.channel import BoardRefusal
from kd_edge.link.messages import HeadState, Hello
from kd_edge.link.refusals import refusal_error

_FIXED = fixed_bytes(BY_NAME["HEAD"])


class BoardHead:
    """The last layer of a board whose firmware lets a wearer's take its place.

    Args:
        ask: sends a HEAD with these values; returns its answer, or the refusal in its place.
        hello: what the board said of itself.

    Every method returns what then answers, and raises:
        KdEdgeError KD_BOARD_REFUSED: the firmware's last layer cannot be replaced.
    """

    def __init__(self, ask: Callable[..., Any], hello: Hello):
        self._ask = ask
        self._hello = hello

    def tell(self) -> HeadState:
        """Which last layer answers; of a wearer's, the whole HEAD_BLOCK."""
        state = self._do("TELL")
        block = state.block
        while state.own and len(block) < state.head_bytes:
            block += self._do("TELL", offset=len(block)).block
        return replace(state, block=block)

    def set(self, block: bytes) -> HeadState:
        """Lets a wearer's last layer answer; if it is refused, the one before goes on.

        Args:
            block: a HEAD_BLOCK, as `firmware_export.aot.head.head_block` makes it.

        Raises:
            KdEdgeError KD_BOARD_MODEL: it is another model's. KD_BOARD_REFUSED: also if it is
                damaged.
        """
        largest = self._hello.max_payload - _FIXED
        parts = [block[at : at + largest] for at in range(0, len(block), largest)]
        for number, part in enumerate(parts):
            state = self._do("SET", offset=number * largest, data=part)
        return state

    def reset(self) -> HeadState:
        """Lets the built last layer answer."""
        return self._do("RESET")

    def keep(self) -> HeadState:
        """Keeps what answers now for the next start.

        Raises:
            KdEdgeError KD_BOARD_REFUSED: also if the firmware cannot keep it.
        """
        return self._do("KEEP")

    def _do(self, action: str, *, offset: int = 0, data: bytes = b"") -> HeadState:
        answer = self._ask(action=ACTIONS[action], offset=offset, data=data)
        if isinstance(answer, BoardRefusal):
            raise refusal_error(self._hello.board, answer, where="HEAD")
        return HeadState(
            own=bool(answer.own),
            kept=bool(answer.kept),
            head_bytes=answer.head_bytes,
            placed=answer.placed,
            built_sha256=bytes(answer.built_sha256).hex(),
            model_sha256=bytes(answer.model_sha256).hex(),
            block=bytes(answer.head),
        )
