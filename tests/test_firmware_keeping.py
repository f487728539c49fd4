"""A board whose network keeps columns answers each window of a stream as if it were alone.

Oracles: Python's front end on the same samples, sample by sample, and TFLite Micro.
"""

from __future__ import annotations

import subprocess
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from aot_stream_models import SAME, VALID, Conv, Timeline
from app_samples import front_end
from emulated import by_its_own_clock, unhurried
from firmware_samples import STRICT, run
from link_harness import PATIENT
from programs import need
from test_firmware_front_end import SANITIZED

from firmware_export.aot.engine import compile_product, engine_files
from firmware_export.boards import find_board
from firmware_export.boards.emulator import start
from firmware_export.engines import TFLITE_MICRO
from firmware_export.firmware import build_firmware, firmware_sources
from firmware_export.sensors import StreamSettings, stream_plans
from firmware_export.settings import FirmwareSettings
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import Counts, FrontEndConstants, InputLayout, raw_samples
from kd_edge.base.product import as_product
from kd_edge.base.running import RunningConstants
from kd_edge.examples.raw import Wearer, quantised, quantised_window
from kd_edge.examples.streaming import Streamed
from kd_edge.link.device import Device
from kd_edge.link.messages import Samples
from kd_edge.link.stream import WindowAssembler
from kd_edge.runtimes.registry import open_interpreter

N_SAMPLES, RATE_HZ = 48, 148.148148
STREAM = StreamSettings(hop_s=12 / RATE_HZ, keeps=True)


