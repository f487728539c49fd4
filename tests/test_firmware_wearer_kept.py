"""What outlives the power of a running normaliser, and what following a wearer costs."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace

import numpy as np
import pytest
from firmware_samples import dense_model
from kept_in_files import head_and_normaliser, kept_in_files
from link_harness import PATIENT
from normaliser_samples import ROLL, RUNNING, STATES, front_end, same, settings, windows
from programs import need
from project_checks import FORMS

from firmware_export.aot.cores import find_core
from firmware_export.boards import find_board
from firmware_export.boards.compiling import measure_objects
from firmware_export.boards.emulator import start
from firmware_export.firmware import RUNTIME, build_firmware, firmware_sources
from firmware_export.project import ProjectFacts, as_seen_by, project_files
from firmware_export.sensors import StreamSettings
from kd_edge import cli
from kd_edge.base.running import first_state
from kd_edge.link.device import Device
from kd_edge.live.host import Host

pytestmark = pytest.mark.qemu
README = RUNTIME.parent / "README.md"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return dense_model(tmp_path_factory.mktemp("model") / "dense.tflite")


def test_a_users_hook_keeps_what_is_known_of_a_wearer_over_a_start(model, tmp_path, capsys):
    """Oracle: a wearer in Python. A process is the board, and a file its flash."""
    need("cc")
    board, (_, kept) = find_board("host"), head_and_normaliser(tmp_path)
    firmware = kept_in_files(firmware_sources(model, board, settings(front_end())), tmp_path)
    elf = build_firmware(firmware, board, tmp_path / "image").elf
    host, made = Host(model, front_end()), windows(4, seed=9)

    def started(do):
        with start(board, elf) as emulator, Device.open(emulator.url, patience=PATIENT) as device:
            return do(device)

    def answers(these, begins):
        def do(device):
            for answer in device.run_many(these, kind="raw", begins=begins):
                expected = host.answer(these[answer.index])
                np.testing.assert_array_equal(answer.scores, expected)
            return device.normaliser("keep")

        return do

    anew = started(lambda device: device.normaliser())
    same(anew.state, first_state(STATES))
    same(started(answers(made[:2], (0).__eq__)).state, host.wearer.state)
    same(started(answers(made[2:], lambda _: False)).state, host.wearer.state)
    written = kept.stat().st_mtime_ns
    started(lambda device: device.normaliser("keep"))
    assert kept.stat().st_mtime_ns == written, "what is kept already is written once more"
    # Frozen stays frozen, and what was not kept is forgotten.

    with start(board, elf) as emulator:
        for action in ("freeze", "keep"):
            assert cli.run(["board", "normaliser", action, "--port", emulator.url]) == 0
        assert "the next start goes on from here" in capsys.readouterr().out
    started(lambda device: (device.normaliser("thaw"), device.normaliser("reset")))
    worn = started(lambda device: device.normaliser())
    assert worn.frozen
    same(worn.state, host.wearer.state)
    whole = kept.read_bytes()
    other_model = whole[4:5] + bytes([whole[5] ^ 1]) + whole[6:]
    impossible = whole[4:40] + np.float32(9).tobytes() + whole[44:]

    def sealed(content):
        return zlib.crc32(content).to_bytes(4, "little") + content

    assert sealed(whole[4:]) == whole
    for broken in (
        whole[:-1], whole[:-1] + b"\xff", b"", sealed(other_model), sealed(impossible)
    ):  # fmt: skip
        kept.write_bytes(broken)
        worn = started(lambda device: device.normaliser())
        assert not worn.frozen
        same(worn.state, first_state(STATES))


@pytest.mark.parametrize(("name", "kind"), FORMS)
def test_a_project_leaves_the_hook_to_its_user_and_says_what_it_keeps(model, name, kind):
    board = as_seen_by(find_board(name), kind)
    stream = StreamSettings(hop_s=0.5)
    firmware = firmware_sources(model, board, settings(front_end()), stream=stream)
    facts = ProjectFacts("dense", "0" * 64, True, "kd-edge 1.2.3", "aot", "stub")
    project = project_files(firmware, board, facts, kind=kind)
    (own,) = [path for path in project.yours if path.endswith("/kd_keep.c")]
    if not kind.startswith("platformio"):  # which builds whatever lies in its folders
        assert any(
            "kd_keep.c" in text for path, text in project.files.items()
            if path.endswith(("Makefile", "CMakeLists.txt"))
        )  # fmt: skip
    assert project.files[own] == firmware.files["kd_keep_stub.c"]
    readme = project.files["README.md"]
    assert own in readme
    assert "board normaliser keep" in readme
    assert "board head" not in readme


def front_end_instructions(constants, model, folder) -> float:
    """QEMU's count of the front end of one window, a wearer's second."""
    board = find_board("qemu-an386")
    image = build_firmware(firmware_sources(model, board, settings(constants)), board, folder)
    with (
        start(board, image.elf, count_instructions=True, skip_idle=True) as emulator,
        Device.open(emulator.url, patience=PATIENT) as device,
    ):
        sent = device.run_many(windows(3, seed=3)[::2], kind="raw", begins=(0).__eq__, depth=1)
        ticks = [answer.front_end_ticks for answer in sent]
        return 1000 * ticks[-1] / device.hello.ticks_per_thousand


def test_what_a_front_end_adds_takes_the_instructions_that_the_readme_states(model, tmp_path):
    """Oracle: QEMU's count, of images that differ in one thing."""
    whole, counted = front_end(), []
    for n_added in range(5):
        log, emg, imu, roll = (n_added > i for i in range(4))
        streams = tuple(
            replace(
                stream,
                log_floor=stream.log_floor if log else (),
                running=RUNNING if (emg if stream.name == "emg" else imu) else None,
            )
            for stream in whole.streams
        )
        constants = replace(whole, streams=streams, roll=ROLL if roll else None)
        counted.append(front_end_instructions(constants, model, tmp_path / str(n_added)))
    text = README.read_text()
    (plain,) = re.findall(r"beside ([\d,]+) of the filters and of quantising 21 channels", text)
    table = text[text.index("| what a front end adds |") :].split("\n\n")[0]
    stated = [int(cell.replace(",", "")) for cell in (plain, *re.findall(r"\| ([\d,]+) \|", table))]
    assert stated == pytest.approx([counted[0], *np.diff(counted)], rel=0.05)


