"""What a board answers to HELLO: the same facts that its sources are made from."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from firmware_export.boards.board import INSTRUCTION_NS, Board
from firmware_export.protocol import TICKS
from firmware_export.raw_window import raw_bytes
from firmware_export.wire import encode
from kd_edge import __version__
from kd_edge.convert.flatbuffer import Tensor, TfliteModel
from kd_edge.frontend import FrontEndConstants
from kd_edge.windows.raw import raw_samples


@dataclass(frozen=True, eq=False)
class HelloFacts:
    """One firmware.

    Attributes:
        max_baud: 0 where the speed is fixed.
        layer_count: that PROFILE tells.
        front_end: as `model_front_end` leaves it, or None.
    """

    board: Board
    engine: str
    model: TfliteModel
    max_baud: int
    golden_count: int
    layer_count: int
    front_end: FrontEndConstants | None


def hello_bytes(facts: HelloFacts) -> bytes:
    """The payload; what the board itself fills in is 0."""
    model, front_end = facts.model, facts.front_end
    inputs = [model.tensors[index] for index in model.inputs]
    outputs = [model.tensors[index] for index in model.outputs]
    kind, per_thousand = _ticks(facts.board)
    samples = raw_samples(front_end) if front_end else {}
    return encode(
        "HELLO_ANSWER",
        {
            "session": 0,
            "boot": 0,
            "receive_bytes": 0,
            "max_payload": 0,
            "depth": 0,
            "ticks_kind": TICKS[kind],
            "firmware": _version(),
            "ticks_per_thousand": per_thousand,
            "clock_hz": facts.board.clock_hz,
            "max_baud": facts.max_baud,
            "golden_count": facts.golden_count,
            "layer_count": facts.layer_count,
            "int8_bytes": sum(prod(tensor.shape) for tensor in inputs),
            "raw_bytes": raw_bytes(front_end) if front_end else 0,
            "output_bytes": sum(prod(tensor.shape) for tensor in outputs),
            "model_sha256": bytes.fromhex(model.sha256),
            "board": facts.board.name,
            "core": facts.board.core,
            "engine": facts.engine,
            "inputs": [_tensor(tensor) for tensor in inputs],
            "outputs": [_tensor(tensor) for tensor in outputs],
            "streams": [
                {
                    "name": stream.name,
                    "channels": len(stream.channels),
                    "rate": stream.source_rate_hz,
                    "samples": samples[stream.name],
                }
                for stream in (front_end.streams if front_end else ())
            ],
        },
    )


def _ticks(board: Board) -> tuple[str, int]:
    """What a board's ticks count (a key of `protocol.TICKS`), and how many are a thousand of it."""
    if board.counts_instructions:
        return "INSTRUCTIONS", round(board.timer.hz * INSTRUCTION_NS / 1e6)
    if board.timer is not None:
        return "MICROSECONDS", round(board.timer.hz / 1e3)
    return "CYCLES", 1000


def _version() -> tuple[int, int, int]:
    major, minor, patch = (int(part) for part in __version__.split(".")[:3])
    return major, minor, patch


def _tensor(tensor: Tensor) -> dict[str, object]:
    return {
        "name": tensor.name,
        "scale": tensor.scales[0],
        "zero_point": int(tensor.zero_points[0]),
        "shape": list(tensor.shape),
    }
