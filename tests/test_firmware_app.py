"""The whole firmware, behind a serial port, answers as TFLite Micro and Python do."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from aot_models import OperatorModel, Quantised
from firmware_samples import STRICT, need, run
from tflite_samples import options_of, write_conv_model

from firmware_export.aot.cores import find_core
from firmware_export.boards import BOARDS, find_board
from firmware_export.boards.board import Board
from firmware_export.boards.emulator import start
from firmware_export.boards.toolchain import Image
from firmware_export.firmware import RUNTIME, Firmware, build_firmware, firmware_sources
from firmware_export.raw_window import quantised_window
from firmware_export.sensors import StreamSettings, stream_plans, window_ends
from firmware_export.settings import FirmwareSettings, Golden
from firmware_export.sizes import measure_sizes, table
from kd_edge.errors import KdEdgeError
from kd_edge.frontend import FrontEndConstants, InputLayout, design_stream
from kd_edge.link.device import Device
from kd_edge.link.messages import Prediction
from kd_edge.link.stream import WindowAssembler
from kd_edge.recipe import StreamFrontEnd
from kd_edge.runtimes.registry import open_session
from kd_edge.windows.raw import Counts, raw_samples

SANITIZED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
N_GOLDEN = 32
README = RUNTIME.parent / "README.md"
EMULATED = [
    pytest.param(name, marks=pytest.mark.qemu if board.emulator else ())
    for name, board in BOARDS.items()
    if board.emulated
]
EMG_HZ, IMU_HZ = 1e6 / 900, 1e6 / 6750
STREAM = StreamSettings(hop_s=0.5)  # a core without FPU takes a third of a second


def front_end() -> FrontEndConstants:
    """Every step for the sEMG at the sensors' own rates, none for the accelerometer."""
    emg = StreamFrontEnd(band_pass_hz=(20, 450), notch_hz=(50,), envelope_hz=20, rate_hz=148.148148)
    streams = (
        replace(
            design_stream("emg", emg, channels=("a", "b", "c"), source_rate_hz=EMG_HZ, lsb=2e-4),
            mean=(0.3, 0.31, 0.29),
            scale=(4.0, 3.5, 4.5),
        ),
        replace(
            design_stream(
                "acc", StreamFrontEnd(), channels=("x", "y"), source_rate_hz=IMU_HZ, lsb=2.0**-14
            ),
            mean=(0.01, -0.02),
            scale=(1.5, 1.25),
        ),
    )
    layouts = (InputLayout("emg", ("emg",), (4, 12, 3)), InputLayout("acc", ("acc",), (2,)))
    return FrontEndConstants(streams, layouts)


def counts(rng) -> Counts:
    samples = raw_samples(front_end())
    return {
        "emg": np.clip(rng.normal(500, 3000, (samples["emg"], 3)), -32768, 32767).astype(np.int16),
        "acc": rng.integers(-32768, 32768, (samples["acc"], 2)).astype(np.int16),
    }


@dataclass(frozen=True, eq=False)
class Sample:
    """A model with what it answers, and windows that sensors play."""

    path: Path
    session: object
    settings: FirmwareSettings
    replay: tuple[Counts, ...]

    def answer(self, arrays) -> np.ndarray:
        return self.session.run([a[None] for a in arrays])[0][0]

    def raw_answer(self, window: Counts) -> np.ndarray:
        quantised = quantised_window(window, front_end(), self.session.inputs)
        return self.answer(quantised)

    def firmware(self, board: Board, **more) -> Firmware:
        more = {"stream": STREAM, "replay": self.replay} | more
        return firmware_sources(self.path, board, self.settings, **more)


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Sample:
    path = write_conv_model(tmp_path_factory.mktemp("model") / "conv.tflite", quantised=True)
    session = open_session("tflm", path)
    rng = np.random.default_rng(3)
    inputs = tuple(
        rng.integers(-128, 128, (N_GOLDEN, *spec.shape[1:])).astype(np.int8)
        for spec in session.inputs
    )
    outputs = [session.run([array[i : i + 1] for array in inputs])[0] for i in range(N_GOLDEN)]
    settings = FirmwareSettings(
        name="two inputs [100 %]",
        labels=tuple("abcde"),
        arena_bytes=0,
        arena_how="",
        front_end=front_end(),
        golden=Golden(inputs, np.concatenate(outputs), (0,) * N_GOLDEN),
        synthetic=True,
        generator="kd-edge test",
        golden_count=N_GOLDEN,
    )
    return Sample(path, session, settings, tuple(counts(rng) for _ in range(3)))


