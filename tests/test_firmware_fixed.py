"""A board without a floating-point unit keeps up with its sensors, its front end in integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from aot_stream_models import VALID, Conv, Timeline
from front_end_samples import DESIGNS, constants_of, noise
from programs import need

from firmware_export.boards import find_board
from firmware_export.boards.emulator import start
from firmware_export.firmware import build_firmware, firmware_sources
from firmware_export.sensors import StreamSettings
from firmware_export.settings import FirmwareSettings
from kd_edge.base.front_end import FrontEndConstants, raw_samples
from kd_edge.examples.raw import Wearer, quantised
from kd_edge.examples.streaming import Streamed
from kd_edge.link.device import Device
from kd_edge.link.messages import Samples
from kd_edge.link.stream import WindowAssembler
from kd_edge.runtimes.registry import open_interpreter

# 3 channels of sEMG at 1111 Hz through seven biquads and 301 taps, 18 of an IMU at 148 Hz.
SENSORS = "seed, single: band-pass, envelope, 2 of 15"
HOP_S = 0.675  # a quarter of a window


def front_end() -> FrontEndConstants:
    return replace(constants_of(*DESIGNS[SENSORS], {}), runs_on=True, fixed=True)


def network(path):
    """Three convolutions along the 400 steps of (1, 400, 21): 0.5 M multiply-accumulates."""
    graph = Timeline(5)
    source = graph.tensor("all", (1, 400, 21), scale=0.05, zero_point=3)
    shape = (1, 1, 400, 21)
    graph._scales[source] = 0.05
    result = graph.reshape(source, shape, zero_point=3)
    for conv in (Conv(7, 4, padding=VALID), Conv(5, 2, padding=VALID), Conv(3, padding=VALID)):
        result, shape = graph.along(result, shape, 24, conv)
    logits = graph.dense(graph.mean(result, shape), 24, 10)
    path.write_bytes(graph.content((source,), (logits,)))
    return path


def image_of(folder, board):
    """The image, whose sensors play four windows of noise again and again, and its model."""
    constants, rng = front_end(), np.random.default_rng(3)
    model = network(folder / "tcn.tflite")
    lengths = raw_samples(constants)
    replay = [
        {s.name: noise(rng, lengths[s.name], len(s.channels)) for s in constants.streams}
        for _ in range(4)
    ]
    settings = FirmwareSettings(
        name="integers", labels=tuple("abcdefghij"), arena_bytes=0, arena_how="",
        front_end=constants, golden=None, synthetic=True, generator="kd-edge test",
    )  # fmt: skip
    stream = StreamSettings(hop_s=HOP_S)
    firmware = firmware_sources(model, board, settings, stream=stream, replay=replay)
    return build_firmware(firmware, board, folder / "image"), model


@pytest.mark.qemu
@pytest.mark.parametrize("seconds", [8, pytest.param(120, marks=pytest.mark.slow)])
def test_an_m3_keeps_up_with_its_sensors(tmp_path, seconds):
    """At the sensors' rates by the board's clock, 15.6 M instructions a second. No sample, no
    window and no frame is lost. Oracles: Python's integers, and TFLite Micro."""
    board, constants = find_board("qemu-an385"), front_end()
    need(board.core_facts.compiler, "qemu-system-arm")
    image, model = image_of(tmp_path, board)
    session = open_interpreter("tflm", model)
    streamed = Streamed(constants, Wearer(constants))
    names = [stream.name for stream in constants.streams]
    next_sample, stamps = [0] * len(names), []
    with (
        start(board, image.elf, count_instructions=True, skip_idle=True) as emulator,
        Device.open(emulator.url) as device,
    ):
        assembler = WindowAssembler(device.hello)
        for event in device.stream(windows=int((seconds - 2.7) / HOP_S) + 1):
            window = assembler.take(event)
            if isinstance(event, Samples):
                assert event.first == next_sample[event.stream]
                next_sample[event.stream] += len(event.values)
                streamed.take(names[event.stream], event.first, event.values)
                continue
            raw = dict(zip(names, window.arrays, strict=True))
            inputs = quantised(streamed.window(event.ends, raw), constants, session.inputs)
            expected = session.run([array.reshape(1, 400, 21) for array in inputs])[0][0]
            np.testing.assert_array_equal(window.answer.scores, expected)
            assert window.answer.index == len(stamps)
            stamps.append(window.stamp_us)
        assert device.statistics.stream_lost == 0
    assert 2.7 + HOP_S * (len(stamps) - 1) > seconds - 1
    # The board's clock: each hop took as long as its samples do.
    np.testing.assert_allclose(np.diff(stamps), 1e6 * HOP_S, atol=1e6 * HOP_S / 4)
