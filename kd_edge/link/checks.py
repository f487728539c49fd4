"""What no sound board says: every message is looked at once, right after it is decoded.

A frame whose CRC is right came whole, so an impossible value in it is the firmware's own. Nothing
behind this module divides by a rate, waits for a part or cuts an array that was not looked at here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from kd_edge.base import wire
from kd_edge.base.decision_wire import DECISION_BYTES
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import RUN_ON
from kd_edge.base.protocol import (
    ACTIONS,
    FORMATS,
    LEAST_PAYLOAD,
    LEAST_RATE_HZ,
    MOST_BYTES,
    MOST_RATE_HZ,
    STATE_BYTES,
    TICKS,
)
from kd_edge.base.protocol_types import Message
from kd_edge.base.running import is_possible, unpack_state
from kd_edge.link.framing import encoded_bytes
from kd_edge.link.messages import Answer, Hello, Tensor, answer_of

_UNKNOWN = 0xFFFFFFFF  # KD_BOARD_UNKNOWN on the wire
_INT8 = (-128, 127)
_HEAD_FIXED = wire.fixed_bytes(FORMATS["HEAD_BLOCK"])


def impossible(what: str, *, where: str = "") -> KdEdgeError:
    """The error for something that the protocol rules out."""
    return KdEdgeError(
        "KD_BOARD_PROTOCOL",
        f"the board says what cannot be: {what}",
        where=where,
        hint="its firmware is damaged, or not kd-edge's: flash the firmware of your bundle again",
    )


def decoded(message: Message, payload: bytes, asked: Mapping[str, Any], hello: Hello | None) -> Any:
    """The values of a payload that a board sent.

    Args:
        message: from the board.
        asked: the values of the request; empty for what nobody asked for.
        hello: what the board said of itself; None before it has.

    Raises:
        KdEdgeError KD_BOARD_PROTOCOL: it is not what the message states, or a value is impossible.
    """
    try:
        content = wire.decode(message.name, payload)
    except wire.WireError as error:
        raise impossible(str(error), where=message.name) from error
    check = _CHECKS.get(message.name)
    if check is not None:
        _require(message.name, check(content, asked, hello))
    return content


def whole_answer(message: Any, scores: bytes, hello: Hello, *, where: str, **more: Any) -> Answer:
    """`answer_of`, of which `more` are arguments, for an answer whose parts have all come.

    Args:
        where: the message's name.

    Raises:
        KdEdgeError KD_BOARD_PROTOCOL: its decision is impossible.
    """
    try:
        return answer_of(message, scores, hello, **more)
    except ValueError as error:
        raise impossible(str(error), where=where) from error


def check_hello(hello: Hello) -> None:
    """Looks at HELLO and its facts together.

    Raises:
        KdEdgeError KD_BOARD_PROTOCOL: they say what is impossible.
    """
    _require("HELLO", _hello(hello))


# --- conditions: pairs of what is wrong if it does not hold, and whether it holds ---

Conditions = Iterable[tuple[str, bool]]


def _require(where: str, conditions: Conditions) -> None:
    for what, holds in conditions:
        if not holds:
            raise impossible(what, where=where)


def _hello(hello: Hello) -> Conditions:
    for name in (hello.board, hello.core, hello.engine, hello.rule):
        yield f"the name {name[:60]!r}", name.isprintable()
    yield from _tensors(hello.inputs, hello.outputs)
    yield from _models(hello)
    yield f"filters that {hello.filters[:60]!r}", hello.filters in ("", RUN_ON)
    names = [stream.name for stream in hello.streams]
    yield "two sensors of one name", len(set(names)) == len(names)
    for stream in hello.streams:
        name = f"sensor {stream.name[:60]!r}"
        yield name, stream.name.isprintable()
        yield f"{name} has no channels", stream.channels > 0
        possible = LEAST_RATE_HZ <= stream.rate <= MOST_RATE_HZ
        yield f"{name} is sampled at {stream.rate:g} Hz", possible
        yield f"{name} has no samples in a window", stream.samples > 0
    int8 = sum(t.n_bytes for t in hello.inputs)
    counts = sum(2 * stream.samples * stream.channels for stream in hello.streams)
    yield from _size("an int8 window", hello.int8_bytes, int8)
    told = sum(t.n_bytes for t in hello.outputs) + DECISION_BYTES * hello.decides
    yield from _size("the scores", hello.output_bytes, told)
    yield from _size("a raw window", hello.raw_bytes, int8 if hello.takes_pixels else counts)


def _models(hello: Hello) -> Conditions:
    n_models = len(hello.models)
    yield f"{n_models} models and the rule {hello.rule[:60]!r}", bool(hello.rule) == (n_models > 1)
    if hello.models:
        yield "models that do not say which of them answered", len(hello.outputs) == 2
        yield "an answer of more than one model at once", hello.outputs[-1].n_bytes == 1
    for model in hello.models:
        yield f"the model {model.name[:60]!r}", model.name.isprintable()
        yield from _tensors(model.inputs, model.outputs)


def _tensors(*groups: tuple[Tensor, ...]) -> Conditions:
    for group in groups:
        yield "a model without inputs or outputs", bool(group)
        for tensor in group:
            name = f"tensor {tensor.name[:60]!r}"
            yield name, tensor.name.isprintable()
            yield f"{name} has the scale {tensor.scale:g}", 0 < tensor.scale < math.inf
            zero_point = tensor.zero_point
            yield f"{name} has the zero point {zero_point}", _INT8[0] <= zero_point <= _INT8[1]
            yield f"{name} has the shape {tensor.shape}", 0 not in tensor.shape


def _size(what: str, said: int, counted: int) -> Conditions:
    yield f"{what} of {said} bytes, made of {counted}", said == counted
    yield f"{what} of {said} bytes: {MOST_BYTES} at most", said <= MOST_BYTES


def _hello_answer(answer: Any, asked: Mapping[str, Any], hello: Hello | None) -> Conditions:
    largest = answer.max_payload
    yield f"payloads of {largest} bytes: {LEAST_PAYLOAD} or more", largest >= LEAST_PAYLOAD
    yield "no request may be unanswered", answer.depth > 0
    room = encoded_bytes(largest)
    yield f"a receive buffer of {answer.receive_bytes} bytes", answer.receive_bytes >= room
    yield f"ticks of kind {answer.ticks_kind}", answer.ticks_kind in TICKS.values()
    yield "no ticks in a thousand", answer.ticks_per_thousand > 0
    yield "a clock of 0 Hz", answer.clock_hz > 0
    part = answer.scores_bytes
    yield f"scores in parts of {part} bytes, payloads of {largest}", 0 < part <= largest
    yield "facts of no bytes", answer.facts_bytes > 0
    n_facts = len(answer.facts)
    yield f"{n_facts} of {answer.facts_bytes} bytes of facts", n_facts <= answer.facts_bytes


def _facts_answer(answer: Any, asked: Mapping[str, Any], hello: Hello | None) -> Conditions:
    yield f"facts from {answer.offset} on", answer.offset == asked["offset"]
    yield "a part of the facts without bytes", len(answer.facts) > 0


def _run_answer(answer: Any, asked: Mapping[str, Any], hello: Hello) -> Conditions:
    yield from _part(answer.scores, min(hello.output_bytes, hello.scores_bytes))


def _scores_answer(answer: Any, asked: Mapping[str, Any], hello: Hello) -> Conditions:
    yield f"scores from {answer.offset} on", answer.offset == asked["offset"]
    yield from _part(answer.scores, min(hello.output_bytes - answer.offset, hello.scores_bytes))


def _part(scores: bytes, wanted: int) -> Conditions:
    yield f"{len(scores)} bytes of scores instead of {wanted}", len(scores) == wanted


def _selftest_answer(answer: Any, asked: Mapping[str, Any], hello: Hello) -> Conditions:
    yield f"{answer.count} golden vectors", answer.count == hello.golden_count
    yield f"golden vector {answer.index}", answer.index == asked["index"]
    n_wrong = answer.differing
    yield f"{n_wrong} of {hello.output_bytes} scores differ", n_wrong <= hello.output_bytes


def _profile_answer(answer: Any, asked: Mapping[str, Any], hello: Hello) -> Conditions:
    yield f"{answer.count} layers", answer.count == hello.layer_count
    yield f"layers from {answer.first} on", answer.first == asked["first"]
    n_layers = len(answer.layers)
    yield f"{n_layers} layers at once", 0 < n_layers <= answer.count - answer.first
    for layer in answer.layers:
        yield f"layer {layer.name[:60]!r}", layer.name.isprintable()


def _memory_answer(answer: Any, asked: Mapping[str, Any], hello: Hello) -> Conditions:
    used, size = answer.stack_used, answer.stack_size
    yield f"{used} bytes of a stack of {size}", _UNKNOWN in (used, size) or used <= size


def _speed_answer(answer: Any, asked: Mapping[str, Any], hello: Hello) -> Conditions:
    yield f"a speed of {answer.baud} baud", answer.baud == asked["baud"]


def _normaliser_answer(answer: Any, asked: Mapping[str, Any], hello: Hello) -> Conditions:
    yield f"a normaliser that is frozen {answer.frozen} times", answer.frozen in (0, 1)
    n_bytes = len(answer.states)
    whole = n_bytes > 0 and n_bytes % STATE_BYTES == 0
    yield f"{n_bytes} bytes of a normaliser's states", whole
    yield "states that no windows lead to", whole and is_possible(unpack_state(answer.states))


def _head_answer(answer: Any, asked: Mapping[str, Any], hello: Hello) -> Conditions:
    n_bytes, n_told = answer.head_bytes, len(answer.head)
    yield (
        f"a layer that is own {answer.own} times, kept {answer.kept}",
        (answer.own in (0, 1) and answer.kept in (0, 1)),
    )
    yield f"a last layer of {n_bytes} bytes", _HEAD_FIXED < n_bytes <= MOST_BYTES
    yield f"{answer.placed} of {n_bytes} bytes in place", answer.placed < n_bytes
    other = bytes(answer.model_sha256) != bytes(answer.built_sha256)
    yield "the built layer, of another model", bool(answer.own) or not other
    told = asked["action"] == ACTIONS["TELL"] and answer.own
    rest = n_bytes - asked["offset"] if told else 0
    yield f"{n_told} bytes of a layer instead of {rest}", (n_told > 0) == (rest > 0)
    yield f"{n_told} bytes of a layer, {rest} are left", n_told <= rest


def _samples(samples: Any, asked: Mapping[str, Any], hello: Hello) -> Conditions:
    yield f"samples of sensor {samples.stream}", samples.stream < len(hello.streams)
    sample_bytes = 2 * hello.streams[samples.stream].channels
    yield "parts of samples", bool(samples.values) and len(samples.values) % sample_bytes == 0


def _prediction(prediction: Any, asked: Mapping[str, Any], hello: Hello) -> Conditions:
    n_ends = len(prediction.ends)
    yield f"a window of {n_ends} sensors", n_ends == len(hello.streams)
    n_scores = len(prediction.scores)
    yield f"{n_scores} bytes of scores", 0 < n_scores <= hello.output_bytes


def _prediction_part(part: Any, asked: Mapping[str, Any], hello: Hello) -> Conditions:
    end = part.offset + len(part.scores)
    yield "a part of the scores without bytes", len(part.scores) > 0
    yield f"scores from {part.offset} to {end}", part.offset > 0 and end <= hello.output_bytes


def _error(error: Any, asked: Mapping[str, Any], hello: Hello | None) -> Conditions:
    yield f"the error {error.text[:60]!r}", error.text.isprintable()


_CHECKS: Mapping[str, Callable[[Any, Mapping[str, Any], Any], Conditions]] = MappingProxyType(
    {
        "HELLO_ANSWER": _hello_answer,
        "FACTS_ANSWER": _facts_answer,
        "RUN_ANSWER": _run_answer,
        "SCORES_ANSWER": _scores_answer,
        "SELFTEST_ANSWER": _selftest_answer,
        "PROFILE_ANSWER": _profile_answer,
        "MEMORY_ANSWER": _memory_answer,
        "SPEED_ANSWER": _speed_answer,
        "NORMALISER_ANSWER": _normaliser_answer,
        "HEAD_ANSWER": _head_answer,
        "SAMPLES": _samples,
        "PREDICTION": _prediction,
        "PREDICTION_PART": _prediction_part,
        "ERROR": _error,
    }
)
# The rest has no value that could be impossible.
UNCHECKED = ("RESET_ANSWER", "PART_ANSWER", "STREAM_ANSWER", "STOP_ANSWER")
