"""First contact: which board is there, or what is wrong."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from kd_edge.base import wire
from kd_edge.base.errors import KdEdgeError
from kd_edge.link.channel import (
    BoardRefusal,
    BoardRestarted,
    Channel,
    Limits,
    NoAnswer,
    Patience,
)
from kd_edge.link.checks import check_hello, impossible
from kd_edge.link.messages import Hello, hello_of
from kd_edge.link.transport import FIRST_SPEED

# Speeds that boards and their serial chips commonly use, the likeliest first.
USUAL_SPEEDS = (FIRST_SPEED, 9_600, 921_600, 1_000_000, 460_800, 230_400, 57_600)
_EXCERPT = 60
_MOST_RESTARTS = 3
_STALE = 4  # answers to an earlier program's HELLO that may stand in buffers


def say_hello(channel: Channel, *, speeds: Sequence[int], model_sha256: str | None) -> Hello:
    """Opens a session at the first of the speeds at which the board answers.

    Args:
        channel: over a port that is open at speeds[0].
        speeds: in baud; on a port without speed only the first counts.
        model_sha256: the model that must be on the board, in hexadecimal; None: any.

    Raises:
        KdEdgeError KD_BOARD_TIMEOUT: nothing came.
        KdEdgeError KD_BOARD_NO_FIRMWARE: text came, no frame.
        KdEdgeError KD_BOARD_SPEED: bytes came that are neither.
        KdEdgeError KD_BOARD_PROTOCOL: another version of the link, or a board that says what
            cannot be.
        KdEdgeError KD_BOARD_RESET: it begins anew each time it is greeted.
        KdEdgeError KD_BOARD_MODEL: another model.
        KdEdgeError KD_PORT_CLOSED: the port is gone.
    """
    for _ in range(_MOST_RESTARTS):
        answer = _first_contact(channel, speeds)
        try:
            facts = _facts(channel, answer)
        except BoardRestarted:
            continue
        hello = hello_of(answer, facts)
        check_hello(hello)
        _check_model(hello, model_sha256)
        channel.hello = hello
        return hello
    raise KdEdgeError(
        "KD_BOARD_RESET",
        f"the board on {channel.transport.name} begins anew each time it is greeted",
        hint="a fault in the firmware, or its stack is too small",
    )


def _first_contact(channel: Channel, speeds: Sequence[int]) -> Any:
    """The HELLO_ANSWER, with a session open."""
    patience = channel.patience
    heard = 0
    for position, speed in enumerate(speeds):
        if position and not channel.transport.set_speed(speed):
            break
        retries = patience.retries if position == 0 else min(1, patience.retries)
        channel.end_session()
        channel.patience = Patience(min(patience.timeout, 0.5), retries)
        try:
            answer = _hello(channel)
        except NoAnswer:
            heard += channel.heard_bytes
            continue
        finally:
            channel.patience = patience
        channel.start_session(Limits(answer.depth, answer.receive_bytes))
        return answer
    if len(speeds) > 1:
        channel.transport.set_speed(speeds[0])
    raise _no_contact(channel, speeds, heard)


def _hello(channel: Channel) -> Any:
    for _ in range(_STALE):
        session = random.getrandbits(32)
        answer = channel.ask("HELLO", session=session)
        if not isinstance(answer, BoardRefusal) and answer.session == session:
            return answer
    raise NoAnswer


def _facts(channel: Channel, answer: Any) -> Any:
    """The decoded facts: what came with the answer, and what the board is still to be asked for."""
    content = bytearray(answer.facts)
    try:
        while len(content) < answer.facts_bytes:
            part = channel.ask("FACTS", offset=len(content))
            if isinstance(part, BoardRefusal):
                raise impossible(f"{part.status}: {part.text}", where="FACTS")
            content += part.facts
    except NoAnswer as error:
        raise KdEdgeError(
            "KD_BOARD_TIMEOUT",
            f"the board on {channel.transport.name} answers HELLO, then falls silent",
            where=f"{len(content)} of {answer.facts_bytes} bytes of facts came",
            hint="its firmware hangs, or the line loses long frames: a lower speed, a better cable",
        ) from error
    try:
        return wire.decode("FACTS_BLOCK", bytes(content))
    except wire.WireError as error:
        raise impossible(str(error), where="FACTS") from error


def _check_model(hello: Hello, model_sha256: str | None) -> None:
    if model_sha256 is not None and hello.model_sha256 != model_sha256.lower():
        raise KdEdgeError(
            "KD_BOARD_MODEL",
            f"{hello.board} runs another model",
            where=f"on the board {hello.model_sha256[:12]}…, here {model_sha256[:12].lower()}…",
            hint="flash the firmware of this bundle, or name the bundle that is on the board; "
            "`kd-edge board head` shows whether a wearer's last layer answers",
        )


def _no_contact(channel: Channel, speeds: Sequence[int], heard: int) -> KdEdgeError:
    name = channel.transport.name
    text = channel.reader.take_text()
    tried = None
    if channel.transport.has_speed:
        tried = f"tried at {', '.join(str(speed) for speed in speeds)} baud"
    if not heard:
        return KdEdgeError(
            "KD_BOARD_TIMEOUT",
            f"nothing comes from {name}",
            where=tried,
            hint="is it the right port, has the board power, is kd-edge firmware on it? "
            "Press its reset button, or try --reset",
        )
    if 2 * len(text) > heard:
        return KdEdgeError(
            "KD_BOARD_NO_FIRMWARE",
            f"{name} sends text, but no kd-edge firmware answers",
            where=f"it says {text[-_EXCERPT:].strip()!r}",
            hint="flash the firmware: kd-edge flash",
        )
    return KdEdgeError(
        "KD_BOARD_SPEED",
        f"{name} sends bytes that are no frames ({heard} came)",
        where=tried,
        hint="another speed (--baud), other firmware on the board, or a bad cable",
    )
