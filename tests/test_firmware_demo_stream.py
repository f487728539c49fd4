"""The demo's stream at a quarter hop: an M3 keeps up, an M4F takes 1.2 M instructions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from aot_layer_counts import instructions_by_layer
from aot_stream_models import Conv, Timeline
from front_end_samples import DESIGNS, constants_of, noise
from link_harness import PATIENT
from programs import need
from tflite_samples import options_of

from firmware_export.aot.compiler import CompileSettings, compile_model
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
DEMO = "demo: band-pass, notch, envelope, 2 of 15; two joined"
WINDOW_S, HOP_S = 2.7, 0.675


def front_end(*, fixed: bool) -> FrontEndConstants:
    return replace(constants_of(*DESIGNS[DEMO], {}), runs_on=True, fixed=fixed)


def student(path):
    """The demo's student, layer by layer, with random weights: 0.52 M multiply-accumulates."""
    graph, sources, branches = Timeline(5), [], []
    for name, channels in (("emg", 3), ("imu", 18)):
        source = graph.tensor(name, (1, 400, channels), scale=0.05, zero_point=3)
        graph._scales[source] = 0.05
        shape = (1, 1, 400, channels)
        result = graph.reshape(source, shape, zero_point=3)
        result, shape = graph.along(result, shape, 12, Conv(9, 4))
        sources.append(source)
        branches.append(result)
    shape = (*shape[:3], 24)
    result = graph.value(shape, scale=0.1, zero_point=-128)
    options = options_of("ConcatenationOptions", axis=3)
    graph.operator("CONCATENATION", branches, (result,), options)
    for stride in (2, 2, 2, 1):
        result, shape = graph.along(result, shape, 24, Conv(5, stride))
    result, shape = graph.pool(result, shape, 4)
    columns = shape[2] * shape[3]
    logits = graph.dense(graph.reshape(result, (1, columns)), columns, 10)
    path.write_bytes(graph.content(sources, (logits,)))
    return path


def image_of(folder, board, constants: FrontEndConstants):
    """The image, whose sensors play four windows of noise again and again, and its model."""
    rng, model = np.random.default_rng(3), student(folder / "student.tflite")
    lengths = raw_samples(constants)
    replay = [
        {s.name: noise(rng, lengths[s.name], len(s.channels)) for s in constants.streams}
        for _ in range(4)
    ]
    settings = FirmwareSettings(
        name="demo's stream", labels=tuple("abcdefghij"), arena_bytes=0, arena_how="",
        front_end=constants, golden=None, synthetic=True, generator="kd-edge test",
    )  # fmt: skip
    stream = StreamSettings(hop_s=HOP_S)
    firmware = firmware_sources(model, board, settings, stream=stream, replay=replay)
    return build_firmware(firmware, board, folder / "image"), model


@dataclass(frozen=True)
class Hop:
    """What a board said of one: its clock in µs, and instructions of front end and network."""

    stamp_us: int
    front_end: int
    network: int


def streamed_hops(folder, board, constants: FrontEndConstants, count: int) -> list[Hop]:
    """Hops of a stream at the sensors' rates by the board's clock, 15.6 M instructions a second.

    No sample, window or frame is lost, and all answers are Python's and TFLite Micro's.
    """
    need(board.core_facts.compiler, "qemu-system-arm")
    image, model = image_of(folder, board, constants)
    session = open_interpreter("tflm", model)
    streamed = Streamed(constants, Wearer(constants))
    names = [stream.name for stream in constants.streams]
    next_sample, hops = [0] * len(names), []
    with (
        start(board, image.elf, count_instructions=True, skip_idle=True) as emulator,
        Device.open(emulator.url, patience=PATIENT) as device,
    ):
        assert device.hello.ticks_kind == "instructions"
        assembler = WindowAssembler(device.hello)
        for event in device.stream(windows=count):
            window = assembler.take(event)
            if isinstance(event, Samples):
                assert event.first == next_sample[event.stream]
                next_sample[event.stream] += len(event.values)
                streamed.take(names[event.stream], event.first, event.values)
                continue
            answer = window.answer
            raw = dict(zip(names, window.arrays, strict=True))
            inputs = quantised(streamed.window(event.ends, raw), constants, session.inputs)
            expected = session.run([array[None] for array in inputs])[0][0]
            np.testing.assert_array_equal(answer.scores, expected)
            assert answer.index == len(hops)
            hops.append(Hop(window.stamp_us, answer.front_end_ticks, answer.ticks))
        assert device.statistics.stream_lost == 0
    assert len(hops) == count
    return hops


@pytest.mark.qemu
@pytest.mark.parametrize("seconds", [8, pytest.param(120, marks=pytest.mark.slow)])
def test_an_m3_keeps_up_with_its_sensors_by_integers(tmp_path, seconds):
    """Oracle: the board's clock; each hop takes as long as its samples do."""
    count = int((seconds - WINDOW_S) / HOP_S) + 1
    board, constants = find_board("qemu-an385"), front_end(fixed=True)
    hops = streamed_hops(tmp_path, board, constants, count)
    stamps = [hop.stamp_us for hop in hops]
    np.testing.assert_allclose(np.diff(stamps), 1e6 * HOP_S, atol=1e6 * HOP_S / 4)
    # In float32 the front end alone takes 10.5 M, which is what the board has for a hop.
    assert max(hop.front_end for hop in hops[1:]) < 0.8e6


@pytest.mark.qemu
def test_an_m4f_takes_at_most_1_2_million_instructions_a_hop(tmp_path):
    """Front end and network, counted by the emulated board.

    Oracles: what the README states, and the network layer by layer in an image without a link.
    """
    board = find_board("qemu-an386")
    hops = streamed_hops(tmp_path, board, front_end(fixed=False), 5)
    assert max(hop.front_end + hop.network for hop in hops[1:]) <= 1.2e6
    content = (tmp_path / "student.tflite").read_bytes()
    layers = instructions_by_layer(
        compile_model(content, CompileSettings(core=board.core)), board, optimize="-O2"
    )
    assert hops[-1].network == pytest.approx(sum(layers), rel=0.02)
