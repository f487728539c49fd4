"""A running normaliser on an emulated board: Python's answers bit for bit, and its requests."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from firmware_samples import dense_model
from link_harness import PATIENT
from normaliser_samples import CHANNELS, STATES, front_end, same, settings, windows
from programs import need

from firmware_export.boards import find_board
from firmware_export.boards.emulator import start
from firmware_export.firmware import build_firmware, firmware_sources
from firmware_export.sensors import StreamSettings
from kd_edge import cli
from kd_edge.base.errors import KINDS, KdEdgeError
from kd_edge.base.protocol import DEFAULT_PAYLOAD
from kd_edge.base.running import first_state
from kd_edge.link.device import Device
from kd_edge.live.facts import facts_of
from kd_edge.live.host import Host
from kd_edge.live.loop import Limits, LiveLoop

pytestmark = pytest.mark.qemu


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return dense_model(tmp_path_factory.mktemp("model") / "dense.tflite")


@pytest.fixture(scope="module")
def image(model, tmp_path_factory):
    need("arm-none-eabi-gcc", "qemu-system-arm")
    board = find_board("qemu-an386")
    names = [stream.name for stream in front_end().streams]
    replay = [dict(zip(names, window, strict=True)) for window in windows(3, seed=5)]
    firmware = firmware_sources(
        model, board, settings(front_end()), stream=StreamSettings(hop_s=0.5), replay=replay
    )
    return board, build_firmware(firmware, board, tmp_path_factory.mktemp("image")).elf


@pytest.fixture(scope="module")
def booted(image):
    with start(*image, count_instructions=True, skip_idle=True) as emulator:
        yield emulator.url
        assert not emulator.errors


@pytest.fixture
def url(booted):
    """A board that has just been put on."""
    with Device.open(booted, patience=PATIENT) as opened:
        opened.normaliser("thaw")
        opened.normaliser("reset")
    return booted


@pytest.fixture
def device(url):
    with Device.open(url, patience=PATIENT) as opened:
        yield opened


def test_windows_of_two_wearers_are_answered_as_python_and_tflite_micro_do(device, model):
    """Oracle: Python's front end with a wearer, then the TFLite Micro interpreter; bit for bit."""
    host, made = Host(model, front_end()), windows(7, seed=3)
    begins = {0, 4}.__contains__
    for answer in device.run_many(made, kind="raw", begins=begins):
        if begins(answer.index):
            host.wearer.reset()
        np.testing.assert_array_equal(answer.scores, host.answer(made[answer.index]))
    worn = device.normaliser()
    same(worn.state, host.wearer.state)
    assert worn.state.windows.tolist() == [3] * 12 + [0] * 9 + [3] * 2
    assert not worn.frozen


def test_without_a_word_of_a_wearer_each_window_is_the_first(device, model):
    host, made = Host(model, front_end()), windows(3, seed=4)
    for answer in device.run_many(made, kind="raw"):
        host.wearer.reset()
        np.testing.assert_array_equal(answer.scores, host.answer(made[answer.index]))


def test_a_state_is_frozen_reset_told_and_set(device, model):
    """Oracle: a wearer in Python to whom the same happens."""
    host, made = Host(model, front_end()), windows(4, seed=6)
    same(device.normaliser().state, first_state(STATES))
    for window in made[:2]:
        host.answer(window)
    assert not np.array_equal(host.wearer.state.mean, first_state(STATES).mean)
    same(device.normaliser("set", host.wearer.state).state, host.wearer.state)
    assert device.normaliser("freeze").frozen
    host.wearer.frozen = True
    for answer in device.run_many(made[2:], kind="raw"):  # frozen, none begins anew
        np.testing.assert_array_equal(answer.scores, host.answer(made[2 + answer.index]))
    same(device.normaliser("thaw").state, host.wearer.state)
    same(device.normaliser("reset").state, first_state(STATES))


@pytest.mark.parametrize("spoilt", [{"mean": np.nan}, {"mean": 9.0}, {"square": np.inf}])
def test_a_state_that_no_windows_lead_to_is_refused_and_changes_nothing(device, spoilt):
    before = device.normaliser().state
    state = replace(before, **{n: np.full(STATES, v, np.float32) for n, v in spoilt.items()})
    with pytest.raises(KdEdgeError, match="RANGE") as caught:
        device.normaliser("set", state)
    assert caught.value.code == "KD_BOARD_REFUSED"
    same(device.normaliser().state, before)


def test_an_action_that_is_none_is_refused_by_its_code(device):
    refused = device._request("NORMALISER", action=6, states=b"")
    assert (refused.status, refused.detail) == ("RANGE", 6)


def test_a_state_of_another_size_is_refused(device):
    with pytest.raises(KdEdgeError, match="SIZE"):
        device.normaliser("set", first_state(STATES - 1))