@dataclass(frozen=True, eq=False)
class Built:
    board: Board
    image: Image


@pytest.fixture(scope="module", params=EMULATED)
def built(request, sample, tmp_path_factory) -> Built:
    board = find_board(request.param)
    need(board.core_facts.compiler or "cc")
    firmware = sample.firmware(board)
    return Built(board, build_firmware(firmware, board, tmp_path_factory.mktemp("image")))


@pytest.fixture
def device(built):
    counting = built.board.counts_instructions
    with (
        start(built.board, built.image.elf, count_instructions=counting) as emulator,
        Device.open(emulator.url) as opened,
    ):
        yield opened
        assert not emulator.errors


def test_int8_windows_are_answered_as_tflite_micro_does(device, sample):
    """Oracle: the TFLite Micro interpreter, 8 windows, bit for bit."""
    golden = sample.settings.golden
    windows = [tuple(array[i : i + 1] for array in golden.inputs) for i in range(8)]
    for i, answer in enumerate(device.run_many(windows)):
        np.testing.assert_array_equal(answer.scores, golden.outputs[i])
        assert answer.ticks > 0
        assert answer.microseconds > 0
        assert answer.front_end_ticks == 0


def test_raw_windows_are_answered_as_python_and_tflite_micro_do(device, sample):
    """Oracle: Python's front end, then the TFLite Micro interpreter; 4 windows, bit for bit."""
    rng = np.random.default_rng(21)
    windows = [counts(rng) for _ in range(4)]
    sent = [(window["emg"], window["acc"]) for window in windows]
    for window, answer in zip(windows, device.run_many(sent, kind="raw"), strict=True):
        np.testing.assert_array_equal(answer.scores, sample.raw_answer(window))
        assert answer.front_end_ticks > 0


def test_every_golden_vector_passes_on_the_board(device):
    result = device.selftest()
    assert len(result.vectors) == N_GOLDEN
    assert not result.failures
    assert all(vector.ticks > 0 for vector in result.vectors)


def test_the_board_says_what_it_is(device, built, sample):
    hello = device.hello
    assert (hello.board, hello.core, hello.engine) == (built.board.name, built.board.core, "aot")
    assert hello.model_sha256 == sample.firmware(built.board).model_sha256
    assert [(s.name, s.channels, s.rate, s.samples) for s in hello.streams] == [
        ("emg", 3, EMG_HZ, 353),
        ("acc", 2, IMU_HZ, 1),
    ]
    assert [t.shape for t in hello.inputs] == [(1, 4, 12, 3), (1, 2)]
    assert hello.golden_count == N_GOLDEN


def test_layers_take_what_the_whole_takes(device):
    """Oracle: the run itself, within what marking each layer and copying costs."""
    layers = device.profile()
    assert len(layers) == device.hello.layer_count > 3
    assert any("CONV_2D" in layer.name for layer in layers)
    whole = device.selftest().vectors[0].ticks
    if device.hello.ticks_kind == "instructions":
        assert sum(layer.ticks for layer in layers) == pytest.approx(whole, rel=0.15)


def test_memory_is_told(device, built):
    memory = device.memory()
    assert memory.arena_bytes > 0
    assert memory.overruns == memory.bad_crc == 0
    if built.board.emulator:
        assert 200 < memory.stack_used < memory.stack_size == 16384
        variables = sum(built.image.sections[name] for name in (".data", ".bss"))
        assert memory.static_bytes == variables


def test_runs_of_one_window_take_the_same_instructions(device, sample):
    window = tuple(array[:1] for array in sample.settings.golden.inputs)
    # One at a time: bytes of the next one would interrupt the model, and be counted.
    ticks = [answer.ticks for answer in device.run_many([window] * 3, depth=1)]
    if device.hello.ticks_kind == "instructions":
        assert max(ticks) - min(ticks) <= 2


