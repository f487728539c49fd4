"""Boards that say what cannot be are refused by name, and never believed."""

from __future__ import annotations

import math
import os
import random
import struct
from dataclasses import replace

import numpy as np
import pytest
from link_harness import hello_payload, windows
from lying_board import MAX_PAYLOAD, LyingBoard, honest_hello, mutated, mutated_hello

from kd_edge.base import wire
from kd_edge.base.decision import NOBODY, ONE, Decision
from kd_edge.base.decision_wire import DECISION_BYTES, pack_decision
from kd_edge.base.errors import KINDS, ExitStatus, KdEdgeError
from kd_edge.base.protocol import BY_NAME, MESSAGES
from kd_edge.link.channel import Patience
from kd_edge.link.checks import _CHECKS, UNCHECKED
from kd_edge.link.device import Device
from kd_edge.link.messages import Prediction
from kd_edge.link.stream import WindowAssembler

# By hand: KD_EDGE_FUZZ_MESSAGES=10000.
N_MESSAGES = int(os.environ.get("KD_EDGE_FUZZ_MESSAGES", "250"))
QUICK = Patience(timeout=0.002, retries=1)
TENSOR = {"name": "t", "scale": 0.25, "zero_point": -1, "shape": (1, 5)}
STREAM = {"name": "emg", "channels": 3, "rate": 1111.11, "samples": 40}
MODEL = {"name": "m", "model_sha256": bytes(32), "inputs": [TENSOR], "outputs": [TENSOR]}
SEVERAL = {
    "rule": "cascade",
    "models": [MODEL, MODEL],
    "outputs": [TENSOR, TENSOR | {"name": "answered", "shape": (1, 1)}],
    "output_bytes": 6,
}


def use_everything(transport) -> list:
    """Asks a board for all it can; returns the scores that it gave."""
    device = Device(transport, patience=QUICK)
    scores = [answer.scores for answer in device.run_many(windows(3, seed=1))]
    device.selftest()
    device.profile()
    device.memory()
    assembler = WindowAssembler(device.hello)
    made = [assembler.take(event) for event in device.stream(windows=3)]
    return scores + [window.answer.scores for window in made if window]


def refused(transport) -> KdEdgeError:
    with pytest.raises(KdEdgeError) as caught:
        use_everything(transport)
    return caught.value


@pytest.mark.parametrize("n_scores", [5, 64, 65, 700])
def test_an_honest_board_is_believed(n_scores):
    """The board that all others here differ from: oracle of this file's oracles."""
    hello = honest_hello(output_bytes=n_scores, outputs=[TENSOR | {"shape": (1, n_scores)}])
    scores = use_everything(LyingBoard(hello))
    assert len(scores) == 6
    for each in scores:
        assert each.view(np.uint8).tolist() == [n % 251 for n in range(n_scores)]


def test_an_honest_board_of_several_models_is_believed():
    """The one that boards with SEVERAL differ from."""
    assert len(use_everything(LyingBoard(honest_hello(**SEVERAL)))) == 6


@pytest.mark.parametrize(
    "lie",
    [
        {"depth": 0},
        {"max_payload": 6},
        {"max_payload": 0},
        {"receive_bytes": 0},
        {"receive_bytes": 300},
        {"ticks_per_thousand": 0},
        {"ticks_kind": 9},
        {"clock_hz": 0},
        {"scores_bytes": 0},
        {"scores_bytes": MAX_PAYLOAD + 1},
        {"int8_bytes": 901},
        {"raw_bytes": 0},
        {"output_bytes": 6},
        {"output_bytes": 2**32 - 1},
        {"inputs": []},
        {"outputs": []},
        {"outputs": [TENSOR | {"scale": 0.0}]},
        {"outputs": [TENSOR | {"scale": math.nan}]},
        {"outputs": [TENSOR | {"scale": math.inf}]},
        {"outputs": [TENSOR | {"zero_point": 128}]},
        {"outputs": [TENSOR | {"zero_point": -129}]},
        {"outputs": [TENSOR | {"name": "\x1b[31m"}]},
        {"outputs": [TENSOR | {"shape": (0, 5)}], "output_bytes": 0},
        {"outputs": [TENSOR | {"shape": (2**32 - 1, 2**32 - 1, 5)}]},
        {"outputs": [TENSOR | {"shape": (2**25,)}], "output_bytes": 2**25},
        {"streams": [STREAM | {"rate": 0.0}], "raw_bytes": 240},
        {"streams": [STREAM | {"rate": -1.0}], "raw_bytes": 240},
        {"streams": [STREAM | {"rate": math.nan}], "raw_bytes": 240},
        {"streams": [STREAM | {"rate": 1e300}], "raw_bytes": 240},
        {"streams": [STREAM | {"rate": 5e-324}], "raw_bytes": 240},
        {"streams": [STREAM | {"rate": 9e-4}], "raw_bytes": 240},
        {"streams": [STREAM | {"channels": 0}], "raw_bytes": 0},
        {"streams": [STREAM | {"samples": 0}], "raw_bytes": 0},
        {"streams": [STREAM | {"name": "a\nb"}], "raw_bytes": 240},
        {"streams": [STREAM, STREAM], "raw_bytes": 480},
        {"board": "\x07"},
        {**SEVERAL, "models": []},
        {**SEVERAL, "models": [MODEL]},
        {**SEVERAL, "rule": ""},
        {**SEVERAL, "rule": "\x1b[31m"},
        {**SEVERAL, "outputs": [TENSOR], "output_bytes": 5},
        {**SEVERAL, "outputs": [TENSOR, TENSOR], "output_bytes": 10},
        {**SEVERAL, "models": [MODEL, MODEL | {"name": "a\nb"}]},
        {**SEVERAL, "models": [MODEL, MODEL | {"inputs": []}]},
        {**SEVERAL, "models": [MODEL, MODEL | {"outputs": [TENSOR | {"scale": 0.0}]}]},
    ],
    ids=" ".join,
)
def test_a_hello_that_cannot_be_is_refused(lie):
    error = refused(LyingBoard(honest_hello(**lie)))
    assert (error.code, error.exit_status) == ("KD_BOARD_PROTOCOL", ExitStatus.BOARD)
    assert error.hint