def test_a_stream_follows_its_wearer_and_the_host_agrees(device, model):
    """Oracle: the host, which goes on from what the board knew when the stream began."""
    list(device.run_many(windows(2, seed=8), kind="raw", begins=(0).__eq__))
    host = Host(model, front_end())
    facts = facts_of(device.hello, "qemu", front_end=host.front_end, host=host.name)
    summary = LiveLoop(device, facts, host=host).run(Limits(windows=6))
    assert summary.error is None
    assert (summary.figures.windows, summary.figures.compared) == (6, 6)
    assert summary.figures.same_scores == 6
    same(device.normaliser().state, host.wearer.state)
    assert host.wearer.state.windows.max() == 5


def test_the_command_line_keeps_a_wearer_and_gives_it_back(url, tmp_path, capsys):
    """Oracle: what the board tells."""
    with Device.open(url, patience=PATIENT) as device:
        list(device.run_many(windows(2, seed=8), kind="raw", begins=(0).__eq__))
        before = device.normaliser().state

    def run(*arguments):
        assert cli.run(["board", "normaliser", *arguments, "--port", url]) == 0
        return capsys.readouterr().out

    file = tmp_path / "ann.json"
    run("save", "--file", str(file))
    told = json.loads(run("reset", "--json"))
    assert {channel["windows"] for channel in told["channels"]} == {0}
    assert "windows move nothing" in run("freeze")
    run("thaw")
    run("restore", "--file", str(file))
    with Device.open(url, patience=PATIENT) as device:
        same(device.normaliser().state, before)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("{", "KD_BAD_FORMAT"),
        ('{"kind": "other"}', "KD_BAD_FORMAT"),
        (None, "KD_NO_FILE"),
        ({"model_sha256": "0" * 64}, "KD_BOARD_MODEL"),
        ({"channels": []}, "KD_BAD_FORMAT"),
        ({"channels": [{"mean": 9, "square": 1, "windows": 3}] * STATES}, "KD_BAD_FORMAT"),
        ({"channels": [{"mean": 0, "square": 1, "windows": -1}] * STATES}, "KD_BAD_FORMAT"),
    ],
)
def test_files_that_keep_no_such_state_are_refused(url, tmp_path, capsys, content, code):
    file = tmp_path / "kept.json"
    arguments = ["board", "normaliser", "--port", url, "--json"]
    if isinstance(content, dict):
        assert cli.run(arguments) == 0
        file.write_text(json.dumps(json.loads(capsys.readouterr().out) | content))
    elif content is not None:
        file.write_text(content)
    assert cli.run([*arguments, "restore", "--file", str(file)]) == KINDS[code].status
    assert code in "".join(capsys.readouterr())


def test_firmware_whose_stub_keeps_nothing_says_so(url, device, capsys):
    with pytest.raises(KdEdgeError, match="cannot keep") as caught:
        device.normaliser("keep")
    assert caught.value.code == "KD_BOARD_REFUSED"
    assert "kd_keep.c" in caught.value.hint
    device.close()
    assert (
        cli.run(["board", "normaliser", "keep", "--port", url]) == KINDS["KD_BOARD_REFUSED"].status
    )
    assert "kd_keep.c" in capsys.readouterr().err


def test_a_board_whose_front_end_learns_nothing_has_no_normaliser(model, tmp_path):
    board = find_board("qemu-an386")
    need("arm-none-eabi-gcc", "qemu-system-arm")
    constants = front_end()
    streams = tuple(replace(s, running=None, log_floor=()) for s in constants.streams)
    plain = replace(constants, streams=streams, roll=None)
    firmware = firmware_sources(model, board, settings(plain))
    learning = {"kd_running.c", "kd_roll.c", "kd_log.c", "kd_normaliser.c", "kd_keep_stub.c"}
    assert not learning & set(firmware.files)
    image = build_firmware(firmware, board, tmp_path)
    with (
        start(board, image.elf) as emulator,
        Device.open(emulator.url, patience=PATIENT) as device,
        pytest.raises(KdEdgeError, match="no running normaliser"),
    ):
        device.normaliser()


def test_more_channels_than_a_frame_has_room_for_are_refused_at_export(model):
    """Oracle: 12 bytes a state and one more in a frame of 1,024."""
    constants = front_end()
    wide = 1 + (DEFAULT_PAYLOAD - 1) // 12
    (layout,) = constants.inputs
    assert sum(len(s.channels) for s in constants.streams) < wide
    many = replace(layout, streams=layout.streams * 5, shape=(10, 40, CHANNELS * 5))
    from firmware_export.hello import check_link

    with pytest.raises(KdEdgeError, match="it keeps 107 states of its wearer") as caught:
        check_link({}, replace(constants, inputs=(many,)))
    assert caught.value.code == "KD_LINK_LIMIT"