def test_a_stream_answers_every_window_of_its_samples(device, built, sample):
    """Oracle: Python's front end and TFLite Micro, on the samples that the board itself sent."""
    assembler = WindowAssembler(device.hello)
    plans = stream_plans(front_end(), STREAM)
    found = []
    for event in device.stream(windows=4):
        window = assembler.take(event)
        if window is None:
            continue
        assert isinstance(event, Prediction)
        samples = [stream.samples for stream in device.hello.streams]
        number = len(found)
        ends = [window_ends(p, n, number) for p, n in zip(plans, samples, strict=True)]
        assert (window.answer.index, list(event.ends)) == (number, ends)
        arrays = dict(zip(("emg", "acc"), window.arrays, strict=True))
        np.testing.assert_array_equal(window.answer.scores, sample.raw_answer(arrays))
        found.append((window, arrays))
    assert len(found) == 4
    assert device.statistics.stream_lost == 0
    # The first window is the first one that is played.
    np.testing.assert_array_equal(found[0][1]["emg"], sample.replay[0]["emg"])
    stamps_us = np.diff([window.stamp_us for window, _ in found])
    if device.hello.ticks_kind == "instructions":
        assert stamps_us == pytest.approx(500_000, abs=10_000)  # hops, by the board's clock


def three_sensors() -> FrontEndConstants:
    """sEMG 3 x 1111 Hz and IMU 18 x 148 Hz, as the seed's single model takes them."""
    emg = StreamFrontEnd(band_pass_hz=(20, 450), envelope_hz=8, rate_hz=148.148148)
    facts = {"emg": (emg, EMG_HZ, 3), "acc": (StreamFrontEnd(), IMU_HZ, 9)}
    facts["gyr"] = (StreamFrontEnd(), IMU_HZ, 9)
    streams = tuple(
        replace(
            design_stream(
                name,
                settings,
                channels=tuple(f"{name}{i}" for i in range(channels)),
                source_rate_hz=rate_hz,
                lsb=2.0**-13,
            ),
            mean=(0.1,) * channels,
            scale=(2.0,) * channels,
        )
        for name, (settings, rate_hz, channels) in facts.items()
    )
    return FrontEndConstants(streams, (InputLayout("t0_0", tuple(facts), (10, 40, 21)),))


def dense_model(path: Path) -> Path:
    """One dense layer over a window of 10 x 40 x 21."""
    rng = np.random.default_rng(1)
    model = OperatorModel()
    window = model.input(Quantised((1, 10, 40, 21), 0.03, 4))
    weights = model.constant(rng.integers(-127, 128, (6, 8400), dtype=np.int8), scale=0.01)
    bias = model.constant(rng.integers(-99, 99, 6, dtype=np.int32), scale=0.03 * 0.01)
    output = model.output(Quantised((1, 6), 1.5, -3))
    model.operator(
        "FULLY_CONNECTED", (window, weights, bias), (output,), options_of("FullyConnectedOptions")
    )
    path.write_bytes(model.content())
    return path


@pytest.mark.slow
@pytest.mark.qemu
def test_two_minutes_of_three_sensors_stream_without_loss_and_every_answer_is_right(tmp_path):
    """Oracle: Python's front end and TFLite Micro, on the samples that the board itself sent."""
    path = dense_model(tmp_path / "dense.tflite")
    constants, board = three_sensors(), find_board("qemu-an386")
    rng = np.random.default_rng(5)
    replay = {
        s.name: np.clip(rng.normal(900, 4000, (n, len(s.channels))), -32768, 32767).astype(np.int16)
        for s, n in zip(constants.streams, raw_samples(constants).values(), strict=True)
    }
    settings = FirmwareSettings(
        name="dense", labels=(), arena_bytes=0, arena_how="", front_end=constants, golden=None,
        synthetic=True, generator="kd-edge test",
    )  # fmt: skip
    firmware = firmware_sources(
        path, board, settings, stream=StreamSettings(hop_s=0.5), replay=[replay]
    )
    image = build_firmware(firmware, board, tmp_path / "image")
    windows = []
    with (
        start(board, image.elf, count_instructions=True, skip_idle=True) as emulator,
        Device.open(emulator.url) as device,
    ):
        assembler = WindowAssembler(device.hello)
        for event in device.stream(windows=237):
            window = assembler.take(event)
            if window is not None:
                windows.append(window)
        assert device.statistics.stream_lost == 0
        assert device.memory().overruns == 0
    assert [window.answer.index for window in windows] == list(range(237))
    assert windows[-1].stamp_us - windows[0].stamp_us >= 117_000_000  # and 2.7 s for the first
    session = open_session("tflm", path)
    for window in windows:
        arrays = dict(zip(("emg", "acc", "gyr"), window.arrays, strict=True))
        (inputs,) = quantised_window(arrays, constants, session.inputs)
        np.testing.assert_array_equal(window.answer.scores, session.run([inputs[None]])[0][0])


