"""A board whose filters run on from window to window answers as Python does on the same samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from app_samples import counts, front_end
from emulated import by_its_own_clock, unhurried
from firmware_samples import STRICT, run
from link_harness import PATIENT
from programs import need
from test_firmware_front_end import SANITIZED
from tflite_samples import write_conv_model

from firmware_export.boards import find_board
from firmware_export.boards.emulator import start
from firmware_export.firmware import RUNTIME, build_firmware, firmware_sources
from firmware_export.sensors import StreamSettings, step_window_ends, stream_plans
from firmware_export.settings import FirmwareSettings
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import FrontEndConstants, layout_samples, raw_samples
from kd_edge.base.running import RunningConstants
from kd_edge.examples.raw import Wearer, quantised, quantised_window
from kd_edge.examples.streaming import Streamed
from kd_edge.link.device import Device
from kd_edge.link.messages import Samples
from kd_edge.link.stream import WindowAssembler
from kd_edge.runtimes.registry import open_interpreter

STREAM = StreamSettings(hop_s=0.06)  # a fifth of a window: 8.9 steps


def run_on() -> FrontEndConstants:
    """Filters that run on, and a running normaliser for one of two sensors."""
    emg, acc = front_end().streams
    running = RunningConstants(weight_windows=4, memory_windows=5, floor=0.125)
    return replace(front_end(), streams=(replace(emg, running=running), acc), runs_on=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_conv_model(tmp_path_factory.mktemp("model") / "conv.tflite", quantised=True)


def sources(model, board, *, stream=STREAM, **more):
    settings = FirmwareSettings(
        name="run on", labels=tuple("abcde"), arena_bytes=0, arena_how="", front_end=run_on(),
        golden=None, synthetic=True, generator="kd-edge test",
    )  # fmt: skip
    return firmware_sources(model, board, settings, stream=stream, **more)


@pytest.mark.parametrize("name", ["host", pytest.param("qemu-an386", marks=pytest.mark.qemu)])
def test_a_stream_answers_as_python_does(model, tmp_path, name):
    """Oracle: Python's front end, sample by sample, and TFLite Micro."""
    board = find_board(name)
    need(board.core_facts.compiler or "cc")
    rng = np.random.default_rng(3)
    replay = tuple(counts(rng) for _ in range(4))
    stream = unhurried(STREAM, board)
    image = build_firmware(sources(model, board, stream=stream, replay=replay), board, tmp_path)
    session = open_interpreter("tflm", model)
    constants = run_on()
    names = [stream.name for stream in constants.streams]
    wearer = Wearer(constants)
    streamed = Streamed(constants, wearer)
    plans = stream_plans(constants, STREAM)
    found = 0
    with (
        start(board, image.elf, **by_its_own_clock(board)) as emulator,
        Device.open(emulator.url, patience=PATIENT) as device,
    ):
        assert device.hello.filters == "run-on"
        assembler = WindowAssembler(device.hello)
        for event in device.stream(windows=12):
            window = assembler.take(event)
            if isinstance(event, Samples):
                streamed.take(names[event.stream], event.first, event.values)
                continue
            number = window.answer.index
            ends = [
                step_window_ends(plan, stream, number)
                for plan, stream in zip(plans, constants.streams, strict=True)
            ]
            assert list(event.ends) == ends
            raw = dict(zip(names, window.arrays, strict=True))
            inputs = quantised(streamed.window(event.ends, raw), constants, session.inputs)
            expected = session.run([array[None] for array in inputs])[0][0]
            np.testing.assert_array_equal(window.answer.scores, expected)
            assert window.answer.front_end_ticks > 0
            found += 1
        assert found == 12
        # A window by itself is filtered from rest, and the next stream begins anew.
        raw = counts(rng)
        alone = quantised_window(raw, constants, session.inputs)
        answer = device.run((raw["emg"], raw["acc"]), kind="raw")
        expected = session.run([array[None] for array in alone])[0][0]
        np.testing.assert_array_equal(answer.scores, expected)


