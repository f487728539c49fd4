"""A replaceable last layer in every form: other cores, projects, bad lines and boards that lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from faulty_transport import FaultyTransport
from firmware_samples import two_input_model
from head_samples import another, body_and_head, windows
from link_harness import PATIENT
from programs import need
from project_checks import FORMS

from firmware_export.aot.head import head_block
from firmware_export.boards import find_board
from firmware_export.boards.emulator import start
from firmware_export.firmware import Firmware, build_firmware, firmware_sources
from firmware_export.project import ProjectFacts, as_seen_by, project_files
from firmware_export.settings import FirmwareSettings
from kd_edge.base import wire
from kd_edge.base.errors import KdEdgeError
from kd_edge.base.flatbuffer import read_tflite
from kd_edge.base.protocol import ACTIONS, BY_NAME
from kd_edge.link.channel import Patience
from kd_edge.link.checks import decoded
from kd_edge.link.device import Device
from kd_edge.link.transport import SerialTransport
from kd_edge.runtimes.registry import open_interpreter

SETTINGS = FirmwareSettings(
    name="own", labels=(), arena_bytes=0, arena_how="", front_end=None, golden=None,
    synthetic=True, generator="kd-edge test", personal=True,
)  # fmt: skip


def models(folder: Path, **form) -> tuple[Path, Path]:
    """As built, and a wearer's."""
    built, own = folder / "built.tflite", folder / "own.tflite"
    built.write_bytes(body_and_head(**form))
    own.write_bytes(another(built.read_bytes(), seed=1))
    return built, own


def answers_as(device: Device, model: Path) -> None:
    session, made = open_interpreter("tflm", model), windows(4, seed=2)
    found = [answer.scores for answer in device.run_many([(window,) for window in made])]
    np.testing.assert_array_equal(found, [session.run([window])[0][0] for window in made])


@pytest.mark.qemu
def test_helium_computes_a_layer_of_fewer_rows_than_a_vector_holds(tmp_path):
    """Oracle: TFLite Micro, bit for bit."""
    board = find_board("qemu-an547")
    need("arm-none-eabi-gcc", "qemu-system-arm")
    built, own = models(tmp_path, classes=3, features=5)
    firmware = firmware_sources(built, board, SETTINGS)
    elf = build_firmware(firmware, board, tmp_path / "image").elf
    with start(board, elf) as emulator, Device.open(emulator.url, patience=PATIENT) as device:
        answers_as(device, built)
        device.head.set(head_block(built, own))
        answers_as(device, own)
        device.head.reset()
        answers_as(device, built)


@pytest.mark.parametrize("form", [{"by_row": False}, {"bias": False}])
def test_a_line_that_damages_and_loses_bytes_brings_each_layer_whole(form, tmp_path):
    """Oracle: what the board tells of its layer, and TFLite Micro; the board is a process."""
    need("cc")
    board = find_board("host")
    built, own = models(tmp_path, features=400, **form)
    elf = build_firmware(firmware_sources(built, board, SETTINGS), board, tmp_path / "image").elf
    block = head_block(built, own)
    with start(board, elf) as emulator:
        line = FaultyTransport(SerialTransport(emulator.url, baud=115200), one_in=2500, seed=3)
        with Device(line, patience=Patience(timeout=0.2, retries=50)) as device:
            for _ in range(8):
                assert device.head.set(block).own
                assert device.head.tell().block == block
                assert device.hello.model_sha256 == read_tflite(own).sha256
                assert not device.head.reset().own
            assert line.total > 8
            device.head.set(block)
            answers_as(device, own)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    return models(tmp_path_factory.mktemp("models"))[0]


@pytest.mark.parametrize(("name", "kind"), FORMS)
def test_a_project_leaves_the_hook_to_the_user_and_builds_it(built, name, kind):
    """Oracle: what the builders' files list."""
    board = as_seen_by(find_board(name), kind)
    firmware: Firmware = firmware_sources(built, board, SETTINGS)
    facts = ProjectFacts("own", "0" * 64, True, "kd-edge 1.2.3", "aot", "none")
    project = project_files(firmware, board, facts, kind=kind)
    (own,) = project.yours
    assert own.endswith("/kd_keep.c")
    assert project.files[own] == firmware.files["kd_keep_stub.c"]
    assert own in project.files["README.md"]
    if kind != "platformio":  # which builds whatever lies in its folders
        lists = ("Makefile", "CMakeLists.txt")
        texts = [text for path, text in project.files.items() if path.endswith(lists)]
        assert any("kd_keep.c" in text for text in texts)
        assert any("KD_LINK_HEAD" in text for text in texts)


def test_models_without_a_dense_layer_at_their_end_are_refused_by_name(tmp_path):
    with pytest.raises(KdEdgeError, match="come from ADD") as caught:
        firmware_sources(two_input_model(tmp_path), find_board("host"), SETTINGS)
    assert caught.value.code == "KD_UNSUPPORTED_OP"


def test_only_the_same_body_gives_a_block(tmp_path):
    built, own = models(tmp_path)
    other = tmp_path / "other.tflite"
    other.write_bytes(another(body_and_head(by_row=False), seed=1))
    assert len(head_block(built, own)) == 76 + 8 * 5 + 4 * 5 + 5 * 10
    with pytest.raises(KdEdgeError) as caught:
        head_block(built, other)
    assert caught.value.code in ("KD_BOARD_MODEL", "KD_SHAPE")


BUILT, OWN = bytes(32), bytes(range(32))
HONEST = {
    "own": 1, "kept": 0, "head_bytes": 1500, "placed": 0, "built_sha256": BUILT,
    "model_sha256": OWN, "head": bytes(900),
}  # fmt: skip


@pytest.mark.parametrize(
    "lie",
    [
        {"own": 2},
        {"kept": 2},
        {"head_bytes": 76},
        {"head_bytes": 1 << 25},
        {"placed": 1500},
        {"own": 0, "head": b""},
        {"own": 0, "model_sha256": BUILT},
        {"head": b""},
        {"head": bytes(1001)},
    ],
    ids=" ".join,
)
def test_what_no_sound_board_says_of_its_layer_is_refused(lie):
    message, asked = BY_NAME["HEAD_ANSWER"], {"action": ACTIONS["TELL"], "offset": 500}
    honest = decoded(message, wire.encode("HEAD_ANSWER", HONEST), asked, None)
    assert honest.head_bytes == 1500
    with pytest.raises(KdEdgeError) as caught:
        decoded(message, wire.encode("HEAD_ANSWER", HONEST | lie), asked, None)
    assert caught.value.code == "KD_BOARD_PROTOCOL"