@pytest.mark.qemu
def test_a_window_with_a_lost_sample_is_left_out_and_all_others_are_right(sample, tmp_path):
    """A sensor that keeps one sample loses some each time the model runs."""
    board = find_board("qemu-an386")
    stream = replace(STREAM, hop_s=0.2, fifo_s=1e-6)
    image = build_firmware(sample.firmware(board, stream=stream), board, tmp_path)
    with (
        start(board, image.elf, count_instructions=True) as emulator,
        Device.open(emulator.url) as device,
    ):
        assembler = WindowAssembler(device.hello)
        answered, holes, expected = [], 0, [0, 0]
        for event in device.stream(windows=8):
            if not isinstance(event, Prediction):
                holes += event.first != expected[event.stream]
                expected[event.stream] = event.first + len(event.values)
            window = assembler.take(event)
            if window is not None:
                arrays = dict(zip(("emg", "acc"), window.arrays, strict=True))
                np.testing.assert_array_equal(window.answer.scores, sample.raw_answer(arrays))
                answered.append(window.answer.index)
    assert holes > 0
    assert answered == sorted(set(answered))
    assert device.statistics.stream_lost == 0


def test_a_firmware_without_front_end_takes_int8_alone(sample, tmp_path):
    board = find_board("host")
    need("cc")
    plain = replace(sample, settings=replace(sample.settings, front_end=None, golden=None))
    firmware = plain.firmware(board, stream=None, replay=(), profile=False)
    image = build_firmware(firmware, board, tmp_path)
    with start(board, image.elf) as emulator, Device.open(emulator.url) as device:
        assert (device.hello.raw_bytes, device.hello.golden_count, device.hello.layer_count) == (
            0,
            0,
            0,
        )
        golden = sample.settings.golden
        answer = device.run(tuple(array[:1] for array in golden.inputs))
        np.testing.assert_array_equal(answer.scores, golden.outputs[0])
        with pytest.raises(KdEdgeError) as caught:
            device.run([np.zeros((353, 3), np.int16)], kind="raw")
        assert caught.value.code == "KD_BOARD_REFUSED"


def test_sensors_that_nobody_wrote_refuse_the_stream(sample, tmp_path):
    board = find_board("host")
    need("cc")
    image = build_firmware(sample.firmware(board, replay=()), board, tmp_path)
    with start(board, image.elf) as emulator, Device.open(emulator.url) as device:
        with pytest.raises(KdEdgeError) as caught:
            next(iter(device.stream(windows=1)))
        assert caught.value.code == "KD_BOARD_REFUSED"
        assert not device.selftest().failures


def test_a_stream_without_front_end_is_refused(sample):
    plain = replace(sample, settings=replace(sample.settings, front_end=None))
    with pytest.raises(KdEdgeError) as caught:
        plain.firmware(find_board("host"))
    assert caught.value.code == "KD_USAGE"


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_sources_compile_without_a_warning(sample, tmp_path, compiler):
    need(compiler)
    firmware = sample.firmware(find_board("host"))
    for name, text in firmware.files.items():
        (tmp_path / name).write_text(text)
    defines = [f"-D{name}={value}" for name, value in firmware.defines.items()]
    common = RUNTIME.parent / "boards" / "common"
    config = tmp_path / "kd_board_config.h"
    config.write_text('#define KD_BOARD_NAME "x"\n#define KD_BOARD_CORE "y"\n')
    sources = [tmp_path / name for name in firmware.files if name.endswith(".c")]
    run(compiler, "-std=c99", *STRICT, "-I", tmp_path, "-I", common, *defines,
        "-fsyntax-only", *sources)  # fmt: skip