BOARD = r"""
#include "kd_board.h"
#include "kd_front_end_stream.h"
#include "kd_profile.h"
#include "kd_sensor.h"
#include "kd_settings.h"
#include "kd_stream.h"
#include <stdio.h>
/* Sensors whose samples are a hash of their number, with holes. Prints "s stream first n" for
 * SAMPLES and "w number end end inputs" for windows. */
static uint64_t made[KD_STREAM_COUNT], given[KD_STREAM_COUNT], missing[KD_STREAM_COUNT];
static uint32_t turn;
int kd_sensor_start(void) { return 0; }
void kd_sensor_stop(void) { }
uint64_t kd_profile_now_us(void) { return 0; }
uint64_t kd_profile_since(uint64_t start) { return start + 1u; }
uint64_t kd_board_ticks(void) { return 0; }
static int16_t value(uint32_t s, uint64_t number, uint32_t channel)
{
    return (int16_t)(((uint32_t)number * 2654435761u + s * 40503u + channel * 7919u) >> 18);
}
uint32_t kd_sensor_read(uint32_t s, int16_t *samples, uint32_t max_samples, uint32_t *lost)
{
    static uint32_t holes[][3] = { {0, 400, 100}, {1, 900, 3}, {0, 1400, 1}, {0, 1403, 7} };
    uint32_t n = 0;
    for (uint32_t i = 0; i < sizeof holes / sizeof holes[0]; i++) {
        if (holes[i][0] == s && holes[i][1] == turn) {
            *lost = holes[i][2];
            given[s] += *lost;
            missing[s] += *lost;
            made[s] += *lost;
            holes[i][1] = UINT32_MAX; /* once */
        }
    }
    for (; n < max_samples && given[s] < made[s]; n++, given[s]++) {
        for (uint32_t c = 0; c < kd_streams[s].channel_count; c++) {
            *samples++ = value(s, given[s], c);
        }
    }
    return n;
}
kd_status kd_link_send_samples(kd_link *link, uint8_t s, uint32_t first, uint64_t stamp_us,
                               const int16_t *values, size_t n)
{
    (void)link;
    (void)stamp_us;
    printf("s %u %u %u\n", s, first, (unsigned)(n / kd_streams[s].channel_count));
    return values[0] == value(s, first, 0) ? KD_STATUS_OK : KD_STATUS_RANGE;
}
int main(void)
{
    static int8_t values[KD_INPUT_COUNT][KD_INPUT_LARGEST_SIZE];
    int8_t *inputs[KD_INPUT_COUNT];
    uint32_t number, ends[KD_STREAM_COUNT];
    for (uint32_t i = 0; i < KD_INPUT_COUNT; i++) {
        inputs[i] = values[i];
    }
    if (!kd_stream_start()) {
        return 1;
    }
    for (turn = 0; turn < 2000u; turn++) {
        /* As their rates are; now and then the loop comes late. */
        made[0] = turn % 97u == 0u ? made[0] : missing[0] + (uint64_t)turn * 10u;
        made[1] = missing[1] + (uint64_t)turn * 4u / 3u;
        while (kd_stream_poll(NULL, NULL, &number, ends)) {
            kd_front_end_window(inputs);
            printf("w %u %u %u ", number, ends[0], ends[1]);
            for (uint32_t i = 0; i < KD_INPUT_COUNT; i++) {
                for (uint32_t k = 0; k < kd_inputs[i].size; k++) {
                    printf("%02x", (unsigned char)values[i][k]);
                }
            }
            printf("\n");
        }
    }
    return 0;
}
"""
SOURCES = (
    "kd_firmware_config.c", "kd_front_end.c", "kd_front_end_stream.c", "kd_quantize.c", "kd_ring.c",
    "kd_running.c", "kd_running_values.c", "kd_settings.c", "kd_signal.c", "kd_signal_arithmetic.c",
    "kd_stream.c", "kd_wearer.c", "main.c",
)  # fmt: skip


