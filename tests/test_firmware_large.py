"""Models and sensors that a frame does not hold: whole over the link, or refused at export."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from aot_models import OperatorModel, Quantised
from emulated import parameters, unhurried
from firmware_samples import settings_for as settings_of
from firmware_samples import two_input_model
from link_harness import PATIENT
from programs import need
from tflite_samples import options_of

from firmware_export import hello
from firmware_export.boards import BOARDS, find_board
from firmware_export.boards.emulator import start
from firmware_export.firmware import build_firmware, firmware_sources
from firmware_export.sensors import StreamSettings
from firmware_export.settings import FirmwareSettings, Golden
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.front_end import FrontEndConstants, InputLayout
from kd_edge.examples.raw import quantised_window
from kd_edge.frontend import StreamFrontEnd, design_stream
from kd_edge.link.device import Device
from kd_edge.link.stream import WindowAssembler
from kd_edge.runtimes.registry import open_interpreter

N_SCORES = 3000
EMULATED = parameters([BOARDS["host"], BOARDS["qemu-an386"]])


def wide_model(path: Path, *, n_scores: int = N_SCORES, scale: float = 0.7) -> Path:
    """One dense layer from 20 samples of one sensor to many scores."""
    rng = np.random.default_rng(2)
    model = OperatorModel()
    window = model.input(Quantised((1, 20, 1), 0.03, 4))
    weights = rng.integers(-127, 128, (n_scores, 20), dtype=np.int8)
    output = model.output(Quantised((1, n_scores), scale, -3))
    model.operator(
        "FULLY_CONNECTED",
        (window, model.constant(weights, scale=0.01), -1),
        (output,),
        options_of("FullyConnectedOptions"),
    )
    path.write_bytes(model.content())
    return path


def one_sensor(name: str = "emg", *, rate_hz: float = 100.0, channels=("a",)) -> FrontEndConstants:
    stream = design_stream(
        name, StreamFrontEnd(), channels=channels, source_rate_hz=rate_hz, lsb=2.0**-13
    )
    shape = (20, len(channels))
    stream = replace(stream, mean=(0.0,) * len(channels), scale=(1.0,) * len(channels))
    return FrontEndConstants((stream,), (InputLayout("t0_0", (name,), shape),))


def settings_for(**changes) -> FirmwareSettings:
    values = {
        "name": "wide", "labels": (), "arena_bytes": 0, "arena_how": "", "front_end": None,
        "golden": None, "synthetic": True, "generator": "kd-edge test",
    }  # fmt: skip
    return FirmwareSettings(**values | changes)


@pytest.mark.parametrize("name", EMULATED)
def test_3000_scores_come_whole_from_a_board(name, tmp_path):
    """Oracle: the TFLite Micro interpreter, bit for bit: int8, raw, streamed, and self-test."""
    board = find_board(name)
    need(board.core_facts.compiler or "cc")
    path, front_end = wide_model(tmp_path / "wide.tflite"), one_sensor()
    session = open_interpreter("tflm", path)
    rng = np.random.default_rng(3)
    windows = [(rng.integers(-128, 128, (1, 20, 1)).astype(np.int8),) for _ in range(5)]
    wanted = [session.run(window)[0][0] for window in windows]
    assert len(np.unique(wanted)) > 50
    inputs = (np.concatenate([window[0] for window in windows]),)
    golden = Golden(inputs, np.stack(wanted), (0,) * 5)
    counts = [{"emg": rng.integers(-9000, 9000, (20, 1)).astype(np.int16)} for _ in range(3)]
    firmware = firmware_sources(
        path, board, settings_for(front_end=front_end, golden=golden, golden_count=5),
        stream=unhurried(StreamSettings(hop_s=0.1), board), replay=counts,
    )  # fmt: skip
    # Answers are kept for repeated requests: an output of 3,000 bytes does not make them grow.
    assert firmware.defines["KD_LINK_SCORES_BYTES"] == "256u"
    image = build_firmware(firmware, board, tmp_path / "image")

    def raw_answer(array):
        (inputs,) = quantised_window({"emg": array}, front_end, session.inputs)
        return session.run((inputs[None],))[0][0]

    with (
        start(board, image.elf, count_instructions=board.counts_instructions) as emulator,
        Device.open(emulator.url, patience=PATIENT) as device,
    ):
        assert (device.hello.output_bytes, device.hello.scores_bytes) == (N_SCORES, 256)
        greetings = device.statistics.retries  # while the emulator starts
        answers = list(device.run_many(windows))
        np.testing.assert_array_equal([answer.scores for answer in answers], wanted)
        raw = device.run((counts[0]["emg"],), kind="raw")
        np.testing.assert_array_equal(raw.scores, raw_answer(counts[0]["emg"]))
        assert not device.selftest().failures
        assert len(device.profile()) == device.hello.layer_count > 0
        assembler = WindowAssembler(device.hello)
        made = [w for w in map(assembler.take, device.stream(windows=4)) if w]
        assert [window.answer.index for window in made] == [0, 1, 2, 3]
        for window in made:
            np.testing.assert_array_equal(window.answer.scores, raw_answer(window.arrays[0]))
        assert (device.statistics.stream_lost, device.statistics.retries) == (0, greetings)
        assert device.memory().bad_crc == 0


@pytest.mark.parametrize(
    ("n_scores", "samples", "memory"), [(20_000, 20, "flash"), (7, 9_000, "RAM")]
)
def test_what_cannot_fit_is_refused_before_anything_is_compiled(
    n_scores, samples, memory, tmp_path, monkeypatch
):
    """Oracle: the sizes that the model was made with."""
    monkeypatch.setenv("PATH", str(tmp_path))  # no compiler
    front_end = one_sensor()
    (stream,) = front_end.streams
    rates = {"source_rate_hz": samples / 20 * stream.rate_hz, "down": samples // 20}
    front_end = replace(front_end, streams=(replace(stream, **rates, fir=(0.0, 1.0, 0.0)),))
    path = wide_model(tmp_path / "wide.tflite", n_scores=n_scores)
    with pytest.raises(KdEdgeError) as caught:
        firmware_sources(path, find_board("microbit"), settings_for(front_end=front_end))
    assert caught.value.code == "KD_BOARD_FULL"
    assert f"bytes of {16_384 if memory == 'RAM' else 262_144}" in caught.value.where
    (size,) = re.findall(rf"{memory}: .*?(?:constants|a window) (\d+)", caught.value.where)
    if memory == "flash":
        assert 20 * n_scores <= int(size) < 30 * n_scores
    else:
        assert int(size) == 2 * (19 * (samples // 20) + 1)  # 20 values, and what lies between


def test_a_sensor_with_a_long_name_is_told_whole(tmp_path):
    """A name of 2,000 letters of another script: HELLO takes several frames."""
    need("cc")
    board, name = find_board("host"), "मित्र " * 330
    firmware = firmware_sources(
        wide_model(tmp_path / "wide.tflite", n_scores=7), board,
        settings_for(front_end=one_sensor(name)),
    )  # fmt: skip
    image = build_firmware(firmware, board, tmp_path / "image")
    with start(board, image.elf) as emulator, Device.open(emulator.url, patience=PATIENT) as device:
        assert [stream.name for stream in device.hello.streams] == [name]
        assert device.hello.outputs[0].shape == (1, 7)


def test_names_with_control_codes_are_told_without_them_and_stay_apart(tmp_path):
    need("cc")
    board = find_board("host")
    firmware = firmware_sources(
        wide_model(tmp_path / "wide.tflite", n_scores=7), board,
        settings_for(front_end=one_sensor("emg\x1b[2J\n")),
    )  # fmt: skip
    image = build_firmware(firmware, board, tmp_path / "image")
    with start(board, image.elf) as emulator, Device.open(emulator.url, patience=PATIENT) as device:
        assert [stream.name for stream in device.hello.streams] == ["emg\\x1b[2J\\n"]
    told = hello.told_names(["a\x01", "a\x02", r"a\x01", "a", "b\\"])
    assert told == [r"a\x01", r"a\x02", r"a\\x01", "a", r"b\\"]
    assert hello.told_names([r"a\x01", "b\\"]) == [r"a\x01", "b\\"]


@pytest.mark.parametrize(
    ("front_end", "scale", "says"),
    [
        (one_sensor(rate_hz=2e6), 0.7, "2e+06 Hz"),
        (one_sensor("x" * 70_000), 0.7, "70000 bytes"),
        (one_sensor("x" * 65_500), 0.7, "facts_bytes"),
        (None, 2e7, "2e+07"),
    ],
)
def test_what_the_link_cannot_carry_is_refused_at_export(front_end, scale, says, tmp_path):
    path = wide_model(tmp_path / "wide.tflite", n_scores=7, scale=scale)
    with pytest.raises(KdEdgeError) as caught:
        firmware_sources(path, find_board("host"), settings_for(front_end=front_end))
    assert caught.value.code == "KD_LINK_LIMIT"
    assert says in str(caught.value)
    assert caught.value.hint


def test_more_channels_than_a_hello_can_count_are_refused_at_export(tmp_path):
    model = OperatorModel()
    window = model.input(Quantised((1, 20, 256), 0.03, 4))
    output = model.output(Quantised((1, 20, 256), 0.03, 4))
    model.operator("RELU", (window,), (output,))
    path = tmp_path / "channels.tflite"
    path.write_bytes(model.content())
    front_end = one_sensor(channels=tuple(f"c{n}" for n in range(256)))
    with pytest.raises(KdEdgeError) as caught:
        firmware_sources(path, find_board("host"), settings_for(front_end=front_end))
    assert caught.value.code == "KD_LINK_LIMIT"
    assert "channels" in str(caught.value)


def test_a_sensor_of_4370_hz_can_be_replayed(tmp_path):
    """Its rate in millionths of a hertz is more than 32 bits hold."""
    need("cc")
    board = find_board("host")
    firmware = firmware_sources(
        wide_model(tmp_path / "wide.tflite", n_scores=7), board,
        settings_for(front_end=one_sensor(rate_hz=4370.0)),
        stream=unhurried(StreamSettings(hop_s=0.01), board),
        replay=[{"emg": np.arange(20, dtype=np.int16)[:, None]}],
    )  # fmt: skip
    image = build_firmware(firmware, board, tmp_path / "image")
    with start(board, image.elf) as emulator, Device.open(emulator.url, patience=PATIENT) as device:
        assembler = WindowAssembler(device.hello)
        for event in device.stream(windows=10):
            window = assembler.take(event)
            if window is not None:
                numbers = np.arange(event.ends[0] - 20, event.ends[0])
                assert window.arrays[0][:, 0].tolist() == (numbers % 20).tolist()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"fir": (1.0,)}, "KD_SHAPE"),
        ({"fir": (0.5,) * 40}, "KD_SHAPE"),
        ({"mean": (0.0,)}, "KD_SHAPE"),
        ({"scale": (1.0,)}, "KD_SHAPE"),
    ],
)
def test_a_front_end_whose_numbers_do_not_fit_is_refused(change, code, tmp_path):
    """A bundle's file may say anything; C would read behind the end of its arrays."""
    path = two_input_model(tmp_path)
    settings = settings_of(path)
    streams = settings.front_end.streams
    resampled = next(s for s in streams if s.up != s.down)
    changed = tuple(replace(s, **change) if s is resampled else s for s in streams)
    front_end = replace(settings.front_end, streams=changed)
    with pytest.raises(KdEdgeError) as caught:
        firmware_sources(path, find_board("host"), replace(settings, front_end=front_end))
    assert caught.value.code == code