@pytest.mark.gcc_arm
def test_the_worked_sensor_example_compiles_for_a_board(tmp_path):
    need("arm-none-eabi-gcc")
    folder = RUNTIME / "examples"
    for source in sorted(folder.glob("*.c")):
        run(
            "arm-none-eabi-gcc", "-std=c99", "-Os", *find_core("m4").flags, *STRICT,
            "-I", RUNTIME / "firmware", "-c", source, "-o", tmp_path / "example.o",
        )  # fmt: skip


def test_the_worked_sensor_example_gives_every_sample_or_says_what_is_lost(tmp_path):
    """A board in C behind it: counters for an ADC and an IMU. Oracle: the numbers themselves."""
    need("gcc")
    (tmp_path / "main.c").write_text(EXAMPLE_BOARD)
    run(
        "gcc", "-std=c99", *STRICT, *SANITIZED, "-I", RUNTIME / "firmware", tmp_path / "main.c",
        RUNTIME / "examples" / "kd_sensor_adc_imu.c", "-o", tmp_path / "example",
    )  # fmt: skip
    run(tmp_path / "example")


EXAMPLE_BOARD = r"""
#include <stdbool.h>
#include <stddef.h>
#include "kd_sensor.h"
/* An ADC whose sample n is n, n + 1, n + 2 above 2048, an IMU whose sample n is -n six times */
static volatile uint16_t *ring;
static uint32_t length, written, imu_made, imu_read, imu_dropped;
static bool imu_on;
bool board_adc_start(volatile uint16_t *values, uint32_t n);
void board_adc_stop(void);
uint32_t board_adc_written(void);
bool board_i2c_write(uint8_t device, uint8_t first, const uint8_t *bytes, size_t n);
bool board_i2c_read(uint8_t device, uint8_t first, uint8_t *bytes, size_t n);
bool board_adc_start(volatile uint16_t *values, uint32_t n)
{
    ring = values;
    length = n;
    written = 0;
    return true;
}
void board_adc_stop(void) { ring = NULL; }
uint32_t board_adc_written(void) { return written; }
bool board_i2c_write(uint8_t device, uint8_t first, const uint8_t *bytes, size_t n)
{
    imu_on = bytes[0] == 1u;
    return device == 0x68u && first == 0x10u && n == 1u;
}
bool board_i2c_read(uint8_t device, uint8_t first, uint8_t *bytes, size_t n)
{
    const uint32_t values[3] = { imu_made - imu_read, 0, imu_dropped };
    for (size_t i = 0; i < n; i++) {
        const uint32_t value = first == 0x22u ? 0u - imu_read : values[(first - 0x20u) / 2u];
        bytes[i] = (uint8_t)(value >> (i % 2u * 8u) & 0xFFu);
    }
    imu_read += first == 0x22u;
    imu_dropped = first == 0x24u ? 0u : imu_dropped;
    return device == 0x68u && imu_on;
}
static void sample_adc(uint32_t n)
{
    for (; n > 0u; n--) {
        for (uint32_t c = 0; c < 3u; c++, written++) {
            ring[written % length] = (uint16_t)(2048u + written / 3u + c);
        }
    }
}
int main(void)
{
    int16_t values[64 * 6];
    uint32_t expected = 0;
    if (kd_sensor_start() != 0) {
        return 1;
    }
    for (uint32_t turn = 0; turn < 40u; turn++) {
        uint32_t n, lost = 0;
        sample_adc(turn == 20u ? 700u : 7u * turn % 40u);
        while ((n = kd_sensor_read(0, values, 64, &lost)) > 0u) {
            if ((lost > 0u) != (turn == 20u && lost > 0u)) {
                return 2;
            }
            expected += lost;
            lost = 0;
            for (uint32_t i = 0; i < n; i++, expected++) {
                for (uint32_t c = 0; c < 3u; c++) {
                    if (values[3u * i + c] != (int16_t)(expected + c)) {
                        return 3;
                    }
                }
            }
        }
        if (expected != written / 3u) {
            return 4;
        }
    }
    imu_made = 100;
    imu_dropped = 5;
    for (uint32_t taken = 0; taken < 100u;) {
        uint32_t lost = 0;
        const uint32_t n = kd_sensor_read(1, values, 64, &lost);
        if (n == 0u || (lost == 5u) != (taken == 0u)) {
            return 5;
        }
        for (uint32_t i = 0; i < 6u * n; i++) {
            if (values[i] != -(int16_t)(taken + i / 6u)) {
                return 6;
            }
        }
        taken += n;
    }
    kd_sensor_stop();
    return 0;
}
"""


