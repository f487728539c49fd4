"""What a board says, as values with names, units and NumPy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from kd_edge.base.decision import Decision
from kd_edge.base.decision_wire import DECISION, DECISION_BYTES, unpack_decision
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.protocol import KINDS, TICKS
from kd_edge.base.running import RunningState


@dataclass(frozen=True)
class Tensor:
    """One input or output of the board's model; real value = scale * (step - zero_point)."""

    name: str
    scale: float
    zero_point: int
    shape: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class BoardStream:
    """One sensor: values per sample, rate in Hz, samples in one raw window."""

    name: str
    channels: int
    rate: float
    samples: int


@dataclass(frozen=True)
class BoardModel:
    """One of several models on a board; its tensors are int8, on scales of its own."""

    name: str
    sha256: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Hello:
    """What a board said of itself.

    Attributes:
        board, core, engine: names.
        firmware: version, as "1.2.3".
        boot: differs after each start, as far as the board can tell.
        model_sha256: of the .tflite, in hexadecimal; of several models, of all and their rule.
        inputs, outputs: of the model, int8. Of several models the outputs are the scores on their
            common scale, and which model answered.
        decides: a decision rule stands behind the model, and each answer has its decision.
        filters: 'run-on' if filters of a stream run on from window to window; '' if each window is
            filtered from rest.
        rule, models: how several models answer as one, and these, a selector last; '' and () where
            there is one.
        streams: sensors in the order of a raw window; empty: a board without a front end, or one
            that takes pixels.
        ticks_kind: what ticks count: "cycles", "instructions" or "microseconds".
        ticks_per_thousand: timer ticks in a thousand of these.
        clock_hz: of the core.
        max_baud: highest speed that it agrees to; 0: its speed is fixed.
        golden_count: golden vectors in the image.
        layer_count: layers that it can time.
        depth, receive_bytes, max_payload: requests and bytes that may be unanswered; the largest
            payload.
        int8_bytes, raw_bytes, output_bytes: of a window of either kind, of the scores.
        scores_bytes: of the scores that one answer brings, at most.
    """

    board: str
    core: str
    engine: str
    firmware: str
    boot: int
    model_sha256: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    streams: tuple[BoardStream, ...]
    ticks_kind: str
    ticks_per_thousand: int
    clock_hz: int
    max_baud: int
    golden_count: int
    layer_count: int
    depth: int
    receive_bytes: int
    max_payload: int
    int8_bytes: int
    raw_bytes: int
    output_bytes: int
    scores_bytes: int
    rule: str = ""
    models: tuple[BoardModel, ...] = ()
    decides: bool = False
    filters: str = ""

    @property
    def classes(self) -> int:
        """Scores of a window."""
        return self.outputs[0].n_bytes

    def count(self, ticks: int) -> int:
        """Timer ticks as a number of what `ticks_kind` says, rounded."""
        return round(ticks * 1000 / self.ticks_per_thousand)

    @property
    def takes_pixels(self) -> bool:
        """Whether a raw window is 8-bit pixels, in place of sensors' samples."""
        return self.raw_bytes > 0 and not self.streams

    def window_bytes(self, kind: str) -> int:
        return {"int8": self.int8_bytes, "raw": self.raw_bytes}[kind]


@dataclass(frozen=True)
class Answer:
    """The board's answer to one window.

    Attributes:
        index: of the window, from 0, in the order in which windows were given.
        scores: (output bytes,) int8; every output, in order.
        decision: what the window leads to; None of a board that does not decide.
        ticks: the engine's, counted in `Hello.ticks_kind`.
        front_end_ticks: of filters, decimation, normalising and quantising; 0 for int8 windows.
        microseconds: both, by the board's clock.
        sends: how often its last frame was sent.
    """

    index: int
    scores: np.ndarray
    ticks: int
    front_end_ticks: int
    microseconds: int
    sends: int = 1
    decision: Decision | None = None


@dataclass(frozen=True)
class GoldenCheck:
    """How one golden vector went; it passed if no score differs."""

    index: int
    differing: int
    ticks: int
    microseconds: int


@dataclass(frozen=True)
class SelfTest:
    """Every golden vector of an image."""

    vectors: tuple[GoldenCheck, ...]

    @property
    def failures(self) -> tuple[GoldenCheck, ...]:
        return tuple(vector for vector in self.vectors if vector.differing)


@dataclass(frozen=True)
class Layer:
    """One layer's time, counted in `Hello.ticks_kind`."""

    name: str
    ticks: int


@dataclass(frozen=True)
class Memory:
    """Bytes, and what the board counted since its start; names as in docs/protocol.md."""

    stack_used: int
    stack_size: int
    static_bytes: int
    arena_bytes: int
    overruns: int
    bad_cobs: int
    bad_crc: int
    bad_length: int
    gaps: int
    repeats: int


@dataclass(frozen=True, eq=False)
class Worn:
    """What a board's running normaliser knows.

    Attributes:
        state: of every channel of every input, in order.
        frozen: windows move nothing.
    """

    state: RunningState
    frozen: bool


@dataclass(frozen=True)
class HeadState:
    """Which last layer answers on a board.

    Attributes:
        own: a wearer's; False: the built one.
        kept: it will answer after the next start, too.
        head_bytes: of a HEAD_BLOCK of this board.
        placed: bytes of another one that are in place.
        built_sha256, model_sha256: of the .tflite as built, and of the one that answers.
        block: the wearer's HEAD_BLOCK from the offset on that was asked for, as far as it fits.
    """

    own: bool
    kept: bool
    head_bytes: int
    placed: int
    built_sha256: str
    model_sha256: str
    block: bytes