@pytest.mark.parametrize("n_bytes", [1, 60, 400, 65_000])
def test_facts_that_are_not_what_was_announced_are_refused(n_bytes):
    payload = bytearray(hello_payload(honest_hello()))
    at = wire.offsets(BY_NAME["HELLO_ANSWER"])[
        [f.name for f in BY_NAME["HELLO_ANSWER"].fields].index("facts_bytes")
    ]
    struct.pack_into("<H", payload, at, n_bytes)
    assert refused(LyingBoard(bytes(payload))).code == "KD_BOARD_PROTOCOL"


def changed(name: str, **values):
    """A lie about fields of one message; `values` are functions of what was true."""

    def lie(message: str, payload: bytes) -> bytes:
        if message != name:
            return payload
        content = wire.decode(name, payload)
        fields = {field.name: getattr(content, field.name) for field in BY_NAME[name].fields}
        for field in BY_NAME[name].fields:
            if field.type == "list" and len(field.items) > 1:
                fields[field.name] = [vars(entry) for entry in fields[field.name]]
        return wire.encode(name, fields | {k: change(fields[k]) for k, change in values.items()})

    return lie


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("RUN_ANSWER", {"scores": lambda scores: scores[:-1]}),
        ("RUN_ANSWER", {"scores": lambda scores: scores + b"x"}),
        ("RUN_ANSWER", {"scores": lambda scores: b""}),
        ("SCORES_ANSWER", {"scores": lambda scores: scores[:-1]}),
        ("SCORES_ANSWER", {"offset": lambda offset: offset + 1}),
        ("SELFTEST_ANSWER", {"count": lambda count: count - 1}),
        ("SELFTEST_ANSWER", {"index": lambda index: index + 1}),
        ("SELFTEST_ANSWER", {"differing": lambda differing: 1000}),
        ("PROFILE_ANSWER", {"layers": lambda layers: []}),
        ("PROFILE_ANSWER", {"layers": lambda layers: layers * 3}),
        ("PROFILE_ANSWER", {"count": lambda count: 65_535}),
        ("PROFILE_ANSWER", {"first": lambda first: first + 1}),
        ("MEMORY_ANSWER", {"stack_used": lambda used: 1_000_000}),
        ("SAMPLES", {"stream": lambda stream: 2}),
        ("SAMPLES", {"values": lambda values: values[:-2]}),
        ("SAMPLES", {"values": lambda values: b""}),
        ("SAMPLES", {"first": lambda first: 0}),
        ("PREDICTION", {"ends": lambda ends: ends[:1]}),
        ("PREDICTION", {"scores": lambda scores: b""}),
        ("PREDICTION", {"window": lambda window: 0}),
        ("PREDICTION_PART", {"offset": lambda offset: offset + 1}),
        ("PREDICTION_PART", {"window": lambda window: window + 1}),
        ("PREDICTION_PART", {"scores": lambda scores: b""}),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_an_answer_that_cannot_be_is_refused(name, change):
    hello = honest_hello(output_bytes=150, outputs=[TENSOR | {"shape": (1, 150)}])
    assert refused(LyingBoard(hello, changed(name, **change))).code == "KD_BOARD_PROTOCOL"


DECIDES = {
    "outputs": [TENSOR, TENSOR | {"name": "decision", "shape": (1, DECISION_BYTES)}],
    "output_bytes": 5 + DECISION_BYTES,
}
SAID = Decision(said=4, leading=4, confidence=ONE, onset=True, rejected=False)