def test_the_normaliser_keeps_to_the_sizes_that_the_readme_states(model):
    """Oracle: object files for Cortex-M4, -Os; its RAM is for what is kept."""
    need("arm-none-eabi-gcc")
    firmware = firmware_sources(model, find_board("qemu-an386"), settings(front_end()))
    names = ("kd_running.c", "kd_running_values.c", "kd_normaliser.c")
    defines = [f"-D{name}={value}" for name, value in firmware.defines.items()]
    measured = measure_objects(
        firmware.files,
        find_core("m4"),
        ("-std=c99", "-Os", "-ffunction-sections", *defines),
        sources=list(names),
        what="the running normaliser",
    )
    sizes = [measured.of(name).flash_bytes for name in names]
    pattern = (
        r"`kd_running_values.c` \((\d+) together\), the link's\s+`kd_normaliser.c` \((\d+)\), "
        r"(\d+) bytes of RAM for each channel of each input, half of them "
        r"for what is kept [^0-9]+(\d+) more"
    )
    ((values, normaliser, a_state, beside),) = re.findall(pattern, README.read_text())
    stated = [int(values), int(normaliser)]
    assert stated == pytest.approx([sizes[0] + sizes[1], sizes[2]], rel=0.1)
    kept = measured.of("kd_normaliser.c").ram_bytes
    assert kept == int(a_state) // 2 * STATES + int(beside)
