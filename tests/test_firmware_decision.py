"""A decision rule on an emulated board: Python's decisions exactly, by RUN and in a stream."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from decision_samples import decide_all
from firmware_samples import two_input_model
from live_samples import HOP_S, front_end, replay
from programs import need

from firmware_export.boards import find_board
from firmware_export.boards.emulator import start
from firmware_export.firmware import build_firmware, firmware_sources
from firmware_export.sensors import StreamSettings
from firmware_export.settings import FirmwareSettings
from kd_edge.base.decision import ONE, DecisionRule
from kd_edge.base.errors import KdEdgeError
from kd_edge.link.device import Device
from kd_edge.live.facts import facts_of
from kd_edge.live.host import Host
from kd_edge.live.loop import Limits, LiveLoop
from kd_edge.runtimes.registry import open_interpreter

pytestmark = pytest.mark.qemu


def rule_for(session) -> DecisionRule:
    """One that uses all that a rule may use."""
    output = session.outputs[0]
    classes = output.shape[-1]
    rng = np.random.default_rng(2)
    return DecisionRule(
        classes=classes,
        scale=output.scale,
        temperature=0.4,
        windows=3,
        enter=round(0.3 * ONE),
        leave=round(0.2 * ONE),
        least_windows=2,
        refractory_windows=1,
        rest=3,
        least_share=round(0.15 * ONE),
        prototypes=tuple(map(tuple, rng.integers(-99, 99, (classes, classes)).tolist())),
        most_distance=classes * 120**2,
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return two_input_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def session(model):
    return open_interpreter("tflm", model)


def settings_for(rule) -> FirmwareSettings:
    return FirmwareSettings(
        name="deciding", labels=(), arena_bytes=0, arena_how="", front_end=front_end(),
        golden=None, synthetic=True, generator="kd-edge test", decision=rule,
    )  # fmt: skip


@pytest.fixture(scope="module")
def url(model, session, tmp_path_factory):
    need("arm-none-eabi-gcc", "qemu-system-arm")
    board = find_board("qemu-an386")
    firmware = firmware_sources(
        model,
        board,
        settings_for(rule_for(session)),
        stream=StreamSettings(hop_s=HOP_S),
        replay=replay(),
    )
    elf = build_firmware(firmware, board, tmp_path_factory.mktemp("image")).elf
    with start(board, elf, count_instructions=True) as emulator:
        yield emulator.url
        assert not emulator.errors


@pytest.fixture
def device(url):
    with Device.open(url) as opened:
        yield opened


def int8_windows(session, n, *, seed):
    """Windows that resemble their neighbours, so that classes are said."""
    rng = np.random.default_rng(seed)
    kinds = [[rng.integers(-128, 128, spec.shape) for spec in session.inputs] for _ in range(4)]
    return [
        tuple(
            np.clip(kind + rng.integers(-9, 10, kind.shape), -128, 127).astype(np.int8)
            for kind in kinds[i // 5 % 4]
        )
        for i in range(n)
    ]


def test_windows_in_a_row_are_decided_as_python_decides(device, session):
    """Oracle: kd_edge.base.decision on TFLite Micro's scores."""
    windows, rule = int8_windows(session, 40, seed=1), rule_for(session)
    begins = {0, 25}.__contains__
    answers = list(device.run_many(windows, begins=begins))
    scores = np.array([session.run(window)[0][0] for window in windows])
    expected = decide_all(rule, scores[:25]) + decide_all(rule, scores[25:])
    np.testing.assert_array_equal([a.scores for a in answers], scores)
    assert [a.decision for a in answers] == expected
    assert sum(d.onset for d in expected) > 1
    assert any(d.rejected for d in expected)


def test_a_window_alone_is_decided_without_a_memory(device, session):
    windows, rule = int8_windows(session, 4, seed=1), rule_for(session)
    scores = [session.run(window)[0] for window in windows]
    for row, answer in zip(scores, device.run_many(windows), strict=True):
        assert [answer.decision] == decide_all(rule, row)


def test_a_stream_is_decided_as_the_host_decides(device, model, session):
    """Oracle: the host's decisions on its own scores of the board's samples."""
    host = Host(model, front_end(), rule=rule_for(session))
    facts = facts_of(device.hello, "qemu", front_end=host.front_end, host=host.name)
    assert facts.decides
    seen = []

    class Watch:
        def samples(self, samples):
            pass

        def window(self, window, figures):
            seen.append(window.decision)

        def end(self, summary):
            pass

    summary = LiveLoop(device, facts, host=host, views=[Watch()]).run(Limits(windows=24))
    assert summary.error is None
    figures = summary.figures
    assert (figures.same_scores, figures.decisions_compared, figures.same_decision) == (24, 24, 24)
    assert len({decision.leading for decision in seen}) > 1
    assert figures.onsets == sum(decision.onset for decision in seen)


def test_a_rule_for_other_scores_is_refused(model, session):
    rule = rule_for(session)
    for wrong in (replace(rule, scale=2 * rule.scale), DecisionRule(2, rule.scale)):
        with pytest.raises(KdEdgeError) as caught:
            firmware_sources(model, find_board("qemu-an386"), settings_for(wrong))
        assert caught.value.code == "KD_SHAPE"