@dataclass(frozen=True)
class Samples:
    """Sensor samples of a stream.

    Attributes:
        stream: position of the sensor in `Hello.streams`.
        first: number of the first sample since the stream began.
        stamp_us: its time by the board's clock.
        values: (samples, channels) int16.
        after_loss: frames were lost on the line since this sensor's last ones: samples that are
            missing before these may have been in them.
    """

    stream: int
    first: int
    stamp_us: int
    values: np.ndarray
    after_loss: bool = False


@dataclass(frozen=True)
class Prediction:
    """The board's answer to one window of a stream.

    Attributes:
        ends: per sensor the number of the sample after the window's last.
        stamp_us: when the window was complete, by the board's clock.
        answer: its `index` is the window's number since the stream began.
        host: the host's answer to the same inputs, if it came with the board's.
    """

    stamp_us: int
    ends: tuple[int, ...]
    answer: Answer
    host: Answer | None = None


# Fields of HELLO_ANSWER that Hello takes as they are.
_SAME_IN_HELLO = (
    *("boot", "ticks_per_thousand", "clock_hz", "max_baud"),
    *("golden_count", "layer_count", "depth", "receive_bytes", "max_payload"),
    *("int8_bytes", "raw_bytes", "output_bytes", "scores_bytes"),
)


def hello_of(message: Any, facts: Any) -> Hello:
    """A decoded HELLO_ANSWER and a decoded FACTS_BLOCK."""
    names = {number: name.lower() for name, number in TICKS.items()}
    *outputs, last = _tensors(facts.outputs) or (None,)
    decides = bool(outputs) and (last.name, last.n_bytes) == (DECISION, DECISION_BYTES)
    return Hello(
        board=facts.board,
        core=facts.core,
        engine=facts.engine,
        **{name: getattr(message, name) for name in _SAME_IN_HELLO},
        firmware=".".join(str(part) for part in message.firmware),
        model_sha256=bytes(message.model_sha256).hex(),
        inputs=_tensors(facts.inputs),
        outputs=tuple(outputs) if decides else _tensors(facts.outputs),
        decides=decides,
        streams=tuple(BoardStream(s.name, s.channels, s.rate, s.samples) for s in facts.streams),
        ticks_kind=names[message.ticks_kind],
        rule=facts.rule,
        filters=facts.filters,
        models=tuple(
            BoardModel(m.name, bytes(m.model_sha256).hex(), _tensors(m.inputs), _tensors(m.outputs))
            for m in facts.models
        ),
    )


def _tensors(group: Any) -> tuple[Tensor, ...]:
    return tuple(Tensor(t.name, t.scale, t.zero_point, t.shape) for t in group)


def answer_of(message: Any, scores: bytes, hello: Hello, *, index: int, sends: int = 1) -> Answer:
    """A decoded RUN_ANSWER or PREDICTION, with the scores of all its parts.

    Raises:
        ValueError: with words for a decision that cannot be.
    """
    decision = None
    if hello.decides:
        scores, decided = scores[:-DECISION_BYTES], scores[-DECISION_BYTES:]
        decision = unpack_decision(decided, hello.classes)
    return Answer(
        index=index,
        scores=np.frombuffer(scores, dtype=np.int8),
        ticks=hello.count(message.ticks),
        front_end_ticks=hello.count(message.front_end_ticks),
        microseconds=message.microseconds,
        sends=sends,
        decision=decision,
    )


def window_content(arrays, hello: Hello, kind: str) -> bytes:
    """One window's bytes as RUN carries them.

    Args:
        arrays: one per input of the model (int8, its shape) or, for kind "raw", one per sensor
            (int16, samples x channels), of a board that takes pixels one per input (uint8, its
            shape); a single array stands for a sequence of one.
        hello: what the board said of itself.
        kind: "int8" or "raw".

    Raises:
        KdEdgeError KD_SHAPE: a shape or type is not the board's.
        KdEdgeError KD_BOARD_REFUSED: raw windows for a board without front end.
    """
    if isinstance(arrays, np.ndarray):
        arrays = (arrays,)
    if kind.upper() not in KINDS:
        raise KdEdgeError("KD_USAGE", f"no kind of window is called {kind!r}", hint="int8 or raw")
    if kind == "raw" and not hello.raw_bytes:
        raise KdEdgeError(
            "KD_BOARD_REFUSED",
            f"the firmware on {hello.board} has no front end, so it takes no raw windows",
            hint="--windows int8, or flash firmware with the front end",
        )
    if kind == "raw" and not hello.takes_pixels:
        wanted = [(s.name, np.dtype("<i2"), (s.samples, s.channels)) for s in hello.streams]
    else:
        dtype = np.dtype(np.uint8 if kind == "raw" else np.int8)
        wanted = [(t.name, dtype, t.shape) for t in hello.inputs]
    if len(arrays) != len(wanted):
        raise KdEdgeError(
            "KD_SHAPE", f"{hello.board} takes {len(wanted)} arrays a window, not {len(arrays)}"
        )
    return b"".join(
        _array_content(array, *facts) for array, facts in zip(arrays, wanted, strict=True)
    )


def _array_content(array: np.ndarray, name: str, dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    if array.dtype.newbyteorder("<") != dtype or array.shape != shape:
        raise KdEdgeError(
            "KD_SHAPE",
            f"the board wants {name} as {dtype.name} {shape}, not {array.dtype} {array.shape}",
            where=name,
        )
    return np.ascontiguousarray(array, dtype=dtype).tobytes()