def run_on() -> FrontEndConstants:
    """The sEMG's filters alone, which run on."""
    emg, _ = front_end().streams
    layout = InputLayout("emg", ("emg",), (4, N_SAMPLES // 4, 3))
    return FrontEndConstants((emg,), (layout,), runs_on=True)


def network(path, padding: int = SAME):
    """Convolutions over the steps of (1, 4, 12, 3) as one row of 48 moments."""
    graph = Timeline(11)
    source = graph.tensor("emg", (1, 4, 12, 3), scale=0.05, zero_point=3)
    shape = (1, 1, N_SAMPLES, 3)
    graph._scales[source] = 0.05
    result = graph.reshape(source, shape, zero_point=3)
    for conv in (
        Conv(5, 2, padding=padding),
        Conv(3, 2, padding=padding),
        Conv(3, padding=padding),
    ):
        result, shape = graph.along(result, shape, 12, conv)
    logits = graph.dense(graph.mean(result, shape), 12, 5)
    path.write_bytes(graph.content((source,), (logits,)))
    return path


def counts(rng, n: int | None = None) -> Counts:
    n = n or raw_samples(run_on())["emg"]
    return {"emg": np.clip(rng.normal(500, 3000, (n, 3)), -32768, 32767).astype(np.int16)}


def settings_of(constants) -> FirmwareSettings:
    return FirmwareSettings(
        name="keeping", labels=tuple("abcde"), arena_bytes=0, arena_how="", front_end=constants,
        golden=None, synthetic=True, generator="kd-edge test",
    )  # fmt: skip


def sources(model, board, *, stream=STREAM, constants=None, **more):
    settings = settings_of(constants or run_on())
    return firmware_sources(model, board, settings, stream=stream, **more)


def answered(model, board, folder, stream, *, windows: int = 10):
    """Ticks of each window's network, after its scores were found right; and what the board is."""
    rng = np.random.default_rng(3)
    replay = tuple(counts(rng) for _ in range(5))
    stream = unhurried(stream, board)
    image = build_firmware(sources(model, board, stream=stream, replay=replay), board, folder)
    session, constants = open_interpreter("tflm", model), run_on()
    streamed, ticks = Streamed(constants, Wearer(constants)), []
    with (
        start(board, image.elf, **by_its_own_clock(board)) as emulator,
        Device.open(emulator.url, patience=PATIENT) as device,
    ):
        assembler = WindowAssembler(device.hello)
        for _ in range(2):  # a stream begins anew, whatever the last one left
            streamed.begin()
            for event in device.stream(windows=windows):
                window = assembler.take(event)
                if isinstance(event, Samples):
                    streamed.take("emg", event.first, event.values)
                    continue
                raw = {"emg": window.arrays[0]}
                inputs = quantised(streamed.window(event.ends, raw), constants, session.inputs)
                expected = session.run([array[None] for array in inputs])[0][0]
                np.testing.assert_array_equal(window.answer.scores, expected)
                ticks.append(window.answer.ticks)
            # Windows by themselves: raw, and as the model takes them.
            raw = counts(rng)
            alone = quantised_window(raw, constants, session.inputs)
            expected = session.run([array[None] for array in alone])[0][0]
            whole = tuple(array[None] for array in alone)
            for arrays, kind in (((raw["emg"],), "raw"), (whole, "int8")):
                answer = device.run(arrays, kind=kind)
                np.testing.assert_array_equal(answer.scores, expected)
        return ticks[:windows], device.profile()


@pytest.mark.parametrize("padding", [SAME, VALID], ids=["same", "valid"])
@pytest.mark.parametrize("name", ["host", pytest.param("qemu-an386", marks=pytest.mark.qemu)])
def test_each_window_of_a_stream_answers_as_if_it_were_alone(tmp_path, name, padding):
    board = find_board(name)
    need(board.core_facts.compiler or "cc")
    model = network(tmp_path / "tcn.tflite", padding)
    answered(model, board, tmp_path / "image", STREAM)


@pytest.mark.qemu
def test_a_window_behind_another_costs_what_is_new_in_it(tmp_path):
    """Oracle: the same board without keeping; instructions, counted by the emulated board."""
    board = find_board("qemu-an386")
    need(board.core_facts.compiler)
    model = network(tmp_path / "tcn.tflite", VALID)
    kept, layers = answered(model, board, tmp_path / "kept", STREAM)
    other = replace(STREAM, keeps=False)
    whole, _ = answered(model, board, tmp_path / "whole", other)
    assert max(kept[1:]) < 0.6 * min(whole)
    # The first one is put together of several hops.
    assert kept[0] > max(whole)
    assert sum(layer.ticks for layer in layers) < 0.6 * min(whole)
    assert any("columns" in layer.name for layer in layers)


PROGRAM = r"""
#include "kd_run.h"
#include <stdio.h>
int main(void)
{
    static int8_t window[KD_INPUT_EMG_SIZE];
    const int8_t *const inputs[] = {window};
    int flag;
    if (kd_run_window(inputs, false) != KD_RUN_NOT_READY || kd_init() != KD_RUN_OK) {
        return 1;
    }
    while ((flag = getchar()) != EOF) {
        if (flag == 'r') {
            (void)kd_reset_state();
            continue;
        }
        if (fread(window, 1, sizeof window, stdin) != sizeof window ||
            kd_run_window(inputs, flag == 'f') != KD_RUN_OK ||
            fwrite(kd_scores(), 1, KD_OUTPUT_SIZE, stdout) != KD_OUTPUT_SIZE) {
            return 2;
        }
    }
    return 0;
}
"""


def test_a_window_that_follows_none_is_computed_whole(tmp_path):
    """Behind lost samples, behind a reset, first of all. Oracle: TFLite Micro, window by window."""
    need("gcc")
    model, settings = network(tmp_path / "tcn.tflite"), settings_of(run_on())
    _, files = engine_files(model, "host", settings, hop=Fraction(1, 4))
    (compiled,) = compile_product(as_product(model), "host", generator="test", hop=Fraction(1, 4))
    for name, text in {**compiled.files, **files, "main.c": PROGRAM}.items():
        (tmp_path / name).write_text(text)
    names = sorted({*compiled.files, "kd_run.c", "kd_settings.c", "main.c"})
    run(
        "gcc", "-std=c99", *STRICT, *SANITIZED, "-I", tmp_path,
        *(tmp_path / name for name in names if name.endswith(".c")), "-o", tmp_path / "windows",
    )  # fmt: skip
    rng = np.random.default_rng(4)
    stream = rng.integers(-128, 127, (40 * 12, 3), endpoint=True).astype(np.int8)
    session = open_interpreter("tflm", model)
    asked, expected = b"", []
    # Flag, and the hop at which the window begins: 'f' follows, ' ' does not, 'r' is a reset.
    for flag, hop in zip("ffff f fr ff", (0, 1, 2, 3, 9, 10, 20, 21, 0, 30, 31, 32), strict=True):
        asked += flag.encode()
        if flag != "r":
            window = stream[12 * hop : 12 * hop + 48]
            asked += window.tobytes()
            expected.append(session.run([window.reshape(1, 4, 12, 3)])[0][0])
    done = subprocess.run([tmp_path / "windows"], input=asked, capture_output=True, check=True)
    found = np.frombuffer(done.stdout, np.int8).reshape(len(expected), -1)
    np.testing.assert_array_equal(found, np.array(expected))


def test_the_plan_hops_in_whole_steps():
    """12 steps are 0.081 s: a rate that is rounded must not make 11 of them."""
    (plan,) = stream_plans(run_on(), replace(STREAM, hop_s=0.081))
    assert plan.hop_q24 == 12 << 24


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"engine": TFLITE_MICRO.name}, "TFLite Micro runs whole windows"),
        ({"constants": replace(run_on(), runs_on=False)}, "start each window from rest"),
        ({"stream": replace(STREAM, hop_s=1.0)}, "37/12 of the window|hop of 1 s"),
    ],
    ids=["engine", "filters", "hop"],
)
def test_what_cannot_keep_is_refused_with_the_reason(tmp_path, change, reason):
    with pytest.raises(KdEdgeError, match=reason) as caught:
        sources(network(tmp_path / "tcn.tflite"), find_board("host"), **change)
    assert caught.value.code == "KD_USAGE"
    assert "--keep-columns" in caught.value.hint


def test_a_running_normaliser_is_refused_since_it_changes_whole_windows(tmp_path):
    (emg,) = run_on().streams
    running = RunningConstants(weight_windows=4, memory_windows=5, floor=0.125)
    learning = replace(run_on(), streams=(replace(emg, running=running),))
    with pytest.raises(KdEdgeError, match="running normaliser") as caught:
        sources(network(tmp_path / "tcn.tflite"), find_board("host"), constants=learning)
    assert caught.value.code == "KD_USAGE"


def test_a_hop_that_strides_do_not_divide_is_refused_with_the_nearest_that_they_do(tmp_path):
    with pytest.raises(KdEdgeError, match="its stride of 2 does not divide") as caught:
        sources(
            network(tmp_path / "tcn.tflite"),
            find_board("host"),
            stream=replace(STREAM, hop_s=14 / RATE_HZ),
        )
    assert caught.value.code == "KD_UNSUPPORTED_OP"
    assert "12/48" in caught.value.hint or "16/48" in caught.value.hint
