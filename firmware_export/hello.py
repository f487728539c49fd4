"""What a board answers to HELLO: the same facts that its sources are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from firmware_export.boards.board import INSTRUCTION_NS, Board
from firmware_export.boards.kinds import TIMERS
from firmware_export.front_end import wearer_states
from kd_edge.base.decision_wire import DECISION_OUTPUT
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import printable
from kd_edge.base.front_end import RUN_ON, FrontEndConstants, raw_samples
from kd_edge.base.product import Product
from kd_edge.base.protocol import (
    BY_NAME,
    DEFAULT_PAYLOAD,
    LEAST_RATE_HZ,
    MOST_BYTES,
    MOST_RATE_HZ,
    STATE_BYTES,
    TICKS,
)
from kd_edge.base.raw_window import raw_bytes
from kd_edge.base.tensors import TensorSpec
from kd_edge.base.version import __version__
from kd_edge.base.wire import WireError, encode, fixed_bytes


@dataclass(frozen=True, eq=False)
class HelloFacts:
    """One firmware.

    Attributes:
        product: what the firmware runs. max_baud: 0 if the speed is fixed.
        layer_count: that PROFILE tells.
        front_end: as `model_front_end` leaves it, or None.
        decides: a decision rule stands behind the scores.
        takes_pixels: a raw window is 8-bit pixels.
    """

    board: Board
    engine: str
    product: Product
    max_baud: int
    golden_count: int
    layer_count: int
    front_end: FrontEndConstants | None
    decides: bool = False
    takes_pixels: bool = False

    @property
    def int8_bytes(self) -> int:
        """Of a window of quantised inputs."""
        return sum(prod(spec.shape) for spec in self.product.inputs)

    @property
    def raw_bytes(self) -> int:
        """Of a window as sensors or a camera give it; 0 if the board takes int8 windows alone."""
        if self.front_end is not None:
            return raw_bytes(self.front_end)
        return self.int8_bytes if self.takes_pixels else 0

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What an answer holds, in order."""
        return self.product.outputs + (DECISION_OUTPUT,) * self.decides


def hello_bytes(facts: HelloFacts) -> bytes:
    """The payload with all facts, however long; what the board itself fills in is 0.

    Raises:
        KdEdgeError KD_LINK_LIMIT: more, or larger, than the link can tell.
    """
    product, front_end = facts.product, facts.front_end
    sizes = {
        "int8_bytes": facts.int8_bytes,
        "raw_bytes": facts.raw_bytes,
        "output_bytes": sum(prod(spec.shape) for spec in facts.outputs),
    }
    check_link(sizes, front_end)
    kind, per_thousand = _ticks(facts.board)
    try:
        block = encode("FACTS_BLOCK", _block(facts))
        return encode(
            "HELLO_ANSWER",
            {
                **dict.fromkeys(("session", "boot", "receive_bytes", "max_payload"), 0),
                **dict.fromkeys(("depth", "scores_bytes"), 0),
                "ticks_kind": TICKS[kind],
                "firmware": _version(),
                "ticks_per_thousand": per_thousand,
                "clock_hz": facts.board.clock_hz,
                "max_baud": facts.max_baud,
                "golden_count": facts.golden_count,
                "layer_count": facts.layer_count,
                **sizes,
                "facts_bytes": len(block),
                "model_sha256": bytes.fromhex(product.sha256),
                "facts": block,
            },
        )
    except WireError as error:
        raise link_limit("HELLO cannot tell what the firmware is", str(error)) from error


def link_limit(what: str, limit: str) -> KdEdgeError:
    """The error for a firmware of which a fact does not fit the serial link."""
    return KdEdgeError(
        "KD_LINK_LIMIT",
        f"the serial link cannot carry this firmware: {what}",
        where=limit,
        hint="a smaller model, fewer or shorter names, fewer sensors; docs/protocol.md has the "
        "limits",
    )


