"""A decision rule on an emulated board: Python's decisions exactly, by RUN and in a stream."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from decision_samples import decide_all, stream
from firmware_samples import two_input_model
from link_harness import PATIENT
from live_samples import HOP_S, front_end, replay
from programs import need

from firmware_export import c_text
from firmware_export.aot.cores import find_core
from firmware_export.boards import find_board
from firmware_export.boards.compiling import measure_objects
from firmware_export.boards.emulator import run_image, start
from firmware_export.boards.toolchain import build_image
from firmware_export.constants import Ports, PortTensor
from firmware_export.decision import decision_files
from firmware_export.firmware import RUNTIME, build_firmware, firmware_sources
from firmware_export.sensors import StreamSettings
from firmware_export.settings import FirmwareSettings
from kd_edge.base.decision import ONE, Decision, DecisionRule
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.templates import templates
from kd_edge.link.device import Device
from kd_edge.live.facts import facts_of
from kd_edge.live.host import Host
from kd_edge.live.loop import Limits, LiveLoop
from kd_edge.runtimes.registry import open_interpreter

pytestmark = pytest.mark.qemu
README = RUNTIME.parent / "README.md"


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
    with Device.open(url, patience=PATIENT) as opened:
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


MAIN = r"""
#include "kd_board.h"
#include "kd_decision_rule.h"
#include "scores.h"

static void put(uint32_t value, char end)
{
    char text[11];
    size_t at = sizeof text;
    text[--at] = end;
    do {
        text[--at] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value > 0u);
    kd_board_write(text + at, sizeof text - at);
}

int main(void)
{
    static kd_decision found[N_WINDOWS];
    kd_decision_reset(&kd_decider, &kd_decider_memory);
    const uint64_t start = kd_board_ticks();
    for (int i = 0; i < N_WINDOWS; i++) {
        found[i] = kd_decision_take(&kd_decider, &kd_decider_memory, scores[i]);
    }
    put((uint32_t)(kd_board_ticks() - start), '\n');
    for (int i = 0; i < N_WINDOWS; i++) {
        put(found[i].said, ' ');
        put(found[i].leading, ' ');
        put(found[i].confidence, ' ');
        put(found[i].onset, ' ');
        put(found[i].rejected, '\n');
    }
    return 0;
}
"""
BOARD = "qemu-an386"


def rule_files(rule: DecisionRule) -> dict[str, str]:
    """The rule's sources as an export has them."""
    port = PortTensor("OUTPUT", '""', "", c_text.float32(rule.scale), 0, (1,), rule.classes)
    render = templates("firmware_export", escape=False).get_template
    facts = {"generator": "", "name": "", "sha256": "", "synthetic": False}
    return decision_files(
        lambda name, **values: render(f"{name}.j2").render(**facts, **values),
        rule,
        Ports((), port),
    )


def on_board(rule: DecisionRule, scores: np.ndarray, out) -> tuple[list[Decision], float]:
    """Decisions of an emulated M4F, and instructions a window."""
    board = find_board(BOARD)
    rows = ",\n".join("{ " + ", ".join(map(str, row)) + " }" for row in scores.tolist())
    header = f"#define N_WINDOWS {len(scores)}\nstatic const int8_t scores[][{rule.classes}] = {{\n"
    files = {**rule_files(rule), "main.c": MAIN, "scores.h": header + rows + "\n};\n"}
    image = build_image(board, files, out=out, optimize="-O2")
    first, *lines = run_image(board, image.elf).output.splitlines()
    found = [[int(cell) for cell in line.split()] for line in lines]
    decisions = [Decision(*row[:3], bool(row[3]), bool(row[4])) for row in found]
    return decisions, board.instructions(int(first)) / len(scores)


@pytest.mark.parametrize(
    ("name", "classes", "by_distance"),
    [("7 classes", 7, False), ("26 classes", 26, False), ("26 classes, prototypes", 26, True)],
)
def test_the_rule_alone_decides_alike_and_takes_the_instructions_that_the_readme_states(
    name, classes, by_distance, tmp_path
):
    """Oracle: kd_edge.base.decision; QEMU's count."""
    need("arm-none-eabi-gcc", "qemu-system-arm")
    rng = np.random.default_rng(classes)
    prototypes = tuple(map(tuple, (60 * np.eye(classes, dtype=int)).tolist()))
    rule = DecisionRule(
        classes, 0.05, windows=5, enter=ONE // 2, leave=ONE // 4, least_share=ONE // 4,
        prototypes=prototypes * by_distance, most_distance=classes * 30**2,
    )  # fmt: skip
    scores = stream(rng, 100, classes)
    decisions, instructions = on_board(rule, scores, tmp_path)
    assert decisions == decide_all(rule, scores)
    stated = dict(re.findall(r"\| (\d+ classes[^|]*?) \| ([\d,]+) \|", README.read_text()))
    assert int(stated[name].replace(",", "")) == pytest.approx(instructions, rel=0.1), instructions


@pytest.mark.gcc_arm
def test_the_rule_keeps_to_the_size_that_the_readme_states():
    """Oracle: the object file for Cortex-M4, -Os."""
    need("arm-none-eabi-gcc")
    measured = measure_objects(
        rule_files(DecisionRule(26, 0.05, windows=5)),
        find_core("m4"),
        ("-std=c99", "-Os", "-ffunction-sections"),
        sources=["kd_decision.c"],
        what="the rule",
    )
    (stated,) = re.findall(r"`kd_decision.c` \(([\d,]+) bytes of flash", README.read_text())
    n_bytes = measured.of("kd_decision.c").flash_bytes
    assert int(stated.replace(",", "")) == pytest.approx(n_bytes, rel=0.1), n_bytes