RING = r"""
#include <stdio.h>
#include "kd_ring.h"
/* lines of: p N (push N), r N (release below N), l N (lose N), c (resume), g (go through all)
 * -> what a sample's values are: its number and its number times 3 */
int main(void)
{
    static int16_t values[7 * 2];
    static int16_t samples[64 * 2];
    kd_ring ring = { .values = values, .capacity = 7, .channels = 2 };
    char what;
    unsigned n;
    kd_ring_start(&ring);
    while (scanf(" %c %u", &what, &n) == 2) {
        if (what == 'p') {
            for (unsigned i = 0; i < n; i++) {
                samples[2 * i] = (int16_t)(ring.count + i);
                samples[2 * i + 1] = (int16_t)(3 * (ring.count + i));
            }
            kd_ring_push(&ring, samples, n);
        } else if (what == 'l') {
            kd_ring_lose(&ring, n);
        } else if (what == 'r') {
            kd_ring_release(&ring, n);
        } else if (what == 'c') {
            kd_ring_resume(&ring);
        }
        for (uint32_t at = ring.kept; at < ring.end;) {
            uint32_t some;
            const int16_t *first = kd_ring_at(&ring, at, &some);
            for (uint32_t i = 0; i < some; i++, at++) {
                if (first[2 * i] != (int16_t)at || first[2 * i + 1] != (int16_t)(3 * at)) {
                    return 1;
                }
            }
        }
        printf("%u %u %u %u %d\n", ring.kept, ring.end, ring.count, ring.lost, ring.broken);
    }
    return 0;
}
"""


def test_a_ring_gives_back_what_was_put_in_or_says_what_is_lost(tmp_path):
    """Oracle: a list of numbers in Python, over 3,000 random steps; sanitizers."""
    need("gcc")
    (tmp_path / "ring.c").write_text(RING)
    folder = RUNTIME / "firmware"
    run(
        "gcc", "-std=c99", *STRICT, *SANITIZED,
        "-I", folder, tmp_path / "ring.c", folder / "kd_ring.c", "-o", tmp_path / "ring",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    kept = end = count = lost = broken = 0
    lines, expected = [], []
    for _ in range(3000):
        what = rng.choice(list("pppprrlc"), p=[0.14, 0.14, 0.14, 0.13, 0.14, 0.13, 0.08, 0.1])
        n = int(rng.integers(0, 6))
        if what == "p":
            room = 0 if broken else 7 - (end - kept)
            broken |= n > room
            end, count = end + min(n, room), count + n
        elif what == "l":
            count, broken = count + n, 1
        elif what == "r":
            n = min(kept + n, end)
            kept = n
        elif broken:
            lost, kept, end, broken = lost + count - end, count, count, 0
        else:
            what, n = "p", 0
        lines.append(f"{what} {n}")
        expected.append(f"{kept} {end} {count} {lost} {int(broken)}")
    out = run(tmp_path / "ring", stdin="\n".join(lines).encode())
    assert out.decode().split("\n")[:-1] == expected


@pytest.mark.gcc_arm
def test_link_front_end_and_quantisation_keep_to_their_sizes(sample):
    """Oracle: object files for Cortex-M4, -Os: 8 kB of flash, 3 kB of RAM besides buffers."""
    need("arm-none-eabi-gcc")
    sizes = measure_sizes(sample.firmware(find_board("qemu-an386")), find_core("m4"))
    assert 3000 < sizes.flash_bytes <= 8 * 1024
    assert sizes.state_bytes <= 3 * 1024
    # The README's table is this one, give or take what another compiler does.
    stated = dict(re.findall(r"\| `([^`]+)` \| ([\d,]+) \|", README.read_text()))
    large = {s.name: s.bytes for s in sizes.symbols if s.flash and s.bytes >= 100}
    assert large.keys() <= stated.keys(), f"README.md wants this table:\n{table(sizes)}"
    for name, n_bytes in large.items():
        assert int(stated[name].replace(",", "")) == pytest.approx(n_bytes, rel=0.15, abs=16), name