def sensed(index: int, first: int, n: int, channels: int) -> np.ndarray:
    """What the board's sensors say: (n, channels) int16."""
    number = np.arange(first, first + n, dtype=np.uint32)[:, None] * np.uint32(2654435761)
    channel = np.arange(channels, dtype=np.uint32) * np.uint32(7919)
    return ((number + np.uint32(40503 * index) + channel) >> np.uint32(18)).astype(np.int16)


def test_behind_lost_samples_filters_start_from_rest(model, tmp_path):
    """Holes in either sensor, two of them close together. Oracle: Python's front end on the samples
    that were sent; the windows that no hole touches are answered, and no others."""
    need("gcc")
    for name, text in (sources(model, find_board("host")).files | {"main.c": BOARD}).items():
        (tmp_path / name).write_text(text)
    common = RUNTIME.parent / "boards" / "common"
    run(
        "gcc", "-std=c99", *STRICT, *SANITIZED, "-I", tmp_path, "-I", common,
        *(tmp_path / name for name in SOURCES), "-o", tmp_path / "stream",
    )  # fmt: skip
    constants, specs = run_on(), open_interpreter("tflm", model).inputs
    plans, lengths = stream_plans(constants, STREAM), raw_samples(constants)
    streamed = Streamed(constants, Wearer(constants))
    # Of each sensor, from where to where samples came without a hole.
    came: list[list[list[int]]] = [[[0, 0]], [[0, 0]]]
    answered = []
    for line in run(tmp_path / "stream").decode().splitlines():
        kind, *cells = line.split()
        if kind == "s":
            index, first, n = map(int, cells)
            stream = constants.streams[index]
            if first != came[index][-1][1]:
                came[index].append([first, first])
            came[index][-1][1] = first + n
            streamed.take(stream.name, first, sensed(index, first, n, len(stream.channels)))
            continue
        number, *ends = map(int, cells[:3])
        raw = {
            stream.name: sensed(
                i, ends[i] - lengths[stream.name], lengths[stream.name], len(stream.channels)
            )
            for i, stream in enumerate(constants.streams)
        }
        inputs = quantised(streamed.window(ends, raw), constants, specs)
        assert cells[3] == b"".join(array.tobytes() for array in inputs).hex(), number
        assert ends == [
            step_window_ends(plan, stream, number)
            for plan, stream in zip(plans, constants.streams, strict=True)
        ]
        answered.append(number)
    assert [len(parts) for parts in came] == [4, 2]
    whole = {
        number
        for number in range(answered[-1] + 1)
        if all(
            any(
                (plan.hop_q24 * number >> 24) * stream.down >= begin * stream.up
                and step_window_ends(plan, stream, number) <= end
                for begin, end in parts
            )
            for plan, stream, parts in zip(plans, constants.streams, came, strict=True)
        )
    }
    assert answered == sorted(whole.intersection(answered))
    # A hole may take a window with it whose other sensor came late.
    assert len(whole) - len(answered) <= 4
    assert len(whole) < answered[-1]


def test_a_ring_holds_what_waits_and_no_window():
    """Oracle: less than half of what windows cut from raw samples need."""
    before = stream_plans(replace(front_end(), runs_on=False), StreamSettings(hop_s=0.06))
    after = stream_plans(run_on(), StreamSettings(hop_s=0.06, slack_s=0.05))
    assert after[0].capacity < before[0].capacity / 2
    steps = {name: layout_samples(i) for i in run_on().inputs for name in i.streams}
    assert [plan.steps for plan in after] == [steps["emg"], steps["acc"]]


def test_a_hop_below_a_step_is_refused():
    with pytest.raises(KdEdgeError, match="less than one step of 'emg'") as caught:
        stream_plans(run_on(), StreamSettings(hop_s=0.005))
    assert caught.value.code == "KD_USAGE"