def check_link(sizes: dict[str, int], front_end: FrontEndConstants | None) -> None:
    """What would not show in the encoding."""
    for name, n_bytes in sizes.items():
        if n_bytes > MOST_BYTES:
            raise link_limit(f"{name} is {n_bytes:,}", f"{MOST_BYTES:,} bytes at most")
    streams = front_end.streams if front_end else ()
    if front_end and front_end.learns:
        states = wearer_states(front_end)
        most = (DEFAULT_PAYLOAD - fixed_bytes(BY_NAME["NORMALISER_ANSWER"])) // STATE_BYTES
        if states > most:
            raise link_limit(f"it keeps {states} states of its wearer", f"{most} at most")
    room = DEFAULT_PAYLOAD - fixed_bytes(BY_NAME["PREDICTION"]) - 2
    if 4 * len(streams) > room:
        raise link_limit(f"it has {len(streams)} streams", f"{room // 4} at most")
    for stream in streams:
        if not LEAST_RATE_HZ <= stream.source_rate_hz <= MOST_RATE_HZ:
            raise link_limit(
                f"{stream.name!r} is sampled at {stream.source_rate_hz:g} Hz",
                f"{LEAST_RATE_HZ:g} to {MOST_RATE_HZ:g} Hz",
            )


def _block(facts: HelloFacts) -> dict[str, object]:
    front_end, product = facts.front_end, facts.product
    samples = raw_samples(front_end) if front_end else {}
    streams = front_end.streams if front_end else ()
    names = told_names([stream.name for stream in streams])
    return {
        "board": facts.board.name,
        "core": facts.board.core,
        "engine": facts.engine,
        "inputs": [_tensor(spec) for spec in product.inputs],
        "outputs": [_tensor(spec) for spec in facts.outputs],
        "streams": [
            {
                "name": name,
                "channels": len(stream.channels),
                "rate": stream.source_rate_hz,
                "samples": samples[stream.name],
            }
            for stream, name in zip(streams, names, strict=True)
        ],
        **_later(product, runs_on=front_end is not None and front_end.runs_on),
    }


def _later(product: Product, *, runs_on: bool) -> dict[str, object]:
    """What is left out if it says nothing: of one model, and of filters that start anew."""
    told = _models(product)
    if not runs_on:
        return told
    return {"rule": "", "models": [], **told, "filters": RUN_ON}


def _models(product: Product) -> dict[str, object]:
    """The models behind a rule; nothing of one model, of which the other facts tell all."""
    if product.composition is None:
        return {}
    names = told_names([member.name for member in product.members])
    return {
        "rule": product.composition.rule,
        "models": [
            {
                "name": name,
                "model_sha256": bytes.fromhex(member.model.sha256),
                "inputs": [_tensor(spec) for spec in member.inputs],
                "outputs": [_tensor(spec) for spec in member.outputs],
            }
            for member, name in zip(product.members, names, strict=True)
        ],
    }


def told_names(names: Sequence[str]) -> list[str]:
    """Names as a terminal may show them, and as different as they are.

    The host refuses boards whose names hold control codes. If one does, these and the backslashes
    of all are escaped.
    """
    if all(name.isprintable() for name in names):
        return list(names)
    return [printable(name.replace("\\", "\\\\")) for name in names]


def _ticks(board: Board) -> tuple[str, int]:
    """What a board's ticks count (a key of `protocol.TICKS`), and how many are a thousand of it."""
    if board.counts_instructions:
        return "INSTRUCTIONS", round(board.timer.hz * INSTRUCTION_NS / 1e6)
    if board.timer is not None and not TIMERS[board.timer.kind].of_core:
        return "MICROSECONDS", round(board.timer.hz / 1e3)
    return "CYCLES", 1000


def _version() -> tuple[int, int, int]:
    major, minor, patch = (int(part) for part in __version__.split(".")[:3])
    return major, minor, patch


def _tensor(spec: TensorSpec) -> dict[str, object]:
    return {
        "name": printable(spec.name),
        "scale": spec.scale,
        "zero_point": spec.zero_point,
        "shape": list(spec.shape),
    }