def deciding(decision: Decision, name: str):
    """A board of five classes, whose honest decision is SAID; in one message it is another."""

    def lie(message: str, payload: bytes) -> bytes:
        told = decision if message == name else SAID
        for each in ("RUN_ANSWER", "PREDICTION"):
            if message == each:
                return changed(each, scores=lambda s: s[:5] + pack_decision(told))(each, payload)
        return payload

    return LyingBoard(honest_hello(**DECIDES), lie)


def test_an_honest_board_that_decides_is_believed():
    device = Device(deciding(SAID, ""), patience=QUICK)
    assert device.hello.decides
    (answer,) = device.run_many(windows(1, seed=1))
    assert (answer.decision, len(answer.scores)) == (SAID, 5)
    assert len(use_everything(deciding(SAID, ""))) == 6


@pytest.mark.parametrize("name", ["RUN_ANSWER", "PREDICTION"])
@pytest.mark.parametrize(
    "lie",
    [{"said": 5}, {"leading": 5}, {"leading": NOBODY}, {"confidence": ONE + 1}, {"said": NOBODY}],
    ids=str,
)
def test_a_decision_that_cannot_be_is_refused(name, lie):
    error = refused(deciding(replace(SAID, **lie), name))
    assert (error.code, error.where) == ("KD_BOARD_PROTOCOL", name)


def test_an_answer_that_is_cut_in_the_middle_of_a_field_is_refused():
    def lie(name, payload):
        return payload[:-1] if name == "SELFTEST_ANSWER" else payload

    assert refused(LyingBoard(lie=lie)).code == "KD_BOARD_PROTOCOL"


def test_a_board_that_says_it_needed_an_hour_is_not_waited_for_so_long():
    lie = changed("RUN_ANSWER", microseconds=lambda us: 2**32 - 1)
    device = Device(LyingBoard(lie=lie), patience=QUICK)
    list(device.run_many(windows(3, seed=1)))
    assert device._channel.patience.timeout < 10


def test_sample_numbers_go_on_where_their_32_bits_end():
    """Oracle: the numbers of a stream of three weeks, most of whose frames were lost."""
    starts = [2**31 - 1000, 2**32 - 2000, 2**32 + 10]

    def lie(name, payload):
        if name == "SAMPLES":
            move = {"first": lambda first: starts[first // 40] % 2**32}
        elif name == "PREDICTION":
            move = {"ends": lambda ends: [(starts[ends[0] // 40 - 1] + 40) % 2**32, ends[1]]}
        else:
            return payload
        if name == "SAMPLES" and wire.decode(name, payload).stream == 1:
            return payload
        return changed(name, **move)(name, payload)

    device = Device(LyingBoard(lie=lie), patience=QUICK)
    frames = list(device.stream(windows=3))
    first = [e.first for e in frames if not isinstance(e, Prediction) and e.stream == 0]
    assert first == starts
    ends = [e.ends[0] for e in frames if isinstance(e, Prediction)]
    assert ends == [start + 40 for start in starts]
    assembler = WindowAssembler(device.hello)
    made = [window for window in map(assembler.take, frames) if window]
    assert [window.arrays[0].shape for window in made] == [(40, 3)] * 3


def test_every_message_of_a_board_is_looked_at_or_has_nothing_that_could_be_wrong():
    sent = {message.name for message in MESSAGES if message.sender == "board"}
    assert {*_CHECKS, *UNCHECKED} == sent
    assert not _CHECKS.keys() & set(UNCHECKED)


def outcome(transport) -> str:
    """The code of the error that ended it, or 'ok'; any other exception fails the test."""
    try:
        use_everything(transport)
    except KdEdgeError as error:
        return error.code
    return "ok"


def counted(codes: list[str]) -> None:
    """Codes by number; all of them a board's fault, but for windows of another shape than ours."""
    counts = {code: codes.count(code) for code in sorted(set(codes))}
    print(counts)
    others = counts.keys() - {"ok", "KD_SHAPE"}
    assert {KINDS[code].status for code in others} == {ExitStatus.BOARD}
    assert counts["KD_BOARD_PROTOCOL"] > N_MESSAGES / 3
    assert counts["ok"] > N_MESSAGES / 50


def test_mutated_hellos_are_believed_whole_or_refused_by_name():
    rng = random.Random(13)
    counted([outcome(LyingBoard(mutated_hello(rng))) for _ in range(N_MESSAGES)])


def test_mutated_answers_are_believed_whole_or_refused_by_name():
    rng = random.Random(14)
    hello = honest_hello(output_bytes=150, outputs=[TENSOR | {"shape": (1, 150)}])

    def lie(name, payload):
        return mutated(payload, rng) if rng.random() < 0.05 else payload

    counted([outcome(LyingBoard(hello, lie)) for _ in range(N_MESSAGES)])
